"""A device whose connection dies in the moment of a post is pushed to all the same: somebody looks after it."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lambdas.messaging_platform.notifications.logic import Message, read
from lambdas.messaging_platform.presence import logic
from lambdas.messaging_platform.presence.cache import Ended, PresenceCache
from lambdas.messaging_platform.presence.store import PresenceTable, Store
from lambdas.messaging_platform.records import Event, Presence, Typing
from lambdas.shared.errors import Unavailable
from services.messaging_platform.fanout import unseen as module
from services.messaging_platform.fanout.logic import Member
from services.messaging_platform.fanout.presences import Presences
from services.messaging_platform.fanout.unseen import Unseen
from services.messaging_platform.pool import Pool
from services.messaging_platform.telemetry import Metrics
from tests.messaging_platform import test_fanout_delivery as deliveries
from tests.messaging_platform.quiet import Nowhere, quiet_log
from tests.messaging_platform.test_presence_cache import client, server  # noqa: F401 (fixtures of its tests)

pytestmark = pytest.mark.fast

CHAT, WITHIN_S = "d-" + "0" * 32, 10.0


class World:
    """A cache that notes who has gone, under leases that end when the test says so; inboxes, and the push queue."""

    def __init__(self) -> None:
        self.gone: dict[str, int] = {}  # the lease of each, 0 of those that are nobody's
        self.alive: set[str] = set()
        self.inboxes: defaultdict[str, list[Message]] = defaultdict(list)
        self.pushes: list[Message] = []
        self.batches: list[int] = []
        self.looked: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.taken: Callable[[int], int] = lambda size: size
        self._leases = 0

    def wait(self, inbox: str, *seqs: int) -> None:
        user, _, device = inbox.partition("#")
        self.inboxes[inbox] += [Message(user, device, f"g-{seq:032x}", seq, 1_000) for seq in seqs]

    def end_leases(self) -> None:
        self.gone = dict.fromkeys(self.gone, 0)

    # the cache

    def ended(self, most: int = 100) -> Ended:
        self._leases += 1
        free = [each for each, lease in self.gone.items() if lease == 0][:most]
        self.gone |= dict.fromkeys(free, self._leases)
        return Ended(free, self._leases)

    def settled(self, devices: Sequence[str], lease: int) -> None:
        self.gone = {
            each: held for each, held in self.gone.items() if held != lease or each not in set(devices)
        }

    def is_alive(self, inboxes: Sequence[str]) -> set[str]:
        return self.alive & set(inboxes)

    # the store

    def waiting(self, inbox: str) -> list[Message]:
        self.looked.append(inbox)
        if inbox in self.fails:
            raise self.fails.pop(inbox)
        return list(self.inboxes[inbox])

    def push(self, bodies: Sequence[str]) -> list[str]:
        self.batches.append(len(bodies))
        put = self.taken(len(bodies))
        self.pushes += [read(each) for each in bodies[:put]]
        return list(bodies[put:])


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def out() -> Nowhere:
    return Nowhere()


@pytest.fixture
def unseen(world: World, out: Nowhere) -> Unseen:
    return Unseen(world, world, deliveries.OneByOne(), Metrics("fanout", out), quiet_log())


def test_what_waits_for_a_device_that_has_gone_is_pushed(world: World, unseen: Unseen, out: Nowhere) -> None:
    world.gone = {"ann#a1": 0, "bob#b1": 0}
    world.wait("ann#a1", 3, 4)
    assert unseen.once() == 2
    assert world.pushes == [
        Message("ann", "a1", f"g-{3:032x}", 3, 1_000),
        Message("ann", "a1", f"g-{4:032x}", 4, 1_000),
    ]
    assert (world.gone, unseen.once()) == ({}, 0)
    unseen.metrics.flush()
    line = json.loads(out.getvalue())
    assert (line["Ended"], line["Pushed"]) == (2, 2)


def test_who_is_back_asks_for_it_and_nobody_looks(world: World, unseen: Unseen) -> None:
    world.gone, world.alive = {"ann#a1": 0}, {"ann#a1"}
    world.wait("ann#a1", 3)
    unseen.once()
    assert (world.looked, world.pushes, world.gone) == ([], [], {})


@pytest.mark.parametrize("failure", [Unavailable("the store is busy"), RuntimeError("refused")])
def test_what_fails_for_one_device_comes_again_and_keeps_no_other_waiting(
    failure: Exception, world: World, unseen: Unseen
) -> None:
    world.gone = {"ann#a1": 0, "bob#b1": 0}
    world.wait("ann#a1", 3)
    world.wait("bob#b1", 3)
    world.fails = {"ann#a1": failure}
    unseen.once()
    assert [each.user for each in world.pushes] == ["bob"]
    assert unseen.once() == 0  # until the lease ends
    world.end_leases()
    unseen.once()
    assert [each.user for each in world.pushes] == ["bob", "ann"]
    assert world.gone == {}


def test_what_the_queue_does_not_take_comes_again(world: World, unseen: Unseen) -> None:
    world.gone = {"ann#a1": 0}
    world.wait("ann#a1", *range(1, 13))
    world.taken = lambda size: size - 1
    unseen.once()
    assert list(world.gone) == ["ann#a1"]
    world.end_leases()
    world.taken = lambda size: size
    unseen.once()
    assert {each.seq for each in world.pushes} == set(range(1, 13))
    assert (world.gone, max(world.batches)) == ({}, 10)


def test_who_crashes_in_between_leaves_them_to_others(world: World, unseen: Unseen) -> None:
    world.gone = {"ann#a1": 0}
    world.wait("ann#a1", 3)
    world.fails = {"ann#a1": deliveries.Crash()}  # type: ignore[dict-item]
    with pytest.raises(deliveries.Crash):
        unseen.once()
    world.end_leases()
    unseen.once()
    assert [each.seq for each in world.pushes] == [3]


def test_the_loop_takes_all_that_have_gone(
    world: World, out: Nowhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    for number in range(250):
        world.gone[f"u{number:03d}#d"] = 0
        world.wait(f"u{number:03d}#d", 1)
    stopping, pool = threading.Event(), Pool(threads=8)
    failures: list[Exception] = [Unavailable("away"), RuntimeError("refused")]
    ended = world.ended

    def sometimes(most: int = 100) -> Ended:
        if failures:
            raise failures.pop()
        if not world.gone:
            stopping.set()
        return ended(most)

    monkeypatch.setattr(world, "ended", sometimes)
    looking = Unseen(world, world, pool, Metrics("fanout", out), quiet_log())
    running = threading.Thread(target=looking.run, args=(stopping,))
    running.start()
    running.join(WITHIN_S)
    assert not running.is_alive()
    pool.close()
    assert sorted(each.user for each in world.pushes) == [f"u{number:03d}" for number in range(250)]


# With delivery


class Both(World):
    """The inboxes and connections of the world of deliveries, and whom its devices' ends leave to look after."""

    def __init__(self, around: deliveries.World) -> None:
        super().__init__()
        self.around = around

    def waiting(self, inbox: str) -> list[Message]:
        user, _, device = inbox.partition("#")
        return [
            Message(user, device, chat, seq, event.at)
            for (chat, seq), event in self.around.inboxes[inbox].items()
        ]


def test_a_message_that_was_posted_as_the_connection_died_is_pushed_when_that_is_known() -> None:
    around = deliveries.World(chat=[Member(user, 1) for user in ("ann", "bob")])
    for user in ("ann", "bob"):
        around.register(user, "d0")
    around.connect("bob", "d0")
    around.die("bob", "d0", silently=True)
    around.alive.add(("bob", "d0"))  # its last heartbeat is not old yet
    event = Event(deliveries.CHAT, 1, "message", "ann", "d0", "i1", deliveries.NOW_MS, {"text": "hello"})
    deliveries.fan_out(around).deliver(event)
    assert around.pushes == set()  # it took the frame, as far as anybody knows

    both = Both(around)
    unseen = Unseen(both, both, deliveries.OneByOne(), Metrics("fanout", Nowhere()), quiet_log())
    both.gone = {"bob#d0": 0}
    unseen.once()
    assert [(each.inbox, each.seq) for each in both.pushes] == [("bob#d0", 1)]


class Hearing:
    """The rest of what presence needs."""

    def __init__(self) -> None:
        self.told: list[Presence | Typing] = []

    def connect(self, user: str, device: str, connection: str, gateway: str, at: int) -> None:
        return None

    def disconnect(self, user: str, device: str, connection: str) -> bool:
        return True

    def is_blocked(self, one: str, other: str) -> bool:
        return False

    def tell(self, record: Presence | Typing) -> None:
        self.told.append(record)

    def close(self, connection: str, gateway: str) -> bool:
        return True


@pytest.mark.parametrize("end", ["told", "told of the last one", "found dead", "silent"])
def test_however_a_connection_ends_somebody_looks_what_waits(
    end: str, world: World, request: pytest.FixtureRequest
) -> None:
    """On a real server: from `$disconnect`, from a post that finds it gone, and from its time being up."""
    valkey: Any = request.getfixturevalue("client")
    valkey.flushall()
    cache = PresenceCache(lambda: valkey, alive_seconds=0 if end == "silent" else 45)
    hearing = Hearing()
    store = Store(cache, PresenceTable("none", 45), people_table="none", chats_table="none")
    services = logic.Services(hearing, store, hearing, hearing)
    socket = logic.Socket("ann", "a1", "c1", "", 1_000)
    logic.connect(socket, services)
    if end == "told":
        logic.connect(replace(socket, device="a2", connection="c2"), services)  # their user stays online
    if end == "silent":
        assert [each.device for each in cache.expire()] == ["a1"]
    elif end == "found dead":
        Presences(store, cache, hearing).gone("ann", "a1", "c1")
    else:
        logic.disconnect(socket, services)
    world.wait("ann#a1", 3)
    pool, log = deliveries.OneByOne(), quiet_log()
    assert Unseen(cache, world, pool, Metrics("fanout", Nowhere()), log).once() == 1
    assert [(each.inbox, each.seq) for each in world.pushes] == [("ann#a1", 3)]
    assert cache.ended().devices == []


# Guards: what is taken away here turns the tests above red.


def test_a_look_that_is_settled_before_it_is_done_would_lose_what_waits(
    world: World, unseen: Unseen, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = world.ended

    def at_once(most: int = 100) -> Ended:
        found = ended(most)
        world.settled(found.devices, found.lease)
        return found

    monkeypatch.setattr(world, "ended", at_once)
    with pytest.raises(AssertionError):
        test_who_crashes_in_between_leaves_them_to_others(world, unseen)
