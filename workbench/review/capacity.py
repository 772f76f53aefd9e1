"""Where a system breaks: each ceiling against the load, and the smallest number of users that goes over one.

    checked = limits(assembly)                          # worst headroom first
    prerequisites(checked)                              # the quotas to raise before it can be deployed at all
    first_to_break(capacity_of_fixed(assembly))         # the template as it is, with more and more people
    queues(assembly)                                    # how long work waits, where servers are few

The search takes any function from users to checked limits, so a caller may also synthesize anew at each size.

Machines that stand there when nobody comes may need more than AWS gives a new account. Such a quota is not where
the system breaks as it grows: it is raised first, or nothing is deployed. So it is reported by itself, and the
search takes it as raised to what each size needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isqrt

from workbench.assembly import Assembly
from workbench.errors import Misuse
from workbench.review import queueing, registry
from workbench.review.cost import declared_users
from workbench.review.numbers import shown, tidy
from workbench.review.queueing import Queue, Station
from workbench.review.room import NOT_DECLARED, Context, Limit, is_declared

ACCOUNT = "account"
MOST_USERS = 10**10
TOLERANCE_PERCENT = 1
TIGHTEST = 3


@dataclass(frozen=True)
class Checked:
    """One ceiling and the load against it, both in `unit`; `headroom` is 1 − load ÷ quota.

    `idle_load` is what is left of the load with no traffic at all; `of_account` is true for a quota that AWS sets
    for all that an account has in a region, and not for what the template itself makes room for. `advice` says how to
    raise it, or what to redesign; `grade` how well its number is known, as in the quota book.
    """

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
    idle_load: Decimal = Decimal(0)
    of_account: bool = False
    advice: str = ""
    grade: str = "B"

    @property
    def utilisation(self) -> Decimal:
        """Load ÷ quota, which with the headroom makes 1."""
        return 1 - self.headroom

    @property
    def breaks(self) -> bool:
        return self.load > self.quota

    @property
    def is_prerequisite(self) -> bool:
        """Whether AWS has to raise it before anything can be deployed: exceeded by what stands there idle."""
        return self.adjustable and self.of_account and self.idle_load > self.quota

    @property
    def why(self) -> str:
        """One sentence that names the numbers, without its full stop."""
        return (
            f"{self.resource} gets {shown(self.load)} {self.unit} against {shown(self.quota)}: {self.limit} "
            f"({self.quota_formula}); the load is {self.load_formula}"
        )

    @property
    def increase(self) -> str:
        """What to ask AWS for before deploying: `Fargate vCPUs, on demand: 8 vCPUs needed, a new account has 6`."""
        where = "" if self.resource == ACCOUNT else f" ({self.resource})"
        return (
            f"{self.limit}{where}: {shown(self.idle_load)} {self.unit} needed, "
            f"a new account has {shown(self.quota)}"
        )


@dataclass(frozen=True)
class Break:
    """The smallest size found that goes over a limit. Without one, `users`, `resource` and `limit` are None.

    `prerequisites` are the quotas taken as raised, checked at the smallest size that was looked at. `advice` says how
    to raise the limit that gives way, or what to redesign.
    """

    users: int | None
    resource: str | None
    limit: str | None
    why: str
    prerequisites: tuple[Checked, ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class Waiting:
    """Work before servers that are few, in the busiest second. `chance` is that of waiting, or of being refused.

    `mean_wait` and `p99_wait` are seconds, None where it is refused instead or where the queue grows without end;
    it then grows by `growth` a second. `formula` says what λ, s and c are made of.
    """

    resource: str
    work: str
    servers: int
    arrivals: Decimal
    service_seconds: Decimal
    utilisation: Decimal
    refuses: bool
    chance: Decimal
    mean_wait: Decimal | None
    p99_wait: Decimal | None
    growth: Decimal
    formula: str

    @property
    def grows(self) -> bool:
        """Whether more arrives than the servers do."""
        return not self.refuses and self.mean_wait is None


def limits(assembly: Assembly, traffic: Decimal = Decimal(1)) -> list[Checked]:
    """Every limit of `assembly` whose load is declared, with its traffic multiplied; worst headroom first.

    Raises `NotPriced` for what the review doesn't know, and `MalformedAssembly`.
    """
    registry.check(assembly)
    own = _with_idle(assembly, traffic, _of_resources)
    shared = _with_idle(assembly, traffic, _of_account)
    checked = [
        _checked(limit, idle.load.value, of_account)
        for pairs, of_account in ((own, False), (shared, True))
        for limit, idle in pairs
        if is_declared(limit.load)
    ]
    return sorted(checked, key=lambda each: (each.headroom, each.resource, each.limit))


def prerequisites(checked: Iterable[Checked]) -> tuple[Checked, ...]:
    """The quotas of the account that must be raised before this is deployed, in the order of `checked`."""
    return tuple(each for each in checked if each.is_prerequisite)


def tightest(checked: Iterable[Checked]) -> list[Checked]:
    """The limits with the least headroom, of `checked` in any order."""
    return sorted(checked, key=lambda each: each.headroom)[:TIGHTEST]


def queues(assembly: Assembly, traffic: Decimal = Decimal(1)) -> list[Waiting]:
    """Where work queues before servers of `assembly`, or is refused by them, as far as its rates are declared.

    Raises `NotPriced` for what the review doesn't know, and `MalformedAssembly`.
    """
    registry.check(assembly)
    rooms = registry.rooms()
    context = Context(assembly, rooms, traffic)
    stations = [
        station
        for resource in assembly.resources
        if resource.type in rooms
        for station in registry.ask(resource, rooms[resource.type].stations, context)
    ]
    return [_waiting(each) for each in stations if _is_known(each)]


def _is_known(station: Station) -> bool:
    figures = (station.arrivals, station.service_seconds)
    return all(map(is_declared, figures)) and station.service_seconds.value > 0 and station.servers.value >= 1


def _waiting(station: Station) -> Waiting:
    queue = Queue(station.arrivals.value, station.service_seconds.value, int(station.servers.value))
    refuses = station.refuses
    mean, p99 = (None, None) if refuses else (queue.mean_wait, queue.wait(queueing.P99))
    return Waiting(
        resource=station.resource,
        work=station.work,
        servers=queue.servers,
        arrivals=queue.arrivals,
        service_seconds=queue.service,
        utilisation=tidy(queue.utilisation),
        refuses=refuses,
        chance=tidy(queue.chance_to_be_refused if refuses else queue.chance_to_wait),
        mean_wait=None if mean is None else tidy(mean),
        p99_wait=None if p99 is None else tidy(p99),
        growth=Decimal(0) if refuses else tidy(queue.growth),
        formula=(
            f"λ = {station.arrivals.formula}; s = {station.service_seconds.formula}; "
            f"c = {station.servers.formula}"
        ),
    )


def undeclared(assembly: Assembly) -> list[str]:
    """The limits that cannot be checked: `Clicks: Messages in flight (duration_ms)`."""
    registry.check(assembly)
    return [
        f"{limit.resource}: {limit.limit} ({limit.load.formula.removeprefix(NOT_DECLARED)})"
        for find in (_of_resources, _of_account)
        for limit in find(assembly, Decimal(1))
        if not is_declared(limit.load)
    ]


def _of_resources(assembly: Assembly, traffic: Decimal) -> Iterator[Limit]:
    rooms = registry.rooms()
    everywhere = Context(assembly, rooms, traffic)
    for resource in assembly.resources:
        if resource.type in rooms:
            yield from registry.ask(resource, rooms[resource.type].limits, everywhere)


def _of_account(assembly: Assembly, traffic: Decimal) -> Iterator[Limit]:
    rooms = registry.rooms()
    regions = list(dict.fromkeys(stack.region for stack in assembly.stacks))
    for region in regions:
        there = Context(assembly, rooms, traffic, region)
        for room in rooms.values():
            for limit in registry.ask_of_account(room, there):
                yield limit if len(regions) == 1 else replace(limit, resource=f"{limit.resource} in {region}")


def _with_idle(
    assembly: Assembly, traffic: Decimal, find: Callable[[Assembly, Decimal], Iterator[Limit]]
) -> Iterator[tuple[Limit, Limit]]:
    """Each limit at `traffic`, and the same one with no traffic: the rooms answer in the order of the template."""
    return zip(find(assembly, traffic), find(assembly, Decimal(0)), strict=True)


def _checked(limit: Limit, idle_load: Decimal, of_account: bool) -> Checked:
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
        idle_load=idle_load,
        of_account=of_account,
        advice=limit.advice or default_advice(limit),
        grade=limit.grade,
    )


def default_advice(limit: Limit) -> str:
    """For a ceiling that the template sets, and whose room says nothing better: its formula names the property."""
    return f"raise what the template gives {limit.resource}: {limit.quota.formula}"


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
    limits_at: Callable[[int], list[Checked]],
    *,
    start: int = 1,
    factor: int = 10,
    most: int = MOST_USERS,
    also: Iterable[int] = (),
) -> Break:
    """The smallest number of users, to within 1 %, at which some load is over its quota.

    Goes up from `start` by `factor`, and over the sizes `also` as it passes them, then halves the bracket
    (geometrically). Of several limits that give way at that size, the one with the least headroom is named. What has
    to be raised already for `start` with no traffic is a prerequisite, which the search leaves out at every size.

    Where the sizing follows the load by steps, what is over may hold again at a larger size. The size that is found
    breaks, and one at most 1 % smaller holds; what breaks and mends itself between two sizes that are looked at is
    not seen. So `also` should be all sizes that are shown, of which none is then over below the answer.
    """
    raised = prerequisites(limits_at(start))
    without = _leaving_out(limits_at, raised)
    below = 0
    for size in _looked_at(start, factor, most, also):
        if _broken(without, size):
            break
        below = size
    else:
        why = f"no limit that is known gives way up to {below:,} users"
        return Break(None, None, None, why, raised)
    users = _refine(without, below, size)
    worst = min(_broken(without, users), key=lambda each: each.headroom)
    return Break(users, worst.resource, worst.limit, worst.why, raised, worst.advice)


def _looked_at(start: int, factor: int, most: int, also: Iterable[int]) -> list[int]:
    """The sizes that the search looks at, from the smallest: `start` and its multiples, and those of `also`."""
    sizes, size = set(also), start
    while size < most:
        sizes.add(size)
        size *= factor
    return sorted({*sizes, most})


def _leaving_out(
    limits_at: Callable[[int], list[Checked]], raised: Iterable[Checked]
) -> Callable[[int], list[Checked]]:
    names = {(each.resource, each.limit) for each in raised}

    def rest_at(users: int) -> list[Checked]:
        return [each for each in limits_at(users) if (each.resource, each.limit) not in names]

    return rest_at


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
