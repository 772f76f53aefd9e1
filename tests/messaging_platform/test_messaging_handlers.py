"""Messaging as its clients see it: over the socket and over HTTP, and what a stranger sees of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.messaging import api, logic, models
from lambdas.messaging_platform.messaging import store as store_module
from lambdas.messaging_platform.messaging.models import Caller
from lambdas.messaging_platform.messaging.store import DEVICE_KNOWN_S, Messages
from lambdas.messaging_platform.records import Event
from lambdas.shared.errors import NotFound, Unavailable
from tests.messaging_platform.town import NOW_MS, Town, http, logged, shared_client

pytestmark = pytest.mark.fast


def send(chat: str, text: str = "hello", id: str = "c1") -> dict[str, Any]:
    return {"action": "send", "chat": chat, "id": id, "body": {"text": text}}


# The socket


def test_a_frame_is_answered_on_the_socket(town: Town) -> None:
    chat = town.direct()
    reply = town.frame("ann", json.dumps(send(chat)))
    assert (reply["type"], reply["id"], reply["seq"], reply["repeated"]) == ("sent", "c1", 1, False)
    assert town.frame("ann", json.dumps(send(chat)))["repeated"]
    assert town.frame("bob", json.dumps({"action": "ack", "chat": chat, "seq": 1}), "tablet") == {
        "type": "acked",
        "chat": chat,
        "delivered": 1,
        "read": 0,
    }


@pytest.mark.parametrize("body", [None, "", "hello", "[]", "[" * 9_000, '{"action":"nothing"}', '"\\ud800"'])
def test_what_is_no_frame_is_refused_on_the_socket(town: Town, body: str | None) -> None:
    reply = town.frame("ann", body)
    assert (reply["type"], reply["reason"]) == ("refused", "malformed")


def test_an_event_that_was_sent_names_its_sender_and_their_device(town: Town) -> None:
    chat = town.direct()
    town.frame("ann", json.dumps(send(chat) | {"sender": "bob", "device": "his"}), "phone")
    (event,) = http("GET", f"/chats/{chat}/messages", "bob").json["events"]
    assert (event["sender"], event["device"]) == ("ann", "phone")


def test_an_inbox_is_read_on_the_socket_by_the_device_that_it_belongs_to(town: Town) -> None:
    chat = town.direct()
    town.deliver("bob", "phone", Event(chat, 1, "message", "ann", "phone", "c1", NOW_MS, {"text": "👋"}))
    sync = json.dumps({"action": "sync", "after": None, "limit": 10})
    page = town.frame("bob", sync)
    assert (page["type"], page["cursor"]) == ("page", None)
    assert [each["body"] for each in page["events"]] == [{"text": "👋"}]
    assert town.frame("bob", sync, "tablet")["events"] == []
    assert town.frame("ann", sync)["events"] == []


@pytest.mark.parametrize("action", ["send", "edit", "delete", "sync"])
def test_a_device_that_was_removed_says_and_reads_no_more_over_a_socket_that_it_has_open(
    town: Town, messages: Messages, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    chat, now = town.direct(), [0.0]
    monkeypatch.setattr(messages, "_clock", lambda: now[0])
    asked: dict[str, Any] = {"action": action} if action == "sync" else send(chat) | {"action": action}
    if action in ("edit", "delete"):
        asked["target"] = town.frame("bob", json.dumps(send(chat)), "tablet")["seq"]
    town.deliver("bob", "phone", Event(chat, 9, "message", "ann", "phone", "c9", NOW_MS, {"text": "secret"}))

    def ask(id: str) -> str:
        text = json.dumps(asked | {"id": id})
        reply = logic.answer(Caller("bob", "phone"), text, NOW_MS, messages)
        return str(reply.get("reason", reply["type"]))

    assert ask("none") == "not_found", "it was never registered"
    town.device("bob", "phone")
    assert ask("one") != "not_found"
    item = {"user": {"S": "bob"}, "entry": {"S": keys.device("phone")}}
    town.dynamodb.delete_item(TableName=town.tables.people_table, Key=item)
    now[0] += DEVICE_KNOWN_S
    before = town.items(town.tables.messages_table)
    assert ask("two") == "not_found"
    assert town.items(town.tables.messages_table) == before
    town.device("bob", "phone")
    assert ask("three") != "not_found"


def test_a_device_is_looked_at_once_a_minute_whatever_it_sends(
    town: Town, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, read, looked = town.group("ann", "bob"), messages._people._get, list[str]()
    town.device("ann", "phone")

    def note(user: str, entry: str, *, consistent: bool) -> Any:
        looked.append(f"{entry} {consistent}")
        return read(user, entry, consistent=consistent)

    monkeypatch.setattr(messages._people, "_get", note)
    for number in range(5):
        text = json.dumps(send(chat, id=f"c{number}"))
        assert logic.answer(Caller("ann", "phone"), text, NOW_MS, messages)["type"] == "sent"
    assert looked == ["device#phone False"]


def test_a_device_that_was_registered_a_moment_ago_is_looked_at_twice(
    town: Town, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that is not consistent may miss it."""
    chat, read = town.group("ann", "bob"), messages._people._get
    town.device("ann", "phone")

    def lag(user: str, entry: str, *, consistent: bool) -> Any:
        return read(user, entry, consistent=True) if consistent else None

    monkeypatch.setattr(messages._people, "_get", lag)
    assert logic.answer(Caller("ann", "phone"), json.dumps(send(chat)), NOW_MS, messages)["type"] == "sent"


def test_of_devices_only_so_many_are_kept_in_mind(
    town: Town, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_KNOWN", 2)
    for number in range(7):
        town.device("ann", f"device-{number}")
        assert messages.still_has_device("ann", f"device-{number}")
        assert len(messages._known) <= 2


def test_while_the_store_is_down_a_frame_is_refused_and_may_be_sent_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = town.direct()

    def down(**_: Any) -> None:
        raise Unavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(shared_client("dynamodb"), "query", down)
        assert town.frame("ann", json.dumps(send(chat)))["reason"] == "unavailable"
        assert http("GET", "/chats", "ann").status == 503
    assert town.frame("ann", json.dumps(send(chat)))["type"] == "sent"


def test_the_log_says_which_event_and_never_what_it_says(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    chat = town.direct()
    with caplog.at_level("INFO"):
        town.frame("ann", json.dumps(send(chat, "secret")))
        town.frame("mallory", json.dumps(send(chat, "secret", "c2")))
        http("POST", "/actions/none", "ann", send(chat, "secret"))
    log = logged(caplog)
    assert chat in log
    assert "'id': 'c1'" in log
    assert "not_found" in log
    assert "secret" not in log


# HTTP


def test_a_frame_over_http_has_the_socket_s_answer(town: Town) -> None:
    chat = town.direct()
    town.device("ann", "phone")
    over_http = http("POST", "/actions/phone", "ann", send(chat))
    assert over_http.status == 200
    assert over_http.json | {"repeated": True} == town.frame("ann", json.dumps(send(chat)))


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"action": "dance"}, 400),
        ({"chat": "g-" + "0" * 32}, 404),
        ({"body": {"text": ""}}, 400),
        ({"action": "edit", "target": 7}, 404),
        ({"body": {"media": "none"}}, 404),
    ],
    ids=str,
)
def test_what_a_socket_would_refuse_has_a_status_over_http(
    town: Town, wrong: dict[str, Any], status: int
) -> None:
    chat = town.direct()
    town.device("ann", "phone")
    answer = http("POST", "/actions/phone", "ann", send(chat) | wrong)
    assert (answer.status, answer.json["status"]) == (status, status)


def test_too_many_messages_have_a_status_and_say_when_to_try_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = town.direct()
    town.device("ann", "phone")
    monkeypatch.setenv("MESSAGES_A_MINUTE", "1")
    monkeypatch.setattr(api, "now_ms", lambda: NOW_MS)
    assert http("POST", "/actions/phone", "ann", send(chat)).status == 200
    answer = http("POST", "/actions/phone", "ann", send(chat, id="c2"))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) == 60


@pytest.mark.parametrize("body", [None, "", "[]", "hello", "[" * 9_000, "null"])
def test_what_is_no_frame_is_refused_over_http(town: Town, body: str | None) -> None:
    town.device("ann", "phone")
    assert http("POST", "/actions/phone", "ann", body).status in (400, 422)


def test_the_longest_text_is_taken_over_http_however_json_spells_it(town: Town) -> None:
    chat = town.direct("ann", "bob")
    town.device("ann")
    longest = json.dumps(send(chat, "\U0001f600" * models.LONGEST_TEXT))
    assert len(longest) > 48 * 1024
    assert http("POST", "/actions/phone", "ann", longest).status == 200
    (event,) = http("GET", f"/chats/{chat}/messages", "bob").json["events"]
    assert len(event["body"]["text"]) == models.LONGEST_TEXT
    assert http("POST", "/actions/phone", "ann", longest + " " * 17_000).status == 413
    assert town.frame("ann", longest)["reason"] == "malformed", (
        "a frame has less room, and need not spell it so"
    )


def test_an_inbox_is_read_over_http_by_pages(town: Town) -> None:
    chat = town.direct()
    town.device("bob", "phone")
    for seq in range(1, 6):
        event = Event(chat, seq, "message", "ann", "phone", f"c{seq}", NOW_MS, {"text": str(seq)})
        town.deliver("bob", "phone", event)
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 2, **({"after": cursor} if cursor else {})}
        page = http("GET", "/sync/phone", "bob", query=query)
        assert page.status == 200
        seen += [each["seq"] for each in page.json["events"]]
        cursor = page.json["cursor"]
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"after": "x"}, {"after": "g-1#1"}], ids=str
)
def test_a_page_that_cannot_be_is_refused(town: Town, query: dict[str, Any]) -> None:
    town.device("bob", "phone")
    assert http("GET", "/sync/phone", "bob", query=query).status in (400, 422)


def test_chats_are_listed_with_how_far_the_caller_has_come(town: Town) -> None:
    direct, group = town.direct("ann", "bob"), town.group("ann", "bob", "cleo", name="climbers")
    town.group("bob", "cleo")
    for number in range(3):
        town.frame("bob", json.dumps(send(group, id=f"c{number}")))
    town.frame("ann", json.dumps({"action": "read", "chat": group, "seq": 2}))
    listed = http("GET", "/chats", "ann").json
    assert listed["next"] is None
    assert {each["chat"] for each in listed["chats"]} == {direct, group}
    (told,) = [each for each in listed["chats"] if each["chat"] == group]
    assert told == http("GET", f"/chats/{group}", "ann").json
    assert told == {
        "chat": group,
        "kind": "group",
        "name": "climbers",
        "seq": 3,
        "members": 3,
        "role": "member",
        "since": 1,
        "until": None,
        "delivered": 2,
        "read": 2,
    }


def test_many_chats_are_listed_by_pages(town: Town) -> None:
    chats = {town.group("ann", "bob") for _ in range(7)}
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = http("GET", "/chats", "ann", query={"limit": 3, **({"after": after} if after else {})}).json
        seen += [each["chat"] for each in page["chats"]]
        after = page["next"]
    assert (sorted(seen), len(seen)) == (sorted(chats), 7)


def test_receipts_say_how_far_each_member_has_come(town: Town) -> None:
    chat = town.group("ann", "bob")
    town.join(chat, "cleo", hides_read=True, delivered=1, read=1)
    town.join(chat, "dora", until=0)
    town.frame("ann", json.dumps(send(chat)))
    town.frame("bob", json.dumps({"action": "ack", "chat": chat, "seq": 1}))
    assert http("GET", f"/chats/{chat}/receipts", "ann").json == {
        "ann": {"delivered": 0, "read": 0},
        "bob": {"delivered": 1, "read": 0},
        "cleo": {"delivered": 1, "read": None},
    }


def test_history_is_read_over_http_in_both_directions(town: Town) -> None:
    chat = town.direct()
    for number in range(5):
        town.frame("ann", json.dumps(send(chat, str(number), f"c{number}")))
    path = f"/chats/{chat}/messages"

    def seqs(**query: int) -> tuple[list[int], int | None]:
        page = http("GET", path, "bob", query=query)
        assert page.status == 200
        return [each["seq"] for each in page.json["events"]], page.json["next"]

    assert seqs() == ([1, 2, 3, 4, 5], None)
    assert seqs(limit=2) == ([4, 5], 4)
    assert seqs(before=4, limit=2) == ([2, 3], 2)
    assert seqs(before=2, limit=2) == ([1], None)
    assert seqs(after=0, limit=3) == ([1, 2, 3], 3)
    assert seqs(after=3, limit=3) == ([4, 5], None)
    assert seqs(after=1, before=3) == ([2], None)
    assert seqs(after=99) == ([], None)


# Strangers

READS = [
    "/chats/{chat}",
    "/chats/{chat}/messages",
    "/chats/{chat}/messages?after=0",
    "/chats/{chat}/receipts",
]


@pytest.mark.parametrize("path", READS)
def test_a_stranger_reads_nothing_and_does_not_learn_whether_there_is_such_a_chat(
    town: Town, path: str
) -> None:
    chat = town.group("ann", "bob", name="secret")
    town.frame("ann", json.dumps(send(chat, "secret")))
    path, _, query = path.partition("?")
    asked = dict([query.split("=")]) if query else {}
    theirs = http("GET", path.format(chat=chat), "mallory", query=asked)
    nobodys = http("GET", path.format(chat="g-" + "0" * 32), "mallory", query=asked)
    assert theirs.status == 404
    assert theirs.body == nobodys.body
    assert http("GET", path.format(chat="..%2f"), "mallory").status == 404
    assert http("GET", path.format(chat=chat), "ann", query=asked).status == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/sync/{device}"), ("POST", "/actions/{device}")])
def test_another_s_device_is_like_one_that_does_not_exist(town: Town, method: str, path: str) -> None:
    chat = town.direct("ann", "bob")
    town.device("bob", "phone")
    town.deliver("bob", "phone", Event(chat, 1, "message", "ann", "phone", "c1", NOW_MS, {"text": "secret"}))
    body = send(chat) if method == "POST" else None
    for device in ("phone", "none", "a%23b", "x" * 99):
        answer = http(method, path.format(device=device), "ann", body)
        assert answer.status == 404
        assert "secret" not in answer.body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/actions/phone"),
        ("GET", "/sync/phone"),
        ("GET", "/chats"),
        *[("GET", each) for each in READS],
    ],
)
def test_nobody_is_told_anything(town: Town, method: str, path: str) -> None:
    chat = town.direct()
    town.device("ann", "phone")
    where = path.partition("?")[0].format(chat=chat)
    assert http(method, where, None, send(chat) if method == "POST" else None).status == 401


# People: devices and their connections


def test_a_device_has_one_connection_the_last_that_was_made(town: Town, messages: Messages) -> None:
    town.device("ann", "phone")
    people = messages._people
    assert people.connect("ann", "phone", "one", "", NOW_MS) is None
    assert people.connect("ann", "phone", "one", "", NOW_MS) is None, "asked again by the SDK"
    old = people.connect("ann", "phone", "two", "https://gateway", NOW_MS + 1)
    assert old is not None
    assert (old.id, old.gateway) == ("one", "")
    assert not people.disconnect("ann", "phone", "one"), "its end comes after the next one's beginning"
    device = people.device("ann", "phone")
    assert device is not None
    assert (device.connection, device.gateway, device.connected_at) == ("two", "https://gateway", NOW_MS + 1)
    assert people.disconnect("ann", "phone", "two")
    assert not people.disconnect("ann", "phone", "two")
    assert [each.connection for each in people.devices_of("ann", consistent=True)] == [None]


def test_a_device_that_is_not_registered_is_not_made_by_connecting(town: Town, messages: Messages) -> None:
    with pytest.raises(NotFound):
        messages._people.connect("ann", "ghost", "one", "", NOW_MS)
    assert not messages._people.disconnect("ann", "ghost", "one")
    assert messages._people.devices_of("ann") == []


def test_what_is_known_of_people_is_read_as_the_directory_writes_it(town: Town, messages: Messages) -> None:
    people, table = messages._people, town.tables.people_table
    assert people.profile("ann") is None
    town.put(table, {"user": "ann", "entry": keys.PROFILE, "name": "Ann", "version": 1})
    town.put(table, {"user": "ann", "entry": keys.contact("bob"), "version": 1})
    town.block("ann", "cleo")
    profile = people.profile("ann")
    assert profile is not None
    assert (profile.name, profile.last_seen, profile.read_receipts, profile.quiet_from) == (
        "Ann",
        "contacts",
        True,
        None,
    )
    assert (people.has_contact("ann", "bob"), people.has_contact("bob", "ann")) == (True, False)
    assert (people.has_blocked("ann", "cleo"), people.has_blocked("cleo", "ann")) == (True, False)
    assert people.is_blocked("cleo", "ann")
    assert not people.is_blocked("ann", "bob")
    for number in range(3):
        town.device("ann", f"device-{number}")
    assert [each.inbox for each in people.devices_of("ann")] == [
        f"ann#device-{number}" for number in range(3)
    ]
