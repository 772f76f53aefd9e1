"""Where a system breaks: each ceiling against the load, and the smallest number of users that goes over one.

    checked = limits(assembly)                          # worst headroom first
    first_to_break(capacity_of_fixed(assembly))         # the template as it is, with more and more people

The search takes any function from users to checked limits, so a caller may also synthesize anew at each size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import isqrt

from workbench.assembly import Assembly
from workbench.errors import Misuse
from workbench.review import registry
from workbench.review.cost import declared_users
from workbench.review.numbers import shown, tidy
from workbench.review.room import NOT_DECLARED, Context, Limit, is_declared

MOST_USERS = 10**10
TOLERANCE_PERCENT = 1


@dataclass(frozen=True)
class Checked:
    """One ceiling and the load against it, both in `unit`; `headroom` is 1 − load ÷ quota."""

    resource: str
    limit: str
    unit: str
    quota: Decimal
    load: Decimal
    headroom: Decimal
    adjustable: bool
    source: str
    quota_formula: str
    load_formula: str

    @property
    def breaks(self) -> bool:
        return self.load > self.quota

    @property
    def why(self) -> str:
        """One sentence that names the numbers, without its full stop."""
        return (
            f"{self.resource} gets {shown(self.load)} {self.unit} against {shown(self.quota)}: {self.limit} "
            f"({self.quota_formula}); the load is {self.load_formula}"
        )


@dataclass(frozen=True)
class Break:
    """The smallest size found that goes over a limit. Without one, all but `why` are None."""

    users: int | None
    resource: str | None
    limit: str | None
    why: str


def limits(assembly: Assembly, traffic: Decimal = Decimal(1)) -> list[Checked]:
    """Every limit of `assembly` whose load is declared, with its traffic multiplied; worst headroom first.

    Raises `NotPriced` for what the review doesn't know, and `MalformedAssembly`.
    """
    checked = [_checked(limit) for limit in _limits(assembly, traffic) if is_declared(limit.load)]
    return sorted(checked, key=lambda each: (each.headroom, each.resource, each.limit))


def undeclared(assembly: Assembly) -> list[str]:
    """The limits that cannot be checked: `Clicks: Messages in flight (duration_ms)`."""
    return [
        f"{limit.resource}: {limit.limit} ({limit.load.formula.removeprefix(NOT_DECLARED)})"
        for limit in _limits(assembly, Decimal(1))
        if not is_declared(limit.load)
    ]


def _limits(assembly: Assembly, traffic: Decimal) -> Iterator[Limit]:
    registry.check(assembly)
    rooms = registry.rooms()
    everywhere = Context(assembly, rooms, traffic)
    for resource in assembly.resources:
        if resource.type in rooms:
            yield from registry.ask(resource, rooms[resource.type].limits, everywhere)
    for region in dict.fromkeys(stack.region for stack in assembly.stacks):
        there = Context(assembly, rooms, traffic, region)
        for room in rooms.values():
            yield from room.limits_of_account(there)


def _checked(limit: Limit) -> Checked:
    quota, load = limit.quota.value, limit.load.value
    headroom = tidy(1 - load / quota) if quota else Decimal(-1 if load else 0)
    return Checked(
        resource=limit.resource,
        limit=limit.limit,
        unit=limit.unit,
        quota=quota,
        load=load,
        headroom=headroom,
        adjustable=limit.adjustable,
        source=limit.source,
        quota_formula=limit.quota.formula,
        load_formula=limit.load.formula,
    )


def capacity_of_fixed(assembly: Assembly) -> Callable[[int], list[Checked]]:
    """Limits of the template as it is deployed, at any number of users: its traffic grows with them.

    Raises `Misuse` when the template doesn't declare how many users its traffic is of.
    """
    users = declared_users(assembly)
    if users is None:
        raise Misuse("the assembly doesn't say for how many users its traffic is (Metadata.Workload.users)")

    def limits_at(wanted: int) -> list[Checked]:
        return limits(assembly, Decimal(wanted) / users)

    return limits_at


def first_to_break(
    limits_at: Callable[[int], list[Checked]], *, start: int = 1, factor: int = 10, most: int = MOST_USERS
) -> Break:
    """The smallest number of users, to within 1 %, at which some load is over its quota.

    Goes up from `start` by `factor`, then halves the bracket (geometrically). Of several limits that give
    way at that size, the one with the least headroom is named.
    """
    below, size = 0, start
    while not _broken(limits_at, size):
        if size >= most:
            return Break(None, None, None, f"no limit that is known gives way up to {most:,} users")
        below, size = size, min(size * factor, most)
    users = _refine(limits_at, below, size)
    worst = _broken(limits_at, users)[0]
    return Break(users, worst.resource, worst.limit, worst.why)


def _refine(limits_at: Callable[[int], list[Checked]], below: int, over: int) -> int:
    """The smaller end of the bracket holds, the larger breaks: narrow it to 1 %, or to neighbours."""
    while over - below > 1 and (over - below) * 100 > over * TOLERANCE_PERCENT:
        middle = min(max(isqrt(max(below, 1) * over), below + 1), over - 1)
        if _broken(limits_at, middle):
            over = middle
        else:
            below = middle
    return over


def _broken(limits_at: Callable[[int], list[Checked]], users: int) -> list[Checked]:
    return [each for each in limits_at(users) if each.breaks]
