"""The things of the directory, as its layers pass them around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lambdas.shared.errors import NotFound, Unavailable

Role = Literal["admin", "member"]


@dataclass(frozen=True)
class Account:
    """What a user says of themselves. `quiet_from` and `quiet_to` are minutes of the day, both or neither."""

    user: str
    name: str
    last_seen: str
    read_receipts: bool
    quiet_from: int | None
    quiet_to: int | None
    utc_offset: int


@dataclass(frozen=True)
class Receipts:
    """Whether somebody shows what they have read, as of a version of their account."""

    shown: bool
    version: int


@dataclass(frozen=True)
class Person:
    """Somebody else, as a list shows them."""

    user: str
    name: str


@dataclass(frozen=True)
class Member:
    user: str
    name: str
    role: Role


@dataclass(frozen=True)
class Group:
    chat: str
    name: str
    version: int
    members: Sequence[Member]


@dataclass(frozen=True)
class NewGroup:
    """A group that is asked for, under its idempotency key. `members` are without the owner, each once."""

    chat: str
    owner: str
    name: str
    members: Sequence[str]
    key: str
    fingerprint: str


@dataclass(frozen=True)
class Change:
    """What was committed and is to be applied: the change that brought `aggregate` to `version`.

    `aggregate` is "user:<user>" or "group:<chat>", and its versions count from 1 without gaps. `what` is JSON with a
    "kind":

        profile          name, last_seen, read_receipts, quiet_from, quiet_to, utc_offset; receipts_changed
        contact_added    other      contact_removed  other
        blocked          other      unblocked        other
        group_made       name, owner, members [user]
        members_changed  actor, added [user], removed [user], admin (who became one) or null, members (how many now)
    """

    aggregate: str
    version: int
    what: Mapping[str, Any]

    @property
    def of(self) -> str:
        """The user or the chat."""
        return self.aggregate.partition(":")[2]


class UnknownUser(NotFound):
    """Somebody who has no account, or whom the caller may not know of."""


class NotYet(Unavailable):
    """An earlier change of the same aggregate is not applied: this one has to wait for it."""


def user_aggregate(user: str) -> str:
    return f"user:{user}"


def group_aggregate(chat: str) -> str:
    return f"group:{chat}"
