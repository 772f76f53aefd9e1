"""From the database to the tables: what a crash leaves is done by the sweep, and what is done stays as it is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from lambdas.messaging_platform import keys, membership
from lambdas.messaging_platform.directory import logic, projection
from lambdas.messaging_platform.directory.projection import Projection
from lambdas.messaging_platform.directory.records import Account, Change, NotYet, Receipts
from lambdas.messaging_platform.directory.store import SETTLED_WITHIN_S
from lambdas.messaging_platform.membership import may_see
from lambdas.messaging_platform.messaging.store import Messages
from lambdas.messaging_platform.records import Event
from lambdas.shared.errors import NotFound
from services.messaging_platform.fanout.logic import Member, audience
from tests.messaging_platform.directory_ground import Crash, Faulty, Ground, ground, server
from tests.messaging_platform.town import Talk
from tests.postgres_server import Server

__all__ = ["ground", "server"]  # fixtures

ALWAYS = "attribute_not_exists(there_is_no_such_attribute)"  # a condition that guards nothing


def _account(user: str, **more: Any) -> Account:
    told = {"last_seen": "contacts", "read_receipts": True, "quiet_from": None, "quiet_to": None}
    return Account(user, **{"name": user.title(), **told, "utc_offset": 0, **more})


CHAT = f"g-{'0' * 32}"
# Each is done by one request: to the directory, what a user asks of it.
STORY: Sequence[Callable[[logic.Directory], object]] = (
    lambda to: logic.put_contact("ann", "bob", to),
    lambda to: logic.put_block("ann", "cid", to),
    lambda to: logic.delete_contact("ann", "bob", to),
    lambda to: logic.make_group("ann", "friends", ["bob", "dan"], "k", lambda n: bytes(n), to),
    lambda to: logic.add_member(CHAT, "ann", "eve", to),
    lambda to: logic.put_account(_account("bob", read_receipts=False), to),
    lambda to: logic.remove_member(CHAT, "ann", "eve", to),
    lambda to: logic.delete_block("ann", "cid", to),
    lambda to: logic.remove_member(CHAT, "ann", "ann", to),
    lambda to: logic.put_account(_account("ann", name="Anna", quiet_from=5, quiet_to=6), to),
    lambda to: logic.add_member(CHAT, "bob", "eve", to),
)
USERS = ("ann", "bob", "cid", "dan", "eve")


class Kept(Projection):
    """Projects nothing, and keeps what it was to project."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground.settings, lambda _: {}, client=lambda: ground.dynamodb)
        self.changes: list[Change] = []

    def apply(self, change: Change) -> None:
        self.changes.append(change)


def _changes(ground: Ground) -> list[Change]:
    """The changes of the whole story, none of them applied."""
    kept = Kept(ground)
    to = logic.Directory(ground.truth(), kept)
    for user in USERS:
        logic.put_account(_account(user), to)
    for step in STORY:
        step(to)
    return kept.changes


def _in_order(ground: Ground, changes: Sequence[Change]) -> dict[str, Any]:
    """What the tables are when each change is applied once, in the order of the commits."""
    for change in changes:
        ground.projection().apply(change)
    return ground.seen()


def _empty(ground: Ground) -> None:
    for table in (ground.tables.people_table, ground.tables.chats_table, ground.tables.messages_table):
        names = ("user", "entry") if table == ground.tables.people_table else ("chat", "entry")
        for item in ground.dynamodb.scan(TableName=table)["Items"]:
            ground.dynamodb.delete_item(TableName=table, Key={name: item[name] for name in names})
    for item in ground.dynamodb.scan(TableName=ground.tables.sent_table)["Items"]:
        ground.dynamodb.delete_item(TableName=ground.tables.sent_table, Key={"key": item["key"]})


def test_a_request_killed_between_commit_and_projection_is_finished_by_the_sweep(ground: Ground) -> None:
    ground.people(*USERS)

    class Killed(Projection):
        def apply(self, change: Change) -> None:
            raise Crash

    truth = ground.truth()
    killed = logic.Directory(truth, Killed(ground.settings, truth.receipts))
    with pytest.raises(Crash):
        logic.make_group("ann", "friends", ["bob"], "k", lambda n: bytes(n), killed)
    with pytest.raises(Crash):
        logic.put_block("ann", "cid", killed)
    assert ground.chat(CHAT) == {}
    assert ground.pending() == [(f"group:{CHAT}", 1), ("user:ann", 2)]
    assert ground.sweep() == {"applied": 2, "failed": 0}
    assert ground.pending() == []
    assert [json.loads(each["members"])["added"] for each in ground.events(CHAT)] == [["ann", "bob"]]
    assert ground.chat(CHAT)[keys.member("bob")]["since"] == 1
    assert ("ann", keys.blocked("cid")) in ground.items(ground.tables.people_table)
    assert ground.sweep() == {"applied": 0, "failed": 0}


def test_a_request_killed_at_any_of_its_calls_leaves_what_the_sweep_makes_the_same(
    ground: Ground,
) -> None:
    """Each step is killed at each of its calls, before it and after; it comes again, or the sweep does."""
    expected = _in_order(ground, _changes(ground))
    killed = 0
    for after in (False, True):
        ground.server.query("TRUNCATE accounts, contacts, blocks, groups, group_members, group_keys, outbox")
        _empty(ground)
        for user in USERS:
            logic.put_account(_account(user), ground.directory())
        for step in STORY:
            at = 1
            while True:
                faulty = Faulty(ground.dynamodb, at, after)
                try:
                    step(ground.directory(faulty))
                except Crash:
                    killed += 1
                    if at % 2 == 0:
                        ground.sweep()
                    at += 1
                except NotFound:  # who has left already is a stranger
                    break
                else:
                    break
            ground.sweep()
            assert ground.pending() == []
        assert _within_aggregates(ground.seen()) == _within_aggregates(expected)
    assert killed > 2 * len(STORY)


def test_a_group_that_is_told_in_several_events_is_told_wholly_and_once_wherever_it_is_killed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "NAMED_AT_MOST", 2)
    ground.people(*USERS)

    def make(client: Any = None) -> None:
        others = ["bob", "cid", "dan", "eve"]
        logic.make_group("ann", "friends", others, f"k{at}-{after}", lambda _: chat, ground.directory(client))

    for after in (False, True):
        for at in range(1, 9):
            chat = bytes([at, after, *range(14)])
            with suppress(Crash):
                make(Faulty(ground.dynamodb, at, after))
            ground.sweep()
            make()
            events = ground.events(f"g-{chat.hex()}")
            added = [json.loads(each["members"])["added"] for each in events]
            assert added == [["ann", "bob"], ["cid", "dan"], ["eve"]]
            assert ground.chat(f"g-{chat.hex()}")[keys.HEAD]["seq"] == 3
    ground.delete(f"/groups/g-{chat.hex()}/members/eve", "ann")
    assert int(ground.events(f"g-{chat.hex()}")[-1]["entry"]) == 4


def test_a_request_that_comes_again_finishes_what_the_first_one_left(ground: Ground) -> None:
    ground.people("ann", "bob")

    def put_block(client: Any = None) -> None:
        logic.put_block("ann", "bob", ground.directory(client))

    with pytest.raises(Crash):
        put_block(Faulty(ground.dynamodb, 1, after=False))
    assert ground.pending() == [("user:ann", 2)]
    put_block()
    assert ground.pending() == []
    assert ("ann", keys.blocked("bob")) in ground.items(ground.tables.people_table)


def test_a_request_applies_first_what_an_earlier_one_of_the_same_has_left(ground: Ground) -> None:
    ground.people("ann", "bob")
    with pytest.raises(Crash):
        logic.put_contact("ann", "bob", ground.directory(Faulty(ground.dynamodb, 1, after=False)))
    assert ground.put("/blocks/bob", "ann").status == 204
    assert ground.pending() == []
    there = ground.items(ground.tables.people_table)
    assert {("ann", keys.contact("bob")), ("ann", keys.blocked("bob"))} <= set(there)


def test_what_cannot_be_applied_now_is_not_answered_as_done(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.people("ann", "bob")

    def down(*_: Any, **__: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com")

    with monkeypatch.context() as patch:
        patch.setattr(projection, "transact", lambda client, items, **_: _bounded(down))
        answer = ground.put("/blocks/bob", "ann")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert ground.pending() == [("user:ann", 2)]
    assert ground.put("/blocks/bob", "ann").status == 204
    assert ground.pending() == []


def _bounded(call: Callable[[], None]) -> set[int]:
    from lambdas.shared.sdk import bounded

    with bounded():
        call()
    return set()


# Twice, and out of order


def check_twice(ground: Ground) -> None:
    changes = _changes(ground)
    expected = _in_order(ground, changes)
    for change in (*changes, *reversed(changes)):
        ground.projection().apply(change)
        assert ground.seen() == expected, change


def check_out_of_order(ground: Ground, seeds: Sequence[int] = range(3)) -> None:
    changes = _changes(ground)
    expected = _in_order(ground, changes)
    for seed in seeds:
        _empty(ground)
        chance = random.Random(seed)
        left = list(changes)
        early = 0
        while left:
            change = chance.choice(left if chance.random() < 0.8 else changes)
            try:
                ground.projection().apply(change)
            except NotYet:
                early += 1
            else:
                left = [each for each in left if each is not change]
        assert early, "nothing came too early"
        assert _within_aggregates(ground.seen()) == _within_aggregates(expected)


def _within_aggregates(seen: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what depends on which of two aggregates was first: how new a wish is that says the same."""
    chats = {
        key: {name: value for name, value in item.items() if name != "wished_at"}
        for key, item in seen["chats"].items()
    }
    return {**seen, "chats": chats}


def test_a_change_that_is_applied_again_however_late_changes_nothing(ground: Ground) -> None:
    check_twice(ground)


def test_changes_that_come_in_any_order_and_again_come_to_the_same(ground: Ground) -> None:
    check_out_of_order(ground)


def test_two_who_apply_the_same_at_once_make_one_of_it(ground: Ground) -> None:
    changes = _changes(ground)
    expected = _in_order(ground, changes)
    _empty(ground)
    for change in changes:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _, change=change: ground.projection().apply(change), range(4)))
    assert ground.seen() == expected


def check_a_paused_writer(ground: Ground) -> None:
    """One who makes a group stops before its members are written, and goes on when they have changed."""
    changes = _changes(ground)
    [made] = [each for each in changes if each.what["kind"] == "group_made"]
    expected: dict[str, Any] = {}

    class Slow:
        def __getattr__(self, name: str) -> Any:
            if name == "transact_write_items" and not expected:
                expected.update(_in_order(ground, changes))
            return getattr(ground.dynamodb, name)

    for change in changes:
        if change.aggregate.startswith("user:"):
            with suppress(NotYet):
                ground.projection().apply(change)
    ground.projection(Slow()).apply(made)
    assert expected
    assert ground.seen() == expected


def test_one_who_was_paused_takes_nothing_back_when_going_on(ground: Ground) -> None:
    check_a_paused_writer(ground)


def test_messages_that_are_sent_meanwhile_have_their_places_and_the_events_theirs(
    ground: Ground, talk: Talk
) -> None:
    ground.people(*USERS)
    chat = ground.group("ann", "bob")

    def change(number: int) -> None:
        to = ground.directory()
        for _ in range(4):
            logic.add_member(chat, "ann", "cid", to)
            logic.remove_member(chat, "ann", "cid", to)

    def send(number: int) -> None:
        for _ in range(8):
            talk.send("bob", chat)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda work: work(0), (change, send)))
    events = ground.events(chat)
    assert [int(each["entry"]) for each in events] == list(range(1, 18))
    assert sum(each["kind"] == "members" for each in events) == 9
    last = max(int(each["entry"]) for each in events if each["kind"] == "members")
    assert ground.chat(chat)[keys.member("cid")]["until"] == last


def test_who_comes_back_may_see_what_was_theirs_before_and_nothing_of_between(
    ground: Ground, talk: Talk, messages: Messages
) -> None:
    ground.people(*USERS)
    chat = ground.group("ann", "bob")
    seen = [1]

    def said(by: str) -> int:
        return int(talk.send(by, chat)["seq"])

    for _ in range(2):
        seen += [said("ann"), said("bob")]
        assert ground.delete(f"/groups/{chat}/members/bob", "ann").status == 204
        seen.append(seen[-1] + 1)  # the event that says so
        said("ann")
        assert ground.put(f"/groups/{chat}/members/bob", "ann").status == 204
        seen.append(seen[-1] + 2)
    seen.append(said("bob"))
    bob = messages.member(chat, "bob")
    assert bob is not None
    assert bob.until is None
    assert [seq for seq in range(1, 20) if may_see(bob, seq)] == [*seen, *range(seen[-1] + 1, 20)]
    # What fan-out has not delivered yet is delivered to whoever may see it.
    back = Member("bob", bob.since, bob.until, bob.earlier)
    early = Event(chat, 2, "message", "ann", "phone", "id", 1)
    assert set(audience(early, [back])) == {"bob"}


def test_of_who_comes_and_goes_all_the_time_the_latest_times_are_remembered(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "MOST_EARLIER", 2)
    ground.people(*USERS)
    chat = ground.group("ann", "bob")
    for _ in range(3):
        ground.delete(f"/groups/{chat}/members/bob", "ann")
        ground.put(f"/groups/{chat}/members/bob", "ann")
    assert json.loads(ground.chat(chat)[keys.member("bob")]["earlier"]) == [[3, 4], [5, 6]]


# The sweep


def test_a_change_that_fails_holds_up_its_aggregate_and_nothing_else(ground: Ground) -> None:
    ground.people("ann", "bob", "cid")
    kept = logic.Directory(ground.truth(), Kept(ground))
    for user in ("ann", "bob"):
        logic.put_contact(user, "cid", kept)
    ground.server.query(
        """INSERT INTO outbox (aggregate, version, change, due_at) VALUES
        ('user:ann', 2, '{"kind": "of a later release"}', now()), ('user:ann', 3, '{"kind": "x"}', now()),
        ('user:bob', 2, '{"kind": "contact_added", "other": "cid"}', now())"""
    )
    assert ground.sweep() == {"applied": 1, "failed": 1}
    assert ground.pending() == [("user:ann", 2), ("user:ann", 3)]


def test_a_change_is_left_to_its_request_for_a_while_and_comes_again_after_longer_each_time(
    ground: Ground,
) -> None:
    ground.server.query(
        f"INSERT INTO outbox (aggregate, version, change, due_at) VALUES"
        f" ('user:ann', 1, '{{}}', now() + interval '{SETTLED_WITHIN_S} seconds')"
    )
    truth = ground.truth()
    assert truth.claim(9) == []
    for attempt in range(3):
        ground.server.query("UPDATE outbox SET due_at = now() - interval '1 second'")
        assert [change.version for change in truth.claim(9)] == [1]
        assert truth.claim(9) == []
        [[waits]] = ground.server.query("SELECT round(extract(epoch FROM due_at - now())) FROM outbox")
        assert int(float(waits or 0)) == pytest.approx(SETTLED_WITHIN_S * 2**attempt, abs=2)


def test_a_change_that_has_failed_for_months_stops_no_sweep(ground: Ground) -> None:
    ground.people("ann", "bob")
    ground.server.query(
        """INSERT INTO outbox (aggregate, version, change, due_at, attempts) VALUES
        ('user:ann', 2, '{"kind": "of a later release"}', now(), 2000),
        ('user:bob', 2, '{"kind": "contact_added", "other": "ann"}', now(), 0)"""
    )
    assert ground.sweep() == {"applied": 1, "failed": 1}
    assert ground.pending() == [("user:ann", 2)]


def test_two_sweeps_at_once_do_not_take_the_same_change(ground: Ground) -> None:
    ground.server.query(
        "INSERT INTO outbox (aggregate, version, change, due_at)"
        " SELECT 'user:' || n, 1, '{}', now() FROM generate_series(1, 200) AS n"
    )
    truths = [ground.truth() for _ in range(4)]

    def claim(place: int) -> list[str]:
        found: list[str] = []
        while claimed := truths[place].claim(7):
            assert len(claimed) <= 7
            found += [change.aggregate for change in claimed]
        return found

    with ThreadPoolExecutor(4) as pool:
        taken = [aggregate for found in pool.map(claim, range(4)) for aggregate in found]
    assert len(taken) == len(set(taken)) == 200


def test_a_sweep_begins_nothing_that_it_has_no_time_for(ground: Ground) -> None:
    ground.people("ann", "bob")
    kept = logic.Directory(ground.truth(), Kept(ground))
    logic.put_contact("ann", "bob", kept)
    ground.server.query(
        """INSERT INTO outbox (aggregate, version, change, due_at) VALUES
        ('user:ann', 2, '{"kind": "contact_added", "other": "bob"}', now() - interval '1 second')"""
    )
    assert logic.sweep(ground.directory(), lambda: logic.SECONDS_PER_CHANGE).applied == 0
    assert ground.server.query("SELECT attempts FROM outbox") == [["0"]], "nor takes it from others"
    left = iter([99.0, logic.SECONDS_PER_CHANGE, 0.0])
    assert logic.sweep(ground.directory(), lambda: next(left)).applied == 0
    assert ground.pending() == [("user:ann", 2)]


def test_old_idempotency_keys_are_forgotten_and_new_ones_kept(ground: Ground) -> None:
    ground.people("ann")
    for key in ("old", "new"):
        ground.group("ann", key=key)
    ground.server.query("UPDATE group_keys SET made_at = now() - interval '8 days' WHERE key = 'old'")
    ground.sweep()
    assert ground.server.query("SELECT key FROM group_keys") == [["new"]]


# Who hides what they have read


def check_hiding(ground: Ground) -> None:
    ground.people("ann", "bob", "cid")
    ground.people("eve", read_receipts=False)
    chats = [ground.group("ann", "bob", "eve"), ground.post("/chats", "bob", {"with": "eve"}).json["chat"]]

    def hides(user: str) -> list[bool]:
        return [ground.chat(chat)[keys.member(user)]["hides_read"] for chat in chats]

    assert (hides("bob"), hides("eve")) == ([False, False], [True, True])
    ground.people("bob", read_receipts=False)
    assert hides("bob") == [True, True]
    ground.people("bob")
    assert hides("bob") == [False, False]
    assert ground.put(f"/groups/{chats[0]}/members/bob", "ann").status == 204


def test_who_hides_what_they_have_read_does_so_in_every_chat_and_from_when_they_say_so(
    ground: Ground,
) -> None:
    check_hiding(ground)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("how", ["direct", "made", "joined"])
def test_who_changes_their_mind_while_they_are_made_a_member_is_heard(
    how: str, killed: bool, ground: Ground
) -> None:
    """Also when who made them one is killed before they ask again, and the same request or the sweep goes on."""
    ground.people("ann", "bob")
    chat = ground.group("ann") if how == "joined" else ""
    truth = ground.truth()
    asked = 0

    def receipts(users: Sequence[str]) -> Mapping[str, Receipts]:
        nonlocal asked
        asked += 1
        found = truth.receipts(users)
        if asked == 1:
            ground.people("bob", read_receipts=False)
        elif killed:
            raise Crash
        return found

    def add(to: logic.Directory) -> str:
        if how == "direct":
            return logic.open_direct_chat("ann", "bob", to)
        if how == "made":
            return logic.make_group("ann", "friends", ["bob"], "k2", lambda n: bytes(n), to)
        logic.add_member(chat, "ann", "bob", to)
        return chat

    to = logic.Directory(truth, ground.projection(receipts=receipts))
    if killed:
        with pytest.raises(Crash):
            add(to)
        ground.sweep()
        to = ground.directory()
    chat = add(to)
    assert ground.chat(chat)[keys.member("bob")]["hides_read"] is True


def test_who_changes_their_mind_while_a_group_is_half_made_is_heard(ground: Ground) -> None:
    ground.people("ann", "bob")
    truth = ground.truth()

    def receipts(users: Sequence[str]) -> Mapping[str, Receipts]:
        found = truth.receipts(users)
        ground.people("bob", read_receipts=False)
        return found

    members_are_there = Faulty(ground.dynamodb, 2, after=True)
    to = logic.Directory(truth, ground.projection(members_are_there, receipts))
    with pytest.raises(Crash):
        logic.make_group("ann", "friends", ["bob"], "k", lambda n: bytes(n), to)
    assert set(ground.chat(CHAT)) == {keys.member("ann"), keys.member("bob")}
    ground.sweep()
    assert ground.chat(CHAT)[keys.member("bob")]["hides_read"] is True


def check_late_wish(ground: Ground) -> None:
    ground.people("ann", "bob")
    chat = ground.post("/chats", "ann", {"with": "bob"}).json["chat"]
    ground.projection()._wish("bob", [chat], Receipts(shown=False, version=7))
    ground.projection()._wish("bob", [chat], Receipts(shown=True, version=6))
    assert ground.chat(chat)[keys.member("bob")]["hides_read"] is True
    ground.projection()._wish("eve", [chat], Receipts(shown=True, version=8))
    assert keys.member("eve") not in ground.chat(chat)


def test_a_wish_that_comes_late_is_not_heard(ground: Ground) -> None:
    check_late_wish(ground)


# Each guard taken away


def check_direct_chat(ground: Ground) -> None:
    ground.people("ann", "bob")
    chat = ground.post("/chats", "ann", {"with": "bob"}).json["chat"]
    ground.dynamodb.update_item(
        TableName=ground.tables.chats_table,
        Key={"chat": {"S": chat}, "entry": {"S": keys.HEAD}},
        UpdateExpression="SET seq = :seq",
        ExpressionAttributeValues={":seq": {"N": "5"}},
    )
    ground.post("/chats", "bob", {"with": "ann"})
    assert ground.chat(chat)[keys.HEAD]["seq"] == 5


def check_ten_devices(ground: Ground) -> None:
    answers = [ground.put(f"/devices/d{n}", "ann", {"platform": "web"}).status for n in range(11)]
    assert answers == [204] * 10 + [422]


GUARDS = {
    "IF_FIRST": check_twice,
    "IF_NEXT": check_out_of_order,
    "IF_NEWER": check_a_paused_writer,
    "IF_NEW": check_direct_chat,
    "IF_NEWER_WISH": check_late_wish,
    "IF_ROOM": check_ten_devices,
}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_its_condition_the_promise_breaks(
    guard: str, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, guard, f"({getattr(projection, guard)}) OR {ALWAYS}")
    with pytest.raises(AssertionError):
        GUARDS[guard](ground)


def test_an_unavailable_database_is_said_to_be_so(ground: Ground, server: Server) -> None:
    server.proxy.close()
    try:
        answer = ground.get("/me", "ann")
    finally:
        server.proxy.open()
    assert answer.status == 503
