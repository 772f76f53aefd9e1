"""What changes in the bill from one assembly to another.

found = difference(price(old), price(new))
found.monthly_usd, [change.resource for change in found.changes]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from workbench.review.cost import Bill, Unpriced

FREE_TIER = "Free tier"
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """One line of the bill before and after, in dollars a month; None where it isn't there."""

    resource: str
    type: str
    component: str
    before_usd: Decimal | None
    after_usd: Decimal | None
    before_quantity: Decimal | None
    after_quantity: Decimal | None
    unit: str

    @property
    def delta_usd(self) -> Decimal:
        return (self.after_usd or Decimal(0)) - (self.before_usd or Decimal(0))


@dataclass(frozen=True)
class Difference:
    """All that differs, the largest change first; both empty where nothing does.

    `unpriced` are resources that are new and not priced: what they cost is in no sum. What the free tier takes off,
    where the bills were asked to count it, is a change like any other.
    """

    before: Bill
    after: Bill
    changes: tuple[Change, ...]
    unpriced: tuple[Unpriced, ...]

    @property
    def monthly_usd(self) -> Decimal:
        """Dollars a month more; below zero where it became cheaper."""
        return self.after.payable_usd - self.before.payable_usd

    @property
    def idle_usd(self) -> Decimal:
        """Dollars a month more when nobody comes."""
        return self.after.idle_usd - self.before.idle_usd


def difference(before: Bill, after: Bill) -> Difference:
    """What changes from `before` to `after`; lines are the same by resource, component and unit.

    A bill of one stack names its resources without it, one of several with it: where only one of the two is of
    several, those of the other get the name of its stack too, so that a second stack is not a change of the first.
    """
    several = len(before.stacks) > 1 or len(after.stacks) > 1
    was, now = (_named(bill) if several else bill for bill in (before, after))
    changes = sorted(_changes(was, now), key=lambda each: (-abs(each.delta_usd), each.resource))
    known = {(each.resource, each.type, each.why) for each in was.unpriced}
    return Difference(
        was,
        now,
        tuple(changes),
        tuple(each for each in now.unpriced if (each.resource, each.type, each.why) not in known),
    )


def _named(bill: Bill) -> Bill:
    """`bill` with the name of the stack before that of each resource, where it has a single stack."""
    if len(bill.stacks) != 1:
        return bill
    above = bill.stacks[0]
    return replace(
        bill,
        lines=tuple(replace(each, resource=f"{above}/{each.resource}") for each in bill.lines),
        unpriced=tuple(replace(each, resource=f"{above}/{each.resource}") for each in bill.unpriced),
    )


def _changes(before: Bill, after: Bill) -> Iterator[Change]:
    old, new = _by_key(before), _by_key(after)
    for key in dict.fromkeys([*old, *new]):
        was, now = old.get(key), new.get(key)
        if was is None or now is None or (was.monthly_usd, was.quantity) != (now.monthly_usd, now.quantity):
            one = now or was
            assert one is not None
            yield Change(
                resource=one.resource,
                type=one.type,
                component=one.component,
                before_usd=was.monthly_usd if was else None,
                after_usd=now.monthly_usd if now else None,
                before_quantity=was.quantity if was else None,
                after_quantity=now.quantity if now else None,
                unit=one.unit,
            )


@dataclass
class _Sum:
    """The lines of one resource that have the same component and unit, taken together."""

    resource: str
    type: str
    component: str
    unit: str
    monthly_usd: Decimal = Decimal(0)
    quantity: Decimal = Decimal(0)


def _by_key(bill: Bill) -> dict[Key, _Sum]:
    found: dict[Key, _Sum] = {}
    for line in bill.lines:
        key = (line.resource, line.component, line.unit)
        whole = found.setdefault(key, _Sum(line.resource, line.type, line.component, line.unit))
        whole.monthly_usd += line.monthly_usd
        whole.quantity += line.quantity
    for each in bill.free_tier:
        unit = each.allowance.unit
        key = (FREE_TIER, each.allowance.name, unit)
        found[key] = _Sum(FREE_TIER, "", each.allowance.name, unit, -each.usd, each.quantity)
    return found
