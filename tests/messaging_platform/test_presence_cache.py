"""Presence on a real server: each coming and going is told once, whoever races, and what is left is what is so."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import valkey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.messaging_platform.presence import cache as module
from lambdas.messaging_platform.presence.cache import (
    DECIDED_S,
    HIDDEN,
    LEASE_S,
    MOST_WATCHERS,
    TYPING_S,
    Heard,
    Lapsed,
    PresenceCache,
    State,
)
from workbench.offline.engines.redis import Redis

pytestmark = pytest.mark.fast

ALIVE_S = 45
ALIVE = ALIVE_S * 1000
START = 1_800_000_000_000
TEST_CLOCK = "local now = tonumber(redis.call('GET', 'test:now'))\n"


@dataclass
class World:
    """A server, its clock, and caches on it."""

    client: Any

    def set_clock(self, now: int) -> None:
        self.client.set("test:now", now)

    def cache(self) -> PresenceCache:
        return PresenceCache(lambda: self.client, ALIVE_S, clock=TEST_CLOCK)

    def clear(self) -> None:
        self.client.flushall()
        self.set_clock(START)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    made = Redis("presence", tmp_path_factory.mktemp("presence") / "server", zones=("a",))
    made.start()
    yield made
    made.delete()


@pytest.fixture(scope="module")
def client(server: Redis) -> Iterator[Any]:
    made: Any = valkey.Valkey(port=server.port, decode_responses=True, socket_timeout=5)
    yield made
    made.close()


@pytest.fixture
def world(client: Any) -> World:
    made = World(client)
    made.clear()
    return made


# Coming and going


def test_the_first_device_brings_its_user_online_and_the_next_do_not(world: World) -> None:
    cache = world.cache()
    assert cache.heartbeat("ann", "phone").came_online
    assert not cache.heartbeat("ann", "phone").came_online
    assert not cache.heartbeat("ann", "tablet").came_online
    assert cache.heartbeat("bob", "phone").came_online


def test_the_last_device_takes_its_user_offline_with_when_they_were_seen(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    cache.heartbeat("ann", "tablet")
    assert cache.gone("ann", "phone") is None
    world.set_clock(START + 5_000)
    assert cache.gone("ann", "tablet") == START + 5_000
    assert cache.gone("ann", "tablet") is None
    assert cache.seen("ann") == START + 5_000
    assert cache.seen("bob") is None


def test_a_device_that_is_not_heard_of_in_time_lapses_once(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    cache.heartbeat("ann", "tablet")
    world.set_clock(START + 1_000)
    cache.heartbeat("ann", "tablet")
    world.set_clock(START + ALIVE - 1)
    assert cache.expire() == []
    world.set_clock(START + ALIVE)
    assert cache.expire() == [Lapsed("ann", "phone", None)]
    world.set_clock(START + 2 * ALIVE)
    assert cache.expire() == [Lapsed("ann", "tablet", START + 1_000)]
    assert cache.expire() == []


def test_expiring_takes_no_more_than_it_is_asked_for(world: World) -> None:
    cache = world.cache()
    for user in ("ann", "bob", "cid"):
        cache.heartbeat(user, "phone")
    world.set_clock(START + ALIVE)
    assert [len(cache.expire(2)), len(cache.expire(2)), len(cache.expire(2))] == [2, 1, 0]


def test_a_device_that_comes_back_between_a_look_and_its_taking_stays(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    world.set_clock(START + ALIVE)
    run = cache._run

    def run_late(*calls: Any) -> list[Any]:
        answers = run(*calls)
        if calls[0][0] == module._DUE:
            cache._run = run  # type: ignore[method-assign]
            cache.heartbeat("ann", "phone")
        return answers

    cache._run = run_late  # type: ignore[method-assign]
    assert cache.expire() == []
    assert cache.is_alive(["ann#phone"]) == {"ann#phone"}


def test_the_last_sight_of_a_user_is_that_of_whichever_device_was_there_last(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    cache.heartbeat("ann", "tablet")
    world.set_clock(START + ALIVE - 1)
    assert cache.gone("ann", "tablet") is None
    world.set_clock(START + ALIVE)
    assert cache.expire() == [Lapsed("ann", "phone", START + ALIVE - 1)]


def test_a_connection_that_was_replaced_takes_nobody_offline(world: World) -> None:
    cache = world.cache()
    assert cache.heartbeat("ann", "phone", "c1", is_noted=True).came_online
    assert not cache.heartbeat("ann", "phone", "c2", is_noted=True).came_online
    assert cache.gone("ann", "phone", "c1") is None
    assert cache.is_alive(["ann#phone"]) == {"ann#phone"}
    assert cache.gone("ann", "phone", "c2") == START


def test_a_connection_that_is_not_known_to_be_noted_is_to_be_looked_at_again_and_again(world: World) -> None:
    cache = world.cache()
    beats = [cache.heartbeat("ann", "phone", "c1").moved for _ in range(2)]
    beats.append(cache.heartbeat("ann", "phone", "c1", is_noted=True).moved)
    beats += [cache.heartbeat("ann", "phone", each).moved for each in ("c1", "c2", "c2", "c1", "")]
    assert beats == [True, True, False, False, True, True, False, False]


def test_nothing_of_devices_that_left_stays_but_when_their_user_was_seen(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone", "c1", is_noted=True)
    cache.heartbeat("ann", "tablet", "c2", is_noted=True)
    cache.gone("ann", "phone")
    world.set_clock(START + ALIVE)
    cache.expire()
    assert set(world.client.keys()) == {"test:now", "seen:ann", "left"}
    cache.settled(*cache.ended())
    assert set(world.client.keys()) == {"test:now", "seen:ann"}
    assert 0 < world.client.ttl("seen:ann") <= module.SEEN_S


def test_only_those_heard_of_in_time_are_alive(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    world.set_clock(START + ALIVE - 1)
    cache.heartbeat("bob", "phone")
    asked = ["ann#phone", "bob#phone", "cid#phone"]
    assert cache.is_alive(asked) == {"ann#phone", "bob#phone"}
    world.set_clock(START + ALIVE)
    assert cache.is_alive(asked) == {"bob#phone"}
    assert cache.is_alive([]) == set()


def test_the_liveness_of_a_large_group_is_asked_for_in_one_go(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("u2500", "phone")
    assert cache.is_alive([f"u{number}#phone" for number in range(3_000)]) == {"u2500#phone"}


# Watching


def test_nobody_is_seen_before_it_is_decided_that_they_may_be(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    assert cache.look("bob", "phone", ["ann", "cid"]) == {"ann": None, "cid": None}
    cache.decide("bob", "phone", {"ann": True, "cid": False})
    assert cache.look("bob", "phone", ["ann", "cid"]) == {"ann": State(True, None), "cid": HIDDEN}
    assert cache.watchers("ann") == ["bob#phone"]
    assert cache.watchers("cid") == []


def test_a_decision_ends_and_is_not_prolonged_by_others(world: World) -> None:
    cache = world.cache()
    cache.decide("bob", "phone", {"ann": True})
    world.client.pexpire("may:bob#phone", 5_000)
    cache.decide("bob", "phone", {"cid": True})
    assert 0 < world.client.pttl("may:bob#phone") <= 5_000
    world.client.delete("may:bob#phone")
    assert cache.look("bob", "phone", ["ann"]) == {"ann": None}
    cache.decide("bob", "phone", {"ann": True})
    assert 0 < world.client.ttl("may:bob#phone") <= DECIDED_S


def test_who_went_is_seen_as_they_were_last_here_also_before_anybody_noticed(world: World) -> None:
    cache = world.cache()
    cache.decide("bob", "phone", {"ann": True, "cid": True})
    cache.heartbeat("ann", "phone")
    world.set_clock(START + ALIVE)
    expected = {"ann": State(False, START), "cid": State(False, None)}
    assert cache.look("bob", "phone", ["ann", "cid"]) == expected
    cache.expire()
    assert cache.look("bob", "phone", ["ann", "cid"]) == expected


def test_a_heartbeat_and_a_look_are_one_round_trip(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    cache.decide("bob", "phone", {"ann": True})
    heard, seen = cache.heartbeat_and_look("bob", "phone", "c1", ["ann"])
    assert heard == Heard(came_online=True, moved=True)
    assert seen == {"ann": State(True, None)}


def test_of_more_watchers_than_the_cap_the_oldest_leave(world: World) -> None:
    cache = world.cache()
    for number in range(MOST_WATCHERS + 3):
        world.set_clock(START + number)
        cache.watch("ann", f"w{number}#phone")
    assert cache.watchers("ann") == [f"w{number}#phone" for number in range(3, MOST_WATCHERS + 3)]
    cache.decide("bob", "phone", {"ann": True})
    world.set_clock(START + MOST_WATCHERS + 3)
    cache.look("bob", "phone", ["ann"])
    assert cache.watchers("ann")[-1] == "bob#phone"
    assert len(cache.watchers("ann")) == MOST_WATCHERS


def test_who_does_not_look_again_watches_no_more(world: World) -> None:
    cache = world.cache()
    cache.watch("ann", "bob#phone")
    world.set_clock(START + ALIVE - 1)
    assert cache.watchers("ann") == ["bob#phone"]
    world.set_clock(START + ALIVE)
    assert cache.watchers("ann") == []
    assert 0 < world.client.pttl("watch:ann") <= ALIVE


def test_typing_is_told_at_most_once_in_its_time_by_a_device_in_a_chat(world: World) -> None:
    cache = world.cache()
    chat, other = "d-" + "0" * 32, "d-" + "1" * 32
    assert cache.may_type("ann", "phone", chat)
    assert not cache.may_type("ann", "phone", chat)
    assert cache.may_type("ann", "tablet", chat)
    assert cache.may_type("ann", "phone", other)
    assert 0 < world.client.pttl(f"typing:{chat}:ann#phone") <= TYPING_S * 1000


# Who has gone


def test_whoever_goes_told_or_silent_is_somebodys_to_look_after_once(world: World) -> None:
    cache, other = world.cache(), world.cache()
    for device in ("ann#phone", "ann#tablet", "bob#phone"):
        cache.heartbeat(*device.split("#"))
    assert cache.ended().devices == []
    cache.gone("ann", "tablet")
    world.set_clock(START + ALIVE)
    cache.expire()
    first, second = cache.ended(2), other.ended(2)
    assert sorted(first.devices + second.devices) == ["ann#phone", "ann#tablet", "bob#phone"]
    assert (len(first.devices), cache.ended().devices) == (2, [])
    cache.settled(*first)
    other.settled(*second)
    world.set_clock(START + ALIVE + LEASE_S * 1000)
    assert cache.ended().devices == []


def test_who_was_not_looked_after_comes_again_when_the_lease_ends(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    cache.gone("ann", "phone")
    late = cache.ended()
    world.set_clock(START + LEASE_S * 1000 - 1)
    assert cache.ended().devices == []
    world.set_clock(START + LEASE_S * 1000)
    again = cache.ended()
    assert again.devices == ["ann#phone"]
    cache.settled(*late)  # it is another's by now
    world.set_clock(START + 2 * LEASE_S * 1000)
    assert cache.ended().devices == ["ann#phone"]


def test_who_goes_again_while_they_are_looked_after_is_looked_after_again(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone")
    cache.gone("ann", "phone")
    taken = cache.ended()
    world.set_clock(START + 1)
    cache.heartbeat("ann", "phone")
    cache.gone("ann", "phone")
    cache.settled(*taken)
    assert cache.ended().devices == ["ann#phone"]


def test_of_a_connection_that_was_replaced_nobody_looks_after_the_device(world: World) -> None:
    cache = world.cache()
    cache.heartbeat("ann", "phone", "c2", is_noted=True)
    cache.gone("ann", "phone", "c1")
    assert cache.ended().devices == []


# The server


def test_the_time_is_the_servers(client: Any) -> None:
    client.flushall()
    cache = PresenceCache(lambda: client, ALIVE_S)
    seconds, micros = client.time()
    cache.heartbeat("ann", "phone")
    due = client.zscore("alive", "ann#phone")
    assert 0 <= due - ALIVE - (seconds * 1000 + micros // 1000) < 5_000
    assert cache.gone("ann", "phone") is not None


def test_scripts_that_the_server_forgot_are_sent_again_and_run_once(world: World) -> None:
    cache = world.cache()
    world.client.script_flush()
    assert cache.heartbeat("ann", "phone").came_online
    world.client.script_flush()
    assert not cache.heartbeat("ann", "phone").came_online


@pytest.mark.parametrize(
    "name",
    ["HEARTBEAT", "LEAVE", "DUE", "ENDED", "SETTLED", "LIVING", "LOOK", "DECIDE", "WATCH", "WATCHERS"],
)
def test_a_script_touches_no_key_but_those_it_is_called_with(name: str) -> None:
    script = getattr(module, f"_{name}")
    from_keys = set(re.findall(r"(\w+)(?=[\w, ]*=.*KEYS\[)", script)) - {"place"}
    touched = re.findall(r"redis\.call\('[A-Z]+', ([^,)]+)", script)
    assert touched
    assert all(each.startswith("KEYS[") or each in from_keys for each in touched), touched


# Properties

USERS, DEVICES = ("ann", "bob"), ("phone", "tablet", "desk")
_DEVICE = st.tuples(st.sampled_from(USERS), st.sampled_from(DEVICES))
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("beat"), _DEVICE),
        st.tuples(st.just("gone"), _DEVICE),
        st.tuples(st.just("expire"), st.integers(1, 4)),
        st.tuples(st.just("wait"), st.sampled_from([1, 10_000, 30_000, ALIVE, 2 * ALIVE])),
    ),
    max_size=40,
)


@dataclass
class Oracle:
    """What is so, worked out without a server."""

    now: int = START
    due: dict[tuple[str, str], int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    told: list[tuple[str, bool, int | None]] = field(default_factory=list)

    def is_online(self, user: str) -> bool:
        return any(owner == user for owner, _ in self.due)

    def beat(self, device: tuple[str, str]) -> None:
        if not self.is_online(device[0]):
            self.told.append((device[0], True, None))
        self.due[device] = self.now + ALIVE

    def leave(self, device: tuple[str, str]) -> None:
        due = self.due.pop(device, None)
        if due is None:
            return
        user = device[0]
        last = self.now if due > self.now else due - ALIVE
        self.seen[user] = max(self.seen.get(user, 0), last)
        if not self.is_online(user):
            self.told.append((user, False, self.seen[user]))

    def expire(self, most: int) -> None:
        late = sorted((due, f"{user}#{name}", (user, name)) for (user, name), due in self.due.items())
        for due, _, device in [each for each in late if each[0] <= self.now][:most]:
            assert due <= self.now
            self.leave(device)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_whatever_devices_do_what_is_told_is_what_the_oracle_tells(
    world: World, steps: Sequence[tuple[str, Any]]
) -> None:
    world.clear()
    caches = [world.cache(), world.cache()]
    oracle = Oracle()
    told: list[tuple[str, bool, int | None]] = []
    for place, (what, subject) in enumerate(steps):
        cache = caches[place % 2]
        if what == "wait":
            oracle.now += subject
            world.set_clock(oracle.now)
        elif what == "beat":
            oracle.beat(subject)
            if cache.heartbeat(*subject).came_online:
                told.append((subject[0], True, None))
        elif what == "gone":
            oracle.leave(subject)
            if (seen := cache.gone(*subject)) is not None:
                told.append((subject[0], False, seen))
        else:
            oracle.expire(subject)
            told += [(each.user, False, each.went_offline) for each in cache.expire(subject) if each[2]]
    assert told == oracle.told
    _assert_same(world, oracle)


def _assert_same(world: World, oracle: Oracle) -> None:
    cache = world.cache()
    cache.decide("eve", "phone", dict.fromkeys(USERS, True))
    alive = {device for device, due in oracle.due.items() if due > oracle.now}
    assert cache.is_alive(f"{user}#{name}" for user in USERS for name in DEVICES) == {
        f"{user}#{name}" for user, name in alive
    }
    for user, state in cache.look("eve", "phone", USERS).items():
        assert state is not None
        assert state.online == any(owner == user for owner, _ in alive)
        if not state.online:
            late = [due - ALIVE for (owner, _), due in oracle.due.items() if owner == user]
            assert state.last_seen == (max([*late, oracle.seen.get(user, 0)]) or None)


_WORK = st.lists(st.tuples(st.sampled_from(["beat", "gone", "expire"]), _DEVICE), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(works=st.lists(_WORK, min_size=2, max_size=4), late=st.sets(_DEVICE))
def test_however_programs_race_a_user_comes_and_goes_in_turns(
    world: World, works: Sequence[Sequence[tuple[str, tuple[str, str]]]], late: set[tuple[str, str]]
) -> None:
    world.clear()
    start = world.cache()
    online = [user for user, device in sorted(late) if start.heartbeat(user, device).came_online]
    world.set_clock(START + ALIVE)
    gate = threading.Barrier(len(works))

    def do(work: Sequence[tuple[str, tuple[str, str]]]) -> list[tuple[str, bool]]:
        cache = world.cache()
        gate.wait(10)
        told: list[tuple[str, bool]] = []
        for what, device in work:
            if what == "beat" and cache.heartbeat(*device).came_online:
                told.append((device[0], True))
            elif what == "gone" and cache.gone(*device) is not None:
                told.append((device[0], False))
            elif what == "expire":
                told += [(each.user, False) for each in cache.expire(3) if each.went_offline is not None]
        return told

    with ThreadPoolExecutor(len(works)) as pool:
        told = [each for part in pool.map(do, works) for each in part]
    for user in USERS:
        came = online.count(user) + told.count((user, True))
        went = told.count((user, False))
        is_online = bool(world.client.zcard(f"online:{user}"))
        # In turns, beginning with a coming: as many of both, or one coming more, and that is how it is now.
        assert came - went == int(is_online), (user, came, went)
    assert _members(world, "alive") == {
        f"{user}#{device}" for user in USERS for device in _members(world, f"online:{user}")
    }


def _members(world: World, key: str) -> set[str]:
    return set(world.client.zrange(key, 0, -1))


def test_two_sweepers_never_tell_the_same_departure(world: World) -> None:
    cache = world.cache()
    for number in range(300):
        cache.heartbeat(f"u{number}", "phone")
    world.set_clock(START + ALIVE)
    gate = threading.Barrier(4)

    def sweep(_: int) -> list[Lapsed]:
        own, found = world.cache(), []
        gate.wait(10)
        while some := own.expire(40):
            found += some
        return found

    with ThreadPoolExecutor(4) as pool:
        swept = [each.user for part in pool.map(sweep, range(4)) for each in part]
    rest = [each.user for each in cache.expire(1_000)]
    assert sorted(swept + rest) == sorted(f"u{number}" for number in range(300))


# Guards: what is taken away here turns the tests above red.


def test_a_departure_that_is_not_asked_whether_it_is_due_would_be_told_of_who_came_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAVE", module._LEAVE.replace("(ARGV[6] == '1' and due > now)", "false"))
    with pytest.raises(AssertionError):
        test_a_device_that_comes_back_between_a_look_and_its_taking_stays(world)


def test_a_departure_that_does_not_compare_connections_would_take_the_next_one_along(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAVE", module._LEAVE.replace("connection ~= ARGV[5]", "false"))
    with pytest.raises(AssertionError):
        test_a_connection_that_was_replaced_takes_nobody_offline(world)


def test_watchers_without_a_cap_would_be_more_than_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WATCH", re.sub(r"redis.call\('ZREMRANGEBYRANK.*\n", "", module._WATCH))
    with pytest.raises(AssertionError):
        test_of_more_watchers_than_the_cap_the_oldest_leave(world)


def test_a_departure_that_is_told_whether_or_not_it_was_taken_would_be_told_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAVE", module._LEAVE.replace("due == 0 or ", ""))
    with pytest.raises(AssertionError):
        test_the_last_device_takes_its_user_offline_with_when_they_were_seen(world)


def test_a_heartbeat_that_does_not_look_who_is_there_would_bring_a_user_online_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = "redis.call('ZCARD', KEYS[2]) == 0"
    monkeypatch.setattr(module, "_HEARTBEAT", module._HEARTBEAT.replace(first, "true"))
    with pytest.raises(AssertionError):
        test_the_first_device_brings_its_user_online_and_the_next_do_not(world)


def test_a_departure_that_is_not_noted_would_leave_nobody_to_look_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAVE", re.sub(r"redis.call\('ZADD', KEYS\[5\].*\n", "", module._LEAVE))
    with pytest.raises(AssertionError):
        test_whoever_goes_told_or_silent_is_somebodys_to_look_after_once(world)


def test_a_settling_that_asks_for_no_lease_would_forget_who_has_gone_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "_SETTLED", module._SETTLED.replace("tonumber(lease) == tonumber(ARGV[1])", "true")
    )
    with pytest.raises(AssertionError):
        test_who_goes_again_while_they_are_looked_after_is_looked_after_again(world)
