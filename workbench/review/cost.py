"""The bill of an assembly: every resource, every line, through the tiers of the whole account.

    bill = price(Assembly.load(folder))
    bill.monthly_usd, bill.idle_usd, bill.lines[0].formula

List prices of the stacks' regions, without tax or discount. A month is 730 hours. What AWS gives everybody for
nothing is taken off only on request, as a sum of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property

from workbench.assembly import LARGEST_FIGURE, Assembly, Resource, Stack
from workbench.errors import MalformedAssembly, NotPriced
from workbench.review import conditions, free_tier, registry
from workbench.review.numbers import MONEY_STEP, MOST_DOLLARS, plain, shown, tidy
from workbench.review.prices import HOME, Price, PriceBook, known_regions
from workbench.review.room import Context, CostLine, is_declared
from workbench.review.unpriced import why_unpriced
from workbench.workload import HOURS_PER_MONTH


@dataclass(frozen=True)
class BillLine:
    """One line: `quantity` of `unit` a month at the effective price `unit_price`.

    `formula` goes from the workload to the dollar. `declared` is False where the line depends on usage that
    the template doesn't declare; its quantity is then zero. `as_of` is the last day on which the price was seen.
    """

    resource: str
    type: str
    component: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    monthly_usd: Decimal
    grade: str
    formula: str
    price_key: str
    declared: bool = True
    as_of: str = ""


@dataclass(frozen=True)
class Unpriced:
    """A resource that the review knows and does not price."""

    resource: str
    type: str
    why: str


@dataclass(frozen=True)
class Bill:
    """What an assembly costs a month, in dollars. `idle_usd` is what it costs when nobody comes.

    `users` is what the template says it is made for (None where it doesn't); the bill is of `traffic` times theirs.
    `stacks` are what the stacks are called that resources are named with where there are several.
    """

    lines: tuple[BillLine, ...]
    monthly_usd: Decimal
    idle_usd: Decimal
    unpriced: tuple[Unpriced, ...]
    warnings: tuple[str, ...]
    prices_as_of: str
    users: int | None
    traffic: Decimal = Decimal(1)
    free_tier: tuple[free_tier.Taken, ...] = ()
    requests_per_month: Decimal | None = None
    stacks: tuple[str, ...] = ()

    @property
    def free_usd(self) -> Decimal:
        """What the always-free allowances take off, where the bill was asked to count them."""
        return sum((each.usd for each in self.free_tier), Decimal(0))

    @property
    def payable_usd(self) -> Decimal:
        """What is left to pay after them."""
        return self.monthly_usd - self.free_usd

    @property
    def largest(self) -> BillLine | None:
        """The line that costs most; None when nothing costs anything."""
        paid = [line for line in self.lines if line.monthly_usd]
        return max(paid, key=lambda line: line.monthly_usd, default=None)

    @property
    def made_for(self) -> int | None:
        """The users whose traffic it is of, as a whole number; None where their number isn't known."""
        return None if self.users is None else int(tidy(self.users * self.traffic).to_integral_value())

    @property
    def per_user_usd(self) -> Decimal | None:
        """Dollars a user a month, for the users whose traffic it is of; None where their number isn't known."""
        people = tidy(self.users * self.traffic) if self.users else Decimal(0)
        return tidy(self.monthly_usd / people) if people else None

    @property
    def per_1000_requests_usd(self) -> Decimal | None:
        """Dollars for a thousand of what users do; None where their number isn't known."""
        asked = tidy((self.requests_per_month or Decimal(0)) * self.traffic)
        return tidy(self.monthly_usd * 1_000 / asked) if asked else None

    def idle_for_usd(self, hours: int) -> Decimal:
        """What it costs to forget it for `hours`, with nobody there."""
        return tidy(self.idle_usd * hours / HOURS_PER_MONTH)


def _declared_requests(assembly: Assembly) -> Decimal | None:
    """What the users of all its blueprints do in a month; None where one doesn't say."""
    requests = [_requests(stack) for stack in _speaking(assembly)]
    known = [each for each in requests if each is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(requests) else None


def _requests(stack: Stack) -> Decimal | None:
    said = stack.metadata["Workload"].get("requests_per_month")
    if said is None:
        return None
    try:
        requests = Decimal(str(said))
    except InvalidOperation:
        requests = Decimal("NaN")
    if not (requests.is_finite() and 0 <= requests <= LARGEST_FIGURE):
        raise MalformedAssembly(
            f"{stack.template_file}: Metadata.Workload.requests_per_month must be a number from 0 to 10^18; "
            f"got {said!r}"
        )
    return requests


Books = Callable[[str], PriceBook]


def price(
    assembly: Assembly,
    books: Books = PriceBook.load,
    *,
    traffic: Decimal = Decimal(1),
    region: str | None = None,
    with_free_tier: bool = False,
) -> Bill:
    """Price `assembly` with all its declared traffic multiplied by `traffic`.

    `region` prices every stack as if it stood there. Raises `NotPriced` for a type, property, usage key or region
    that the review doesn't know, and `MalformedAssembly`.
    """
    registry.check(assembly)
    _check_regions(assembly, region)
    ledger = _Ledger(assembly, books, traffic, region)
    idle = _Ledger(assembly, books, Decimal(0), region) if traffic else ledger
    context = Context(assembly, registry.rooms(), traffic)
    return Bill(
        lines=tuple(ledger.lines),
        monthly_usd=_sum(ledger.lines),
        idle_usd=_sum(idle.lines),
        unpriced=(*_unpriced(assembly, context), *ledger.unpriced),
        warnings=tuple(_warnings(assembly, context)),
        prices_as_of=books(HOME).as_of,
        users=declared_users(assembly),
        traffic=traffic,
        requests_per_month=_declared_requests(assembly),
        free_tier=tuple(free_tier.taken(ledger.used)) if with_free_tier else (),
        stacks=tuple(assembly.label(stack) for stack in assembly.stacks),
    )


def _check_regions(assembly: Assembly, region: str | None) -> None:
    if region is not None:
        PriceBook.load(region)
        return
    for stack in assembly.stacks:
        if stack.region not in known_regions():
            raise NotPriced(
                f"{assembly.directory / 'manifest.json'}: {stack.name} is in the region {stack.region!r}, and there "
                f"are prices of {', '.join(known_regions())} only; price it as one of these with --region"
            )


def _speaking(assembly: Assembly) -> list[Stack]:
    """The stacks that say something of themselves, one a blueprint: the first."""
    found: dict[object, Stack] = {}
    for stack in assembly.stacks:
        said = stack.metadata.get("Workload")
        if isinstance(said, dict):
            found.setdefault(str(said.get("blueprint")), stack)
    return list(found.values())


def declared(assembly: Assembly) -> dict[str, object]:
    """What the assembly says of itself, `{"blueprint", "users", "stage"}`; empty for a foreign one.

    Where it is of several blueprints, their names stand beside each other, and the rest is the first one's.
    """
    said: list[dict[str, object]] = [stack.metadata["Workload"] for stack in _speaking(assembly)]
    if len(said) < 2:
        return said[0] if said else {}
    return {**said[0], "blueprint": ", ".join(str(each.get("blueprint")) for each in said)}


def declared_users(assembly: Assembly) -> int | None:
    """The users that the assembly is made for; None where it doesn't say. Raises `MalformedAssembly`."""
    said = [(stack.template_file, _users(stack)) for stack in assembly.stacks]
    known = [(file, users) for file, users in said if users is not None]
    for file, users in known[1:]:
        if users != known[0][1]:
            raise MalformedAssembly(
                f"{file}: Metadata.Workload.users is {users}, and {known[0][0].name} says {known[0][1]}; declare the "
                "traffic of all stacks for the same users"
            )
    return known[0][1] if known else None


def _users(stack: Stack) -> int | None:
    said = stack.metadata.get("Workload")
    users = said.get("users") if isinstance(said, dict) else None
    if users is None:
        return None
    if isinstance(users, bool) or not isinstance(users, int) or not 1 <= users <= LARGEST_FIGURE:
        raise MalformedAssembly(
            f"{stack.template_file}: Metadata.Workload.users must be a whole number, at least 1 and at most 10^18; "
            f"got {users!r}"
        )
    return users


class _Ledger:
    """All that an assembly uses at one traffic, and what it comes to by the tiers of the whole account."""

    def __init__(self, assembly: Assembly, books: Books, traffic: Decimal, region: str | None) -> None:
        self._context = Context(assembly, registry.rooms(), traffic)
        self._found: list[tuple[Resource, CostLine, _Account]] = []
        self.unpriced: list[Unpriced] = []
        accounts: dict[free_tier.Used, _Account] = {}
        for resource, line in _cost_lines(assembly, self._context):
            place = region or resource.stack.region
            try:
                price = books(place)[line.price_key]
            except NotPriced as problem:
                if place == HOME:
                    where = f"{resource.stack.name}/{resource.logical_id} ({resource.type})"
                    raise NotPriced(f"{where}: {line.component}: {problem}") from None
                why = f"{line.component}: the price {line.price_key!r} is not known in {place}"
                self.unpriced.append(Unpriced(self._context.name_of(resource), resource.type, why))
                continue
            owner = resource.stack.top.account or ""
            key = (owner, free_tier.EVERYWHERE if price.is_global else place, line.price_key)
            account = accounts.setdefault(key, _Account(price))
            account.whole += line.quantity.value
            check_dollars(resource, line, account.dollars)
            self._found.append((resource, line, account))
        self.used = {key: (account.price, account.whole) for key, account in accounts.items()}

    @cached_property
    def lines(self) -> list[BillLine]:
        return [
            account.bill(self._context.name_of(resource), resource.type, line)
            for resource, line, account in self._found
        ]


def check_dollars(resource: Resource, line: CostLine, dollars: Decimal) -> None:
    """Raise `MalformedAssembly` where what `line` adds to comes to more `dollars` than anybody has."""
    if dollars > MOST_DOLLARS:
        raise MalformedAssembly(
            f"{resource.stack.template_file}: Resources.{resource.logical_id}.Metadata.Workload: {line.component} "
            f"would cost more than 10^15 dollars a month, for {line.quantity.formula}"
        )


def _cost_lines(assembly: Assembly, context: Context) -> Iterator[tuple[Resource, CostLine]]:
    for resource in assembly.resources:
        room = context.rooms.get(resource.type)
        for line in registry.ask(resource, room.lines, context) if room else ():
            yield resource, line


class _Account:
    """All that one account pays in one region for one price key, given out to its lines in proportion."""

    def __init__(self, price: Price) -> None:
        self.price = price
        self.whole = Decimal(0)
        self._seen = Decimal(0)

    @property
    def dollars(self) -> Decimal:
        """What all of it comes to."""
        return self.price.cost(self.whole)

    def bill(self, name: str, resource_type: str, line: CostLine) -> BillLine:
        """The next line, at its share."""
        unit_price = tidy(self.dollars / self.whole) if self.whole else self.price.tiers[0].price
        return BillLine(
            resource=name,
            type=resource_type,
            component=line.component,
            unit=line.unit,
            quantity=line.quantity.value,
            unit_price=unit_price,
            monthly_usd=self._share(line.quantity.value),
            grade=self.price.grade,
            formula=_formula(line, unit_price, self.price, self.whole),
            price_key=line.price_key,
            declared=is_declared(line.quantity),
            as_of=max(self.price.as_of, self.price.confirmed_as_of),
        )

    def _share(self, quantity: Decimal) -> Decimal:
        """The difference of two rounded running totals, so that the shares add up to the whole exactly."""
        before = self._due()
        self._seen += quantity
        return self._due() - before

    def _due(self) -> Decimal:
        exact = self.dollars * self._seen / self.whole if self.whole else Decimal(0)
        return exact.quantize(MONEY_STEP)


def _formula(line: CostLine, unit_price: Decimal, price: Price, whole: Decimal) -> str:
    if not is_declared(line.quantity):
        return line.quantity.formula
    money = f"${plain(unit_price)} each"
    first = price.tiers[0].up_to
    if first is not None and whole > first:
        money += f" (mean over the tiers, for {shown(whole)} in the account)"
    return f"{line.quantity.formula} = {shown(line.quantity.value)} {line.unit} × {money}"


def _sum(lines: Iterable[BillLine]) -> Decimal:
    return sum((line.monthly_usd for line in lines), Decimal(0))


def _unpriced(assembly: Assembly, context: Context) -> Iterator[Unpriced]:
    for resource in assembly.resources:
        why = None if resource.type in context.rooms else why_unpriced(resource)
        if why is not None:
            yield Unpriced(context.name_of(resource), resource.type, why)


def _warnings(assembly: Assembly, context: Context) -> Iterator[str]:
    yield from conditions.notes(assembly, context)
    for resource in assembly.resources:
        room = context.rooms.get(resource.type)
        if room is not None:
            yield from registry.ask(resource, room.warnings, context)
