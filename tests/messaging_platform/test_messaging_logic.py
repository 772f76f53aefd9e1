"""What members may do in a chat, and what never happens there, on the tables in the process.

The tests of `(town, talk)` are also run by test_guards.py, each with its guard taken away.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.messaging import logic, models, view
from lambdas.messaging_platform.messaging.models import Caller, Draft, Snapshot
from lambdas.messaging_platform.messaging.store import Log, Messages, Proposal
from lambdas.messaging_platform.records import Event, as_document, decode
from lambdas.shared.errors import Malformed, NotFound, Refused, Unavailable
from tests.messaging_platform.town import NOW_MS, Talk, Town, meeting

pytestmark = pytest.mark.fast

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def reason(reply: dict[str, Any]) -> str:
    assert reply["type"] == "refused", reply
    return str(reply["reason"])


def events_of(town: Town, chat: str) -> list[dict[str, Any]]:
    return [each for each in town.items(town.tables.messages_table) if each["chat"]["S"] == chat]


# The order of a chat


def test_events_are_numbered_from_one_without_gaps(town: Town, talk: Talk) -> None:
    chat, other = town.group("ann", "bob"), town.direct("ann", "bob")
    replies = [
        talk.send("ann", chat),
        talk.send("bob", other),
        talk.send("bob", chat),
        talk.send("ann", chat),
    ]
    assert [each["seq"] for each in replies] == [1, 1, 2, 3]
    assert {each["type"] for each in replies} == {"sent"}
    assert [each["at"] for each in replies] == [NOW_MS] * 4
    assert not any(each["repeated"] for each in replies)


def test_the_same_id_again_makes_no_second_event(town: Town, talk: Talk) -> None:
    chat = town.direct()
    first = talk.send("ann", chat, "hello", id="c1")
    talk.send("bob", chat, "hi", id="c1")  # another sender's id is another id
    talk.now_ms += 1
    assert talk.send("ann", chat, "hello", id="c1") == first | {"repeated": True}
    assert len(events_of(town, chat)) == 2


def test_the_same_id_for_something_else_is_refused(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat, "hello", id="c1")
    assert reason(talk.send("ann", chat, "goodbye", id="c1")) == "refused"
    assert reason(talk.delete("ann", chat, 1, id="c1")) == "refused"
    assert len(events_of(town, chat)) == 1


def test_an_id_is_remembered_for_thirty_days(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat, "hello", id="c1")
    talk.now_ms += 30 * 24 * HOUR_MS - 1000
    assert talk.send("ann", chat, "hello", id="c1")["repeated"]
    talk.now_ms += 1000
    assert talk.send("ann", chat, "hello", id="c1")["seq"] == 2, "DynamoDB may not have deleted it yet"


def test_an_id_is_remembered_no_longer_for_who_writes_too_much(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat, "hello", id="c1")
    object.__setattr__(town.tables, "messages_a_minute", 0)
    town.put(town.tables.limits_table, {"key": f"ann#{(NOW_MS + 30 * 24 * HOUR_MS) // MINUTE_MS}", "n": 1})
    talk.now_ms += 30 * 24 * HOUR_MS
    assert reason(talk.send("ann", chat, "hello", id="c1")) == "too_many"
    assert reason(talk.send("ann", chat, "goodbye", id="c1")) == "too_many", "not: it was used before"


def test_many_at_once_each_get_a_number_of_their_own(
    town: Town, talk: Talk, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have read the chat's head before the first of them writes."""
    users = [f"user-{number}" for number in range(8)]
    chat = town.group(*users)
    monkeypatch.setattr(messages, "_clock", lambda: 0.0)  # a slow machine is not what is tested

    def send(user: str) -> list[dict[str, Any]]:
        # Twice each: a retry that meets its own first attempt.
        return [talk.send(user, chat, id=f"{user}-{number // 2}") for number in range(6)]

    together = meeting(messages._dynamodb, "transact_write_items", len(users))
    with together, ThreadPoolExecutor(len(users)) as pool:
        replies = [reply for replies in pool.map(send, users) for reply in replies]
    assert sorted(each["seq"] for each in replies if not each["repeated"]) == list(range(1, 25))
    assert [int(each["entry"]["S"]) for each in events_of(town, chat)] == list(range(1, 25))


def test_a_retry_at_the_same_moment_makes_no_second_event(town: Town, talk: Talk, messages: Messages) -> None:
    chat = town.group("ann", "bob")
    with meeting(messages._dynamodb, "transact_write_items", 8), ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: talk.send("ann", chat, id="c1"), range(16)))
    assert {each["seq"] for each in replies} == {1}
    assert len(events_of(town, chat)) == 1


def test_whose_answer_was_lost_finds_what_was_stored(town: Town, talk: Talk, messages: Messages) -> None:
    chat = town.direct()
    client, write = messages._dynamodb, messages._dynamodb.transact_write_items
    met: list[object] = []

    def lose_the_answer(**arguments: Any) -> Any:
        answer = write(**arguments)
        if not met:
            met.append(answer)
            raise Unavailable("the answer was lost")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "transact_write_items", lose_the_answer)
        assert talk.send("ann", chat)["seq"] == 1
    assert len(events_of(town, chat)) == 1


def test_contention_without_end_is_unavailable_and_leaves_nothing(
    town: Town, talk: Talk, messages: Messages, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = town.direct()
    calls: list[object] = []

    def contended(**_: Any) -> None:
        calls.append(None)
        raise Unavailable("another transaction")

    monkeypatch.setattr(messages._dynamodb, "transact_write_items", contended)
    assert reason(talk.send("ann", chat)) == "unavailable"
    assert 10 < len(calls) < 50
    assert max(naps) <= 0.4
    assert sum(naps) < 10
    assert events_of(town, chat) == []


def test_who_waits_for_a_chat_is_told_in_time(
    town: Town, talk: Talk, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = town.direct()
    now = [0.0]

    def contended(**_: Any) -> None:
        now[0] += 3
        raise Unavailable("another transaction")

    monkeypatch.setattr(messages, "_clock", lambda: now[0])
    monkeypatch.setattr(messages._dynamodb, "transact_write_items", contended)
    assert reason(talk.send("ann", chat)) == "unavailable"
    assert now == [9.0], "the first attempt after eight seconds is not made"


def test_a_chat_whose_head_was_restored_from_a_backup_overwrites_nothing(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat, "hello")
    town.put(town.tables.chats_table, {"chat": chat, "entry": keys.HEAD, "kind": "direct", "seq": 0})
    assert reason(talk.send("bob", chat, "hi")) == "unavailable"
    assert [json.loads(each["body"]["S"])["text"] for each in events_of(town, chat)] == ["hello"]


def test_what_goes_with_an_event_is_written_with_it_or_not_at_all(
    town: Town, talk: Talk, messages: Messages
) -> None:
    """As the directory appends changes of a group's members."""
    chat = town.group("ann", "bob")
    log = Log(town.tables, lambda: messages._dynamodb, sleep=lambda _: None)

    def change() -> Proposal:
        head = log.head(chat)
        assert head is not None
        event = Event(
            chat, head.seq + 1, "members", "ann", "", "change-1", NOW_MS, members={"removed": ["bob"]}
        )
        return Proposal(
            event,
            [
                {
                    "Update": {
                        "TableName": town.tables.chats_table,
                        "Key": {"chat": {"S": chat}, "entry": {"S": keys.member("bob")}},
                        "UpdateExpression": "SET #until = :until",
                        "ExpressionAttributeNames": {"#until": "until"},
                        "ExpressionAttributeValues": {":until": {"N": str(event.seq)}},
                    }
                }
            ],
        )

    assert log.append(change, "remove bob", NOW_MS // 1000).seq == 1
    assert log.append(change, "remove bob", NOW_MS // 1000).repeated
    assert getattr(messages.member(chat, "bob"), "until", None) == 1
    assert reason(talk.send("bob", chat)) == "refused"


# Who may


FRAMES: list[dict[str, Any]] = [
    {"action": "send", "id": "c", "body": {"text": "hello"}},
    {"action": "edit", "id": "c", "target": 1, "body": {"text": "hello"}},
    {"action": "delete", "id": "c", "target": 1},
    {"action": "ack", "seq": 1},
    {"action": "read", "seq": 1},
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda each: each["action"])
def test_a_stranger_may_do_nothing_and_learns_nothing(town: Town, talk: Talk, frame: dict[str, Any]) -> None:
    chat = town.group("ann", "bob")
    talk.send("ann", chat)
    before = town.items(town.tables.chats_table), town.items(town.tables.messages_table)
    theirs = talk.act("mallory", {**frame, "chat": chat})
    nobodys = talk.act("mallory", {**frame, "chat": "g-" + "0" * 32})
    assert reason(theirs) == "not_found"
    assert theirs == nobodys
    assert (town.items(town.tables.chats_table), town.items(town.tables.messages_table)) == before


def test_a_stranger_reads_nothing_of_a_group(town: Town, talk: Talk) -> None:
    chat = town.group("ann", "bob")
    talk.send("ann", chat)
    for read in (logic.standing, logic.receipts):
        with pytest.raises(NotFound):
            read(chat, "mallory", talk.store)


def test_who_left_may_read_what_was_theirs_and_write_nothing(town: Town, talk: Talk) -> None:
    chat = town.group("ann", "bob")
    for _ in range(3):
        talk.send("ann", chat)
    town.join(chat, "bob", until=2)
    for frame in FRAMES[:3]:
        assert reason(talk.act("bob", {**frame, "chat": chat})) == "refused"
    assert [each["seq"] for each in read_history(talk, "bob", chat)] == [1, 2]
    assert talk.act("bob", {"action": "read", "chat": chat, "seq": 3})["read"] == 2


def test_who_came_later_reads_from_then_on(town: Town, talk: Talk) -> None:
    chat = town.group("ann")
    for _ in range(3):
        talk.send("ann", chat)
    town.join(chat, "bob", since=3)
    assert [each["seq"] for each in read_history(talk, "bob", chat)] == [3]
    assert reason(talk.delete("bob", chat, 2)) == "not_found"


def test_who_came_back_reads_what_was_theirs_before_and_nothing_of_between(town: Town, talk: Talk) -> None:
    chat = town.group("ann")
    for _ in range(12):
        talk.send("ann", chat)
    town.join(chat, "bob", since=9, earlier="[[2,3],[5,6]]")
    theirs = [2, 3, 5, 6, 9, 10, 11, 12]
    place = logic.standing(chat, "bob", talk.store)
    for limit in (1, 2, 3, 100):
        for way, start in (("after", 0), ("before", None)):
            seen: list[int] = []
            at: int | None = start
            while True:
                asked = {"after": None, "before": None, way: at}
                page = logic.history_page(place, **asked, limit=limit, store=talk.store)
                found = [each["seq"] for each in page["events"]]
                seen = [*seen, *found] if way == "after" else [*found, *seen]
                if (at := page["next"]) is None:
                    break
            assert seen == theirs, (limit, way)
    between = logic.history_page(place, 6, 9, 100, talk.store)
    assert between == {"events": [], "next": None}
    assert reason(talk.delete("bob", chat, 4)) == "not_found"
    assert reason(talk.delete("bob", chat, 5)) == "refused", "it is another one's"


def test_who_left_does_not_see_how_far_those_have_come_who_are_there(town: Town, talk: Talk) -> None:
    chat = town.group("ann", "bob")
    talk.send("ann", chat)
    assert logic.receipts(chat, "bob", talk.store).keys() == {"ann", "bob"}
    town.join(chat, "bob", until=1)
    with pytest.raises(Refused):
        logic.receipts(chat, "bob", talk.store)


def test_who_is_to_join_is_no_member_before_the_event_that_says_so(town: Town, talk: Talk) -> None:
    """The items of a large group's members are written before their event."""
    chat = town.group("ann")
    town.join(chat, "bob", since=2)
    assert reason(talk.send("bob", chat)) == "not_found"
    talk.send("ann", chat)
    assert talk.send("bob", chat)["seq"] == 2


def test_who_is_removed_while_they_write_has_written_before_or_not_at_all(
    town: Town, talk: Talk, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The removal comes between the reading of the right to write, and the writing."""
    chat = town.group("ann", "bob")
    look, removed = messages.snapshot, list[str]()

    def then_remove(draft: Draft, user: str) -> Snapshot:
        found = look(draft, user)
        if not removed:
            removed.append(user)
            monkeypatch.setattr(messages, "snapshot", look)
            talk.send("ann", chat)
            town.join(chat, "bob", until=1)
        return found

    monkeypatch.setattr(messages, "snapshot", then_remove)
    assert reason(talk.send("bob", chat)) == "refused"
    assert [each["sender"]["S"] for each in events_of(town, chat)] == ["ann"]


@pytest.mark.parametrize(("who", "whom"), [("ann", "bob"), ("bob", "ann")])
def test_a_block_ends_a_direct_chat_for_both(town: Town, talk: Talk, who: str, whom: str) -> None:
    chat, group = town.direct("ann", "bob"), town.group("ann", "bob")
    seq = talk.send("ann", chat)["seq"]
    town.block(who, whom)
    for user in ("ann", "bob"):
        assert reason(talk.send(user, chat)) == "refused"
    assert reason(talk.edit("ann", chat, seq, "anew")) == "refused"
    assert len(events_of(town, chat)) == 1
    assert talk.send("ann", group)["seq"] == 1


def test_who_writes_too_much_is_told_and_may_again_in_the_next_minute(town: Town, talk: Talk) -> None:
    chat = town.direct()
    object.__setattr__(town.tables, "messages_a_minute", 3)
    assert [talk.send("ann", chat)["type"] for _ in range(3)] == ["sent"] * 3
    assert reason(talk.send("ann", chat)) == "too_many"
    assert talk.send("bob", chat)["type"] == "sent"
    assert talk.send("ann", chat, id="id-1")["repeated"], "what was done is answered as done"
    talk.now_ms += MINUTE_MS
    assert talk.send("ann", chat)["type"] == "sent"


# Edits, deletions, media


def test_an_edit_and_a_deletion_are_events_of_their_own_and_mark_the_message(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat, "first")
    talk.now_ms += 1
    assert talk.edit("ann", chat, 1, "second")["seq"] == 2
    talk.now_ms += 1
    assert talk.edit("ann", chat, 1, "third")["seq"] == 3
    assert [each.get("body") for each in read_history(talk, "bob", chat)] == [
        {"text": "third"},
        None,
        {"text": "third"},
    ]
    talk.now_ms += 1
    assert talk.delete("ann", chat, 1)["seq"] == 4
    told = read_history(talk, "bob", chat)
    assert (told[0]["edited_at"], told[0]["deleted_at"]) == (NOW_MS + 2, NOW_MS + 3)


def test_of_a_deleted_message_no_text_stays_in_the_table(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat, "secret-one")
    talk.edit("ann", chat, 1, "secret-two")
    talk.edit("ann", chat, 1, "secret-three")
    assert "secret-one" not in str(events_of(town, chat))
    assert "secret-two" not in str(events_of(town, chat))
    talk.delete("ann", chat, 1)
    assert "secret" not in str(events_of(town, chat))


def test_only_the_sender_edits_or_deletes(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat)
    assert reason(talk.edit("bob", chat, 1, "mine")) == "refused"
    assert reason(talk.delete("bob", chat, 1)) == "refused"
    assert reason(talk.edit("ann", chat, 2, "nothing")) == "not_found"
    talk.edit("ann", chat, 1, "anew")
    assert reason(talk.edit("ann", chat, 2, "an edit of an edit")) == "refused"


def test_what_is_old_is_not_edited_and_what_is_older_not_deleted(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat)
    talk.now_ms += 15 * MINUTE_MS
    assert talk.edit("ann", chat, 1, "in time")["type"] == "sent"
    talk.now_ms += 1
    assert reason(talk.edit("ann", chat, 1, "too late")) == "refused"
    talk.now_ms = NOW_MS + 48 * HOUR_MS + 1
    assert reason(talk.delete("ann", chat, 1)) == "refused"
    talk.now_ms -= 1
    assert talk.delete("ann", chat, 1)["type"] == "sent"


def test_what_was_deleted_stays_deleted(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat)
    done = talk.delete("ann", chat, 1, id="gone")
    assert reason(talk.edit("ann", chat, 1, "back")) == "refused"
    assert reason(talk.delete("ann", chat, 1)) == "refused"
    assert talk.delete("ann", chat, 1, id="gone") == done | {"repeated": True}


def test_media_is_sent_by_its_owner_in_its_chat_when_it_is_ready(town: Town, talk: Talk) -> None:
    chat, other = town.direct("ann", "bob"), town.direct("ann", "cleo")
    town.media("ready", "ann", chat)
    town.media("checking", "ann", chat, "checking")
    town.media("rejected", "ann", chat, "rejected")

    def send(user: str, where: str, media: str) -> dict[str, Any]:
        frame = {"action": "send", "chat": where, "id": talk.new_id(), "body": {"media": media}}
        return talk.act(user, frame)

    assert reason(send("bob", chat, "ready")) == "not_found"
    assert reason(send("ann", other, "ready")) == "not_found"
    assert reason(send("ann", chat, "nothing")) == "not_found"
    assert reason(send("ann", chat, "checking")) == "conflict"
    assert reason(send("ann", chat, "rejected")) == "refused"
    assert send("ann", chat, "ready")["seq"] == 1
    assert read_history(talk, "bob", chat)[0]["body"] == {"media": "ready", "type": "image/png", "size": 7}
    assert reason(talk.edit("ann", chat, 1, "a caption")) == "refused"
    assert talk.delete("ann", chat, 1)["type"] == "sent"


def test_media_knows_from_which_message_to_which_it_is_carried(town: Town, talk: Talk) -> None:
    chat = town.direct("ann", "bob")
    town.media("photo", "ann", chat)

    def send(id: str) -> dict[str, Any]:
        return talk.act("ann", {"action": "send", "chat": chat, "id": id, "body": {"media": "photo"}})

    def carried() -> list[str | None]:
        [item] = town.items(town.tables.media_table)
        return [item.get(name, {}).get("N") for name in ("first_seq", "last_seq", "carried")]

    talk.send("bob", chat)
    assert carried() == [None, None, None]
    assert send("one")["seq"] == 2
    assert carried() == ["2", "2", "1"]
    talk.send("bob", chat)
    assert send("two")["seq"] == 4
    assert send("two")["repeated"]
    assert carried() == ["2", "4", "2"]


def test_media_of_a_deleted_message_is_carried_once_less_however_often_it_is_asked_for(
    town: Town, talk: Talk
) -> None:
    chat = town.direct("ann", "bob")
    town.media("photo", "ann", chat)
    for id in ("one", "two"):
        talk.act("ann", {"action": "send", "chat": chat, "id": id, "body": {"media": "photo"}})

    def carried() -> str:
        [item] = town.items(town.tables.media_table)
        return str(item["carried"]["N"])

    assert talk.delete("ann", chat, 1, id="gone")["type"] == "sent"
    assert talk.delete("ann", chat, 1, id="gone")["repeated"]
    assert reason(talk.delete("ann", chat, 1)) == "refused"
    assert carried() == "1"
    assert talk.delete("ann", chat, 2)["type"] == "sent"
    assert carried() == "0"


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"state": "rejected"}, "refused"), ({"owner": "bob"}, "not_found"), ({"chat": "g-"}, "not_found")],
)
def test_media_that_changes_while_it_is_sent_is_not_sent(
    changed: dict[str, str], why: str, town: Town, talk: Talk, messages: Messages
) -> None:
    """The change comes between the reading and the writing."""
    chat = town.direct("ann", "bob")
    town.media("photo", "ann", chat)
    look = messages.snapshot
    looked: list[Draft] = []

    def then_change(draft: Draft, user: str) -> Snapshot:
        found = look(draft, user)
        if not looked:
            item = {"media": "photo", "owner": "ann", "chat": chat, "state": "ready", **changed}
            town.put(town.tables.media_table, {**item, "type": "image/png", "size": 7})
        looked.append(draft)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messages, "snapshot", then_change)
        frame = {"action": "send", "chat": chat, "id": "one", "body": {"media": "photo"}}
        assert reason(talk.act("ann", frame)) == why
    assert len(looked) == 2
    assert events_of(town, chat) == []


# How far somebody has come


def test_marks_move_forward_and_never_back(town: Town, talk: Talk) -> None:
    chat = town.direct()
    for _ in range(5):
        talk.send("ann", chat)
    steps = [
        ("ack", 3),
        ("ack", 1),
        ("read", 2),
        ("read", 4),
        ("ack", 2),
        ("read", 3),
        ("ack", 99),
        ("read", 99),
    ]
    told = [talk.act("bob", {"action": action, "chat": chat, "seq": seq}) for action, seq in steps]
    assert [(each["delivered"], each["read"]) for each in told] == [
        (3, 0),
        (3, 0),
        (3, 2),
        (4, 4),
        (4, 4),
        (4, 4),
        (5, 4),
        (5, 5),
    ]
    assert logic.receipts(chat, "ann", talk.store)["bob"] == {"delivered": 5, "read": 5}


def test_a_mark_that_comes_late_to_the_table_moves_nothing_back(town: Town, talk: Talk) -> None:
    chat = town.direct()
    assert getattr(talk.store.move(chat, "bob", ("read", "delivered"), 3), "read", None) == 3
    assert getattr(talk.store.move(chat, "bob", ("delivered",), 2), "delivered", None) == 3
    assert getattr(talk.store.move(chat, "bob", ("read",), 1), "read", None) == 3


def test_a_mark_makes_nobody_a_member(town: Town, talk: Talk) -> None:
    chat = town.direct()
    assert talk.store.move(chat, "mallory", ("delivered",), 3) is None
    assert talk.store.member(chat, "mallory") is None


def test_marks_of_several_devices_end_at_the_furthest(town: Town, talk: Talk, messages: Messages) -> None:
    chat = town.direct()
    for _ in range(30):
        talk.send("ann", chat)
    marks = [(action, seq) for action in ("ack", "read") for seq in range(1, 31)]
    random.Random(5).shuffle(marks)
    with meeting(messages._dynamodb, "update_item", 8), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda mark: talk.act("bob", {"action": mark[0], "chat": chat, "seq": mark[1]}), marks))
    assert logic.receipts(chat, "bob", talk.store)["bob"] == {"delivered": 30, "read": 30}


def test_who_hides_what_they_read_shows_only_what_was_delivered(town: Town, talk: Talk) -> None:
    chat = town.group("ann")
    town.join(chat, "bob", hides_read=True)
    talk.send("ann", chat)
    talk.act("bob", {"action": "read", "chat": chat, "seq": 1})
    assert logic.receipts(chat, "ann", talk.store)["bob"] == {"delivered": 1, "read": None}


def test_an_acknowledgement_frees_the_inbox_of_this_device_and_chat_up_to_there(
    town: Town, talk: Talk
) -> None:
    chat, other = sorted((town.group("ann", "bob"), town.group("ann", "bob")))
    events = [event(chat, seq) for seq in range(1, 61)]  # more than one batch of deletions
    for _ in events:
        talk.send("ann", chat)
    talk.send("ann", other)
    for device in ("phone", "tablet"):
        town.deliver("bob", device, *events, event(other, 1))
    talk.act("bob", {"action": "ack", "chat": chat, "seq": 58})
    assert town.inbox("bob") == [
        keys.inbox_entry(chat, 59),
        keys.inbox_entry(chat, 60),
        keys.inbox_entry(other, 1),
    ]
    assert len(town.inbox("bob", "tablet")) == 61
    talk.act("bob", {"action": "read", "chat": chat, "seq": 60})
    assert len(town.inbox("bob")) == 3, "what was read on one device may not have come on this one"


def test_an_inbox_that_takes_too_long_to_free_is_freed_by_several_acknowledgements(
    town: Town, talk: Talk, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one who was away for long and read history: thousands of entries are more than a call's time."""
    chat = town.direct()
    for _ in range(60):
        talk.send("ann", chat)
    town.deliver("bob", "phone", *[event(chat, seq) for seq in range(1, 61)])
    now, write = [0.0], messages._dynamodb.batch_write_item

    def slow(**arguments: Any) -> Any:
        now[0] += 4
        return write(**arguments)

    monkeypatch.setattr(messages, "_clock", lambda: now[0])
    monkeypatch.setattr(messages._dynamodb, "batch_write_item", slow)
    ack = {"action": "ack", "chat": chat, "seq": 60}
    assert talk.act("bob", ack)["delivered"] == 60
    assert len(town.inbox("bob")) == 10
    assert talk.act("bob", ack)["type"] == "acked"
    assert town.inbox("bob") == []


def test_what_came_again_after_its_acknowledgement_is_freed_by_the_next(town: Town, talk: Talk) -> None:
    chat = town.direct()
    talk.send("ann", chat)
    talk.act("bob", {"action": "ack", "chat": chat, "seq": 1})
    town.deliver("bob", "phone", event(chat, 1))
    talk.act("bob", {"action": "ack", "chat": chat, "seq": 1})
    assert town.inbox("bob") == []


# What there is to read


def event(chat: str, seq: int, text: str = "hello") -> Event:
    return Event(chat, seq, "message", "ann", "phone", f"c{seq}", NOW_MS, {"text": text})


def read_inbox(talk: Talk, user: str, limit: int = 100) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = talk.act(user, {"action": "sync", "after": cursor, "limit": limit})
        assert page["type"] == "page"
        assert len(json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()) <= 32 * 1024
        found += page["events"]
        cursor = page["cursor"]
        if cursor is None:
            return found


def read_history(talk: Talk, user: str, chat: str, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    following: int | None = after
    while following is not None:
        place = logic.standing(chat, user, talk.store)
        page = logic.history_page(place, following, None, limit, talk.store)
        found += page["events"]
        following = page["next"]
    return found


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_an_inbox_is_read_by_pages_each_event_once_and_each_chat_in_order(
    town: Town, talk: Talk, limit: int
) -> None:
    chats = [town.group("ann", "bob") for _ in range(3)]
    for chat in chats:
        town.deliver("bob", "phone", *[event(chat, seq) for seq in range(1, 12)])
    found = read_inbox(talk, "bob", limit)
    assert len(found) == 33
    for chat in chats:
        assert [each["seq"] for each in found if each["chat"] == chat] == list(range(1, 12))
    assert read_inbox(talk, "bob", limit) == found, "it stays until it is acknowledged"
    assert read_inbox(talk, "ann", limit) == []


def test_a_page_of_long_messages_is_no_larger_than_a_frame(town: Town, talk: Talk) -> None:
    chat = town.direct()
    longest = "\x01" * 4_096  # six bytes each in JSON
    for number in range(6):
        sent = talk.send("ann", chat, longest if number % 2 else "👋" * 4_096)
        assert sent["type"] == "sent"
    events = [decode(json.dumps(each)) for each in read_history(talk, "bob", chat)]
    assert len(events) == 6
    town.deliver("bob", "phone", *[each for each in events if isinstance(each, Event)])
    assert [each["seq"] for each in read_inbox(talk, "bob")] == [1, 2, 3, 4, 5, 6]
    for each in events:
        assert (
            len(json.dumps(as_document(each), ensure_ascii=False, separators=(",", ":")).encode()) < 32 * 1024
        )


def test_history_is_read_in_both_directions_without_gaps(town: Town, talk: Talk) -> None:
    chat = town.direct()
    for _ in range(11):
        talk.send("ann", chat)
    assert [each["seq"] for each in read_history(talk, "bob", chat, limit=4)] == list(range(1, 12))
    assert [each["seq"] for each in read_history(talk, "bob", chat, after=9)] == [10, 11]
    place = logic.standing(chat, "bob", talk.store)
    pages, before = [], None
    while True:
        page = logic.history_page(place, None, before, 4, talk.store)
        pages.append([each["seq"] for each in page["events"]])
        before = page["next"]
        if before is None:
            break
    assert pages == [[8, 9, 10, 11], [4, 5, 6, 7], [1, 2, 3]]
    assert logic.history_page(place, 11, None, 4, talk.store) == {"events": [], "next": None}


def test_no_text_is_shown_from_outside_of_somebodys_time_in_a_chat(town: Town, talk: Talk) -> None:
    chat = town.group("ann", "bob")
    talk.send("ann", chat, "before cleo")
    town.join(chat, "cleo", since=2)
    talk.edit("ann", chat, 1, "before cleo, edited")
    talk.send("ann", chat, "while bob was here")
    town.join(chat, "bob", until=3)
    talk.edit("ann", chat, 3, "after bob left")
    assert "before cleo" not in str(read_history(talk, "cleo", chat))
    assert "after bob left" not in str(read_history(talk, "bob", chat))
    assert "after bob left" in str(read_history(talk, "cleo", chat))


# The view of a reader: history, inbox and socket lead to the same

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "edit", "delete", "page"]),
        st.sampled_from(["ann", "bob"]),
        st.integers(1, 12),
        st.text(max_size=3),
    ),
    max_size=25,
)


@hypothesis.given(steps=STEPS, chance=st.randoms(use_true_random=False), limit=st.integers(1, 5))
@hypothesis.settings(
    max_examples=20, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_a_view_is_the_same_from_history_and_from_events_however_they_come(
    town: Town, talk: Talk, steps: list[tuple[str, str, int, str]], chance: random.Random, limit: int
) -> None:
    chat = town.group("ann", "bob")
    told: list[Event] = []  # each event as it was first written, as the relay has it
    oracle: dict[int, tuple[str, str | None]] = {}
    early = view.empty(chat)  # of one who reads a page of history now and then, while all goes on
    for action, user, target, text in steps:
        if action == "page":
            early = read_on(talk, early, limit)
            continue
        text = text or "-"
        if action == "send":
            reply = talk.send(user, chat, text)
        elif action == "edit":
            reply = talk.edit(user, chat, target, text)
        else:
            reply = talk.delete(user, chat, target)
        if reply["type"] != "sent":
            assert action != "send"
            continue
        seq = reply["seq"]
        kind: Any = "message" if action == "send" else action
        written = talk.store.event(chat, seq)
        assert written is not None
        body = {"text": text} if action != "delete" else {}
        told.append(
            Event(chat, seq, kind, user, "phone", written.event.id, talk.now_ms, body, written.event.target)
        )
        if action == "send":
            oracle[seq] = (user, text)
        elif action == "edit":
            oracle[target] = (user, text)
        else:
            oracle[target] = (user, None)
        talk.now_ms += 1
    from_events = view.empty(chat)
    for each in chance.sample(told * 2, len(told) * 2):
        from_events = view.apply(from_events, each)
    from_history = read_all(talk, view.empty(chat), limit)
    mixed = read_all(talk, early, limit)
    half = view.empty(chat)  # first history, then what waited in the inbox, then the rest of history
    half = read_on(talk, half, limit)
    for each in chance.sample(told, len(told) // 2):
        half = view.apply(half, each)
    half = read_all(talk, half, limit)
    assert {seq: (line.sender, line.body.get("text")) for seq, line in from_events.lines.items()} == oracle
    assert from_history == from_events
    assert mixed == from_events
    assert half == from_events


def read_on(talk: Talk, seen: view.View, limit: int) -> view.View:
    """The view after one more page of history, from where it stands."""
    place = logic.standing(seen.chat, "bob", talk.store)
    for document in logic.history_page(place, seen.upto, None, limit, talk.store)["events"]:
        each = decode(json.dumps(document))
        assert isinstance(each, Event)
        seen = view.apply(seen, each)
    return seen


def read_all(talk: Talk, seen: view.View, limit: int) -> view.View:
    while (further := read_on(talk, seen, limit)).upto != seen.upto:
        seen = further
    return further


def test_a_view_goes_on_where_history_passes_over_what_was_not_its_readers() -> None:
    def event(seq: int) -> Event:
        return Event("g-", seq, "message", "ann", "phone", f"id-{seq}", NOW_MS, {"text": "hello"})

    seen = view.empty("g-", since=2)
    for seq in (2, 3, 9, 10):
        seen = view.apply(seen, event(seq))
    assert (seen.upto, seen.missing) == (3, (4, 8))
    early = view.fill(seen, 7, [event(8), event(9)])
    assert (early.upto, early.missing) == (3, (4, 7)), "what is before the page may still come"
    filled = view.fill(seen, 3, [event(4), event(7), event(9)])
    assert (filled.upto, filled.missing) == (10, None)
    assert sorted(filled.lines) == [2, 3, 4, 7, 9, 10]
    assert view.fill(filled, 3, [event(4), event(7)]) == filled


def test_an_event_that_comes_early_is_held_back_and_one_that_comes_again_is_dropped() -> None:
    chat = "g-" + "0" * 32
    seen = view.empty(chat)
    for seq in (3, 1, 3, 1):
        seen = view.apply(seen, event(chat, seq))
    assert (list(seen.lines), seen.upto, seen.missing) == ([1], 1, (2, 2))
    seen = view.apply(seen, event(chat, 2))
    assert (list(seen.lines), seen.upto, seen.missing) == ([1, 2, 3], 3, None)
    assert view.apply(seen, event("g-" + "1" * 32, 4)) is seen


# Whatever comes

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "\x00", "9" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=40), inner, max_size=4),
    max_leaves=8,
)
PLACES = ("action", "chat", "id", "body", "target", "seq", "after", "limit")
GOOD = {
    "action": "send",
    "chat": "g-" + "0" * 32,
    "id": "c",
    "body": {"text": "hello"},
    "target": 1,
    "seq": 1,
}


class Nothing:
    """A store that has nothing and takes nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        empty: dict[str, Any] = {"entries": [], "history": [], "members": [], "chats_of": [], "heads": {}}
        if name == "add":
            return self._decide
        if name == "still_has_device":
            return lambda *_: True
        return lambda *_, **__: empty.get(name)

    def _decide(self, draft: Draft, _: str, __: int, decide: Callable[[Snapshot], Event], ___: str) -> Any:
        return decide(Snapshot(None, None))


NOTHING: Any = Nothing()


@hypothesis.given(
    st.sampled_from(["send", "edit", "delete", "ack", "read", "sync"]),
    st.dictionaries(st.sampled_from(PLACES), JSON, max_size=3),
)
@hypothesis.settings(max_examples=300, deadline=None)
def test_a_frame_of_any_content_is_answered(action: str, wrong: dict[str, Any]) -> None:
    reply = logic.act(Caller("ann", "phone"), {**GOOD, "action": action, **wrong}, NOW_MS, NOTHING)
    assert reply["type"] in ("refused", "page")
    json.dumps(reply, ensure_ascii=False, allow_nan=False).encode()


@hypothesis.given(JSON.map(lambda each: json.dumps(each)) | st.text() | st.binary())
@hypothesis.settings(max_examples=300, deadline=None)
def test_a_frame_of_any_shape_is_answered(text: str | bytes) -> None:
    reply = logic.answer(Caller("ann", "phone"), text, NOW_MS, NOTHING)
    assert (reply["type"], reply["reason"]) == ("refused", "malformed")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[" * 100_000,
        '{"a":' * 4_000,
        '{"action":"ack","seq":' + "9" * 5_000 + "}",
        '{"action":"send","chat":"' + "x" * 40_000 + '"}',
        "\udcff",
        b"\xff\xfe",
        '{"action":["send"]}',
        '{"action":"heartbeat"}',
    ],
    ids=lambda each: str(each)[:20].encode("ascii", "replace").decode(),
)
def test_what_is_no_frame_is_malformed(text: Any) -> None:
    assert logic.answer(Caller("ann", "phone"), text, NOW_MS, NOTHING)["reason"] == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        "hello",
        {"text": ""},
        {"text": "x" * 4_097},
        {"text": None},
        {"text": 7},
        {"text": "half \ud800"},
        {"text": "a", "media": "m"},
        {"media": "a#b"},
        {"media": ""},
        {"media": None},
        {"html": "a"},
    ],
    ids=str,
)
def test_a_body_that_is_none_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        models.draft_of({**GOOD, "body": body})


def test_what_a_refusal_repeats_of_a_request_is_well_formed() -> None:
    reply = logic.act(Caller("ann", "phone"), {"action": "<script>", "id": "<script>"}, NOW_MS, NOTHING)
    assert reply == {"type": "refused", "reason": "malformed", "detail": "there is no such action"}
    reply = logic.act(Caller("ann", "phone"), {**GOOD, "body": 1}, NOW_MS, NOTHING)
    assert (reply["action"], reply["id"]) == ("send", "c")
