"""A room: all that the review knows of one AWS resource type. One file in `resources/`, found by walking it.

    ROOM = Room(
        type="AWS::SQS::Queue", classification="usage", usage={"requests_per_month": Usage("requests",
        "every SendMessage, ReceiveMessage and DeleteMessage call")}, lines=_lines,      # (resource,
        context) → cost lines limits=_limits,    # (resource, context) → limits
    )

A room reads the template through `resource.properties` and the declared traffic through the context, so
that a key that nobody declared shows up as "no usage declared" and never as a silent zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Literal, TypeVar

from workbench.assembly import Assembly, Reference, Resource, Text, Unresolved
from workbench.errors import NotPriced
from workbench.review.links import Links
from workbench.review.numbers import constant, plain, tidy
from workbench.review.queueing import Station
from workbench.review.quotas import Quota, quotas
from workbench.workload import Figure, total

T = TypeVar("T")

NOT_DECLARED = "no usage declared: "

Classification = Literal["free", "baseline", "usage", "mixed"]


@dataclass(frozen=True)
class Usage:
    """One usage key: its unit, its meaning, and whether it grows with traffic."""

    unit: str
    meaning: str
    scales: bool = True


@dataclass(frozen=True)
class CostLine:
    """One billed thing of one resource: `quantity` of `unit` a month, at the price `price_key`.

    `component` is plural, with its variable part in brackets: `Duration (arm)`.
    """

    component: str
    unit: str
    quantity: Figure
    price_key: str


@dataclass(frozen=True)
class Limit:
    """A ceiling and the load against it, both in `unit`. `resource` is a construct's name, or `account`.

    `advice` is what to do where the load comes near: which property of which resource to change (`setting` writes
    it), where to ask AWS, or what to redesign. `grade` is how well its number is known, as in the quota book.
    """

    resource: str
    limit: str
    unit: str
    quota: Figure
    load: Figure
    adjustable: bool
    source: str
    advice: str = ""
    grade: str = "B"


class Context:
    """One assembly at one scale of traffic, as the rooms see it."""

    def __init__(
        self, assembly: Assembly, rooms: Mapping[str, Room], traffic: Decimal, region: str | None = None
    ) -> None:
        self.assembly = assembly
        self.rooms = rooms
        self.traffic = traffic
        self.region = region
        self.links = Links(assembly)
        self._found: dict[object, Any] = {}

    def declared(self, resource: Resource, key: str) -> Figure | None:
        """The usage `key` of `resource` at this traffic; None when the template doesn't declare it."""
        figure = resource.workload.get(key)
        if figure is None or self.traffic == 1 or not self.rooms[resource.type].usage[key].scales:
            return figure
        return Figure(
            tidy(figure.value * self.traffic), f"({figure.formula}) × {plain(tidy(self.traffic))} (traffic)"
        )

    def derive(
        self, resource: Resource, *keys: str, by: Callable[..., Figure] = lambda figure: figure
    ) -> Figure:
        """`by` of the usage figures `keys`; zero, with a formula that says which is missing, where one is."""
        figures = {key: self.declared(resource, key) for key in keys}
        missing = [key for key, figure in figures.items() if figure is None]
        if missing:
            return Figure(Decimal(0), f"{NOT_DECLARED}{', '.join(missing)}")
        return by(*figures.values())

    def target(self, resource: Resource, value: Any) -> Resource | None:
        """The resource that the property `value` of `resource` points at; None outside the assembly."""
        return self.links.target(resource, value)

    def all_of(self, resource_type: str) -> Iterator[Resource]:
        """Every resource of a type, in the region under review."""
        for resource in self._by_type.get(resource_type, ()):
            if self.region in (None, resource.stack.region):
                yield resource

    def pointing_at(self, found: Resource, resource_type: str, name: str) -> list[Resource]:
        """The resources of a type whose property `name` points at `found`; `Outer.Inner` names one inside another.

        Who points at what is looked up once, so that each of many resources may ask.
        """
        return self._pointers(resource_type, name, self._pointed_at).get(found, [])

    def mentioning(self, found: Resource, resource_type: str, name: str) -> list[Resource]:
        """The same, where the property is a text or a list that names several resources."""
        return self._pointers(resource_type, name, self._mentioned).get(found, [])

    def once(self, find: Callable[[Context], T]) -> T:
        """What `find` makes of this context, made once: a map that each of many resources looks something up in."""
        if find not in self._found:
            self._found[find] = find(self)
        known: T = self._found[find]
        return known

    def _pointers(
        self, resource_type: str, name: str, look: Callable[[Resource, str], Iterable[Resource]]
    ) -> Mapping[Resource, list[Resource]]:
        key = (resource_type, name, look.__name__)
        if key not in self._found:
            pointers: dict[Resource, list[Resource]] = {}
            for each in self.all_of(resource_type):
                for found in look(each, name):
                    pointers.setdefault(found, []).append(each)
            self._found[key] = pointers
        known: Mapping[Resource, list[Resource]] = self._found[key]
        return known

    def _pointed_at(self, resource: Resource, name: str) -> Iterator[Resource]:
        found = self.target(resource, _inside(resource.properties, name))
        if found is not None:
            yield found

    def _mentioned(self, resource: Resource, name: str) -> list[Resource]:
        return self.links.mentions(resource, _inside(resource.raw.get("Properties") or {}, name))

    @cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.assembly.resources:
            found.setdefault(resource.type, []).append(resource)
        return found

    def name_of(self, resource: Resource) -> str:
        """What the report calls `resource`: its construct path; first the stack's name if there are more."""
        if len(self.assembly.stacks) == 1:
            return resource.name
        return f"{self.assembly.label(resource.stack.top)}/{resource.name}"

    def quota(self, key: str) -> Quota:
        return quotas()[key]

    def against(
        self, key: str, resource: Resource | str, limit: str, load: Figure, times: Figure | None = None
    ) -> Limit:
        """`load` against the AWS quota `key`; with `times`, against as many of it: shards, brokers, addresses."""
        quota = self.quota(key)
        name = resource if isinstance(resource, str) else self.name_of(resource)
        most = quota.figure if times is None else quota.figure * times
        return Limit(
            name, limit, quota.unit, most, load, quota.adjustable, quota.source, quota.advice, quota.grade
        )


def _inside(properties: Any, name: str) -> Any:
    """The property `Outer.Inner` of `properties`; None where it isn't there."""
    for part in name.split("."):
        properties = properties.get(part) if isinstance(properties, Mapping) else None
    return properties


def setting(resource: str, what: str) -> str:
    """The advice to change the property or properties `what` of `resource` in the template."""
    return f"raise {what} of {resource} in the template"


def is_declared(figure: Figure) -> bool:
    """False for a figure that stands for a usage key which the template doesn't declare."""
    return not figure.formula.startswith(NOT_DECLARED)


def undeclared_keys(figure: Figure) -> list[str]:
    """The usage keys that a figure lacks; none for one that is declared."""
    return [] if is_declared(figure) else figure.formula.removeprefix(NOT_DECLARED).split(", ")


def sum_declared(figures: Iterable[Figure]) -> Figure:
    """The sum of the figures that are declared, saying how many are not; undeclared when none is."""
    every = list(figures)
    known = [figure for figure in every if is_declared(figure)]
    if not known:
        return every[0]
    summed = total(*known)
    missing = len(every) - len(known)
    return Figure(summed.value, f"{summed.formula} ({missing} more not declared)") if missing else summed


def _nothing(_resource: Resource, _context: Context) -> Iterable[Any]:
    return ()


def declared_only(figures: Iterable[Figure]) -> Figure | None:
    """The sum of those that are declared; None when none is, for a limit that is there only where it is asked for."""
    known = [figure for figure in figures if is_declared(figure)]
    return total(*known) if known else None


def _nothing_of_account(_context: Context) -> Iterable[Limit]:
    return ()


@dataclass(frozen=True)
class Room:
    """What the review knows of the resource type `type`.

    `classification`: `baseline` pays by existing, `usage` by use, `mixed` both, `free` neither (it is here
    for its limits). `limits_of_account` is asked once a region, for the ceilings that all resources share.
    `stations` are the servers of it that work is queued before, or refused by.
    """

    type: str
    classification: Classification
    usage: Mapping[str, Usage] = field(default_factory=dict)
    lines: Callable[[Resource, Context], Iterable[CostLine]] = _nothing
    limits: Callable[[Resource, Context], Iterable[Limit]] = _nothing
    limits_of_account: Callable[[Context], Iterable[Limit]] = _nothing_of_account
    warnings: Callable[[Resource, Context], Iterable[str]] = _nothing
    stations: Callable[[Resource, Context], Iterable[Station]] = _nothing


def module_of(resource_type: str) -> str:
    """The file of the room of a type: `workbench/review/resources/aws_sqs_queue.py`."""
    return f"workbench/review/resources/{resource_type.lower().replace('::', '_')}.py"


def refuse(resource: Resource, what: str) -> NotPriced:
    """The error for a property that changes the price in a way the room doesn't know."""
    what_to_do = f"the review can't price that: teach it in {module_of(resource.type)}"
    return NotPriced(f"{_place(resource)}: {what}; {what_to_do}")


def _place(resource: Resource) -> str:
    return f"{resource.stack.name}/{resource.logical_id} ({resource.type})"


def _unknown(resource: Resource, value: Any, name: str) -> NotPriced:
    """The error for a property that is missing, or that only deployment knows: no room could be taught that."""
    if not isinstance(value, (Reference, Text, Unresolved)):
        return refuse(resource, f"{name} is {value}, known only at deployment or missing")
    return NotPriced(
        f"{_place(resource)}: {name} is {value}, known only at deployment; write the value in the template, or give "
        "the parameter that it hangs on a Default"
    )


def number(resource: Resource, value: Any, name: str, default: int | None = None) -> Decimal:
    """The property `name`, whose value is `value`, as a number. Raises `NotPriced` when it is not one."""
    if value is None and default is not None:
        return Decimal(default)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise _unknown(resource, value, name) from None
    if not found.is_finite() or found < 0:
        raise refuse(resource, f"{name} is {value}, which is no amount")
    return found


def text(resource: Resource, value: Any, name: str) -> str:
    """The property `name`, whose value is `value`, as a string. Raises `NotPriced` when it is not one."""
    if not isinstance(value, str) or isinstance(value, Text):
        raise _unknown(resource, value, name)
    return value


def one_of(resource: Resource, value: Any, name: str, known: tuple[str, ...]) -> str:
    """The property `name` as one of the words that the room knows. Raises `NotPriced` for any other."""
    if value not in known:
        raise refuse(resource, f"{name} is {value}, and only {', '.join(known)} are known")
    return str(value)


def each(count: int, what: str) -> Figure:
    """`count` things that are paid by existing, such as `2 alarms`."""
    return constant(count, f"{count} {what}")
