"""The things of the system, as every layer below the API passes them around, and its own errors.

Times are aware datetimes in UTC; `expires_at` is whole seconds since 1970, as DynamoDB's time to live wants
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from lambdas.shared.errors import Conflict, Refused, Unavailable

CLICK_VERSION = 1
CLICKS_AT_ONCE = 99  # a transaction has 100 actions, and one of them is the counter


@dataclass(frozen=True)
class Wish:
    """What an owner asks for: `alias` and `expires_at` (RFC 3339 with an offset) as they were sent."""

    url: str
    alias: str | None = None
    expires_at: str | None = None


@dataclass(frozen=True)
class Link:
    """A code and where it points. `again`: made by an earlier request with the same idempotency key."""

    code: str
    url: str
    owner: str
    created_at: str
    expires_at: int | None
    again: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Target:
    """What a redirect needs to know of a link. `url` is None when the link is deleted."""

    url: str | None
    expires_at: int | None


@dataclass(frozen=True)
class Remembered:
    """The outcome of an earlier request with the same idempotency key."""

    fingerprint: str
    code: str
    created_at: str
    link_expires_at: int | None
    forget_at: int


@dataclass(frozen=True)
class Page:
    """Some links of an owner, newest first, and the position after which the next page begins."""

    links: list[Link]
    next_position: str | None


@dataclass(frozen=True)
class Click:
    """One redirect that was answered. `id` is the id of its request: the same click is the same id."""

    id: str
    code: str
    at: str

    @property
    def day(self) -> date:
        return datetime.fromisoformat(self.at).astimezone(UTC).date()


class CodeTaken(Exception):
    """The store: this code was given out before."""


class KeyTaken(Exception):
    """The store: this idempotency key was used before."""


class AlreadyCounted(Exception):
    """The store: nothing was counted, because these clicks were counted before."""

    def __init__(self, click_ids: set[str]) -> None:
        super().__init__(f"{len(click_ids)} counted before")
        self.click_ids = click_ids


class BadClick(Exception):
    """A message of the queue that is no click as this version knows it."""


class AliasTaken(Conflict):
    pass


class KeyReused(Refused):
    pass


class UrlRefused(Refused):
    """A URL breaks a rule; `rule` is its name."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule


class NoFreeCode(Unavailable):
    pass


def rfc3339(moment: datetime, timespec: str = "milliseconds") -> str:
    """A moment in UTC as text that sorts by time: 2026-01-31T09:30:00.250Z."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
