"""The usage of an assembly that declares none, from a TOML file: `blueprint cost --assembly DIR --usage FILE`.

    users = 1000                      # whose traffic this is; needed for --users
    requests_per_month = 300000       # for the cost of a thousand

    ["Shop/Orders"]                   # a resource: its name in the report, its construct path, or its logical id
    write_units_per_month = 300000
    stored_gb = 2

What the template declares itself is replaced, key by key.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from workbench.assembly import LARGEST_FIGURE, Assembly, Resource
from workbench.errors import MalformedAssembly, NotPriced
from workbench.review import registry
from workbench.review.numbers import plain
from workbench.review.room import Context, Room, undeclared_keys

OF_ALL = ("users", "requests_per_month")


def add_usage(assembly: Assembly, file: Path) -> None:
    """Write what `file` says into the loaded templates, as if the app had declared it.

    Raises `MalformedAssembly`, which names the file and the key.
    """
    said = _read(file)
    names = _names(assembly)
    for name, value in said.items():
        if name in OF_ALL and not isinstance(value, dict):  # a resource may be called so too
            _write_of_all(assembly, name, _of_all(file, name, value))
            continue
        resource = _resource(file, name, names)
        if not isinstance(value, dict):
            raise MalformedAssembly(f"{file}: {name!r} must be a table of usage keys, [{name!r}]")
        for key, amount in value.items():
            _check_key(file, name, key, resource)
            figure = _number(file, f"[{name!r}] {key}", amount)
            written = {"value": plain(figure), "formula": f"{plain(figure)} ({file.name})"}
            _inside(resource.raw, "Metadata", "Workload")[key] = written


def _write_of_all(assembly: Assembly, name: str, value: int | str) -> None:
    """Into every stack; what users do stands in the first alone, as that of several blueprints is summed."""
    for index, stack in enumerate(assembly.stacks):
        written = "0" if index and name == "requests_per_month" else value
        _inside(stack.template, "Metadata", "Workload")[name] = written


def missing_usage(assembly: Assembly) -> Iterator[str]:
    """A usage file to fill in, line by line: every key that a resource of `assembly` could declare and does not."""
    context, names = Context(assembly, registry.rooms(), Decimal(1)), _names(assembly)
    yield "# users = 1000  # whose traffic this is"
    yield "# requests_per_month = 300000  # for the cost of a thousand"
    for resource in assembly.resources:
        room = context.rooms.get(resource.type)
        keys = _undeclared(resource, room, context) if room else []
        if room and keys:
            yield ""
            aliases = [each for each in _aliases(resource, context) if each not in OF_ALL]
            name = next((each for each in aliases if names[each] == [resource]), aliases[-1])
            yield f"[{json.dumps(name, ensure_ascii=False)}]  # {resource.type}"
            for key in keys:
                yield f"# {key} = 0  # {room.usage[key].unit}: {room.usage[key].meaning}"


def _undeclared(resource: Resource, room: Room, context: Context) -> list[str]:
    """The keys that `resource` could declare and does not; without those that its settings have no use for."""
    keys = [key for key in room.usage if key not in resource.workload]
    if not _is_refused(resource, keys, room, context) or _is_refused(resource, [], room, context):
        return keys
    quantities = [line.quantity for line in registry.ask(resource, room.lines, context)]
    asked_for = {key for each in quantities for key in undeclared_keys(each)}
    return [key for key in keys if key in asked_for or not _is_refused(resource, [key], room, context)]


def _is_refused(resource: Resource, keys: list[str], room: Room, context: Context) -> bool:
    """Whether `room` refuses `resource` once it declares `keys` too."""
    metadata = resource.metadata
    declared = {**metadata.get("Workload", {}), **{key: {"value": "1", "formula": "1"} for key in keys}}
    tried = replace(resource, raw={**resource.raw, "Metadata": {**metadata, "Workload": declared}})
    try:
        for question in (room.lines, room.limits, room.stations):
            registry.ask(tried, question, context)
    except NotPriced:
        return True
    return False


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise MalformedAssembly(f"{file} is not there; --missing-usage writes one to fill in") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise MalformedAssembly(f"{file} cannot be read as TOML ({problem})") from None


def _names(assembly: Assembly) -> dict[str, list[Resource]]:
    """What a file may call a resource → those that are called so; a better kind of name goes before the others."""
    context = Context(assembly, registry.rooms(), Decimal(1))
    resources = list(assembly.resources)
    found: dict[str, list[Resource]] = {}
    for kind in zip(*(_aliases(each, context) for each in resources), strict=True):
        named: dict[str, list[Resource]] = {}
        for name, each in zip(kind, resources, strict=True):
            named.setdefault(name, []).append(each)
        found = named | found
    return found


def _aliases(resource: Resource, context: Context) -> tuple[str, ...]:
    """What a file may call `resource`, best first; any of them may be the name of others too."""
    in_its_stack = f"{resource.stack.name}/{resource.logical_id}"
    return context.name_of(resource), resource.path, in_its_stack, resource.logical_id


def _resource(file: Path, name: str, names: Mapping[str, list[Resource]]) -> Resource:
    found = names.get(name, [])
    if not found:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "--missing-usage lists them"
        raise MalformedAssembly(f"{file}: the assembly has no resource {name!r}; {hint}")
    if len(found) > 1:
        paths = ", ".join(sorted(each.path for each in found))
        raise MalformedAssembly(f"{file}: {name!r} is the name of {len(found)} resources: {paths}")
    return found[0]


def _check_key(file: Path, name: str, key: str, resource: Resource) -> None:
    room = registry.rooms().get(resource.type)
    known = room.usage if room else {}
    if key not in known:
        keys = ", ".join(known) or "none"
        raise MalformedAssembly(
            f"{file}: [{name!r}] {resource.type} has no usage key {key!r} (it has: {keys})"
        )


def _of_all(file: Path, name: str, value: Any) -> int | str:
    amount = _number(file, name, value)
    if name != "users":
        return plain(amount)
    if amount != int(amount) or amount < 1:
        raise MalformedAssembly(f"{file}: users must be a whole number, at least 1; got {value}")
    return int(amount)


def _number(file: Path, what: str, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise MalformedAssembly(f"{file}: {what} must be a number; got {value!r}")
    amount = Decimal(value)
    if not amount.is_finite() or not 0 <= amount <= LARGEST_FIGURE:
        raise MalformedAssembly(f"{file}: {what} must be between 0 and 10^18; got {value}")
    return amount


def _inside(place: Any, *keys: str) -> dict[str, Any]:
    """The object at `keys`, made where it isn't there."""
    for key in keys:
        if not isinstance(place.get(key), dict):
            place[key] = {}
        place = place[key]
    found: dict[str, Any] = place
    return found
