"""Delivery by fan-out against an oracle: whatever connects, fails or crashes meanwhile, every device has everything.

The world is a few dictionaries. Before every call that fan-out makes, something of a drawn plan may happen: a device
connects anew, its old socket dies loudly (410) or silently (frames are taken, and lost), the call fails, or fan-out
crashes, and begins the record again.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_lambda_powertools.logging import Logger
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambdas.messaging_platform import records
from lambdas.messaging_platform.people import Device
from lambdas.messaging_platform.records import Event, Presence, Receipt, Typing
from lambdas.messaging_platform.sockets import Outcome
from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import batches
from services.messaging_platform.fanout.delivery import Around, Delivery
from services.messaging_platform.fanout.logic import Member
from services.messaging_platform.persistence import Persistence, Stopped
from services.messaging_platform.pool import Pool
from services.messaging_platform.telemetry import Metrics
from tests.messaging_platform.quiet import Nowhere, quiet_log

pytestmark = pytest.mark.fast

CHAT = "g-" + "0" * 32
NOW_MS = 1_000_000


class Crash(BaseException):
    """The program is gone, between one call and the next."""


class OneByOne:
    """A pool without threads: what happens, happens in one order, and can be drawn."""

    def each(self, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return [work(item) for item in items]


@dataclass
class Client:
    """A device as its owner holds it: the socket it is on, and what it has been shown."""

    connection: str | None = None
    seen: set[tuple[str, int]] = field(default_factory=set)


@dataclass
class World:
    """Tables, sockets and clients. `before` is called before each call of fan-out, and may change or raise."""

    chat: list[Member] = field(default_factory=list)
    devices: dict[tuple[str, str], Device] = field(default_factory=dict)
    inboxes: defaultdict[str, dict[tuple[str, int], Event]] = field(default_factory=lambda: defaultdict(dict))
    clients: defaultdict[tuple[str, str], Client] = field(default_factory=lambda: defaultdict(Client))
    sockets: dict[str, tuple[str, str]] = field(default_factory=dict)  # those that are open, and whose
    silent: set[str] = field(default_factory=set)  # those that take frames, and lose them
    failing: set[str] = field(default_factory=set)
    posts: list[tuple[str, int]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    pushes: set[tuple[str, str, int]] = field(default_factory=set)
    alive: set[tuple[str, str]] = field(default_factory=set)
    watching: list[str] = field(default_factory=list)
    hidden_from: set[str] = field(default_factory=set)
    gone_by: list[tuple[str, str, str]] = field(default_factory=list)
    sent_by: dict[int, str] = field(default_factory=dict)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None
    taken: Callable[[int], int] = lambda size: size  # of a batch of so many, how many are taken
    _made: int = 0

    def register(self, user: str, device: str) -> None:
        self.devices[user, device] = Device(user, device)

    def connect(self, user: str, device: str) -> str:
        """A client comes by a new connection, and asks for what it lacks, as clients do."""
        self._made += 1
        connection = f"c{self._made}"
        client = self.clients[user, device]
        client.connection = connection
        self.sockets[connection] = (user, device)
        self.devices[user, device] = dataclasses.replace(
            self.devices[user, device], connection=connection, gateway=""
        )
        self.alive.add((user, device))
        client.seen |= set(self.inboxes[f"{user}#{device}"])
        return connection

    def die(self, user: str, device: str, *, silently: bool) -> None:
        """A socket is cut; nobody is told, and its connection stays in the device's item."""
        connection = self.clients[user, device].connection
        if connection is None:
            return
        self.clients[user, device].connection = None
        self.alive.discard((user, device))
        del self.sockets[connection]
        if silently:
            self.silent.add(connection)

    # people

    def devices_of(self, user: str, *, consistent: bool = False) -> list[Device]:
        self.before("devices")
        return [each for (owner, _), each in sorted(self.devices.items()) if owner == user]

    def device(self, user: str, device: str, *, consistent: bool = True) -> Device | None:
        self.before("device")
        assert consistent
        return self.devices.get((user, device))

    def disconnect(self, user: str, device: str, connection: str) -> bool:
        self.before("disconnect")
        now = self.devices.get((user, device))
        if now is None or now.connection != connection:
            return False
        self.devices[user, device] = dataclasses.replace(now, connection=None)
        return True

    # store

    def size(self, chat: str) -> int:
        self.before("size")
        assert chat == CHAT
        return sum(each.until is None for each in self.chat)

    def members(self, chat: str) -> list[Member]:
        self.before("members")
        assert chat == CHAT
        return list(self.chat)

    def senders(self, chat: str, after: int, up_to: int) -> set[str]:
        self.before("senders")
        return {sender for seq, sender in self.sent_by.items() if after < seq <= up_to}

    def devices_now(self, devices: Sequence[Device]) -> tuple[list[Device], list[Device]]:
        self.before("devices now")
        assert len(devices) <= 100
        read = self.taken(len(devices))
        now = (self.devices.get((each.user, each.device)) for each in devices[:read])
        return [each for each in now if each], list(devices[read:])

    def put_entries(self, event: Event, inboxes: Sequence[str]) -> list[str]:
        self.before("inboxes")
        assert 0 < len(inboxes) <= 25
        assert len(set(inboxes)) == len(inboxes)
        put = self.taken(len(inboxes))
        for inbox in inboxes[:put]:
            self.inboxes[inbox][event.chat, event.seq] = event
        return list(inboxes[put:])

    def push(self, bodies: Sequence[str]) -> list[str]:
        self.before("push")
        assert 0 < len(bodies) <= 10
        put = self.taken(len(bodies))
        for message in map(json.loads, bodies[:put]):
            self.pushes.add((message["user"], message["device"], message["seq"]))
        return list(bodies[put:])

    # sockets

    def post(self, connection: str, gateway: str, data: bytes) -> Outcome:
        self.before("post")
        document = json.loads(data)
        if connection in self.failing:
            return "failed"
        if connection in self.silent:
            return "sent"
        if connection not in self.sockets:
            return "gone"
        owner = self.sockets[connection]
        self.told.append(("#".join(owner), document))
        if document["type"] == "event":
            self.posts.append(("#".join(owner), document["seq"]))
            self.clients[owner].seen.add((document["chat"], document["seq"]))
        return "sent"

    def close(self, connection: str, gateway: str) -> bool:
        self.closed.append(connection)
        owner = self.sockets.pop(connection, None)
        if owner is not None and self.clients[owner].connection == connection:
            self.clients[owner].connection = None
        return True

    # presences

    def is_alive(self, inboxes: Sequence[str]) -> set[str]:
        self.before("alive")
        return {f"{user}#{device}" for user, device in self.alive} & set(inboxes)

    def watchers(self, user: str) -> list[str]:
        self.before("watchers")
        return list(self.watching)

    def may_see(self, watcher: str, user: str) -> bool:
        self.before("privacy")
        return watcher not in self.hidden_from

    def gone(self, user: str, device: str, connection: str) -> None:
        self.before("gone")
        self.gone_by.append((user, device, connection))


def fan_out(world: World, pool: Any = None, stopping: threading.Event | None = None) -> Delivery:
    stopping = stopping or threading.Event()
    return Delivery(
        Around(
            people=world,
            store=world,
            sockets=world,
            presences=world,
            pool=pool or OneByOne(),
            persistence=Persistence(stopping, quiet_log(), pause=lambda _: None),
            metrics=Metrics("fanout", Nowhere()),
            log=quiet_log(),
            now_ms=lambda: NOW_MS,
        )
    )


def message(seq: int = 1, sender: str = "ann", **more: Any) -> Event:
    fields: dict[str, Any] = {"kind": "message", "device": "a1", "id": f"i{seq}", "at": NOW_MS - 50}
    return Event(chat=CHAT, seq=seq, sender=sender, body={"text": "hello"}, **(fields | more))


def group(*users: str, devices: int = 1) -> World:
    world = World(chat=[Member(user, since=1) for user in users])
    for user in users:
        for number in range(devices):
            world.register(user, f"d{number}")
    return world


# One event


def test_every_device_of_every_member_gets_an_entry_and_the_connected_get_the_frame() -> None:
    world = group("ann", "bob", devices=2)
    world.connect("bob", "d0")
    fan_out(world).deliver(message())
    assert {inbox for inbox, entries in world.inboxes.items() if entries} == {
        "ann#d0",
        "ann#d1",
        "bob#d0",
        "bob#d1",
    }
    assert world.posts == [("bob#d0", 1)]
    assert world.pushes == {("bob", "d1", 1)}  # the sender's own devices are not pushed


def test_an_event_is_in_every_inbox_before_connections_are_read_again_and_anybody_is_told() -> None:
    world = group(*(f"u{number:02d}" for number in range(60)))
    world.connect("u59", "d0")
    calls: list[str] = []
    world.before = calls.append
    fan_out(world).deliver(message(sender="u00"))
    steps = ["members", "devices", "inboxes", "devices now", "post", "alive", "push"]
    assert sorted(calls, key=steps.index) == calls
    assert list(dict.fromkeys(calls)) == steps


def test_of_an_edit_who_came_after_the_message_gets_the_event_without_its_text() -> None:
    world = World(chat=[Member("ann", 1), Member("bob", 1), Member("new", 3)])
    for user in ("ann", "bob", "new"):
        world.register(user, "d0")
        world.connect(user, "d0")
    edit = message(seq=4, kind="edit", target=2)
    fan_out(world).deliver(edit)
    hidden = dataclasses.replace(edit, body={})
    seen = {inbox: entries[CHAT, 4] for inbox, entries in world.inboxes.items()}
    assert seen == {"ann#d0": edit, "bob#d0": edit, "new#d0": hidden}
    assert dict(world.told)["new#d0"] == records.as_document(hidden)
    assert dict(world.told)["bob#d0"] == records.as_document(edit)


def test_the_frame_is_the_document_of_the_record() -> None:
    world = group("ann", "bob")
    world.connect("bob", "d0")
    event = message()
    fan_out(world).deliver(event)
    assert [document for _, document in world.told] == [records.as_document(event)]


@pytest.mark.parametrize("how", ["gone", "failed"])
def test_a_dead_connection_is_removed_and_its_device_pushed(how: str) -> None:
    world = group("ann", "bob")
    connection = world.connect("bob", "d0")
    if how == "gone":
        world.die("bob", "d0", silently=False)
    else:
        world.failing.add(connection)
    fan_out(world).deliver(message())
    assert world.devices["bob", "d0"].connection is None
    assert world.closed == ([connection] if how == "failed" else [])  # so that its client comes back
    assert world.pushes == {("bob", "d0", 1)}
    assert world.gone_by == [("bob", "d0", connection)]  # and offline is not told when its time is up


@pytest.mark.parametrize(
    ("age_ms", "gateway", "is_kept"),
    [(0, "", True), (9_999, "", True), (10_000, "", False), (0, "http://10.0.0.1:8081", False)],
)
def test_a_connection_that_is_only_being_made_is_kept_and_its_device_pushed(
    age_ms: int, gateway: str, is_kept: bool
) -> None:
    """It is noted before API Gateway has it: taken away now, its device would be deaf until its next heartbeat."""
    world = group("ann", "bob")
    connection = world.connect("bob", "d0")
    del world.sockets[connection]
    made = dataclasses.replace(world.devices["bob", "d0"], connected_at=NOW_MS - age_ms, gateway=gateway)
    world.devices["bob", "d0"] = made
    fan_out(world).deliver(message())
    assert (world.devices["bob", "d0"].connection == connection) == is_kept
    assert (world.gone_by == []) == is_kept
    assert world.pushes == {("bob", "d0", 1)}


def test_a_connection_that_replaced_the_dead_one_is_kept() -> None:
    world = group("ann", "bob")
    world.connect("bob", "d0")

    def reconnect(call: str) -> None:
        if call == "post" and "c2" not in world.sockets:
            world.die("bob", "d0", silently=False)
            world.connect("bob", "d0")

    world.before = reconnect
    fan_out(world).deliver(message())
    assert world.devices["bob", "d0"].connection == "c2"
    assert world.clients["bob", "d0"].seen == {(CHAT, 1)}
    assert world.pushes == set()
    assert world.gone_by == []


def test_a_cache_that_is_away_holds_no_delivery_up() -> None:
    world = group("ann", "bob")
    world.connect("bob", "d0")
    world.die("bob", "d0", silently=False)

    def fail(call: str) -> None:
        if call == "gone":
            raise Unavailable("no cache")

    world.before = fail
    fan_out(world).deliver(message())
    assert world.pushes == {("bob", "d0", 1)}


def test_a_device_without_a_sign_of_life_is_pushed_though_its_connection_took_the_frame() -> None:
    world = group("ann", "bob")
    world.connect("bob", "d0")
    world.die("bob", "d0", silently=True)
    fan_out(world).deliver(message())
    assert world.pushes == {("bob", "d0", 1)}


def test_when_nobody_knows_who_is_alive_everybody_is_pushed() -> None:
    world = group("ann", "bob")
    world.connect("bob", "d0")

    def fail(call: str) -> None:
        if call == "alive":
            raise Unavailable("no cache")

    world.before = fail
    fan_out(world).deliver(message())
    assert world.pushes == {("bob", "d0", 1)}


def test_a_device_that_was_removed_meanwhile_is_neither_posted_to_nor_pushed() -> None:
    world = group("ann", "bob", devices=2)

    def remove(call: str) -> None:
        if call == "devices now":
            world.devices.pop(("bob", "d0"), None)

    world.before = remove
    fan_out(world).deliver(message())
    assert world.pushes == {("bob", "d1", 1)}


def test_a_program_that_is_to_end_gives_a_record_back_when_a_store_fails() -> None:
    world = group("ann", "bob")
    stopping = threading.Event()

    def fail(call: str) -> None:
        if call == "inboxes":
            stopping.set()
            raise Unavailable("away")

    world.before = fail
    with pytest.raises(Stopped):
        fan_out(world, stopping=stopping).deliver(message())
    assert world.pushes == set()


# A large group


def test_a_group_of_a_thousand_gets_a_message_once_each_though_every_batch_is_throttled() -> None:
    users = [f"u{number:04d}" for number in range(1_000)]
    world = group(*users, devices=2)
    for user in users[:500]:
        world.connect(user, "d0")
    world.taken = lambda size: max(1, size * 2 // 3)
    guard = threading.Lock()  # the fakes are dictionaries

    def alone(work: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*args: Any, **named: Any) -> Any:
            with guard:
                return work(*args, **named)

        return locked

    for name in ("devices_of", "devices_now", "put_entries", "push", "post"):
        setattr(world, name, alone(getattr(world, name)))
    pool = Pool()
    fan_out(world, pool).deliver(message(sender=users[0]))
    pool.close()
    assert len([inbox for inbox, entries in world.inboxes.items() if entries]) == 2_000
    assert sorted(world.posts) == [(f"{user}#d0", 1) for user in users[:500]]
    assert len(world.pushes) == 2_000 - 2 - 499  # all but the sender's two and those that are connected


def test_a_connection_that_hangs_holds_up_no_other() -> None:
    users = [f"u{number:02d}" for number in range(40)]
    world = group(*users)
    for user in users:
        world.connect(user, "d0")
    post, others = world.post, threading.Semaphore(0)

    def hang_at_the_first(connection: str, gateway: str, data: bytes) -> Outcome:
        if connection == "c1":
            # Until all others have theirs; were they waiting for it, this would be in vain.
            waited = [others.acquire(timeout=5) for _ in users[1:]]
            return "sent" if all(waited) else "failed"
        others.release()
        return post(connection, gateway, data)

    world.post = hang_at_the_first  # type: ignore[method-assign]
    pool = Pool()
    fan_out(world, pool).deliver(message(sender="u39"))
    pool.close()
    assert world.closed == []
    assert len(world.posts) == 39


def test_a_large_group_leaves_room_to_a_small_chat() -> None:
    pool, release, begun = Pool(threads=4, at_once=3), threading.Event(), threading.Semaphore(0)

    def wait(_: int) -> None:
        begun.release()
        release.wait(10)

    large = threading.Thread(target=lambda: pool.each(wait, range(50)))
    large.start()
    for _ in range(3):
        assert begun.acquire(timeout=5)
    small = threading.Thread(target=lambda: pool.each(lambda _: None, [1]))
    small.start()
    small.join(5)
    assert not small.is_alive()
    release.set()
    large.join(5)
    pool.close()


# Receipts, typing, presence


def test_a_receipt_reaches_the_senders_of_what_was_read_and_nobody_else() -> None:
    world = group("ann", "bob", "cat", devices=2)
    for user in ("ann", "bob", "cat"):
        world.connect(user, "d0")
    world.sent_by = {1: "cat", 2: "ann", 3: "bob"}
    receipt = Receipt(CHAT, "bob", delivered=3, read=3, before=(1, 1))
    fan_out(world).deliver(receipt)
    assert world.told == [("ann#d0", json.loads(records.encode(receipt)))]
    assert world.pushes == set()
    assert not any(world.inboxes.values())


@pytest.mark.parametrize(
    ("members", "reads"), [(32, ["size", "members", "senders", "devices"]), (33, ["size"])]
)
def test_of_a_receipt_in_a_large_chat_the_head_alone_is_read(members: int, reads: list[str]) -> None:
    world = group(*(f"u{number:02d}" for number in range(members)), devices=1)
    world.sent_by = {1: "u00"}
    calls: list[str] = []
    world.before = calls.append
    fan_out(world).deliver(Receipt(CHAT, "u01", delivered=1, read=1, before=(0, 0)))
    assert calls == reads


def test_typing_reaches_the_others_while_it_is_fresh() -> None:
    world = group("ann", "bob")
    world.connect("ann", "d0")
    world.connect("bob", "d0")
    fan_out(world).deliver(Typing(CHAT, "ann", on=True, at=NOW_MS - 5_001))
    assert world.told == []
    fan_out(world).deliver(Typing(CHAT, "ann", on=True, at=NOW_MS - 5_000))
    assert [device for device, _ in world.told] == ["bob#d0"]


def test_presence_reaches_the_devices_that_watch_and_may_see_it() -> None:
    world = group("ann", "bob", "cat", devices=2)
    for user in ("ann", "bob", "cat"):
        for device in ("d0", "d1"):
            world.connect(user, device)
    world.watching, world.hidden_from = ["bob#d1", "cat#d0"], {"cat"}
    fan_out(world).deliver(Presence("ann", online=True, last_seen=None))
    assert [device for device, _ in world.told] == ["bob#d1"]


def test_presence_is_told_to_nobody_while_no_cache_knows_who_watches() -> None:
    world = group("ann", "bob")

    def fail(call: str) -> None:
        raise Unavailable("no cache")

    world.before = fail
    fan_out(world).deliver(Presence("ann", online=True, last_seen=None))
    assert world.told == []


# The property

USERS, DEVICES = ("ann", "bob", "cat"), ("d0", "d1")
DEVICE = st.tuples(st.sampled_from(USERS), st.sampled_from(DEVICES))
HAPPENING = st.one_of(
    st.tuples(st.just("connect"), DEVICE),
    st.tuples(st.just("die"), DEVICE),
    st.tuples(st.just("die silently"), DEVICE),
    st.tuples(st.just("slow"), DEVICE),
    st.tuples(st.just("fail"), st.none()),
    st.tuples(st.just("crash"), st.none()),
)
PLAN = st.dictionaries(st.integers(0, 60), st.lists(HAPPENING, max_size=3), max_size=14)
MEMBERSHIP = st.fixed_dictionaries(
    {user: st.tuples(st.integers(1, 4), st.none() | st.integers(1, 4)) for user in USERS}
)
EVENTS = st.lists(st.tuples(st.sampled_from(records.KINDS), st.sampled_from(USERS)), min_size=1, max_size=4)


@dataclass
class Plan:
    """What happens before which call, counted from the beginning."""

    world: World
    happenings: dict[int, list[tuple[str, Any]]]
    calls: int = 0

    def __call__(self, call: str) -> None:
        happening = self.happenings.get(self.calls, [])
        self.calls += 1
        for what, device in happening:
            if not (what == "fail" and call == "post"):  # a post never raises
                self.happen(what, device)

    def happen(self, what: str, device: Any) -> None:
        world = self.world
        if what == "connect":
            world.connect(*device)
        elif what in ("die", "die silently"):
            world.die(*device, silently=what == "die silently")
        elif what == "slow":
            world.failing.add(world.clients[device].connection or "nothing")
        elif what == "fail":
            raise Unavailable("drawn")
        else:
            raise Crash


def play(
    membership: dict[str, tuple[int, int | None]],
    events: list[tuple[str, str]],
    connected: set[tuple[str, str]],
    happenings: dict[int, list[tuple[str, Any]]],
    taken: float = 1.0,
) -> World:
    """A world in which fan-out has done all of `events`, each as often as it takes, some of them twice."""
    world = World(chat=[Member(user, since, until) for user, (since, until) in membership.items()])
    world.taken = lambda size: max(1, int(size * taken))
    for user in USERS:
        for device in DEVICES:
            world.register(user, device)
    for each in sorted(connected):
        world.connect(*each)
    world.before = Plan(world, happenings)
    for seq, (kind, sender) in enumerate(events, start=1):
        done = False
        while not done:
            try:
                fan_out(world).deliver(message(seq, sender, kind=kind))
                done = True
            except Crash:
                continue
    return world


def assert_as_the_oracle_says(
    world: World, membership: dict[str, tuple[int, int | None]], events: list[tuple[str, str]]
) -> None:
    for user in USERS:
        since, until = membership[user]
        for device in DEVICES:
            wanted = {
                (CHAT, seq)
                for seq, _ in enumerate(events, start=1)
                if since <= seq and (until is None or seq <= until)
            }
            inbox = world.inboxes[f"{user}#{device}"]
            assert set(inbox) == wanted, "an inbox holds what its device may see, no more and no less"
            client, item = world.clients[user, device], world.devices[user, device]
            if client.connection is not None:
                assert client.seen == wanted, "who is connected has it all, without asking again"
                assert item.connection == client.connection, "and stays known"
            pushed = {seq for who, which, seq in world.pushes if (who, which) == (user, device)}
            pushable = {
                seq for _, seq in wanted if events[seq - 1][0] == "message" and events[seq - 1][1] != user
            }
            assert pushed <= pushable
            unseen = {seq for _, seq in wanted - client.seen}
            assert unseen & pushable <= pushed, "what no connection showed was pushed"


@settings(max_examples=300, deadline=None)
@given(
    membership=MEMBERSHIP,
    events=EVENTS,
    connected=st.sets(DEVICE),
    happenings=PLAN,
    taken=st.sampled_from([1.0, 0.5, 0.01]),
)
# A device changes its connection between the reading of devices and their entries, and the old one takes frames.
@example(
    membership=dict.fromkeys(USERS, (1, None)),
    events=[("message", "ann")],
    connected={("bob", "d0")},
    happenings={4: [("die silently", ("bob", "d0")), ("connect", ("bob", "d0"))]},
    taken=1.0,
)
def test_whatever_happens_every_device_has_what_the_oracle_says(
    membership: dict[str, tuple[int, int | None]],
    events: list[tuple[str, str]],
    connected: set[tuple[str, str]],
    happenings: dict[int, list[tuple[str, Any]]],
    taken: float,
) -> None:
    world = play(membership, events, connected, happenings, taken)
    assert_as_the_oracle_says(world, membership, events)


@settings(max_examples=50, deadline=None)
@given(events=EVENTS, connected=st.sets(DEVICE))
def test_without_crashes_every_connected_device_is_posted_each_event_once_and_in_order(
    events: list[tuple[str, str]], connected: set[tuple[str, str]]
) -> None:
    world = play(dict.fromkeys(USERS, (1, None)), events, connected, {})
    for device in connected:
        mine = [seq for name, seq in world.posts if name == "#".join(device)]
        assert mine == list(range(1, len(events) + 1))


# Guards, each taken away


def everyone() -> dict[str, tuple[int, int | None]]:
    return dict.fromkeys(USERS, (1, None))


ONE = [("message", "ann")]


def test_without_reading_connections_again_a_device_that_reconnects_misses_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happenings = {4: [("die silently", ("bob", "d0")), ("connect", ("bob", "d0"))]}
    assert_as_the_oracle_says(play(everyone(), ONE, {("bob", "d0")}, happenings), everyone(), ONE)
    monkeypatch.setattr(Delivery, "_as_they_are_now", lambda _, devices: list(devices))
    with pytest.raises(AssertionError, match="has it all"):
        assert_as_the_oracle_says(play(everyone(), ONE, {("bob", "d0")}, happenings), everyone(), ONE)


def test_without_doing_the_rest_of_a_batch_again_inboxes_lack_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def once(self: Delivery, what: str, work: Any, items: Sequence[Any], at_once: int) -> None:
        for batch in batches(items, at_once):
            work(batch)

    assert_as_the_oracle_says(play(everyone(), ONE, set(), {}, taken=0.5), everyone(), ONE)
    monkeypatch.setattr(Delivery, "_each_wholly", once)
    with pytest.raises(AssertionError, match="no more and no less"):
        assert_as_the_oracle_says(play(everyone(), ONE, set(), {}, taken=0.5), everyone(), ONE)


def test_without_the_removal_of_dead_connections_each_message_meets_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tries(world: World) -> int:
        world.connect("bob", "d0")
        world.die("bob", "d0", silently=False)
        posts: list[str] = []
        world.before = lambda call: posts.append(call) if call == "post" else None
        for seq in (1, 2, 3):
            fan_out(world).deliver(message(seq))
        return len(posts)

    assert tries(group("ann", "bob")) == 1
    monkeypatch.setattr(World, "disconnect", lambda *_: True)
    assert tries(group("ann", "bob")) == 3


def test_the_persistence_waits_longer_each_time_and_at_most_five_seconds() -> None:
    pauses: list[float] = []
    left = iter(range(12))

    def work() -> str:
        if next(left, None) is not None:
            raise Unavailable("away")
        return "done"

    persistence = Persistence(threading.Event(), quiet_log(), pause=pauses.append)
    assert persistence.until_done("anything", work) == "done"
    assert len(pauses) == 12
    assert all(0.025 * 2**place <= pause <= 0.05 * 2**place for place, pause in enumerate(pauses[:6]))
    assert all(2.5 <= pause <= 5 for pause in pauses[7:])


def test_a_fault_of_the_deployment_is_an_error_in_the_log_and_nothing_is_skipped() -> None:
    out = Nowhere()
    failures = iter([RuntimeError("AccessDenied"), None])

    def work() -> None:
        if failure := next(failures):
            raise failure

    log = Logger(service="test-errors", stream=out)
    Persistence(threading.Event(), log, pause=lambda _: None).until_done("the table", work)
    assert [json.loads(line)["level"] for line in out.getvalue().splitlines()] == ["ERROR"]
