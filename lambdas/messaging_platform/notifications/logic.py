"""Whether a device is pushed to, now or later. Pure but for the store it is given.

read      a message of the queue
decide    what becomes of it: a push, a wait until quiet hours end, or nothing
handle    that, done

A push is claimed before it is published and settled after, in `pushes`: of all messages for a device and a chat, one
is pushed, until its user has read past it. The claim is a lease. Who dies between claiming and settling leaves one
that ends before SQS delivers the message again, so that the push is published then: a crash before publishing delays
it, a crash after publishing repeats it once, and none loses it. Who finds the lease of somebody else fails, and comes
again: that one may be about to die.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from lambdas.messaging_platform import keys
from lambdas.shared.errors import Unavailable

VERSION = 1
DAY_MINUTES = 24 * 60
# Longer than publishing takes with all its tries, and shorter than SQS waits before it delivers again.
LEASE_S = 20
# A push that nobody followed in a week is forgotten: the next message is pushed again.
OUTSTANDING_S = 7 * 86_400

Outcome = Literal["pushed", "deferred", "unregistered", "acked", "read", "left", "outstanding"]


class Unreadable(Exception):
    """A message of the queue is none of this version; the text says why."""


class Busy(Exception):
    """Somebody else has the lease; the message is to come again."""


@dataclass(frozen=True)
class Message:
    """What fan-out asks for: that a device hears of a message. `deferred`: it has waited for quiet hours to end."""

    user: str
    device: str
    chat: str
    seq: int
    at: int
    deferred: bool = False

    @property
    def inbox(self) -> str:
        """The device among all."""
        return keys.inbox(self.user, self.device)


@dataclass(frozen=True)
class Standing:
    """How things are. `platform` is None where the device is not registered; `read` where the user is no member;
    `until` is the last event that they may see, of one who was removed. Quiet hours are as in `people.Profile`.
    """

    platform: str | None
    is_waiting: bool
    read: int | None
    until: int | None
    quiet_from: int | None = None
    quiet_to: int | None = None
    utc_offset: int = 0


@dataclass(frozen=True)
class Lease:
    """A push that is claimed: nobody else publishes it before `ends` (epoch ms)."""

    inbox: str
    chat: str
    seq: int
    ends: int


class Store(Protocol):
    """What this needs of the stores; its promises are at `store.Store`."""

    def standing(self, message: Message) -> Standing: ...
    def waiting(self, message: Message) -> int | None: ...
    def claim(self, message: Message, read: int, now_ms: int) -> Lease | None: ...
    def settle(self, lease: Lease) -> None: ...
    def release(self, lease: Lease) -> None: ...
    def publish(self, message: Message, platform: str) -> None: ...
    def defer(self, message: Message, until_s: int) -> None: ...


def read(body: str) -> Message:
    """A message of the queue. Raises `Unreadable`."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"it is not JSON: {problem}") from None
    if not isinstance(document, dict) or document.get("v") != VERSION:
        raise Unreadable(f"it is not of version {VERSION}")
    texts = [document.get(name) for name in ("user", "device", "chat")]
    numbers = [document.get(name) for name in ("seq", "at")]
    if not all(isinstance(each, str) and each for each in texts) or not all(map(_is_number, numbers)):
        raise Unreadable("it lacks something, or a field is not of its type")
    return Message(
        document["user"],
        document["device"],
        document["chat"],
        document["seq"],
        document["at"],
        deferred=document.get("deferred") is True,
    )


def write(message: Message) -> str:
    """A message as the queue holds it."""
    document: dict[str, Any] = {
        "v": VERSION,
        "user": message.user,
        "device": message.device,
        "chat": message.chat,
        "seq": message.seq,
        "at": message.at,
    }
    if message.deferred:
        document["deferred"] = True
    return json.dumps(document, separators=(",", ":"))


def notice(message: Message) -> str:
    """What is published: that there is something, and where, and not what.

    Push services and lock screens are other people's places. With end-to-end encryption the text could not be there
    anyway: the device fetches it, and shows it itself.
    """
    return write(replace(message, deferred=False))


def attributes(message: Message, platform: str) -> Mapping[str, str]:
    """What subscriptions of the topic filter by: whom it is for, and how they are reached."""
    return {"user": message.user, "device": message.device, "platform": platform or "unknown"}


def handle(message: Message, now_ms: int, store: Store) -> Outcome:
    """What became of a message. Raises `Busy`, and what the store or the channel raises: then it is to come again."""
    standing = store.standing(message)
    if message.deferred and (not standing.is_waiting or (standing.read or 0) >= message.seq):
        # It stands for all that came to this chat in the quiet hours; this one the device has, or its user has read.
        message, standing = _latest(message, standing, store)
    decided = decide(message, standing, now_ms)
    if isinstance(decided, int):
        store.defer(replace(message, deferred=True), decided)
        return "deferred"
    if decided != "pushed":
        return decided
    lease = store.claim(message, standing.read or 0, now_ms)
    if lease is None:
        return "outstanding"
    try:
        store.publish(message, standing.platform or "")
    except Exception:
        with suppress(Unavailable):  # what is not given back ends by itself
            store.release(lease)
        raise
    # It is published: to come again for this would be a second push. Not settled, the next message is one.
    with suppress(Unavailable):
        store.settle(lease)
    return "pushed"


def decide(message: Message, standing: Standing, now_ms: int) -> Outcome | int:
    """ "pushed" (it is to be), why it is not, or the moment (epoch s) until which it waits."""
    if standing.platform is None:
        return "unregistered"
    if standing.read is None or (standing.until is not None and standing.until < message.seq):
        return "left"
    if standing.read >= message.seq:
        return "read"
    if not standing.is_waiting:
        return "acked"
    return quiet_until(standing, now_ms // 1000) or "pushed"


def quiet_until(standing: Standing, now_s: int) -> int | None:
    """When the quiet hours end that it is in (epoch s), or None outside of them.

    They are minutes of the user's own day and may cross midnight: from 22:00 (1320) to 7:00 (420). From a minute to
    the same minute is none.
    """
    first, last = standing.quiet_from, standing.quiet_to
    if first is None or last is None or first == last:
        return None
    minute_of_all = now_s // 60
    minute = (minute_of_all + standing.utc_offset) % DAY_MINUTES
    length, gone = (last - first) % DAY_MINUTES, (minute - first) % DAY_MINUTES
    if gone >= length:
        return None
    return (minute_of_all + length - gone) * 60


def _latest(message: Message, standing: Standing, store: Store) -> tuple[Message, Standing]:
    seq = store.waiting(message)
    if seq is None:
        return message, standing
    return replace(message, seq=seq), replace(standing, is_waiting=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
