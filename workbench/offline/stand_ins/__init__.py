"""The one table of what stands in for resource types that MiniStack's CloudFormation does not know.

Each module here holds `STAND_INS`, a tuple of them; adding a type is adding an entry. (`_making.py`, which does not,
is what they are made with.) The template is never changed: the offline AWS provisions these types itself, as it
deploys.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.offline.parts import make_in_a_thread

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # what Ref answers, and what each GetAtt does


@dataclass(frozen=True)
class StandIn:
    """What the offline AWS does for the resource type `type`.

    `by`: `api` where the thing is really made, through MiniStack's own API, with its declared properties;
    `engine` where a real server or program of ours stands behind it; `record` where nothing does but its name.
    `what` says it in a sentence, `ref` and `attributes` what `Ref` and each `Fn::GetAtt` answer.
    `create(logical_id, properties, stack_name)` makes it; `update(physical_id, old, new, stack_name)` changes
    it in place (without one, a change makes it anew); `delete(physical_id, properties)` takes it away, and
    must leave nothing.
    """

    type: str
    by: Literal["api", "engine", "record"]
    what: str
    ref: str
    create: Callable[[str, Properties, str], Made]
    delete: Callable[[str, Properties], None]
    attributes: Mapping[str, str] = field(default_factory=dict)
    update: Callable[[str, Properties, Properties, str], Made] | None = None


def table() -> dict[str, StandIn]:
    """Every stand-in, by resource type. Raises `ValueError` when a type has two."""
    found: dict[str, StandIn] = {}
    for module in (each.name for each in pkgutil.iter_modules(__path__) if not each.name.startswith("_")):
        for each in importlib.import_module(f"{__name__}.{module}").STAND_INS:
            if each.type in found:
                raise ValueError(f"{each.type} has two stand-ins")
            found[each.type] = each
    return found


def provision(handlers: dict[str, Any]) -> None:
    """Add every stand-in to MiniStack's table of provisioners; they call the API, or wait for what they start."""
    make_in_a_thread(*table())
    for kind, each in table().items():
        handler: dict[str, Any] = {"create": each.create, "delete": each.delete}
        if each.update is not None:
            handler["update"] = each.update
        handlers[kind] = handler
