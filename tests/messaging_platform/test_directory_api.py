"""The directory's API against a real PostgreSQL and DynamoDB in the process: what clients see, and others read."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.directory import logic
from lambdas.messaging_platform.people import Device, People, Profile
from lambdas.messaging_platform.sign_in.store import Holder, Tickets
from lambdas.shared.errors import Refused
from tests.messaging_platform.directory_ground import Ground, ground, server
from tests.messaging_platform.town import Tables, Talk
from tests.postgres_server import Server

__all__ = ["ground", "server"]  # fixtures


@pytest.fixture
def people(tables: Tables, dynamodb: Any) -> People:
    """What the other services read."""
    return People(tables.people_table, lambda: dynamodb)


# Accounts


def test_an_account_is_what_was_put_and_others_see_it(ground: Ground, people: People) -> None:
    assert ground.get("/me", "ann").status == 404
    told = {"name": "Ann", "last_seen": "nobody", "quiet_from": 1320, "quiet_to": 420, "utc_offset": 120}
    assert ground.put("/me", "ann", told).json == {"user": "ann", "read_receipts": True, **told}
    assert ground.get("/me", "ann").json == {"user": "ann", "read_receipts": True, **told}
    assert people.profile("ann") == Profile("ann", "Ann", "nobody", True, 1320, 420, 120)
    ground.put("/me", "ann", {"name": "Anna"})
    assert people.profile("ann") == Profile("ann", "Anna", "contacts", True, None, None, 0)
    assert ground.pending() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"name": "a\u0000b"},
        {"name": "\ud800"},
        {"name": 7},
        {"name": "Ann", "last_seen": "friends"},
        {"name": "Ann", "read_receipts": "yes"},
        {"name": "Ann", "quiet_from": 60},
        {"name": "Ann", "quiet_from": 0, "quiet_to": 1440},
        {"name": "Ann", "utc_offset": 841},
        {"name": "Ann", "user": "bob"},
    ],
)
def test_an_account_that_breaks_a_rule_is_refused(wrong: dict[str, Any], ground: Ground) -> None:
    assert ground.put("/me", "ann", wrong).status == 422
    assert ground.get("/me", "ann").status == 404


def test_nobody_is_let_in_without_a_token(ground: Ground) -> None:
    assert ground.get("/me", None).status == 401


# Contacts and blocks


def test_contacts_are_listed_by_pages_and_others_see_who_has_whom(ground: Ground, people: People) -> None:
    ground.people("ann", "bob", "cid", "dan")
    for other in ("dan", "bob", "cid", "bob"):
        assert ground.put(f"/contacts/{other}", "ann").status == 204
    page = ground.get("/contacts", "ann", limit=2).json
    assert page == {
        "people": [{"user": "bob", "name": "Bob"}, {"user": "cid", "name": "Cid"}],
        "next": "cid",
    }
    assert ground.get("/contacts", "ann", after="cid", limit=2).json == {
        "people": [{"user": "dan", "name": "Dan"}],
        "next": None,
    }
    assert people.has_contact("ann", "bob")
    assert not people.has_contact("bob", "ann")
    for _ in range(2):
        assert ground.delete("/contacts/bob", "ann").status == 204
    assert not people.has_contact("ann", "bob")


@pytest.mark.parametrize("route", ["contacts", "blocks"])
def test_who_is_unknown_is_not_found_and_oneself_is_refused(route: str, ground: Ground) -> None:
    ground.people("ann", "bob")
    for unknown in ("nobody", "no one", "x" * 65):
        assert ground.put(f"/{route}/{unknown}", "ann").status == 404
    assert ground.put(f"/{route}/bob", "stranger").status == 404
    assert ground.put(f"/{route}/ann", "ann").status == 422
    assert ground.get(f"/{route}", "ann").json == {"people": [], "next": None}


@pytest.mark.parametrize("after", ["\0", "x\0", "\ud800", "x" * 65])
@pytest.mark.parametrize("route", ["contacts", "blocks"])
def test_a_page_after_what_is_nobodys_id_is_refused(route: str, after: str, ground: Ground) -> None:
    assert ground.get(f"/{route}", "ann", after=after).status == 422


def test_a_block_holds_when_it_is_answered_and_until_it_is_taken_back(ground: Ground, people: People) -> None:
    ground.people("ann", "bob")
    assert ground.put("/blocks/bob", "ann").status == 204
    assert people.is_blocked("bob", "ann")
    assert ground.get("/blocks", "ann").json["people"] == [{"user": "bob", "name": "Bob"}]
    assert ground.get("/blocks", "bob").json["people"] == []
    assert ground.delete("/blocks/bob", "ann").status == 204
    assert not people.is_blocked("bob", "ann")


# Direct chats


def test_two_people_have_one_chat_whoever_asks_how_often(ground: Ground, talk: Talk) -> None:
    ground.people("ann", "bob")
    chat = ground.post("/chats", "ann", {"with": "bob"}).json["chat"]
    assert talk.send("ann", chat)["seq"] == 1
    before = ground.chat(chat)
    for user, other in (("ann", "bob"), ("bob", "ann")):
        assert ground.post("/chats", user, {"with": other}).json == {"chat": chat}
    assert ground.chat(chat) == before, "nothing of it is made anew"
    assert before[keys.HEAD]["kind"] == "direct"
    assert {before[keys.member(user)]["since"] for user in ("ann", "bob")} == {1}
    assert talk.send("bob", chat)["seq"] == 2


def test_a_chat_with_oneself_is_refused(ground: Ground) -> None:
    ground.people("ann")
    assert ground.post("/chats", "ann", {"with": "ann"}).status == 422


@pytest.mark.parametrize(("user", "other"), [("ann", "bob"), ("bob", "ann")])
def test_a_blocked_chat_looks_like_one_with_nobody(user: str, other: str, ground: Ground) -> None:
    ground.people("ann", "bob")
    ground.put("/blocks/bob", "ann")
    answers = {ground.post("/chats", user, {"with": each}).body for each in (other, "nobody")}
    assert len(answers) == 1
    assert json.loads(answers.pop())["status"] == 404
    assert ground.chat(keys.direct_chat(user, other)) == {}


# Groups


def test_a_group_is_there_for_its_members_with_its_first_event(ground: Ground, talk: Talk) -> None:
    ground.people("ann", "bob", "cid")
    chat = ground.group("ann", "bob", "ann", "cid", "bob")
    items = ground.chat(chat)
    head = {name: items[keys.HEAD][name] for name in ("kind", "name", "seq", "members", "version")}
    assert head == {"kind": "group", "name": "friends", "seq": 1, "members": 3, "version": 1}
    places = {items[keys.member(user)]["user"]: items[keys.member(user)] for user in ("ann", "bob", "cid")}
    assert {user: (place["role"], place["since"]) for user, place in places.items()} == {
        "ann": ("admin", 1),
        "bob": ("member", 1),
        "cid": ("member", 1),
    }
    [event] = ground.events(chat)
    assert (event["kind"], event["sender"]) == ("members", "ann")
    assert json.loads(event["members"]) == {"added": ["ann", "bob", "cid"], "removed": []}
    assert talk.send("cid", chat)["seq"] == 2
    assert ground.get(f"/groups/{chat}", "bob").json == {
        "chat": chat,
        "name": "friends",
        "version": 1,
        "members": [
            {"user": "ann", "name": "Ann", "role": "admin"},
            {"user": "bob", "name": "Bob", "role": "member"},
            {"user": "cid", "name": "Cid", "role": "member"},
        ],
    }


def test_a_key_makes_one_group_and_belongs_to_its_request_and_its_owner(ground: Ground) -> None:
    ground.people("ann", "bob", "cid")
    chat = ground.group("ann", "bob", key="k")
    assert ground.group("ann", "bob", key="k") == chat
    assert ground.make_group("ann", "cid", key="k").status == 422
    assert ground.make_group("ann", "bob", name="others", key="k").status == 422
    assert ground.group("bob", "ann", key="k") != chat
    assert ground.call("POST", "/groups", "ann", {"name": "n", "members": []}).status == 422
    assert len(ground.events(chat)) == 1


def test_the_same_request_at_once_makes_one_group(ground: Ground) -> None:
    ground.people("ann", "bob")

    def make(_: int) -> str:
        return logic.make_group("ann", "friends", ["bob"], "k", lambda n: bytes(n), ground.directory())

    with ThreadPoolExecutor(4) as pool:
        chats = set(pool.map(make, range(4)))
    assert len(chats) == 1
    assert len(ground.events(chats.pop())) == 1


def test_a_group_of_a_thousand_is_made_whole_and_takes_nobody_more(ground: Ground, server: Server) -> None:
    ground.people("ann", "late")
    users = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(999)]
    server.query(
        "INSERT INTO accounts (user_id, name, last_seen, read_receipts, utc_offset)"
        " SELECT lpad(n::text, 8, '0') || '-0000-4000-8000-000000000000', 'N', 'nobody', true, 0"
        " FROM generate_series(0, 999) AS n"
    )
    assert ground.make_group("ann", *users, "late").status == 422
    chat = ground.group("ann", *users)
    items = ground.chat(chat)
    assert items[keys.HEAD]["members"] == len(items) - 1 == 1_000
    events = ground.events(chat)
    assert items[keys.HEAD]["seq"] == len(events) == 10
    assert len({each["id"] for each in events}) == 10
    told = [json.loads(each["members"]) for each in events]
    assert sorted(user for each in told for user in each["added"]) == sorted(["ann", *users])
    assert max(len(each["members"]) for each in events) < 8 * 1024
    assert {item["since"] for entry, item in items.items() if entry != keys.HEAD} == {1}
    refused = ground.put(f"/groups/{chat}/members/late", "ann")
    assert refused.status == 422
    assert "at most 1000" in refused.body
    assert len(ground.get(f"/groups/{chat}", "ann").json["members"]) == 1_000


def test_of_those_who_join_at_once_a_group_takes_as_many_as_have_room(ground: Ground) -> None:
    others = [f"user-{number}" for number in range(6)]
    ground.people("ann", *others)
    small = [logic.Directory(ground.truth(3), ground.projection()) for _ in others]
    chat = logic.make_group("ann", "friends", [], "k", lambda n: bytes(n), small[0])

    def join(place: int) -> bool:
        try:
            logic.add_member(chat, "ann", others[place], small[place])
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(join, range(6))) == 2
    ground.sweep()
    assert ground.chat(chat)[keys.HEAD]["members"] == len(ground.chat(chat)) - 1 == 3
    assert [int(each["entry"]) for each in ground.events(chat)] == [1, 2, 3]


def test_a_group_cannot_be_made_with_somebody_unknown_or_who_has_blocked_the_owner(ground: Ground) -> None:
    ground.people("ann", "bob", "cid")
    ground.put("/blocks/ann", "bob")
    assert {ground.make_group("ann", "cid", other, key="k").body for other in ("bob", "nobody")} == {
        ground.make_group("stranger", "cid", key="k").body
    }
    assert ground.make_group("ann", "cid", "bob", key="k").status == 404
    chat = ground.group("ann", "cid", key="k")  # what was refused has left its key unused
    assert ground.put(f"/groups/{chat}/members/bob", "ann").status == 404
    assert ground.put(f"/groups/{chat}/members/nobody", "ann").status == 404


def test_a_stranger_sees_and_changes_no_group(ground: Ground) -> None:
    ground.people("ann", "bob", "eve")
    chat = ground.group("ann", "bob")
    before = ground.seen()
    for other in (chat, f"g-{'0' * 32}", keys.direct_chat("ann", "bob"), "x"):
        answers = {
            ground.get(f"/groups/{other}", "eve").body,
            ground.put(f"/groups/{other}/members/eve", "eve").body,
            ground.delete(f"/groups/{other}/members/bob", "eve").body,
            ground.delete(f"/groups/{other}/members/eve", "eve").body,
        }
        assert len(answers) == 1
        assert json.loads(answers.pop())["status"] == 404
    assert ground.seen() == before


def test_only_admins_add_and_remove_others(ground: Ground) -> None:
    ground.people("ann", "bob", "cid", "dan")
    chat = ground.group("ann", "bob", "cid")
    assert ground.put(f"/groups/{chat}/members/dan", "bob").status == 422
    assert ground.delete(f"/groups/{chat}/members/cid", "bob").status == 422
    assert ground.put(f"/groups/{chat}/members/dan", "ann").status == 204
    assert ground.delete(f"/groups/{chat}/members/cid", "ann").status == 204
    assert ground.get(f"/groups/{chat}", "cid").status == 404
    assert [each["user"] for each in ground.get(f"/groups/{chat}", "dan").json["members"]] == [
        "ann",
        "bob",
        "dan",
    ]


@pytest.mark.parametrize("gone", ["ann", "bob"])
def test_who_has_left_a_group_is_a_stranger_to_it_also_as_its_admin(gone: str, ground: Ground) -> None:
    ground.people("ann", "bob", "cid", "dan")
    chat = ground.group("ann", "bob", "cid")
    assert ground.delete(f"/groups/{chat}/members/{gone}", "ann").status == 204
    before = ground.seen()
    asked = [
        ground.get(f"/groups/{chat}", gone),
        ground.put(f"/groups/{chat}/members/{gone}", gone),
        ground.put(f"/groups/{chat}/members/dan", gone),
        ground.delete(f"/groups/{chat}/members/cid", gone),
        ground.delete(f"/groups/{chat}/members/{gone}", gone),
    ]
    assert {(each.status, each.body) for each in asked} == {(404, ground.get(f"/groups/{chat}", "dan").body)}
    assert ground.seen() == before


def test_a_member_who_is_no_admin_changes_nothing(ground: Ground) -> None:
    ground.people("ann", "bob", "cid", "dan")
    chat = ground.group("ann", "bob", "cid")
    before = ground.seen()
    asked = [
        ground.put(f"/groups/{chat}/members/dan", "bob"),
        ground.put(f"/groups/{chat}/members/bob", "bob"),
        ground.delete(f"/groups/{chat}/members/ann", "bob"),
        ground.delete(f"/groups/{chat}/members/cid", "bob"),
        ground.delete(f"/groups/{chat}/members/dan", "bob"),
    ]
    assert {each.status for each in asked} == {422}
    assert ground.seen() == before


def test_who_is_blocked_brings_the_other_into_nothing(ground: Ground) -> None:
    ground.people("ann", "bob", "cid")
    chat = ground.group("bob", "cid")
    ground.put("/blocks/bob", "ann")
    before = ground.seen()
    asked = [
        ground.post("/chats", "bob", {"with": "ann"}),
        ground.make_group("bob", "ann"),
        ground.put(f"/groups/{chat}/members/ann", "bob"),
    ]
    assert {each.status for each in asked} == {404}
    assert ground.delete("/blocks/ann", "bob").status == 204, "nor takes the block back"
    assert ground.seen() == before


def test_new_members_see_from_their_event_on_and_removed_ones_up_to_it(ground: Ground, talk: Talk) -> None:
    ground.people("ann", "bob", "cid")
    chat = ground.group("ann", "bob")
    talk.send("ann", chat)
    ground.put(f"/groups/{chat}/members/cid", "ann")
    talk.send("ann", chat)
    ground.delete(f"/groups/{chat}/members/cid", "ann")
    talk.send("ann", chat)
    kinds = [(each["kind"], json.loads(each.get("members", "{}"))) for each in ground.events(chat)]
    assert kinds == [
        ("members", {"added": ["ann", "bob"], "removed": []}),
        ("message", {}),
        ("members", {"added": ["cid"], "removed": []}),
        ("message", {}),
        ("members", {"added": [], "removed": ["cid"]}),
        ("message", {}),
    ]
    cid = ground.chat(chat)[keys.member("cid")]
    assert (cid["since"], cid["until"], cid["delivered"], cid["read"]) == (3, 5, 2, 2)
    assert ground.chat(chat)[keys.HEAD]["members"] == 2
    assert talk.send("cid", chat)["type"] == "refused"
    ground.put(f"/groups/{chat}/members/cid", "ann")
    again = ground.chat(chat)[keys.member("cid")]
    assert (again["since"], again.get("until"), again["role"]) == (7, None, "member")
    assert talk.send("cid", chat)["seq"] == 8


def test_adding_and_removing_again_makes_no_second_event(ground: Ground) -> None:
    ground.people("ann", "bob", "cid")
    chat = ground.group("ann", "bob")
    for _ in range(2):
        assert ground.put(f"/groups/{chat}/members/cid", "ann").status == 204
    for _ in range(2):
        assert ground.delete(f"/groups/{chat}/members/cid", "ann").status == 204
    assert len(ground.events(chat)) == 3


def test_anyone_may_leave_and_the_last_admin_hands_over_to_the_oldest_member(
    ground: Ground, talk: Talk
) -> None:
    ground.people("ann", "bob", "cid", "zoe")
    chat = ground.group("ann", "zoe")
    for late in ("bob", "cid"):
        ground.put(f"/groups/{chat}/members/{late}", "ann")
    assert ground.delete(f"/groups/{chat}/members/bob", "bob").status == 204
    assert ground.delete(f"/groups/{chat}/members/ann", "ann").status == 204
    assert ground.get(f"/groups/{chat}", "ann").status == 404
    roles = {each["user"]: each["role"] for each in ground.get(f"/groups/{chat}", "cid").json["members"]}
    assert roles == {"zoe": "admin", "cid": "member"}
    assert ground.chat(chat)[keys.member("zoe")]["role"] == "admin"
    assert json.loads(ground.events(chat)[-1]["members"])["admin"] == "zoe"
    for last in ("cid", "zoe"):
        assert ground.delete(f"/groups/{chat}/members/{last}", last).status == 204
    assert ground.chat(chat)[keys.HEAD]["members"] == 0
    assert ground.delete(f"/groups/{chat}/members/zoe", "zoe").status == 404


def test_no_client_can_take_the_place_of_a_groups_own_event(ground: Ground, talk: Talk) -> None:
    ground.people("ann", "bob", "cid")
    chat = ground.group("ann", "bob")
    [event] = ground.events(chat)
    forged = event["id"].replace(f"{chat}:1", f"{chat}:2")
    assert talk.send("ann", chat, id=forged)["reason"] == "malformed"
    assert ground.put(f"/groups/{chat}/members/cid", "ann").status == 204
    assert ground.events(chat)[-1]["id"] == forged


# Devices and tickets


def test_a_device_is_registered_and_changed_without_losing_its_connection(
    ground: Ground, people: People
) -> None:
    told = {"platform": "ios", "push_token": "t1"}
    assert ground.put("/devices/phone", "ann", told).status == 204
    people.connect("ann", "phone", "c1", "", 5)
    before = people.device("ann", "phone")
    assert before is not None
    assert before.registered_at == pytest.approx(time.time(), abs=60)
    assert ground.put("/devices/phone", "ann", {"platform": "web"}).status == 204
    assert people.device("ann", "phone") == Device(
        "ann", "phone", "web", "", before.registered_at, "c1", "", 5
    )
    assert ground.put("/devices/phone", "ann", {"platform": "watch"}).status == 422
    assert ground.put("/devices/a.b", "ann", told).status == 404


def test_a_user_has_at_most_ten_devices_and_deleting_one_makes_room(ground: Ground, people: People) -> None:
    for number in range(logic.MOST_DEVICES):
        assert ground.put(f"/devices/d{number}", "ann", {"platform": "web"}).status == 204
    assert ground.put("/devices/more", "ann", {"platform": "web"}).status == 422
    assert ground.put("/devices/d0", "ann", {"platform": "ios"}).status == 204
    for _ in range(2):
        assert ground.delete("/devices/d0", "ann").status == 204
    assert ground.put("/devices/more", "ann", {"platform": "web"}).status == 204
    assert ground.put("/devices/most", "ann", {"platform": "web"}).status == 422
    assert len(people.devices_of("ann")) == logic.MOST_DEVICES
    assert ground.put("/devices/d0", "bob", {"platform": "web"}).status == 204


def test_nobody_touches_anothers_devices_contacts_or_blocks(
    ground: Ground, people: People, tables: Tables
) -> None:
    """There is no route that names whose they are: the same ids are another one's own."""
    ground.people("ann", "bob", "cid")
    ground.put("/devices/phone", "ann", {"platform": "web", "push_token": "t"})
    ground.put("/contacts/cid", "ann")
    ground.put("/blocks/cid", "ann")

    def anns() -> dict[Any, Any]:
        return {key: item for key, item in ground.items(tables.people_table).items() if key[0] == "ann"}

    before = anns()
    assert len(before) == 5, "with the profile and the count of the devices"
    for _ in range(2):
        assert ground.delete("/devices/phone", "bob").status == 204
        assert ground.post("/devices/phone/tickets", "bob").status == 404
        assert ground.delete("/contacts/cid", "bob").status == 204
        assert ground.delete("/blocks/cid", "bob").status == 204
    assert ground.put("/devices/phone", "bob", {"platform": "ios"}).status == 204
    assert ground.get("/contacts", "bob").json["people"] == ground.get("/blocks", "bob").json["people"] == []
    assert anns() == before
    assert len(people.devices_of("bob")) == 1


def test_devices_that_are_registered_at_once_are_never_more_than_ten(ground: Ground, people: People) -> None:
    def register(number: int) -> bool:
        try:
            ground.projection().put_device("ann", f"d{number}", "web", "", 0)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(register, range(16))) == logic.MOST_DEVICES
    assert len(people.devices_of("ann")) == logic.MOST_DEVICES


def test_a_ticket_is_of_256_bits_for_a_device_of_the_callers_and_opens_one_socket(
    ground: Ground, tables: Tables, dynamodb: Any
) -> None:
    ground.put("/devices/phone", "ann", {"platform": "web"})
    made = ground.post("/devices/phone/tickets", "ann")
    assert made.status == 201
    ticket = made.json["ticket"]
    assert len(base64.urlsafe_b64decode(ticket + "==")) == 32
    assert made.json == {
        "ticket": ticket,
        "url": f"wss://socket.example/live?ticket={ticket}",
        "expires_in": 60,
    }
    for user, device in (("bob", "phone"), ("ann", "tablet"), ("ann", "a.b")):
        assert ground.post(f"/devices/{device}/tickets", user).status == 404
    late = Tickets(tables.tickets_table, lambda: dynamodb, clock=lambda: time.time() + 61)
    assert late.use(ticket) is None
    door = Tickets(tables.tickets_table, lambda: dynamodb)
    assert [door.use(ticket) for _ in range(2)] == [Holder("ann", "phone"), None]


# What is asked for badly


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ('{"name": "n", "members": [' + '"a",' * 30_000 + '"a"]}', {}, 413),
        ("[" * 20_000, {}, 400),
        ('["' + "a" * 20_000 + '"]', {}, 422),
        ('{"name": "n", "members": ["' + "a" * 20_000 + '"]}', {}, 404),
        ('{"name": "n", "members": ' + json.dumps(["a"] * 5_000) + "}", {}, 422),
        ('{"name": "' + "n" * 20_000 + '", "members": []}', {}, 422),
        ("a" * 20_000, {"content-type": "text/plain"}, 415),
    ],
)
def test_a_large_body_is_read_as_strictly_as_a_small_one(
    body: str, headers: dict[str, str], status: int, ground: Ground
) -> None:
    ground.people("ann")
    made = ground.call("POST", "/groups", "ann", body, headers={"Idempotency-Key": "k", **headers})
    assert made.status == status, made.body
    assert ground.call("PUT", "/me", "ann", '{"name": "' + "n" * 20_000 + '"}').status == 413


@pytest.mark.parametrize("module", ["api", "sweep", "schema"])
def test_importing_a_handler_loads_neither_the_sdk_nor_the_driver(module: str) -> None:
    program = (
        f"import sys, lambdas.messaging_platform.directory.{module};"
        "assert not {'boto3', 'botocore.session', 'pg8000'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_is_not_in_the_paths_is_not_found(ground: Ground) -> None:
    assert ground.get("/nothing", "ann").status == 404
