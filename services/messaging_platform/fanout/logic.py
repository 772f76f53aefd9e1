"""Who is told what. Pure: what is known of the chat and its members is passed in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from lambdas.messaging_platform.membership import Earlier, may_see
from lambdas.messaging_platform.people import Device
from lambdas.messaging_platform.presence.logic import MOST_TOLD_OF_TYPING
from lambdas.messaging_platform.records import Event, Receipt, Typing

TYPING_LASTS_MS = 5_000
RECEIPTS_REACH_BACK = 100  # messages whose senders a receipt is told to
SMALL_CHAT = MOST_TOLD_OF_TYPING  # members: in larger chats nobody is told who has read, or who types


@dataclass(frozen=True)
class Member:
    """A member of a chat, or one who was: they may see what is from `since` to `until`, both included.

    And what is of the times in the chat before that, `earlier`.
    """

    user: str
    since: int
    until: int | None = None
    earlier: Earlier = ()


def audience(event: Event, members: Iterable[Member]) -> dict[str, Event]:
    """The users whose devices an event goes to, with what each of them is shown.

    They are those who may see it, and those whom it removes, who are to learn that. Of an edit, who may not see the
    message is not shown the text: messaging.logic.shown, which decides over history, says the same.
    """
    seeing = {each.user: _shown(event, each) for each in members if may_see(each, event.seq)}
    removed = (event.members or {}).get("removed", ())
    return dict.fromkeys(removed, event) | seeing


def _shown(event: Event, member: Member) -> Event:
    is_hidden = event.kind == "edit" and not may_see(member, event.target or 0)
    return replace(event, body={}) if is_hidden else event


def to_push(
    event: Event, devices: Iterable[Device], reached: Collection[str], alive: Collection[str]
) -> list[Device]:
    """The devices that are to be pushed: of a message, none of the sender's, and those that nothing shows as there.

    `reached` are the inboxes of devices whose connection took the event, `alive` of those that gave a sign of life
    lately: a connection that was cut takes frames for a while.
    """
    if event.kind != "message":
        return []
    return [
        each
        for each in devices
        if each.user != event.sender and (each.inbox not in reached or each.inbox not in alive)
    ]


def acknowledged(receipt: Receipt) -> tuple[int, int] | None:
    """The messages that a receipt is about, as (after, up to): at most the latest `RECEIPTS_REACH_BACK`; or None."""
    delivered, read = receipt.before
    moved = [(delivered, receipt.delivered)] if receipt.delivered > delivered else []
    if receipt.read is not None and receipt.read > read:
        moved.append((read, receipt.read))
    if not moved:
        return None
    up_to = max(end for _, end in moved)
    return max(min(start for start, _ in moved), up_to - RECEIPTS_REACH_BACK), up_to


def hear_receipt(receipt: Receipt, members: Sequence[Member], senders: Collection[str]) -> list[str]:
    """The users who hear of a receipt: members who sent what it is about; in a large chat nobody."""
    present = _present(members)
    if len(present) > SMALL_CHAT:
        return []
    return [each for each in present if each in senders and each != receipt.user]


def hear_typing(typing: Typing, members: Sequence[Member], now_ms: int) -> list[str]:
    """The users who hear of somebody's typing: nobody once it is old, or in a large chat, or if no member types."""
    present = _present(members)
    if now_ms - typing.at > TYPING_LASTS_MS or len(present) > SMALL_CHAT or typing.user not in present:
        return []
    return [each for each in present if each != typing.user]


def _present(members: Iterable[Member]) -> list[str]:
    return sorted(each.user for each in members if each.until is None)
