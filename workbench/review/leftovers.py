"""What `cdk destroy` leaves, what keeps it from finishing, and what that costs a month; from the template alone.

    found = leftovers(Assembly.load(folder))
    found.monthly_usd, found.stays[0].why, found.blocks

What stays is what a deletion policy keeps, the snapshots and backups that are made of what goes (`destruction.py`),
and the log groups that no template shows (`implicit_logs.py`). What blocks ends the deletion in DELETE_FAILED
(`obstacles.py`). Costs are list prices of one month at which nobody comes, with the data still there (`Standing`);
tiers apply to the sum of what stays. A group of logs or of backups that expire costs that in its first month only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from workbench.assembly import Assembly, Stack
from workbench.errors import NotPriced
from workbench.review import registry
from workbench.review.cost import check_dollars, declared_users
from workbench.review.destruction import Rest, Standing, remains
from workbench.review.free_tier import EVERYWHERE, Used
from workbench.review.implicit_logs import ImplicitGroups
from workbench.review.numbers import MONEY_STEP, plain, shown, tidy
from workbench.review.obstacles import Obstacles, protected_stacks
from workbench.review.prices import Price, PriceBook
from workbench.review.room import Context, CostLine, is_declared

_STACK = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class LeftoverLine:
    """`quantity` of `unit` a month. `declared` is False where the template doesn't say how much is there."""

    component: str
    unit: str
    quantity: Decimal
    monthly_usd: Decimal
    price_key: str
    formula: str
    declared: bool


@dataclass(frozen=True)
class Leftover:
    """Something that stays, or, with `blocks`, that keeps the stack from being deleted.

    `resource` is a construct's name and `what` the part of it that is meant, empty for the whole. `remove` is one
    command or one sentence. `not_priced` says why `lines` are not all that it costs. `ends_after_days` is set where
    AWS takes it away by itself.
    """

    stack: str
    resource: str
    type: str
    what: str
    why: str
    remove: str
    lines: tuple[LeftoverLine, ...]
    blocks: bool = False
    not_priced: str = ""
    ends_after_days: int | None = None

    @property
    def monthly_usd(self) -> Decimal:
        """Dollars a month, of the lines whose quantity is known."""
        return sum((line.monthly_usd for line in self.lines), Decimal(0))

    @property
    def is_known(self) -> bool:
        """Whether `monthly_usd` is all of it."""
        return not self.not_priced and all(line.declared for line in self.lines)

    @property
    def fades(self) -> bool:
        """Whether it is free and ends by itself."""
        return self.ends_after_days is not None and self.is_known and not self.monthly_usd


@dataclass(frozen=True)
class Leftovers:
    """All that an assembly leaves. What blocks costs `blocked_usd` a month until somebody does something about it.

    `notes` tell of what belongs to no stack and is not counted. `users` are those whose data it is of, None where the
    template doesn't say for how many it is made.
    """

    stays: tuple[Leftover, ...]
    blocks: tuple[Leftover, ...]
    notes: tuple[str, ...]
    prices_as_of: str
    users: int | None

    @property
    def monthly_usd(self) -> Decimal:
        """Dollars a month for what stays, once nothing blocks."""
        return sum((each.monthly_usd for each in self.stays), Decimal(0))

    @property
    def blocked_usd(self) -> Decimal:
        """Dollars a month for what can't be deleted, as long as it can't."""
        return sum((each.monthly_usd for each in self.blocks), Decimal(0))

    @property
    def nothing(self) -> bool:
        """Whether all goes at once, but for what is free and ends by itself."""
        return not self.blocks and all(each.fades for each in self.stays)


def leftovers(assembly: Assembly, *, traffic: Decimal = Decimal(1)) -> Leftovers:
    """What destroying the stacks of `assembly` leaves, with all its declared traffic multiplied by `traffic`.

    What can't be priced is listed with the reason. Raises `MalformedAssembly`.
    """
    rooms = registry.rooms()
    standing = Standing(Context(assembly, rooms, traffic), Context(assembly, rooms, Decimal(0)))
    groups = ImplicitGroups(standing.full)
    rests = [rest for resource in assembly.resources for rest in remains(resource, standing)]
    rests += groups.rests()
    protected = [_protected(stack) for stack in protected_stacks(assembly)]
    obstacles = _Ledger(list(Obstacles(standing, groups).rests()), standing.full, blocks=True)
    return Leftovers(
        stays=tuple(_Ledger(rests, standing.full).leftovers()),
        blocks=(*protected, *obstacles.leftovers()),
        notes=tuple(_notes(assembly)),
        prices_as_of=PriceBook.load().as_of,
        users=_users(assembly, traffic),
    )


def _users(assembly: Assembly, traffic: Decimal) -> int | None:
    made_for = declared_users(assembly)
    return None if made_for is None else int((made_for * traffic).to_integral_value())


def _protected(stack: Stack) -> Leftover:
    why = "the stack has termination protection"
    command = "aws cloudformation update-termination-protection --no-enable-termination-protection"
    remove = f"{command} --stack-name {stack.name}"
    return Leftover(stack.name, stack.name, _STACK, "", why, remove, (), blocks=True)


class _Ledger:
    """The sum of what is there by account, region and price key, as tiers go by it, given out in proportion."""

    def __init__(self, rests: list[Rest], context: Context, *, blocks: bool = False) -> None:
        self._rests, self._context, self._blocks = rests, context, blocks
        self._whole: dict[Used, Decimal] = {}
        for rest in rests:
            for line in rest.lines:
                key = _account(rest, line)
                self._whole[key] = self._whole.get(key, Decimal(0)) + line.quantity.value

    def leftovers(self) -> Iterator[Leftover]:
        for rest in self._rests:
            lines, missing = [], [rest.not_priced] if rest.not_priced else []
            for line in rest.lines:
                try:
                    lines.append(self._priced(rest, line))
                except NotPriced as problem:
                    missing.append(str(problem))
            yield Leftover(
                stack=rest.resource.stack.top.name,
                resource=self._context.name_of(rest.resource),
                type=rest.resource.type,
                what=rest.what,
                why=rest.why,
                remove=rest.remove,
                lines=tuple(lines),
                blocks=self._blocks,
                not_priced="; ".join(missing),
                ends_after_days=rest.ends_after_days,
            )

    def _priced(self, rest: Rest, line: CostLine) -> LeftoverLine:
        price = PriceBook.load(rest.resource.stack.region)[line.price_key]
        whole = self._whole[_account(rest, line)]
        check_dollars(rest.resource, line, price.cost(whole))
        each = _mean(price, whole)
        quantity, declared = line.quantity.value, is_declared(line.quantity)
        paid = f" = {shown(quantity)} {line.unit} × ${plain(each)} each"
        return LeftoverLine(
            component=line.component,
            unit=line.unit,
            quantity=quantity,
            monthly_usd=(price.cost(whole) * quantity / whole if whole else Decimal(0)).quantize(MONEY_STEP),
            price_key=line.price_key,
            formula=line.quantity.formula + (paid if declared else ""),
            declared=declared,
        )


def _account(rest: Rest, line: CostLine) -> Used:
    """Whose tiers `line` goes by: those of an account in a region, or in all where it costs the same everywhere."""
    stack, home = rest.resource.stack, PriceBook.load().prices.get(line.price_key)
    place = EVERYWHERE if home is not None and home.is_global else stack.region
    return stack.top.account or "", place, line.price_key


def _mean(price: Price, whole: Decimal) -> Decimal:
    """Dollars for one of `whole` units, over the tiers."""
    return tidy(price.cost(whole) / whole) if whole else price.tiers[0].price


def _notes(assembly: Assembly) -> Iterable[str]:
    if any(stack.assets for stack in assembly.stacks):
        yield (
            "the assets of each deployment stay in the bucket of `cdk bootstrap`, which all apps of the account "
            "share: `cdk gc` removes those that no stack uses"
        )
    kinds = {each.type for each in assembly.resources}
    if "AWS::EKS::Cluster" in kinds:
        yield (
            "load balancers and volumes that Kubernetes made are in no template: delete the Services, Ingresses and "
            "volume claims that no step of the deployment deletes"
        )
    if any(each.properties.get("MonitoringInterval") for each in assembly.resources if "::DB" in each.type):
        yield "enhanced monitoring of RDS writes to RDSOSMetrics, a log group of the account that keeps 30 days"
