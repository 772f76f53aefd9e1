"""What somebody may see of a chat: the events of each time that they were in it. Pure.

A member's item has `since` and `until` of the present time in the chat, or of the last one: the first event that they
may see, and the last, if they were removed. Who comes back has the times before in `earlier`, JSON of
[[since, until], ...]: what was theirs to see stays theirs, also what has not been delivered yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

Earlier = tuple[tuple[int, int], ...]

MOST_EARLIER = 100  # times in a chat that are remembered before the present one; the oldest are forgotten


class Place(Protocol):
    """Somebody's place in a chat; `until` is None while they are in it."""

    @property
    def since(self) -> int: ...
    @property
    def until(self) -> int | None: ...
    @property
    def earlier(self) -> Earlier: ...


def times(place: Place) -> list[tuple[int, int | None]]:
    """The first and the last event of each time in the chat, in their order; None of the last while it lasts."""
    return [*place.earlier, (place.since, place.until)]


def may_see(place: Place, seq: int) -> bool:
    """Whether an event is of a time in which they were in the chat."""
    return any(first <= seq and (last is None or seq <= last) for first, last in times(place))


def earlier_of(item: Mapping[str, Any]) -> Earlier:
    """The earlier times that a member's item of DynamoDB has."""
    found = json.loads(item["earlier"]["S"]) if "earlier" in item else []
    return tuple((int(first), int(last)) for first, last in found)


def when_added_again(item: Mapping[str, Any]) -> Earlier:
    """The earlier times of somebody who is added now, and whose item is as `item`, empty where there is none."""
    if "until" not in item:
        return earlier_of(item)
    ended = (int(item["since"]["N"]), int(item["until"]["N"]))
    return (*earlier_of(item), ended)[-MOST_EARLIER:]


def as_attribute(earlier: Earlier) -> dict[str, str]:
    """`earlier` as an attribute of DynamoDB."""
    return {"S": json.dumps(earlier, separators=(",", ":"))}
