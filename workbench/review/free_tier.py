"""What AWS gives everybody for nothing each month: `workbench/data/prices/free_tier.json`.

An allowance covers the sum of what one account uses, in all regions or in each, over all its price keys; the first
units of the month are the free ones. It is off unless asked for, so that bills can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from workbench.review.numbers import MONEY_STEP
from workbench.review.prices import FOLDER, Price

FREE_TIER = FOLDER / "free_tier.json"
ACCOUNT = "account"
EVERYWHERE = "everywhere"

Used = tuple[str, str, str]
"""An account (empty where a stack is for any), a region (or `EVERYWHERE`), and a price key."""


@dataclass(frozen=True)
class Allowance:
    """`amount` of `unit` a month of all `keys` together, once an account or once a region."""

    name: str
    keys: tuple[str, ...]
    amount: Decimal
    unit: str
    scope: Literal["account", "region"]
    source: str
    as_of: str


@dataclass(frozen=True)
class Taken:
    """What a bill takes of an allowance: `quantity` of its unit, worth `usd`."""

    allowance: Allowance
    quantity: Decimal
    usd: Decimal


@cache
def allowances() -> tuple[Allowance, ...]:
    """Every allowance, in the order of the file."""
    entries = json.loads(FREE_TIER.read_text(), parse_int=Decimal, parse_float=Decimal)["entries"]
    return tuple(Allowance(**{**entry, "keys": tuple(entry["keys"])}) for entry in entries)


def taken(used: Mapping[Used, tuple[Price, Decimal]]) -> Iterator[Taken]:
    """What is free of `used`, each with its price and quantity, allowance by allowance."""
    for allowance in allowances():
        places: dict[tuple[str, str], list[tuple[Price, Decimal]]] = {}
        for (account, region, key), found in used.items():
            if key in allowance.keys and found[1]:
                place = EVERYWHERE if allowance.scope == ACCOUNT else region
                places.setdefault((account, place), []).append(found)
        if places:
            parts = [_of_one_place(allowance, found) for found in places.values()]
            quantity, usd = (sum(each, Decimal(0)) for each in zip(*parts, strict=True))
            yield Taken(allowance, quantity, usd)


def _of_one_place(allowance: Allowance, found: list[tuple[Price, Decimal]]) -> tuple[Decimal, Decimal]:
    """The units that are free, shared by the keys in proportion to their use, and their worth in dollars.

    Each key is rounded by itself, as the bill does: what is free as a whole comes to zero exactly.
    """
    whole = sum((quantity for _, quantity in found), Decimal(0))
    free = min(allowance.amount, whole)
    shares = [(price, quantity if free == whole else free * quantity / whole) for price, quantity in found]
    return free, sum((price.cost(share).quantize(MONEY_STEP) for price, share in shares), Decimal(0))
