"""What goes from one service to the next, and to devices: events of a chat, receipts, presence, typing.

Each has `v`, its version, and is JSON on Kafka, in an inbox and in a frame. What is of a later version, or no record
at all, is `Unreadable`, and whoever reads parks it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

VERSION = 1

Kind = Literal["message", "edit", "delete", "members"]
KINDS: tuple[Kind, ...] = ("message", "edit", "delete", "members")


class Unreadable(Exception):
    """It is no record of this version; the text says why."""


@dataclass(frozen=True)
class Event:
    """Something that happened in a chat, at its place in the chat's order.

    `seq` counts from 1 without gaps. `id` is the client's own of the action. `at` is epoch milliseconds. `body` is
    {"text": str} or {"media": media id, "type": str, "size": int}, and empty for a deletion. `target` is the `seq`
    that an edit or a deletion is about. `members` is {"added": [user], "removed": [user]} of the kind "members".
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


@dataclass(frozen=True)
class Receipt:
    """How far a member of a chat has come: all up to these numbers was delivered to a device of theirs, or read.

    `before` is how far it was before: (delivered, read). `read` is None where they do not show it.
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


def as_document(record: Record) -> dict[str, Any]:
    """The record as JSON's types, with its `type` and version; what is None or empty is left away."""
    fields = {name: value for name, value in asdict(record).items() if value is not None and value != {}}
    return {"v": VERSION, "type": _NAMES[type(record)], **fields}


def encode(record: Record) -> bytes:
    return json.dumps(as_document(record), separators=(",", ":"), ensure_ascii=False).encode()


def decode(data: bytes | str) -> Record:
    """The record that `encode` wrote. Raises `Unreadable`."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"it is not JSON: {problem}") from None
    if not isinstance(document, dict) or document.get("v") != VERSION:
        raise Unreadable(f"it is not of version {VERSION}")
    kind = _TYPES.get(str(document.get("type")))
    if kind is None:
        raise Unreadable(f"its type is {document.get('type')!r}")
    fields = {name: value for name, value in document.items() if name not in ("v", "type")}
    if kind is Receipt:
        fields["before"] = tuple(fields.get("before") or ())
        fields.setdefault("read", None)
    if kind is Presence:
        fields.setdefault("last_seen", None)
    try:
        record = kind(**fields)
    except TypeError as problem:
        raise Unreadable(f"it lacks something, or has too much: {problem}") from None
    _check(record)
    return record


def _check(record: Record) -> None:
    """Raises `Unreadable` where a field is not of its type: JSON lets anything through."""
    if isinstance(record, Event):
        whole = (record.chat, record.kind, record.sender, record.device, record.id)
        sound = (
            all(isinstance(each, str) for each in whole)
            and record.kind in KINDS
            and _is_number(record.seq)
            and record.seq > 0
            and _is_number(record.at)
            and isinstance(record.body, dict)
            and (record.target is None or _is_number(record.target))
            and (record.members is None or isinstance(record.members, dict))
        )
    elif isinstance(record, Receipt):
        sound = (
            isinstance(record.chat, str)
            and isinstance(record.user, str)
            and _is_number(record.delivered)
            and (record.read is None or _is_number(record.read))
            and len(record.before) == 2
            and all(map(_is_number, record.before))
        )
    elif isinstance(record, Presence):
        sound = (
            isinstance(record.user, str)
            and isinstance(record.online, bool)
            and (record.last_seen is None or _is_number(record.last_seen))
        )
    else:
        sound = (
            isinstance(record.chat, str)
            and isinstance(record.user, str)
            and isinstance(record.on, bool)
            and _is_number(record.at)
        )
    if not sound:
        raise Unreadable("a field is not of its type")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
