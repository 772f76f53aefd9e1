"""Which resource a value of a template points at, also across the stacks of one assembly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from workbench.assembly import Assembly, Reference, Resource, Stack, Text, Unresolved

_IN_TEXT = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.([A-Za-z0-9.]+))?\}")


class Links:
    """Follows `Ref`, `Fn::GetAtt`, `Fn::Sub`, outputs of other stacks, and what nested stacks are given and give."""

    def __init__(self, _assembly: Assembly) -> None:  # whose stacks know each other
        self._following: set[tuple[int, str]] = set()

    def target(self, resource: Resource, value: Any) -> Resource | None:
        """The first resource that `value`, a resolved property of `resource`, points at."""
        return next(self._of(resource.stack, value), None)

    def mentions(self, resource: Resource, value: Any) -> list[Resource]:
        """Every resource that `value`, as the template of `resource` writes it, points at; each once."""
        return list(dict.fromkeys(self._of(resource.stack, value)))

    def _of(self, stack: Stack, value: Any) -> Iterator[Resource]:
        """The resources in a value that stands in `stack`, resolved or as the template writes it."""
        match value:
            case Reference():
                yield from self._named(_stack_of(value, stack), value.logical_id, value.attribute)
            case Unresolved():
                yield from self._of(_stack_of(value, stack), json.loads(value.text))
            case Text():
                for part in value.parts:
                    yield from self._of(stack, part)
            case str() if value.startswith("{{resolve:ssm:"):
                found = stack.resolve(value)
                if not isinstance(found, Unresolved) or found.stack is not None:
                    yield from self._followed(stack, value, found)
            case str():
                for logical_id, attribute in _IN_TEXT.findall(value):
                    yield from self._named(stack, logical_id, attribute)
            case list():
                for item in value:
                    yield from self._of(stack, item)
            case dict():
                for name, argument in value.items():
                    yield from self._intrinsic(stack, name, argument)

    def _intrinsic(self, stack: Stack, name: str, argument: Any) -> Iterator[Resource]:
        match name, argument:
            case "Ref", str(named):
                yield from self._named(stack, named)
            case "Fn::GetAtt", [str(named), str(attribute)]:
                yield from self._named(stack, named, attribute)
            case "Fn::GetAtt", str(named):
                yield from self._named(stack, *named.split(".", 1))
            case "Fn::If", [str(condition), if_true, if_false]:
                holds = stack.condition(condition)
                yield from self._of(stack, if_true if holds is not False else None)
                yield from self._of(stack, if_false if holds is not True else None)
            case (("Fn::ImportValue" | "Fn::GetStackOutput"), _):
                value = stack.resolve({name: argument})
                unknown = isinstance(value, Unresolved) and value.stack is None
                yield from self._followed(stack, json.dumps(argument), argument if unknown else value)
            case _:
                yield from self._of(stack, argument)

    def _named(self, stack: Stack, name: str, attribute: str | None = None) -> Iterator[Resource]:
        """The resource of that logical id; or what a parameter is given, or an output of a nested stack holds."""
        behind = stack.behind(name, attribute)
        if behind is not None:
            yield from self._followed(stack, f"{name}.{attribute}", behind)
        elif name in stack.resources:
            yield stack.resources[name]

    def _followed(self, stack: Stack, step: str, value: Any) -> list[Resource]:
        """The resources in what a step leads to; none where it leads back to itself."""
        key = (id(stack), step)
        if key in self._following:
            return []
        self._following.add(key)
        try:
            return list(self._of(stack, value))
        finally:
            self._following.discard(key)


def _stack_of(value: Reference | Unresolved, standing_in: Stack) -> Stack:
    return value.stack if isinstance(value.stack, Stack) else standing_in
