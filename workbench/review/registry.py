"""Which class a resource belongs to: it has a room, is free, is known and not priced, or is unknown."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from workbench.assembly import Assembly, Resource
from workbench.errors import NotPriced
from workbench.review import resources
from workbench.review.free import Free, free_type
from workbench.review.room import Context, Limit, Room, module_of, refuse
from workbench.review.unpriced import macro_type, unpriced_type

T = TypeVar("T")

# What a property of another shape than a room expects ends in: an intrinsic for a list, a zero that is divided by.
UNEXPECTED = (TypeError, AttributeError, ValueError, LookupError, ArithmeticError)


class _Rooms(Mapping[str, Room]):
    """Rooms by type, each imported when it is first asked for: an assembly needs a few of some hundreds."""

    def __init__(self) -> None:
        self._modules = {found.name: None for found in pkgutil.iter_modules(resources.__path__)}
        self._found: dict[str, Room | None] = {}

    def __getitem__(self, resource_type: str) -> Room:
        if resource_type not in self._found:
            name = Path(module_of(resource_type)).stem
            room = _room(name) if name in self._modules else None
            self._found[resource_type] = room if room and room.type == resource_type else None
        found = self._found[resource_type]
        if found is None:
            raise KeyError(resource_type)
        return found

    def __iter__(self) -> Iterator[str]:
        return (_room(name).type for name in self._modules)

    def __len__(self) -> int:
        return len(self._modules)


def _room(module: str) -> Room:
    room: Room = importlib.import_module(f"{resources.__name__}.{module}").ROOM
    return room


@cache
def rooms() -> Mapping[str, Room]:
    """Every room, by resource type: one a module of `workbench/review/resources/`."""
    return _Rooms()


def ask(
    resource: Resource, question: Callable[[Resource, Context], Iterable[T]], context: Context
) -> list[T]:
    """What a room answers about `resource`. Raises `NotPriced` where a property has a shape that no room expects."""
    try:
        return list(question(resource, context))
    except UNEXPECTED as problem:
        what = f"a property is not as CloudFormation writes it, or known only at deployment ({problem})"
        raise refuse(resource, what) from problem


def ask_of_account(room: Room, context: Context) -> list[Limit]:
    """The ceilings that all resources of a room's types share. Raises `NotPriced` as `ask` does."""
    try:
        return list(room.limits_of_account(context))
    except UNEXPECTED as problem:
        raise NotPriced(
            f"{room.type}: a property of one is not as CloudFormation writes it, or known only at deployment "
            f"({problem}); the review can't hold it against the account's quotas: teach it in {module_of(room.type)}"
        ) from problem


def check(assembly: Assembly) -> None:
    """Raise `NotPriced` unless every resource has a class, and every declared usage key a meaning."""
    unknown = [each for each in assembly.resources if class_of(each.type) is None]
    if unknown:
        raise NotPriced(_unknown(unknown))
    for resource in assembly.resources:
        check_resource(resource)


def check_resource(resource: Resource) -> None:
    """Raise `NotPriced` for a usage key without a meaning, or a property that makes a free type pay."""
    _check_usage(resource)
    known = class_of(resource.type)
    if isinstance(known, Free):
        _check_free(resource, known)


def class_of(resource_type: str) -> Room | Free | str | None:
    """The one class of a type: its room, why it is free, why it is not priced, or None when nothing knows it."""
    return rooms().get(resource_type) or unpriced_type(resource_type) or free_type(resource_type)


def _unknown(unknown: list[Resource]) -> str:
    first = unknown[0]
    advice = macro_type(first.type)
    if advice is not None:
        return f"{first.stack.name}/{first.logical_id}: {first.type} is no resource: {advice}"
    others = sorted({each.type for each in unknown} - {first.type})
    more = f" (not known either: {', '.join(others)})" if others else ""
    return (
        f"{first.stack.name}/{first.logical_id}: the review doesn't know {first.type}{more}; "
        f"add a room at {module_of(first.type)}, or a line in workbench/review/free.py if it costs nothing"
    )


def _check_usage(resource: Resource) -> None:
    known = rooms()[resource.type].usage if resource.type in rooms() else {}
    for key in resource.workload:
        if key not in known:
            keys = ", ".join(known) or "none"
            raise NotPriced(
                f"{resource.stack.name}/{resource.logical_id}: {resource.type} has no usage {key!r} "
                f"(it has: {keys}); correct it where it is declared, or add it in {module_of(resource.type)}"
            )


def _check_free(resource: Resource, free: Free) -> None:
    for name, harmless in free.unless.items():
        value = _within(resource.properties, name)
        if value and value not in harmless and str(value).lower() != "false":
            raise refuse(resource, f"it is free unless {name} is set, and it is {value}")


def _within(properties: Mapping[str, Any], path: str) -> Any:
    """The property at `Settings.Enabled`; on the way there, what is known only at deployment."""
    value: Any = properties
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return value
        value = value.get(name)
    return value
