"""Where one way to build a system becomes cheaper than another, by bisection over users.

    crossings({"on_demand": cost_of_one, "provisioned": cost_of_other}, fewest=1_000, most=10**7)

Each way is a function from users to dollars a month, such as the bill of the template synthesized anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import isqrt

TOLERANCE_PERCENT = 1
_STEPS_A_DECADE = 2

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


def crossings(ways: Mapping[str, Cost], *, fewest: int, most: int) -> list[Crossing]:
    """Every size between `fewest` and `most` users at which another way becomes the cheapest.

    Looked for twice a decade: two changes that lie closer together than that, and undo each other, are not seen.
    """
    best = cache(lambda users: cheapest(ways, users))
    sizes = _ladder(fewest, most)
    found = []
    for low, high in zip(sizes, sizes[1:], strict=False):
        while best(low) != best(high):
            users = _first_other(best, low, high)
            found.append(Crossing(users, best(low), best(users)))
            low = users
    return found


def _ladder(fewest: int, most: int) -> list[int]:
    """`fewest` times 1, √10, 10 … up to `most`, which is the last."""
    sizes, step = [], 0
    while (size := round(fewest * 10 ** (step / _STEPS_A_DECADE))) < most:
        sizes.append(size)
        step += 1
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
