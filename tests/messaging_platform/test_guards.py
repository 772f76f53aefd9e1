"""Take one guard away, and a test is red: for each, the test that catches it, run on the broken thing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from lambdas.messaging_platform import people
from lambdas.messaging_platform.messaging import logic, store, view
from lambdas.messaging_platform.messaging.models import Member
from lambdas.messaging_platform.messaging.relay import Relay
from lambdas.messaging_platform.records import Event
from lambdas.messaging_platform.sign_in import store as sign_in
from lambdas.shared.errors import Unavailable
from tests.messaging_platform import test_authorize as door
from tests.messaging_platform import test_messaging_handlers as handlers
from tests.messaging_platform import test_messaging_logic as chats
from tests.messaging_platform import test_relay as relays
from tests.messaging_platform.test_relay import kafka, queue, relay, run  # noqa: F401 (fixtures of its tests)
from tests.messaging_platform.town import shared_client

pytestmark = pytest.mark.fast

ALWAYS = "attribute_not_exists(there_is_no_such_attribute)"  # a condition that guards nothing
Patch = pytest.MonkeyPatch
Guard = tuple[Callable[[Patch], None], Callable[..., None], dict[str, Any]]


def _without_the_sequence(patch: Patch) -> None:
    patch.setattr(store, "IF_LAST", ALWAYS + " OR seq = :last")
    patch.setattr(store, "IF_NEW", ALWAYS)


def _without_the_place_being_new(patch: Patch) -> None:
    patch.setattr(store, "IF_NEW", ALWAYS)


def _without_idempotency(patch: Patch) -> None:
    patch.setattr(store, "IF_NOT_SENT", f"{ALWAYS} OR attribute_not_exists(#key) OR expires_at <= :now")


def _without_an_end_of_what_was_sent(patch: Patch) -> None:
    sent: Any = store.Messages.sent
    patch.setattr(store.Messages, "sent", lambda self, *asked: sent(self, *asked[:-1], 0))


def _without_looking_at_the_device(patch: Patch) -> None:
    patch.setattr(store.Messages, "still_has_device", lambda *_: True)


def _with_devices_that_are_known_for_ever(patch: Patch) -> None:
    patch.setattr(store, "DEVICE_KNOWN_S", float("inf"))


def _without_looking_twice(patch: Patch) -> None:
    patch.setattr(store.Messages, "has_device", lambda *_: False)


def _without_a_bound_on_what_is_freed(patch: Patch) -> None:
    patch.setattr(store, "FORGET_WITHIN_S", float("inf"))


def _without_a_bound_on_waiting(patch: Patch) -> None:
    patch.setattr(store, "APPEND_WITHIN_S", float("inf"))


def _without_the_fingerprint(patch: Patch) -> None:
    patch.setattr(logic, "fingerprint", lambda _: "the same")


def _without_outcomes_for_who_may_no_more(patch: Patch) -> None:
    patch.setattr(store.Messages, "sent", lambda *_: None)


def _without_membership(patch: Patch) -> None:
    patch.setattr(
        store.Messages, "member", lambda _, __, user: Member(user, "member", 1, None, 0, 0, hides_read=False)
    )


def _without_the_end_of_membership(patch: Patch) -> None:
    member = store._member
    patch.setattr(store, "_member", lambda item: replace(member(item), until=None))


def _without_the_beginning_of_membership(patch: Patch) -> None:
    member = store._member
    patch.setattr(store, "_member", lambda item: replace(member(item), since=1))


def _with_rights_read_once(patch: Patch) -> None:
    """What decides is read for the first attempt alone; the others only take the next number."""
    append = store.Messages.append

    def once(self: Any, propose: Callable[[], store.Proposal], *rest: Any) -> Any:
        first: list[store.Proposal] = []

        def again() -> store.Proposal:
            if not first:
                first.append(propose())
                return first[0]
            head = self.head(first[0].event.chat)
            return store.Proposal(replace(first[0].event, seq=head.seq + 1), first[0].also)

        return append(self, again, *rest)

    patch.setattr(store.Messages, "append", once)


def _without_blocks(patch: Patch) -> None:
    patch.setattr(people.People, "is_blocked", lambda *_: False)


def _without_the_rate_limit(patch: Patch) -> None:
    patch.setattr(store, "IF_ENOUGH_LEFT", f"{ALWAYS} OR n < :most")


def _without_looking_at_the_target(patch: Patch) -> None:
    patch.setattr(logic, "_check_target", lambda *_: None)


def _without_taking_texts_out(patch: Patch) -> None:
    patch.setattr(store.Messages, "_changes", lambda *_: ())


def _without_looking_at_the_media(patch: Patch) -> None:
    patch.setattr(logic, "_media_body", lambda _, __, id, ___: {"media": id})


def _without_the_media_being_as_it_was(patch: Patch) -> None:
    patch.setattr(store, "IF_SENDABLE", f"{ALWAYS} OR #owner = :sender AND chat = :chat AND #state = :ready")


def _without_the_earlier_times(patch: Patch) -> None:
    patch.setattr(store, "earlier_of", lambda _: ())


def _without_hiding_texts(patch: Patch) -> None:
    patch.setattr(logic, "shown", lambda _, stored: stored.event)


def _with_marks_that_go_back(patch: Patch) -> None:
    patch.setattr(
        store, "IF_BEHIND", "({cursor} <> :seq OR attribute_not_exists({cursor}) OR {cursor} = :seq)"
    )


def _with_marks_beyond_the_end(patch: Patch) -> None:
    patch.setattr(logic.Standing, "last", 10**9)


def _with_marks_for_anybody(patch: Patch) -> None:
    patch.setattr(store, "IF_MEMBER", ALWAYS)


def _without_freeing_inboxes(patch: Patch) -> None:
    patch.setattr(store.Messages, "forget", lambda *_: None)


def _with_frames_of_any_size(patch: Patch) -> None:
    patch.setattr(logic, "PAGE_BYTES", 10**9)


def _without_the_cursor(patch: Patch) -> None:
    entries = store.Messages.entries
    patch.setattr(
        store.Messages,
        "entries",
        lambda self, user, device, after, limit: [] if after else entries(self, user, device, None, limit),
    )


def _with_a_view_that_takes_what_comes(patch: Patch) -> None:
    def apply(seen: view.View, event: Event) -> view.View:
        lines = dict(seen.lines)
        view._show(lines, event)
        return replace(seen, upto=max(seen.upto, event.seq), lines=lines)

    patch.setattr(view, "apply", apply)


def _with_a_relay_that_passes_over(patch: Patch) -> None:
    send = Relay._send

    def lossy(*arguments: Any) -> None:
        with suppress(Unavailable):
            send(*arguments)

    patch.setattr(Relay, "_send", lossy)


def _with_tickets_that_stay(patch: Patch) -> None:
    client: Any = shared_client("dynamodb")

    def read(TableName: str, Key: Any, **_: Any) -> dict[str, Any]:  # noqa: N803 (the SDK's names)
        return {"Attributes": client.get_item(TableName=TableName, Key=Key).get("Item", {})}

    patch.setattr(client, "delete_item", read)


def _with_tickets_for_ever(patch: Patch) -> None:
    patch.setattr(sign_in, "IF_GOOD", "attribute_exists(ticket) OR expires_at > :now")


def _with_ends_that_end_the_next_connection(patch: Patch) -> None:
    patch.setattr(people, "IF_STILL_THIS", f"{ALWAYS} OR #connection = :connection")


def _with_devices_that_connecting_makes(patch: Patch) -> None:
    patch.setattr(people, "IF_REGISTERED", ALWAYS)


SEND = {"frame": chats.FRAMES[0]}
HISTORY = {"path": "/chats/{chat}/messages"}
REMOVED = handlers.test_a_device_that_was_removed_says_and_reads_no_more_over_a_socket_that_it_has_open
GUARDS: Sequence[Guard] = [
    (_without_the_sequence, chats.test_who_is_removed_while_they_write_has_written_before_or_not_at_all, {}),
    (_without_the_sequence, chats.test_many_at_once_each_get_a_number_of_their_own, {}),
    (
        _without_the_place_being_new,
        chats.test_a_chat_whose_head_was_restored_from_a_backup_overwrites_nothing,
        {},
    ),
    (_without_idempotency, chats.test_the_same_id_again_makes_no_second_event, {}),
    (_without_idempotency, chats.test_a_retry_at_the_same_moment_makes_no_second_event, {}),
    (_without_idempotency, chats.test_whose_answer_was_lost_finds_what_was_stored, {}),
    (
        _without_an_end_of_what_was_sent,
        chats.test_an_id_is_remembered_no_longer_for_who_writes_too_much,
        {},
    ),
    (_without_a_bound_on_waiting, chats.test_who_waits_for_a_chat_is_told_in_time, {}),
    *(
        (_without_looking_at_the_device, REMOVED, {"action": action})
        for action in ("send", "edit", "delete", "sync")
    ),
    (_with_devices_that_are_known_for_ever, REMOVED, {"action": "send"}),
    (
        _without_looking_twice,
        handlers.test_a_device_that_was_registered_a_moment_ago_is_looked_at_twice,
        {},
    ),
    (_without_the_fingerprint, chats.test_the_same_id_for_something_else_is_refused, {}),
    (_without_outcomes_for_who_may_no_more, chats.test_what_was_deleted_stays_deleted, {}),
    (_without_membership, chats.test_a_stranger_may_do_nothing_and_learns_nothing, SEND),
    (_without_membership, chats.test_a_stranger_reads_nothing_of_a_group, {}),
    (
        _without_membership,
        handlers.test_a_stranger_reads_nothing_and_does_not_learn_whether_there_is_such_a_chat,
        HISTORY,
    ),
    (_without_the_end_of_membership, chats.test_who_left_may_read_what_was_theirs_and_write_nothing, {}),
    (_without_the_beginning_of_membership, chats.test_who_came_later_reads_from_then_on, {}),
    (_with_rights_read_once, chats.test_who_is_removed_while_they_write_has_written_before_or_not_at_all, {}),
    (_without_blocks, chats.test_a_block_ends_a_direct_chat_for_both, {"who": "ann", "whom": "bob"}),
    (_without_the_rate_limit, chats.test_who_writes_too_much_is_told_and_may_again_in_the_next_minute, {}),
    (_without_looking_at_the_target, chats.test_only_the_sender_edits_or_deletes, {}),
    (_without_looking_at_the_target, chats.test_what_is_old_is_not_edited_and_what_is_older_not_deleted, {}),
    (_without_taking_texts_out, chats.test_of_a_deleted_message_no_text_stays_in_the_table, {}),
    (_without_looking_at_the_media, chats.test_media_is_sent_by_its_owner_in_its_chat_when_it_is_ready, {}),
    (
        _without_the_media_being_as_it_was,
        chats.test_media_that_changes_while_it_is_sent_is_not_sent,
        {"changed": {"state": "rejected"}, "why": "refused"},
    ),
    (
        _without_the_earlier_times,
        chats.test_who_came_back_reads_what_was_theirs_before_and_nothing_of_between,
        {},
    ),
    (_without_hiding_texts, chats.test_no_text_is_shown_from_outside_of_somebodys_time_in_a_chat, {}),
    (_with_marks_that_go_back, chats.test_a_mark_that_comes_late_to_the_table_moves_nothing_back, {}),
    (_with_marks_beyond_the_end, chats.test_marks_move_forward_and_never_back, {}),
    (_with_marks_for_anybody, chats.test_a_mark_makes_nobody_a_member, {}),
    (
        _without_freeing_inboxes,
        chats.test_an_acknowledgement_frees_the_inbox_of_this_device_and_chat_up_to_there,
        {},
    ),
    (
        _without_a_bound_on_what_is_freed,
        chats.test_an_inbox_that_takes_too_long_to_free_is_freed_by_several_acknowledgements,
        {},
    ),
    (_with_frames_of_any_size, chats.test_a_page_of_long_messages_is_no_larger_than_a_frame, {}),
    (
        _without_the_cursor,
        chats.test_an_inbox_is_read_by_pages_each_event_once_and_each_chat_in_order,
        {"limit": 7},
    ),
    (
        _with_a_view_that_takes_what_comes,
        chats.test_an_event_that_comes_early_is_held_back_and_one_that_comes_again_is_dropped,
        {},
    ),
    (
        _with_a_relay_that_passes_over,
        relays.test_while_kafka_is_down_the_batch_comes_again_and_nothing_is_lost,
        {},
    ),
    (_with_tickets_that_stay, door.test_a_ticket_is_good_once, {}),
    (_with_tickets_that_stay, door.test_of_two_at_once_with_one_ticket_one_is_let_in, {}),
    (_with_tickets_for_ever, door.test_a_ticket_that_is_past_its_time_is_denied_though_it_is_still_there, {}),
    (
        _with_ends_that_end_the_next_connection,
        handlers.test_a_device_has_one_connection_the_last_that_was_made,
        {},
    ),
    (
        _with_devices_that_connecting_makes,
        handlers.test_a_device_that_is_not_registered_is_not_made_by_connecting,
        {},
    ),
]


@pytest.mark.parametrize(
    "guard",
    [pytest.param(each, id=f"{each[0].__name__[1:]}-{each[1].__name__[5:45]}") for each in GUARDS],
)
def test_a_guard_taken_away_turns_its_test_red(
    guard: Guard, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away, test, given = guard
    wanted = [name for name in inspect.signature(test).parameters if name not in given]
    fixtures = {name: request.getfixturevalue(name) for name in wanted}
    take_away(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(**fixtures, **given)
