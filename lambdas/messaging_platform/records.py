"""What goes from one service to the next, and to devices: events of a chat, receipts, presence, typing.

Each has `v`, its version, and is JSON on Kafka, in an inbox and in a frame. What is of a later version, or no record
at all, is `Unreadable`, and whoever reads parks it.

While a deployment is under way old programs read what new ones write, and new ones what is days old. So a field may
be added with a default, and is unknown to old programs, which pass it over; anything else needs a new `VERSION`, that
every reader must know before any writer writes it. tests/messaging_platform/golden/records.jsonl holds what once was
written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

VERSION = 1

Kind = Literal["message", "edit", "delete", "members"]
KINDS: tuple[Kind, ...] = ("message", "edit", "delete", "members")

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")  # whatever becomes part of a key: never empty, never with a "#"


class Unreadable(Exception):
    """It is no record of this version; the text says why."""


@dataclass(frozen=True)
class Event:
    """Something that happened in a chat, at its place in the chat's order.

    `seq` counts from 1 without gaps. `id` is the client's own of the action. `at` is epoch milliseconds. `body` is
    {"text": str} or {"media": media id, "type": str, "size": int}, and empty for a deletion. `target` is the `seq`
    that an edit or a deletion is about. `members` is {"added": [user], "removed": [user]} of the kind "members".

    History shows a message in its present form: `edited_at` is when its text was last edited, and of a deleted one
    `deleted_at` is set and `body` empty. An edit that a later one, or a deletion, took the place of has no `body`.
    """

    chat: str
    seq: int
    kind: Kind
    sender: str
    device: str
    id: str
    at: int
    body: Mapping[str, Any] = field(default_factory=dict)
    target: int | None = None
    members: Mapping[str, Any] | None = None
    edited_at: int | None = None
    deleted_at: int | None = None


@dataclass(frozen=True)
class Receipt:
    """How far a member of a chat has come: all up to these numbers was delivered to a device of theirs, or read.

    `before` is how far it was before: (delivered, read). `read` is None where they do not show it, and 0 in `before`.
    """

    chat: str
    user: str
    delivered: int
    read: int | None
    before: tuple[int, int]


@dataclass(frozen=True)
class Presence:
    """A user came or went. `last_seen` is epoch milliseconds, of one who went."""

    user: str
    online: bool
    last_seen: int | None


@dataclass(frozen=True)
class Typing:
    """A member of a chat began to type, or stopped. `at` is epoch milliseconds: what is old is told to nobody."""

    chat: str
    user: str
    on: bool
    at: int


Record = Event | Receipt | Presence | Typing
_TYPES: Mapping[str, type[Record]] = {
    "event": Event,
    "receipt": Receipt,
    "presence": Presence,
    "typing": Typing,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_FIELDS = {kind: frozenset(each.name for each in fields(kind)) for kind in _TYPES.values()}


def as_document(record: Record) -> dict[str, Any]:
    """The record as JSON's types, with its `type` and version; what is None or empty is left away."""
    fields = {name: value for name, value in asdict(record).items() if value is not None and value != {}}
    return {"v": VERSION, "type": _NAMES[type(record)], **fields}


def encode(record: Record) -> bytes:
    document = as_document(record)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode(data: bytes | str) -> Record:
    """The record that `encode` wrote; fields that are not known are passed over. Raises `Unreadable`."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"it is not JSON: {problem}") from None
    if not isinstance(document, dict) or document.get("v") != VERSION:
        raise Unreadable(f"it is not of version {VERSION}")
    kind = _TYPES.get(str(document.get("type")))
    if kind is None:
        raise Unreadable(f"its type is {document.get('type')!r}")
    known = {name: value for name, value in document.items() if name in _FIELDS[kind]}
    if kind is Receipt:
        before = known.get("before")
        known["before"] = tuple(before) if isinstance(before, list) else ()
        known.setdefault("read", None)
    if kind is Presence:
        known.setdefault("last_seen", None)
    if known.get("members") == {}:
        del known["members"]  # as `encode` would leave it away
    try:
        record = kind(**known)
    except TypeError as problem:
        raise Unreadable(f"it lacks something: {problem}") from None
    if not _is_sound(record):
        raise Unreadable("a field is not of its type")
    try:
        encode(record)
    except (ValueError, RecursionError) as problem:  # of half a surrogate pair, say, which JSON can spell
        raise Unreadable(f"it cannot be written again: {problem}") from None
    return record


def _is_sound(record: Record) -> bool:
    """Whether each field is of its type: JSON lets anything through, and a store would refuse it for ever."""
    if isinstance(record, Event):
        return (
            _are_names(record.chat, record.sender, record.id)
            and (record.device == "" or _are_names(record.device))
            and record.kind in KINDS
            and _is_place(record.seq)
            and _is_number(record.at)
            and isinstance(record.body, dict)
            and (record.target is None or _is_place(record.target))
            and (record.members is None or _are_members(record.members))
            and (record.edited_at is None or _is_number(record.edited_at))
            and (record.deleted_at is None or _is_number(record.deleted_at))
        )
    if isinstance(record, Receipt):
        return (
            _are_names(record.chat, record.user)
            and _is_number(record.delivered)
            and (record.read is None or _is_number(record.read))
            and len(record.before) == 2
            and all(map(_is_number, record.before))
        )
    if isinstance(record, Presence):
        return (
            _are_names(record.user)
            and isinstance(record.online, bool)
            and (record.last_seen is None or _is_number(record.last_seen))
        )
    return _are_names(record.chat, record.user) and isinstance(record.on, bool) and _is_number(record.at)


def _are_members(members: Any) -> bool:
    """Whether it is {"added": [user], "removed": [user]}, each of them or none."""
    return isinstance(members, dict) and all(
        isinstance(members.get(side, []), list) and _are_names(*members.get(side, []))
        for side in ("added", "removed")
    )


def _are_names(*values: Any) -> bool:
    return all(isinstance(each, str) and _NAME.fullmatch(each) for each in values)


def _is_place(value: Any) -> bool:
    return _is_number(value) and 0 < value < 10**16  # keys.sequence


def _is_number(value: Any) -> bool:
    """A whole number that any reader of JSON takes as it is."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
