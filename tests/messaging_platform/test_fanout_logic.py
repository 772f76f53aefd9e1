"""Who is told what by fan-out, without AWS."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.messaging_platform.membership import Earlier, may_see
from lambdas.messaging_platform.messaging import logic as messaging
from lambdas.messaging_platform.messaging import models
from lambdas.messaging_platform.people import Device
from lambdas.messaging_platform.records import Event, Receipt, Typing
from services.messaging_platform.fanout import logic
from services.messaging_platform.fanout.logic import Member

pytestmark = pytest.mark.fast

CHAT = "g-" + "0" * 32


def event(seq: int = 5, **more: Any) -> Event:
    fields: dict[str, Any] = {"kind": "message", "sender": "ann", "device": "a1", "id": "1", "at": 1_000}
    return Event(chat=CHAT, seq=seq, **(fields | more))


def members(*users: str) -> list[Member]:
    return [Member(user, since=1) for user in users]


# Events


def test_an_event_goes_to_all_who_may_see_it_its_sender_included() -> None:
    assert logic.audience(event(), members("bob", "ann")) == {"ann": event(), "bob": event()}


def test_who_joined_later_or_left_before_does_not_see_it() -> None:
    some = [Member("late", since=6), Member("gone", since=1, until=4), Member("last", since=5, until=5)]
    assert logic.audience(event(seq=5), some) == {"last": event(seq=5)}


def test_who_is_removed_learns_it_from_the_event_that_removes_them() -> None:
    removal = event(kind="members", members={"removed": ["bob"]})
    assert set(logic.audience(removal, [Member("ann", 1), Member("bob", since=1, until=4)])) == {"ann", "bob"}


def test_who_came_back_gets_what_was_not_delivered_of_the_time_before() -> None:
    back = [Member("bob", since=9, earlier=((1, 2), (4, 6)))]
    assert [seq for seq in range(1, 11) if logic.audience(event(seq), back)] == [1, 2, 4, 5, 6, 9, 10]


def test_what_an_edit_says_is_shown_to_those_who_may_see_the_message_alone() -> None:
    edit = event(seq=9, kind="edit", target=4, body={"text": "new"})
    shown = logic.audience(edit, [Member("ann", since=4), Member("late", since=5)])
    assert shown["ann"].body == {"text": "new"}
    assert (shown["late"].body, shown["late"].seq) == ({}, 9)


@given(
    since=st.integers(1, 9),
    until=st.none() | st.integers(1, 9),
    seq=st.integers(1, 9),
    target=st.integers(1, 9),
    earlier=st.just(()) | st.tuples(st.tuples(st.integers(1, 9), st.integers(1, 9))),
)
def test_what_is_delivered_is_what_history_would_show(
    since: int, until: int | None, seq: int, target: int, earlier: Earlier
) -> None:
    edit = event(seq=seq, kind="edit", target=target, body={"text": "new"})
    member = models.Member("ann", "member", since, until, 0, 0, hides_read=False, earlier=earlier)
    delivered = logic.audience(edit, [Member("ann", since, until, earlier)]).get("ann")
    assert delivered == (messaging.shown(member, models.Stored(edit)) if may_see(member, seq) else None)


def test_only_messages_are_pushed_and_never_to_their_sender() -> None:
    devices = [Device("ann", "a2"), Device("bob", "b1")]
    assert logic.to_push(event(), devices, set(), set()) == [Device("bob", "b1")]
    for kind in ("edit", "delete", "members"):
        assert logic.to_push(event(kind=kind), devices, set(), set()) == []


@pytest.mark.parametrize(
    ("reached", "alive", "pushed"),
    [
        ({"bob#b1"}, {"bob#b1"}, False),
        ({"bob#b1"}, set(), True),  # a connection that was cut still took it
        (set(), {"bob#b1"}, True),
        (set(), set(), True),
    ],
)
def test_a_device_is_pushed_unless_it_was_reached_and_is_alive(
    reached: set[str], alive: set[str], pushed: bool
) -> None:
    assert bool(logic.to_push(event(), [Device("bob", "b1")], reached, alive)) == pushed


# Receipts


def receipt(delivered: int, read: int | None, before: tuple[int, int]) -> Receipt:
    return Receipt(CHAT, "bob", delivered, read, before)


@pytest.mark.parametrize(
    ("told", "span"),
    [
        (receipt(5, 3, (3, 3)), (3, 5)),
        (receipt(5, 5, (5, 2)), (2, 5)),
        (receipt(7, 6, (5, 2)), (2, 7)),
        (receipt(5, 5, (5, 5)), None),
        (receipt(5, None, (5, 2)), None),  # they do not show what they read
        (receipt(500, 2, (3, 2)), (400, 500)),
    ],
)
def test_a_receipt_is_about_what_lies_between_its_cursors(
    told: Receipt, span: tuple[int, int] | None
) -> None:
    assert logic.acknowledged(told) == span


@given(
    before=st.tuples(st.integers(0, 300), st.integers(0, 300)),
    moved=st.tuples(st.integers(0, 300), st.integers(0, 300)),
    hides=st.booleans(),
)
def test_a_receipt_is_never_about_more_than_was_moved_over(
    before: tuple[int, int], moved: tuple[int, int], hides: bool
) -> None:
    delivered, read = before[0] + moved[0], before[1] + moved[1]
    span = logic.acknowledged(receipt(delivered, None if hides else read, before))
    over = set(range(before[0] + 1, delivered + 1)) | (
        set() if hides else set(range(before[1] + 1, read + 1))
    )
    if span is None:
        assert not over
        return
    after, up_to = span
    assert up_to == max(over)
    assert 0 < up_to - after <= logic.RECEIPTS_REACH_BACK
    assert after + 1 >= min(over)
    assert after + 1 == min(over) or up_to - after == logic.RECEIPTS_REACH_BACK


def test_only_senders_who_are_still_members_hear_a_receipt_and_not_the_reader() -> None:
    some = [*members("ann", "bob", "cat"), Member("left", since=1, until=2)]
    told = receipt(5, 5, (0, 0))
    assert logic.hear_receipt(told, some, {"ann", "bob", "left", "nobody"}) == ["ann"]


def test_in_a_large_chat_nobody_hears_receipts_or_typing() -> None:
    crowd = members(*(f"u{number}" for number in range(logic.SMALL_CHAT)))
    typing = Typing(CHAT, "u0", on=True, at=1_000)
    told = receipt(5, 5, (0, 0))
    assert len(logic.hear_typing(typing, crowd, 1_000)) == logic.SMALL_CHAT - 1
    assert logic.hear_receipt(told, crowd, {"u1"}) == ["u1"]
    crowd.append(Member("one too many", since=1))
    assert logic.hear_typing(typing, crowd, 1_000) == []
    assert logic.hear_receipt(told, crowd, {"u1"}) == []


# Typing


def test_typing_is_told_to_the_others_while_it_is_fresh() -> None:
    typing = Typing(CHAT, "ann", on=True, at=1_000)
    assert logic.hear_typing(typing, members("ann", "bob"), 6_000) == ["bob"]
    assert logic.hear_typing(typing, members("ann", "bob"), 6_001) == []


def test_a_stranger_types_to_nobody() -> None:
    assert logic.hear_typing(Typing(CHAT, "eve", on=True, at=1_000), members("ann"), 1_000) == []
