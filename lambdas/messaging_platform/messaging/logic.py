"""What members may do in a chat, and what is answered. Pure but for the store that it is given.

    reply = act(caller, frame, now_ms, store)        # a frame, whatever was asked
    reply = perform(caller, frame, now_ms, store)    # the same, raising what `act` answers as `refused`

Sockets, HTTP and the gateway of the fleet all come through here. Whether somebody may add an event is decided by
`decide`, and what they may see by `membership.may_see` and `shown`: nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lambdas.messaging_platform import frames
from lambdas.messaging_platform.frames import Frame, Reply
from lambdas.messaging_platform.membership import may_see, times
from lambdas.messaging_platform.messaging import models
from lambdas.messaging_platform.messaging.models import (
    PAGE_BYTES,
    Appended,
    Caller,
    Draft,
    Head,
    Media,
    Member,
    Snapshot,
    Stored,
)
from lambdas.messaging_platform.records import Event, as_document
from lambdas.shared.errors import (
    Conflict,
    DomainError,
    Malformed,
    NotFound,
    Refused,
    TooMany,
)

EDIT_WITHIN_MS = 15 * 60_000
DELETE_WITHIN_MS = 48 * 3_600_000
ADDING = ("send", "edit", "delete")
ACTIONS = (*ADDING, "ack", "read", "sync")
# What says something in the user's name, or shows a device what is its own. Marks do neither, and are most frames.
OF_DEVICES = (*ADDING, "sync")


class Store(Protocol):
    """What this needs of the tables; store.Messages keeps it."""

    def take_turn(self, user: str, now_s: int) -> None: ...
    def add(self, draft: Draft, fingerprint: str, now_s: int, decide: Any, user: str) -> Appended: ...
    def sent(self, chat: str, user: str, client_id: str, fingerprint: str, now_s: int) -> Appended | None: ...
    def head(self, chat: str) -> Head | None: ...
    def member(self, chat: str, user: str) -> Member | None: ...
    def still_has_device(self, user: str, device: str) -> bool: ...
    def move(self, chat: str, user: str, cursors: Sequence[str], seq: int) -> Member | None: ...
    def forget(self, user: str, device: str, chat: str, seq: int) -> None: ...
    def entries(self, user: str, device: str, after: str | None, limit: int) -> list[tuple[str, str]]: ...
    def history(
        self, chat: str, first: int, last: int, limit: int, *, newest: bool = False
    ) -> list[Stored]: ...
    def members(self, chat: str) -> list[Member]: ...
    def chats_of(self, user: str, after: str | None, limit: int) -> list[tuple[str, Member]]: ...
    def heads(self, chats: Sequence[str]) -> dict[str, Head]: ...


@dataclass(frozen=True)
class Standing:
    """A chat, and somebody's place in it."""

    head: Head
    member: Member

    @property
    def last(self) -> int:
        """The last event that they may see."""
        return self.head.seq if self.member.until is None else min(self.member.until, self.head.seq)


# Frames


def answer(caller: Caller, text: str | bytes | None, now_ms: int, store: Store) -> Reply:
    """The reply to a frame as it came over a socket, of whatever shape.

    A socket outlives its device's registration: that is looked at here, as HTTP does for each request.
    """
    frame: Frame = {}
    try:
        frame = frames.read_frame(text)
        if frames.action_of(frame) in OF_DEVICES and not store.still_has_device(caller.user, caller.device):
            raise NotFound("you have no such device")
    except DomainError as error:
        return refusal(frame, error)
    return act(caller, frame, now_ms, store)


def act(caller: Caller, frame: Frame, now_ms: int, store: Store) -> Reply:
    """The reply to a frame: what was asked, or `refused` with the reason."""
    try:
        return perform(caller, frame, now_ms, store)
    except DomainError as error:
        return refusal(frame, error)


def perform(caller: Caller, frame: Frame, now_ms: int, store: Store) -> Reply:
    """Do what a frame asks, and answer the reply to it. Raises a `DomainError` that `frames.REASONS` names."""
    action = frames.action_of(frame)
    if action in ADDING:
        return _add(caller, models.draft_of(frame), now_ms, store)
    if action in ("ack", "read"):
        return _come(caller, action, models.mark_of(frame), store)
    if action == "sync":
        return inbox_page(caller, models.wanted_of(frame), store)
    raise Malformed("there is no such action")


def refusal(frame: Frame, error: DomainError) -> Reply:
    """The frame that says why nothing was done; it repeats of the request only what is well-formed."""
    action = frames.action_of(frame)
    return frames.refusal(frame, error, action if action in ACTIONS else "")


# To add an event


def _add(caller: Caller, draft: Draft, now_ms: int, store: Store) -> Reply:
    now_s = now_ms // 1000
    mark = fingerprint(draft)
    try:
        store.take_turn(caller.user, now_s)
        appended = store.add(
            draft, mark, now_s, lambda known: decide(caller, draft, known, now_ms), caller.user
        )
    except (NotFound, Refused, Conflict, TooMany):
        # What was done is answered as done, also to who could not do it any more.
        before = store.sent(draft.chat, caller.user, draft.id, mark, now_s)
        if before is None:
            raise
        appended = before
    return {
        "type": "sent",
        "id": draft.id,
        "chat": draft.chat,
        "seq": appended.seq,
        "at": appended.at,
        "repeated": appended.repeated,
    }


def decide(caller: Caller, draft: Draft, known: Snapshot, now_ms: int) -> Event:
    """The event that `draft` becomes, at the next place of its chat, if the caller may add it.

    Raises `NotFound` to strangers, whether there is such a chat or not; and `Refused` or `Conflict` to others.
    """
    head, member = known.head, known.member
    if head is None or member is None or member.since > head.seq + 1:
        raise NotFound("you have no such chat")
    if member.until is not None:
        raise Refused("you are no longer in this chat")
    if known.is_blocked:
        raise Refused("you cannot write to this chat")
    body: dict[str, Any] = dict(draft.body)
    if draft.media is not None:
        body = _media_body(caller, draft.chat, draft.media, known.media)
    if draft.kind != "message":
        _check_target(caller, draft, member, known.target, now_ms)
    return Event(
        chat=draft.chat,
        seq=head.seq + 1,
        kind=draft.kind,
        sender=caller.user,
        device=caller.device,
        id=draft.id,
        at=now_ms,
        body=body,
        target=draft.target,
    )


def _media_body(caller: Caller, chat: str, id: str, media: Media | None) -> dict[str, Any]:
    """What a media message says of its media, which the sender has uploaded for this chat, and which is ready."""
    if media is None or media.owner != caller.user or media.chat != chat:
        raise NotFound("you have no such media for this chat")
    if media.state == "rejected":
        raise Refused("the media was rejected")
    if media.state != "ready":
        raise Conflict("the media is not ready yet; try again when it is")
    return {"media": id, "type": media.type, "size": media.size}


def _check_target(caller: Caller, draft: Draft, member: Member, target: Stored | None, now_ms: int) -> None:
    """That a message may be edited or deleted: one's own, standing, and not too old."""
    if target is None or not may_see(member, target.event.seq):
        raise NotFound("this chat has no such message")
    event = target.event
    if event.kind != "message" or event.sender != caller.user:
        raise Refused(f"you can {draft.kind} your own messages only")
    if event.deleted_at is not None:
        raise Refused("the message was deleted")
    if draft.kind == "edit" and "text" not in event.body:
        raise Refused("only a text can be edited")
    if now_ms - event.at > (EDIT_WITHIN_MS if draft.kind == "edit" else DELETE_WITHIN_MS):
        raise Refused(f"it is too late to {draft.kind} the message")


def fingerprint(draft: Draft) -> str:
    """What tells one request from another one under the same id."""
    asked = json.dumps([draft.kind, draft.body, draft.target], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


# To see events


def shown(member: Member, stored: Stored) -> Event:
    """An event as somebody who may see it is shown it: without a text from outside of their time in the chat."""
    event = stored.event
    from_before = event.kind == "edit" and not may_see(member, event.target or 0)
    from_after = stored.edit is not None and not may_see(member, stored.edit)
    return replace(event, body={}) if from_before or from_after else event


def standing(chat: str, user: str, store: Store) -> Standing:
    """A chat as somebody in it sees it, who may have left. Raises `NotFound` to strangers, as if there were none."""
    head = store.head(chat) if models.IDS["chat"].fullmatch(chat) else None
    member = store.member(chat, user) if head else None
    if head is None or member is None or member.since > head.seq + 1:
        raise NotFound("you have no such chat")
    return Standing(head, member)


def chats(user: str, after: str | None, limit: int, store: Store) -> tuple[list[Standing], str | None]:
    """Some of the chats that somebody is or was in, after the chat `after`, and where to go on; None at the end."""
    found = store.chats_of(user, after, limit)
    heads = store.heads([chat for chat, _ in found])
    places = [Standing(heads[chat], member) for chat, member in found if chat in heads]
    seen = [each for each in places if each.member.since <= each.head.seq + 1]
    return seen, found[-1][0] if len(found) == limit else None


def inbox_page(caller: Caller, wanted: models.Wanted, store: Store) -> Reply:
    """A page of what waits for the caller's device, each chat's events in their order.

    A page ends where the next event would make it larger than a frame may be, and never before its first. `cursor`
    is None on the last page; what comes in meanwhile is pushed, or is there from the beginning the next time.
    """
    entries = store.entries(caller.user, caller.device, wanted.after, wanted.limit)
    kept = list(_fitting([event for _, event in entries]))
    more = len(entries) == wanted.limit or len(kept) < len(entries)
    return {
        "type": "page",
        "events": [json.loads(each) for each in kept],
        "cursor": entries[len(kept) - 1][0] if more and kept else None,
    }


def history_page(
    place: Standing, after: int | None, before: int | None, limit: int, store: Store
) -> dict[str, Any]:
    """Events of a chat in order: those after `after`, or else the last before `before` (by default the latest).

    A page is of one time in the chat: what was between two is passed over. `next` is what to give as the same
    parameter for the page that follows, None where there is none.
    """
    newest = after is None
    asked = _readable(place, after, before)
    if not asked:
        return {"events": [], "next": None}
    first, last = asked.pop(-1 if newest else 0)
    stored = store.history(place.head.chat, first, last, limit, newest=newest)
    found = [shown(place.member, each) for each in stored]
    documents = [as_document(each) for each in found]
    texts = [json.dumps(each, ensure_ascii=False) for each in (documents[::-1] if newest else documents)]
    kept = len(list(_fitting(texts)))
    events = documents[len(documents) - kept :] if newest else documents[:kept]
    if not events:
        return {"events": [], "next": None}
    end = events[0]["seq"] if newest else events[-1]["seq"]
    is_last = not asked and (end <= first if newest else end >= last)
    return {"events": events, "next": None if is_last else end}


def _readable(place: Standing, after: int | None, before: int | None) -> list[tuple[int, int]]:
    """The first and the last event of each time in the chat, of what is after `after` and before `before`."""
    end = place.head.seq if before is None else min(place.head.seq, before - 1)
    begin = 1 if after is None else after + 1
    clipped = (
        (max(first, begin), end if last is None else min(last, end)) for first, last in times(place.member)
    )
    return [(first, last) for first, last in clipped if first <= last]


def _fitting(texts: Sequence[str]) -> Sequence[str]:
    """The first of `texts` that fit into a page; one always does."""
    room = PAGE_BYTES
    for count, text in enumerate(texts):
        room -= len(text.encode()) + 1
        if room < 0 and count:
            return texts[:count]
    return texts


# How far somebody has come


def _come(caller: Caller, action: str, mark: models.Mark, store: Store) -> Reply:
    """Move the caller's mark forward, never beyond what there is, and free the inbox of what the device has got."""
    place = standing(mark.chat, caller.user, store)
    seq = min(mark.seq, place.last)
    member: Member | None = place.member
    while member is not None and (cursors := _behind(member, action, seq)):
        member = store.move(mark.chat, caller.user, cursors, seq)
    if member is None:
        raise NotFound("you have no such chat")
    if action == "ack":
        store.forget(caller.user, caller.device, mark.chat, seq)
    return {"type": "acked", "chat": mark.chat, "delivered": member.delivered, "read": member.read}


def _behind(member: Member, action: str, seq: int) -> tuple[str, ...]:
    """The marks that an action moves to `seq`: what was read was delivered. Never one that is there or further."""
    if seq < member.since:
        return ()
    marks = {"delivered": member.delivered, "read": member.read}
    return tuple(each for each in (("delivered",) if action == "ack" else tuple(marks)) if marks[each] < seq)


def receipts(chat: str, user: str, store: Store) -> dict[str, dict[str, int | None]]:
    """How far each member of a chat has come; `read` is None of those who do not show it.

    For members alone: who has left sees neither who is there now, nor how far they have come.
    """
    if standing(chat, user, store).member.until is not None:
        raise Refused("you are no longer in this chat")
    return {
        each.user: {"delivered": each.delivered, "read": None if each.hides_read else each.read}
        for each in store.members(chat)
        if each.until is None
    }
