"""What is known of one price: what it is worth, how old it is, what it is elsewhere, and how it is renewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from workbench.errors import Misuse
from workbench.price_files.selectors import Selectors, Wanted
from workbench.review.prices import HOME, MEMORY, OLD_AFTER_DAYS, Price, PriceBook, known_regions


@dataclass(frozen=True)
class Explanation:
    """One price of one region. `elsewhere` is by region, None where the price is not known there.

    `age_days` counts from the day of the price, `seen_days` from the last day on which it was seen.
    """

    region: str
    price: Price
    age_days: int
    seen_days: int
    elsewhere: Mapping[str, Price | None]
    wanted: Wanted | None
    wanted_from: str

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know before relying on it."""
        said = []
        if self.price.grade == MEMORY:
            said.append("it is from memory: nobody has read it anywhere")
        if self.seen_days > OLD_AFTER_DAYS:
            said.append(f"it was last seen {self.seen_days} days ago, which is more than {OLD_AFTER_DAYS}")
        return tuple(said)


def explain(key: str, today: date, region: str = HOME) -> Explanation:
    """What is known of the price `key` in `region`. Raises `Misuse` where there is none, with the nearest keys."""
    prices = PriceBook.load(region).prices
    if key not in prices:
        raise Misuse(_unknown(key, region, prices))
    price = prices[key]
    selectors = Selectors.load()
    wanted = selectors.wanted(key, HOME if price.is_global else region)
    return Explanation(
        region=region,
        price=price,
        age_days=_days(price.as_of, today),
        seen_days=_days(max(price.as_of, price.confirmed_as_of), today),
        elsewhere={
            other: PriceBook.load(other).prices.get(key) for other in known_regions() if other != region
        },
        wanted=wanted,
        wanted_from=selectors.source_of(key) if wanted else "",
    )


def _unknown(key: str, region: str, prices: Mapping[str, Price]) -> str:
    if key in PriceBook.load(HOME).prices:
        return f"the price {key!r} is not known in {region}, only in {HOME}"
    near = get_close_matches(key, prices, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`blueprint prices list` shows them all"
    return f"there is no price {key!r} in {region}; {hint}"


def _days(day: str, today: date) -> int:
    return (today - date.fromisoformat(day)).days
