"""What the directory decides. Time, chance, the database and the tables are passed in.

Every change goes the same way: it is committed with its row of the outbox (`Truth`), and then applied to DynamoDB
(`Projection`), where messaging, presence and the rest read it. An answer that it is done means both. Where the second
does not come about, the caller is told to try again, and the sweep does it anyway.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.directory.records import (
    Account,
    Change,
    Group,
    NewGroup,
    UnknownUser,
)
from lambdas.shared.errors import NotFound, Refused

MOST_DEVICES = 10
TICKET_BYTES, TICKET_LIFE_S = 32, 60
SWEPT_AT_ONCE = 50
SECONDS_PER_CHANGE = (
    8  # what is left of an invocation before another one is begun: a group of the largest size
)


class Truth(Protocol):
    """What this needs of the database; its promises are written at `store.Store`."""

    def account(self, user: str) -> Account | None: ...
    def put_account(self, account: Account) -> list[Change]: ...
    def may_chat(self, user: str, other: str) -> bool: ...
    def put_contact(self, user: str, other: str) -> list[Change]: ...
    def delete_contact(self, user: str, other: str) -> list[Change]: ...
    def put_block(self, user: str, other: str) -> list[Change]: ...
    def delete_block(self, user: str, other: str) -> list[Change]: ...
    def make_group(self, wanted: NewGroup) -> tuple[str, list[Change]]: ...
    def group(self, chat: str, user: str) -> Group: ...
    def add_member(self, chat: str, actor: str, user: str) -> list[Change]: ...
    def remove_member(self, chat: str, actor: str, user: str) -> list[Change]: ...
    def done(self, change: Change) -> None: ...
    def claim(self, limit: int) -> list[Change]: ...


class Projection(Protocol):
    """What this needs of the tables; its promises are written at `projection.Projection`."""

    def apply(self, change: Change) -> None: ...
    def make_direct_chat(self, chat: str, one: str, other: str) -> None: ...
    def put_device(self, user: str, device: str, platform: str, push_token: str, now_s: int) -> None: ...
    def delete_device(self, user: str, device: str) -> None: ...
    def has_device(self, user: str, device: str) -> bool: ...
    def put_ticket(self, ticket: str, user: str, device: str, expires_at: int) -> None: ...


@dataclass(frozen=True)
class Directory:
    """The database, which is right, and the tables, which follow it."""

    truth: Truth
    projection: Projection


def settle(changes: Iterable[Change], directory: Directory) -> None:
    """Apply what was committed, in its order. Raises `Unavailable`, and the rest is left to the sweep."""
    for change in changes:
        directory.projection.apply(change)
        directory.truth.done(change)


# Accounts, contacts, blocks


def my_account(user: str, directory: Directory) -> Account:
    """The caller's account. Raises `NotFound` where they have none yet."""
    account = directory.truth.account(user)
    if account is None:
        raise NotFound("you have no account; PUT /me makes one")
    return account


def put_account(account: Account, directory: Directory) -> None:
    """Make or change the caller's account. Raises `Refused` for quiet hours that do not end, or do not begin."""
    _check_user(account.user)
    if (account.quiet_from is None) != (account.quiet_to is None):
        raise Refused("quiet_from, quiet_to: both or neither")
    settle(directory.truth.put_account(account), directory)


def put_contact(user: str, other: str, directory: Directory) -> None:
    """Raises `UnknownUser`, and `Refused` for oneself, as `put_block` does."""
    _check_other(user, other)
    settle(directory.truth.put_contact(user, other), directory)


def delete_contact(user: str, other: str, directory: Directory) -> None:
    _check_user(other)
    settle(directory.truth.delete_contact(user, other), directory)


def put_block(user: str, other: str, directory: Directory) -> None:
    _check_other(user, other)
    settle(directory.truth.put_block(user, other), directory)


def delete_block(user: str, other: str, directory: Directory) -> None:
    _check_user(other)
    settle(directory.truth.delete_block(user, other), directory)


# Chats


def open_direct_chat(user: str, other: str, directory: Directory) -> str:
    """The chat of the two, made if it is not there.

    Raises `UnknownUser` where either has blocked the other, as where there is no such user: a block is not told.
    """
    _check_other(user, other)
    if not directory.truth.may_chat(user, other):
        raise UnknownUser("there is no such user, or you have no account")
    chat = keys.direct_chat(user, other)
    directory.projection.make_direct_chat(chat, user, other)
    return chat


def make_group(
    owner: str,
    name: str,
    members: Sequence[str],
    key: str,
    draw: Callable[[int], bytes],
    directory: Directory,
) -> str:
    """The chat of a new group, or of the one that an earlier request with the same key has made.

    Raises `UnknownUser`, and `Refused` for too many members or a key of another request.
    """
    others = sorted(set(members) - {owner})
    for member in others:
        _check_user(member)
    wanted = NewGroup(f"g-{draw(16).hex()}", owner, name, others, key, _fingerprint(name, others))
    chat, changes = directory.truth.make_group(wanted)
    settle(changes, directory)
    return chat


def group(chat: str, user: str, directory: Directory) -> Group:
    """A group that the caller is in. Raises `NotFound` for any other."""
    _check_group(chat)
    return directory.truth.group(chat, user)


def add_member(chat: str, actor: str, user: str, directory: Directory) -> None:
    """Raises `NotFound`, `UnknownUser`, and `Refused` unless an admin asks."""
    _check_group(chat)
    _check_user(user)
    settle(directory.truth.add_member(chat, actor, user), directory)


def remove_member(chat: str, actor: str, user: str, directory: Directory) -> None:
    """Raises `NotFound`, and `Refused` unless an admin asks or it is the caller who leaves."""
    _check_group(chat)
    _check_user(user)
    settle(directory.truth.remove_member(chat, actor, user), directory)


# Devices


@dataclass(frozen=True)
class Ticket:
    """What opens one socket for one device, once; `url` is where."""

    ticket: str
    url: str
    expires_in: int = TICKET_LIFE_S


def put_device(
    user: str, device: str, platform: str, push_token: str, now_s: int, directory: Directory
) -> None:
    """Register a device, or change what is known of it. Raises `Refused` for more than `MOST_DEVICES`."""
    _check_device(device)
    directory.projection.put_device(user, device, platform, push_token, now_s)


def delete_device(user: str, device: str, directory: Directory) -> None:
    """Forget a device. Its inbox goes as its entries expire; a socket that it has open stays till it closes."""
    _check_device(device)
    directory.projection.delete_device(user, device)


def issue_ticket(
    user: str, device: str, now_s: int, draw: Callable[[int], bytes], socket_url: str, directory: Directory
) -> Ticket:
    """A ticket for a device of the caller's. Raises `NotFound` for any other."""
    _check_device(device)
    if not directory.projection.has_device(user, device):
        raise NotFound("you have no such device")
    ticket = base64.urlsafe_b64encode(draw(TICKET_BYTES)).decode().rstrip("=")
    directory.projection.put_ticket(ticket, user, device, now_s + TICKET_LIFE_S)
    return Ticket(ticket, f"{socket_url}?ticket={ticket}")


# The sweep


@dataclass
class Swept:
    """What became of a sweep: how many changes were applied, and why others were not."""

    applied: int = 0
    failed: dict[tuple[str, int], str] = field(default_factory=dict)


def sweep(directory: Directory, time_left_s: Callable[[], float]) -> Swept:
    """Apply what requests have left, the oldest change of an aggregate first, until there is nothing more.

    One that fails holds up nothing but what comes after it, and comes again later, each time after longer.
    """
    swept = Swept()
    while time_left_s() > SECONDS_PER_CHANGE:
        claimed = directory.truth.claim(SWEPT_AT_ONCE)
        if not claimed:
            break
        for change in claimed:
            if time_left_s() <= SECONDS_PER_CHANGE:
                break  # they come again when their time is over
            try:
                settle([change], directory)
            except Exception as problem:  # whatever it is, others must not wait for it
                swept.failed[change.aggregate, change.version] = f"{type(problem).__name__}: {problem}"
            else:
                swept.applied += 1
    return swept


# Checks


def _check_user(user: str) -> None:
    if not keys.USER_ID.fullmatch(user):
        raise UnknownUser("there is no such user")


def _check_other(user: str, other: str) -> None:
    _check_user(other)
    if user == other:
        raise Refused("this is for somebody else than yourself")


def _check_group(chat: str) -> None:
    if keys.is_direct(chat) or not keys.CHAT_ID.fullmatch(chat):
        raise NotFound("you are in no such group")


def _check_device(device: str) -> None:
    if not keys.DEVICE_ID.fullmatch(device):
        raise NotFound("a device's id is 1 to 64 of A-Z a-z 0-9 _ -")


def _fingerprint(name: str, members: Sequence[str]) -> str:
    """What makes two requests the same: SHA-256 of what they ask for in one spelling, as hexadecimal digits."""
    return hashlib.sha256(json.dumps([name, list(members)]).encode()).hexdigest()
