"""Which resource a value of a template points at, also across the stacks of one assembly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from workbench.assembly import Assembly, Reference, Resource, Stack, Unresolved

_IN_TEXT = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")


class Links:
    """Follows `Ref`, `Fn::GetAtt`, `Fn::Sub` and exported outputs of `assembly`."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def target(self, resource: Resource, value: Any) -> Resource | None:
        """The first resource that `value`, a resolved property of `resource`, points at."""
        return next(self._of(resource.stack, _as_template(value)), None)

    def mentions(self, resource: Resource, value: Any) -> list[Resource]:
        """Every resource that `value`, as the template of `resource` writes it, points at; each once."""
        # By identity: two stacks may hold equal logical ids.
        return list({id(found): found for found in self._of(resource.stack, value)}.values())

    def _of(self, stack: Stack, value: Any) -> Iterator[Resource]:
        if isinstance(value, list):
            for item in value:
                yield from self._of(stack, item)
        elif isinstance(value, dict):
            for name, argument in value.items():
                yield from self._intrinsic(stack, name, argument)
        elif isinstance(value, str):
            for logical_id in _IN_TEXT.findall(value):
                yield from self._named(stack, logical_id)

    def _intrinsic(self, stack: Stack, name: str, argument: Any) -> Iterator[Resource]:
        if name == "Ref":
            yield from self._named(stack, argument)
        elif name == "Fn::GetAtt":
            yield from self._named(
                stack, argument.split(".")[0] if isinstance(argument, str) else argument[0]
            )
        elif name == "Fn::ImportValue" and isinstance(argument, str) and argument in self._exports:
            exporter, exported = self._exports[argument]
            yield from self._of(exporter, exported)
        else:
            yield from self._of(stack, argument)

    def _named(self, stack: Stack, logical_id: Any) -> Iterator[Resource]:
        if isinstance(logical_id, str) and logical_id in stack.resources:
            yield stack.resources[logical_id]

    @cached_property
    def _exports(self) -> dict[str, tuple[Stack, Any]]:
        found = {}
        for stack in self._assembly.stacks:
            for output in stack.template.get("Outputs", {}).values():
                name = stack.resolve((output.get("Export") or {}).get("Name"))
                if isinstance(name, str):
                    found[name] = (stack, output.get("Value"))
        return found


def _as_template(value: Any) -> Any:
    """A resolved value, turned back into what a template says."""
    if isinstance(value, Reference):
        return {"Ref": value.logical_id}
    if isinstance(value, Unresolved):
        return json.loads(value.text)
    if isinstance(value, list):
        return [_as_template(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_template(item) for key, item in value.items()}
    return value
