"""What a client asks for, how it is read, and what the store knows of a chat.

How a frame itself is read: frames.py. What is asked of messaging in one, of any shape, is read here, or `Malformed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.frames import Frame, action_of
from lambdas.messaging_platform.membership import Earlier
from lambdas.messaging_platform.records import Event
from lambdas.shared.errors import Malformed

LONGEST_TEXT = 4_096  # characters
PAGE_BYTES = 30 * 1024  # of a page's events: with what is around them it is one frame
LONGEST_PAGE = 100  # events
LARGEST_SEQUENCE = 10**16 - 1  # keys.sequence
IDS: Mapping[str, Any] = {"chat": keys.CHAT_ID, "id": keys.CLIENT_ID, "media": keys.CLIENT_ID}


@dataclass(frozen=True)
class Caller:
    """Who asks, and with which device; both were found out at the door."""

    user: str
    device: str


@dataclass(frozen=True)
class Draft:
    """An event that has no place yet. `body` is as the client sent it."""

    chat: str
    kind: Literal["message", "edit", "delete"]
    id: str
    body: Mapping[str, str] = field(default_factory=dict)
    target: int | None = None

    @property
    def media(self) -> str | None:
        return self.body.get("media")


@dataclass(frozen=True)
class Mark:
    """Up to where a device has got a chat (`ack`), or its reader has seen it (`read`)."""

    chat: str
    seq: int


@dataclass(frozen=True)
class Wanted:
    """A page of the inbox: `after` is the last page's cursor."""

    after: str | None
    limit: int


@dataclass(frozen=True)
class Head:
    """A chat: `seq` is the last sequence number given, `members` how many there are."""

    chat: str
    kind: str
    name: str
    seq: int
    members: int


@dataclass(frozen=True)
class Member:
    """A user's place in a chat. They may see what is from `since` to `until` (None: they still are a member).

    And what is of the times in the chat before that, `earlier`.
    """

    user: str
    role: str
    since: int
    until: int | None
    delivered: int
    read: int
    hides_read: bool
    earlier: Earlier = ()


@dataclass(frozen=True)
class Stored:
    """An event as history has it: a message in its present form. `edit` is the `seq` of the edit that it shows."""

    event: Event
    edit: int | None = None


@dataclass(frozen=True)
class Media:
    """What is known of an upload."""

    owner: str
    chat: str
    state: str
    type: str
    size: int


@dataclass(frozen=True)
class Snapshot:
    """What decides whether somebody may add an event to a chat, all of it read after the chat's head was."""

    head: Head | None
    member: Member | None
    is_blocked: bool = False
    target: Stored | None = None
    media: Media | None = None


@dataclass(frozen=True)
class Appended:
    """Where an event is in its chat. `repeated`: an earlier request with the same id has put it there."""

    seq: int
    at: int
    repeated: bool = False


def draft_of(frame: Frame) -> Draft:
    """What `send`, `edit` and `delete` ask for. Raises `Malformed`."""
    chat, client_id = _id(frame, "chat"), _id(frame, "id")
    match action_of(frame):
        case "send":
            return Draft(chat, "message", client_id, _body(frame, ("text", "media")))
        case "edit":
            return Draft(chat, "edit", client_id, _body(frame, ("text",)), _sequence(frame, "target"))
        case _:
            return Draft(chat, "delete", client_id, target=_sequence(frame, "target"))


def mark_of(frame: Frame) -> Mark:
    """What `ack` and `read` say. Raises `Malformed`."""
    return Mark(_id(frame, "chat"), _sequence(frame, "seq"))


def wanted_of(frame: Frame) -> Wanted:
    """What `sync` asks for. Raises `Malformed`."""
    after, limit = frame.get("after"), frame.get("limit", LONGEST_PAGE)
    if after is not None:
        chat, _, seq = after.partition("#") if isinstance(after, str) else ("", "", "")
        if not keys.CHAT_ID.fullmatch(chat) or not (seq.isascii() and seq.isdigit() and len(seq) == 16):
            raise Malformed("`after` is no cursor of a page")
    if not _is_whole(limit) or not 1 <= limit <= LONGEST_PAGE:
        raise Malformed(f"`limit` is a whole number from 1 to {LONGEST_PAGE}")
    return Wanted(after, limit)


def _id(frame: Frame, name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str) or not IDS[name].fullmatch(value):
        raise Malformed(f"`{name}` is not the id of anything")
    return value


def _sequence(frame: Frame, name: str) -> int:
    value: Any = frame.get(name)
    if not _is_whole(value) or not 1 <= value <= LARGEST_SEQUENCE:
        raise Malformed(f"`{name}` is not a sequence number")
    return int(value)


def _body(frame: Frame, may_have: tuple[str, ...]) -> Mapping[str, str]:
    body = frame.get("body")
    if not isinstance(body, dict) or len(body) != 1 or not set(body) <= set(may_have):
        raise Malformed(f"`body` has one of: {', '.join(may_have)}")
    if "media" in body:
        return {"media": _id(body, "media")}
    text = body["text"]
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_TEXT:
        raise Malformed(f"`text` has 1 to {LONGEST_TEXT} characters")
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell and no store takes
        raise Malformed("`text` is not Unicode") from None
    return {"text": text}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
