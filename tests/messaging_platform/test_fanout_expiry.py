"""Devices that are not heard of: whose users are told to be away, and whose connections end."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from lambdas.messaging_platform.people import Device, Profile
from lambdas.messaging_platform.presence.cache import Lapsed
from lambdas.messaging_platform.presence.logic import Sight
from lambdas.messaging_platform.records import Presence, decode
from lambdas.shared.errors import Unavailable
from services.messaging_platform.fanout import expiry as module
from services.messaging_platform.fanout.expiry import Expiry
from services.messaging_platform.fanout.presences import Presences
from services.messaging_platform.telemetry import Metrics
from tests.messaging_platform.quiet import Nowhere, quiet_log
from tests.messaging_platform.test_fanout_delivery import OneByOne

pytestmark = pytest.mark.fast

NOW_MS, ALIVE_S = 1_000_000, 45
LONG_AGO = NOW_MS - ALIVE_S * 1000 - 1


class World:
    """A cache with devices whose time is up, the table of people, and sockets."""

    def __init__(self) -> None:
        self.due: list[Lapsed] = []
        self.alive: set[str] = set()
        self.devices: dict[tuple[str, str], Device] = {}
        self.closed: list[str] = []
        self.told: list[tuple[str, bytes]] = []
        self.fails: Exception | None = None

    def lapse(self, user: str, device: str, went_offline: int | None, **item: Any) -> None:
        self.due.append(Lapsed(user, device, went_offline))
        self.devices[user, device] = dataclasses.replace(Device(user, device), **item)

    def expire(self, most: int = 100) -> list[Lapsed]:
        found, self.due = self.due[:most], self.due[most:]
        return found

    def is_alive(self, inboxes: Sequence[str]) -> set[str]:
        return self.alive & set(inboxes)

    def device(self, user: str, device: str, *, consistent: bool = True) -> Device | None:
        assert consistent
        return self.devices.get((user, device))

    def disconnect(self, user: str, device: str, connection: str) -> bool:
        now = self.devices[user, device]
        if now.connection != connection:
            return False
        self.devices[user, device] = dataclasses.replace(now, connection=None)
        return True

    def close(self, connection: str, gateway: str) -> object:
        self.closed.append(connection + gateway)
        return True

    def tell(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if self.fails:
            raise self.fails
        self.told += messages


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def out() -> Nowhere:
    return Nowhere()


@pytest.fixture
def expiry(world: World, out: Nowhere) -> Expiry:
    metrics = Metrics("fanout", out)
    pool, log = OneByOne(), quiet_log()
    return Expiry(world, world, world, world, pool, world.tell, metrics, log, lambda: NOW_MS, ALIVE_S)


def test_a_silent_device_is_closed_and_its_user_told_to_be_away(world: World, expiry: Expiry) -> None:
    world.lapse("ann", "a1", 900_000, connection="c1", gateway="@g", connected_at=LONG_AGO)
    assert expiry.once() == 1
    assert world.closed == ["c1@g"]
    assert world.devices["ann", "a1"].connection is None
    [(key, value)] = world.told
    assert (key, decode(value)) == ("ann", Presence("ann", online=False, last_seen=900_000))


def test_of_a_user_with_another_device_nothing_is_told(world: World, expiry: Expiry) -> None:
    world.lapse("ann", "a1", None, connection="c1", connected_at=LONG_AGO)
    expiry.once()
    assert world.told == []
    assert world.closed == ["c1"]


@pytest.mark.parametrize(
    "item",
    [
        {"connection": None},
        {"connection": "new", "connected_at": NOW_MS - ALIVE_S * 1000},
    ],
)
def test_a_new_connection_and_none_are_left_alone(item: Any, world: World, expiry: Expiry) -> None:
    world.lapse("ann", "a1", None, **item)
    expiry.once()
    assert world.closed == []
    assert world.devices["ann", "a1"].connection == item["connection"]


def test_a_device_that_was_heard_of_again_keeps_its_connection(world: World, expiry: Expiry) -> None:
    world.lapse("ann", "a1", None, connection="c1", connected_at=LONG_AGO)
    world.alive = {"ann#a1"}
    expiry.once()
    assert world.closed == []


@pytest.mark.parametrize("failure", [Unavailable("Kafka is away"), RuntimeError("refused")])
def test_what_cannot_be_told_does_not_keep_connections_open(
    failure: Exception, world: World, expiry: Expiry
) -> None:
    world.lapse("ann", "a1", 900_000, connection="c1", connected_at=LONG_AGO)
    world.fails = failure
    expiry.once()
    assert world.closed == ["c1"]


def test_a_connection_that_cannot_be_closed_keeps_no_other_one_open(world: World, expiry: Expiry) -> None:
    """The cache answers each of them once: who is passed over here would stay connected for hours."""
    for name in ("a1", "a2", "a3"):
        world.lapse("ann", name, None, connection=f"c{name}", connected_at=LONG_AGO)
    failures: list[Exception] = [RuntimeError("refused"), Unavailable("the table is busy")]
    find = world.device

    def sometimes(user: str, device: str, *, consistent: bool = True) -> Device | None:
        if failures:
            raise failures.pop()
        return find(user, device, consistent=consistent)

    world.device = sometimes  # type: ignore[method-assign]
    assert expiry.once() == 3
    assert world.closed == ["ca3"]


def test_the_loop_takes_all_that_is_due_and_lives_through_failures(
    world: World, expiry: Expiry, out: Nowhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    for number in range(250):
        world.lapse(f"u{number:03d}", "d", None, connection=f"c{number}", connected_at=LONG_AGO)
    failures: list[Exception] = [Unavailable("away"), RuntimeError("refused")]
    expire, stopping = world.expire, threading.Event()

    def sometimes(most: int = 100) -> list[Lapsed]:
        if failures:
            raise failures.pop()
        found = expire(most)
        if not found:
            stopping.set()
        return found

    world.expire = sometimes  # type: ignore[method-assign]
    running = threading.Thread(target=expiry.run, args=(stopping,))
    running.start()
    running.join(10)
    assert not running.is_alive()
    assert len(world.closed) == 250
    expiry.metrics.flush()
    assert json.loads(out.getvalue())["Lapsed"] == 250


# Who may see whom


class Noted:
    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.told: list[Presence] = []

    def is_alive(self, inboxes: Sequence[str]) -> set[str]:
        return set(inboxes)

    def watchers(self, user: str) -> list[str]:
        return [f"bob#{user}"]

    def sights(self, watcher: str, users: Sequence[str]) -> dict[str, Sight]:
        return dict.fromkeys(users, self.sight)

    def gone(self, user: str, device: str, connection: str = "") -> int | None:
        return 900 if (user, device, connection) == ("ann", "a1", "c1") else None

    def tell(self, record: Presence) -> None:
        self.told.append(record)


@pytest.mark.parametrize(
    ("sight", "sees"),
    [
        (Sight(Profile("ann", last_seen="everyone"), is_contact=False, is_blocked=False), True),
        (Sight(Profile("ann", last_seen="everyone"), is_contact=True, is_blocked=True), False),
        (Sight(Profile("ann", last_seen="contacts"), is_contact=False, is_blocked=False), False),
        (Sight(Profile("ann", last_seen="contacts"), is_contact=True, is_blocked=False), True),
        (Sight(Profile("ann", last_seen="nobody"), is_contact=True, is_blocked=False), False),
        (Sight(None, is_contact=True, is_blocked=False), False),
    ],
)
def test_who_may_see_somebody_is_decided_again_when_it_is_told(sight: Sight, sees: bool) -> None:
    noted = Noted(sight)
    presences = Presences(noted, noted, noted)
    assert presences.may_see("bob", "ann") == sees
    assert presences.may_see("ann", "ann")
    assert presences.watchers("ann") == ["bob#ann"]
    assert presences.is_alive(["ann#a1"]) == {"ann#a1"}


def test_of_a_connection_that_is_found_dead_its_user_is_told_to_be_offline_if_that_was_the_last() -> None:
    noted = Noted(Sight(None, is_contact=False, is_blocked=False))
    presences = Presences(noted, noted, noted)
    presences.gone("ann", "a2", "c2")  # another device is there
    assert noted.told == []
    presences.gone("ann", "a1", "c1")
    assert noted.told == [Presence("ann", online=False, last_seen=900)]
