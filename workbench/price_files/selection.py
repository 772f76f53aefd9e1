"""The rows of one key in a price file → its tiers, asserting that they are exactly one SKU.

The first match is how other tables came by zeros, reserved rates and the price of extended support: two SKUs are a
finding, and so are none, a foreign currency, an unknown unit, tiers with a gap, and nothing where there was a price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from workbench.price_files.offers import Offer, Row
from workbench.price_files.selectors import Wanted
from workbench.review.prices import Tier

CURRENCY = "USD"
_WITHOUT_END = "Inf"
_MOST_NAMED = 6


@dataclass(frozen=True)
class Step:
    """One tier as AWS writes it: `price` dollars for one of `unit`, from `start` up to `end`."""

    start: Decimal
    end: Decimal | None
    price: Decimal
    unit: str
    currency: str


@dataclass
class Candidate:
    """One SKU that fits what was wanted."""

    sku: str
    usage_type: str
    operation: str
    steps: list[Step] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.sku} ({self.usage_type}, operation {self.operation or 'empty'})"


@dataclass(frozen=True)
class Selected:
    """The price of a key, for one unit of the book's. `free` is what AWS's file gives away first, in those units."""

    key: str
    sku: str
    tiers: tuple[Tier, ...]
    free: Decimal = Decimal(0)


@dataclass(frozen=True)
class Finding:
    """Why a key, or several of one file, could not be renewed. Their prices stay."""

    keys: tuple[str, ...]
    why: str


def candidates(offer: Offer, wanted: Sequence[Wanted]) -> dict[str, list[Candidate]]:
    """Key → the SKUs of `offer` that fit, in one pass over its rows. Raises `UnreadablePriceFile`."""
    found: dict[str, dict[str, Candidate]] = {each.key: {} for each in wanted}
    by_usage_type: dict[str, list[Wanted]] = {}
    for each in wanted:
        for usage_type in each.usage_types:
            by_usage_type.setdefault(usage_type, []).append(each)
    for row in offer.rows():
        for each in by_usage_type.get(offer.cell(row, "usageType"), ()):
            if _fits(offer, row, each):
                _add(found[each.key], offer, row)
    return {key: list(by_sku.values()) for key, by_sku in found.items()}


def _fits(offer: Offer, row: Row, wanted: Wanted) -> bool:
    if wanted.operation is not None and offer.cell(row, "operation") != wanted.operation:
        return False
    return all(offer.cell(row, column) == value for column, value in wanted.where.items())


def _add(by_sku: dict[str, Candidate], offer: Offer, row: Row) -> None:
    sku = offer.cell(row, "SKU")
    candidate = by_sku.setdefault(
        sku, Candidate(sku, offer.cell(row, "usageType"), offer.cell(row, "operation"))
    )
    end = offer.cell(row, "EndingRange")
    candidate.steps.append(
        Step(
            start=_number(offer, row, "StartingRange"),
            end=None if end == _WITHOUT_END else _number(offer, row, "EndingRange"),
            price=_number(offer, row, "PricePerUnit"),
            unit=offer.cell(row, "Unit"),
            currency=offer.cell(row, "Currency"),
        )
    )


def _number(offer: Offer, row: Row, column: str) -> Decimal:
    text = offer.cell(row, column)
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise offer.unreadable(f"{column} is {text!r}, which is no amount")
    return value


def choose(wanted: Wanted, found: Sequence[Candidate], today: Sequence[Tier]) -> Selected | Finding:
    """The price of `wanted` among the SKUs that were `found`, or the finding why not.

    Where AWS's tiers begin with a free one and those of the book, `today`, do not, it is left away: what is free is
    told beside a price and never taken off it.
    """
    if len(found) != 1:
        return Finding((wanted.key,), _not_one(wanted, found))
    candidate = found[0]
    fault = _fault(wanted, candidate)
    if fault is not None:
        return Finding((wanted.key,), f"{wanted}: {candidate.sku} {fault}")
    steps = sorted(candidate.steps, key=lambda step: step.start)
    tiers = [
        Tier(None if step.end is None else step.end * wanted.per, step.price / wanted.per) for step in steps
    ]
    free = Decimal(0)
    if len(tiers) > 1 and not _begins_free(today):
        while len(tiers) > 1 and tiers[0].price == 0:
            free = tiers.pop(0).up_to or free
    if _costs(today) and not _costs(tiers):
        return Finding((wanted.key,), f"{wanted}: {candidate.sku} costs nothing, and the book has a price")
    return Selected(wanted.key, candidate.sku, _joined(tiers), free)


def _not_one(wanted: Wanted, found: Sequence[Candidate]) -> str:
    if not found:
        return f"no SKU has {wanted}"
    named = ", ".join(str(each) for each in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"{len(found)} SKUs have {wanted}, and it should be one: {named}{more}"


def _fault(wanted: Wanted, candidate: Candidate) -> str | None:
    """What is wrong with the one SKU; None where nothing is."""
    for step in candidate.steps:
        if step.currency != CURRENCY:
            return f"is priced in {step.currency}"
        if step.unit.casefold() not in wanted.units:
            return f"is priced per {step.unit!r}, which is not known as a word for {wanted.unit}"
    expected: Decimal | None = Decimal(0)
    for step in sorted(candidate.steps, key=lambda step: step.start):
        if step.start != expected:
            return "has tiers that don't follow each other, from zero on"
        expected = step.end
    return None if expected is None else "has no last tier"


def _costs(tiers: Sequence[Tier]) -> bool:
    return any(tier.price for tier in tiers)


def _begins_free(tiers: Sequence[Tier]) -> bool:
    return len(tiers) > 1 and tiers[0].price == 0


def _joined(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """Tiers, those of one price made one."""
    joined: list[Tier] = []
    for tier in tiers:
        if joined and joined[-1].price == tier.price:
            joined.pop()
        joined.append(tier)
    return tuple(joined)
