"""The price books, one a region: `workbench/data/prices/`, the project's own dated copy of public list prices.

    book = PriceBook.load()
    book["dynamodb.ondemand.write"].cost(Decimal(1_000_000))    # Decimal("0.625")

Prices are dollars for ONE unit, without tax or discount. `grade`: A is an extract of an AWS price file, B a dated
reading of one, C a secondary page, D memory. us-east-1 is complete; the others have what is known of them, and what
costs the same everywhere (`scope`: global) stands in us-east-1 alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from workbench.errors import NotPriced

FOLDER = Path(__file__).resolve().parent.parent / "data" / "prices"
HOME = "us-east-1"
MEMORY = "D"
OLD_AFTER_DAYS = 180
"""From when on a price that was not seen again is pointed out."""
GRADES = {
    "A": "an extract of an AWS price file",
    "B": "a dated reading of an AWS price file",
    "C": "a secondary page",
    "D": "memory",
}


@dataclass(frozen=True)
class Tier:
    """`price` dollars a unit up to `up_to` units a month, counted from zero; None is without end."""

    up_to: Decimal | None
    price: Decimal


@dataclass(frozen=True)
class Price:
    """What one unit of something costs. `free_tier` tells of an allowance, which `free_tier.py` takes off."""

    key: str
    unit: str
    tiers: tuple[Tier, ...]
    grade: str
    source: str
    as_of: str
    free_tier: str = ""
    note: str = ""
    service: str = ""
    confirmed_as_of: str = ""
    is_approximate: bool = False
    is_global: bool = False

    def cost(self, quantity: Decimal) -> Decimal:
        """Dollars for `quantity` units in one month, through the tiers."""
        total, start = Decimal(0), Decimal(0)
        for tier in self.tiers:
            end = quantity if tier.up_to is None else min(quantity, tier.up_to)
            if end <= start:
                break
            total += (end - start) * tier.price
            start = end
        return total


@dataclass(frozen=True)
class PriceBook(Mapping[str, Price]):
    """Prices by key, of one region."""

    region: str
    as_of: str
    prices: Mapping[str, Price]

    @classmethod
    def load(cls, region: str = HOME) -> PriceBook:
        """The book of `region`, which is read once. Raises `NotPriced` where there is none."""
        return _load(region)

    def __getitem__(self, key: str) -> Price:
        """The price `key`. Raises `NotPriced` where the book has none."""
        try:
            return self.prices[key]
        except KeyError:
            raise NotPriced(
                f"there is no price {key!r} in {self.region}; add it to workbench/data/prices/{self.region}.json"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.prices)

    def __len__(self) -> int:
        return len(self.prices)


@cache
def _load(region: str) -> PriceBook:
    path = FOLDER / f"{region}.json"
    if region not in known_regions():
        raise NotPriced(
            f"there are no prices of the region {region!r}, only of {', '.join(known_regions())}; "
            "price it as one of these with --region"
        )
    content = json.loads(path.read_text(), parse_float=Decimal)
    prices = (
        {} if region == HOME else {key: each for key, each in _load(HOME).prices.items() if each.is_global}
    )
    prices |= {entry["key"]: _price(entry) for entry in content["entries"]}
    return PriceBook(content["region"], content["compiled_on"], prices)


@cache
def known_regions() -> tuple[str, ...]:
    """The regions that have a book, us-east-1 first."""
    others = sorted(file.stem for file in FOLDER.glob("*-*-*.json") if file.stem != HOME)
    return (HOME, *others)


def _price(entry: dict[str, Any]) -> Price:
    return Price(
        key=entry["key"],
        unit=entry["unit"],
        tiers=tuple(_tiers(entry)),
        grade=entry["grade"],
        source=entry["source"],
        as_of=entry["as_of"],
        free_tier=entry.get("free_tier", ""),
        note=entry.get("note", ""),
        service=entry.get("service", ""),
        confirmed_as_of=entry.get("confirmed_as_of", ""),
        is_approximate=entry.get("as_of_approximate", False),
        is_global=entry.get("scope") == "global",
    )


def _tiers(entry: dict[str, Any]) -> Iterator[Tier]:
    if "price" in entry:
        yield Tier(None, Decimal(entry["price"]))
    for tier in entry.get("tiers", ()):
        up_to = tier["up_to"]
        yield Tier(None if up_to is None else Decimal(up_to), Decimal(tier["price"]))
