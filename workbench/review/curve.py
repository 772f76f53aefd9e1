"""Where one way to build a system becomes cheaper than another, by bisection over users.

    crossings({"on_demand": cost_of_one, "provisioned": cost_of_other}, fewest=1_000, most=10**7)

Each way is a function from users to dollars a month, such as the bill of the template synthesized anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from math import isqrt

from workbench.review.numbers import rounded

TOLERANCE_PERCENT = 1

Cost = Callable[[int], Decimal]


@dataclass(frozen=True)
class Crossing:
    """From `users` on `then` is the cheapest, and just below it is `before`; exact to 1 %."""

    users: int
    before: str
    then: str


def cheapest(ways: Mapping[str, Cost], users: int) -> str:
    """The way that costs least for `users`; of equals the first."""
    return min(ways, key=lambda way: ways[way](users))


def crossings(
    ways: Mapping[str, Cost], *, fewest: int, most: int, also: Iterable[int] = ()
) -> list[Crossing]:
    """Every size between `fewest` and `most` users at which another way becomes the cheapest.

    Looked for once a decade, and at the sizes `also`: two changes that lie closer together than that, and undo each
    other, are not seen.
    """
    best = cache(lambda users: cheapest(ways, users))
    sizes = sorted({*_ladder(fewest, most), *also})
    found = []
    for size, high in pairwise(sizes):
        low = size
        while best(low) != best(high):
            users = _first_other(best, low, high)
            found.append(Crossing(users, best(low), best(users)))
            low = users
    return found


def sentence(what: str, costs: Mapping[str, Sequence[tuple[int, Decimal]]], found: Sequence[Crossing]) -> str:
    """`counters: on_demand is the cheapest at first; provisioned is the cheapest from about 31,000 users on.`"""
    if not found:
        way = min(costs, key=lambda way: costs[way][0][1])
        return f"{what}: {way} is the cheapest at every size that was looked at."
    words = [f"{each.then} is the cheapest from about {rounded(each.users)} users on" for each in found]
    return f"{what}: {found[0].before} is the cheapest at first; {', then '.join(words)}."


def _ladder(fewest: int, most: int) -> list[int]:
    """`fewest`, ten times that, and so on up to `most`, which is the last."""
    sizes = [fewest]
    while sizes[-1] * 10 < most:
        sizes.append(sizes[-1] * 10)
    return [*sizes, most]


def _first_other(best: Callable[[int], str], low: int, high: int) -> int:
    """The upper end of the narrowest bracket in which what is best at `low` ceases to be."""
    before = best(low)
    while high - low > 1 and (high - low) * 100 > high * TOLERANCE_PERCENT:
        middle = min(max(isqrt(low * high), low + 1), high - 1)
        if best(middle) == before:
            low = middle
        else:
            high = middle
    return high
