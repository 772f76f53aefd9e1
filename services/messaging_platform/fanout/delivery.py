"""One record, from Kafka to the devices that it is for.

An event is delivered in steps, and done when all are:

    members    who may see it
    devices    of each
    inboxes    an entry for each device: from here on no device misses it, whatever happens
    again      the devices as they are now, read consistently
    posts      to the connections that they have
    pushes     for devices that nothing shows as there

The second reading closes the gap between store and push: a device whose connection is newer than what was read then
has noted it after the entry was there, and what it asks for at connect (`sync`) has the entry. One that connected
before is read with its new connection, and posted to, even where its old one still took frames. What a connection
took as it died is found when its end is known: unseen.py.

Every step may be done again: an entry has its key, a device drops what it has, a push is checked before it is sent. A
store that fails is tried again for as long as it takes; a connection that fails costs its own device a reconnection,
and nobody else anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Protocol, TypeVar

from aws_lambda_powertools.logging import Logger

from lambdas.messaging_platform import keys, records
from lambdas.messaging_platform.notifications.logic import Message, write
from lambdas.messaging_platform.people import Device
from lambdas.messaging_platform.records import Event, Presence, Receipt, Record, Typing
from lambdas.messaging_platform.sockets import Outcome
from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import READ_AT_ONCE, WRITTEN_AT_ONCE, batches
from services.messaging_platform.fanout import logic
from services.messaging_platform.fanout.logic import SMALL_CHAT, Member
from services.messaging_platform.fanout.store import PUSHES_AT_ONCE
from services.messaging_platform.persistence import FIRST_PAUSE_S, LONGEST_PAUSE_S, Persistence
from services.messaging_platform.pool import Parallel
from services.messaging_platform.telemetry import Metrics

# A connection is noted by `$connect`, and until that has returned API Gateway calls it gone ("How do I troubleshoot
# 410 GoneException errors with API Gateway WebSocket APIs?", AWS re:Post). The function has ten seconds.
CONNECTED_WITHIN_MS = 10_000

T = TypeVar("T")


class People(Protocol):
    """Devices; people.People keeps it."""

    def devices_of(self, user: str, *, consistent: bool = False) -> list[Device]: ...
    def device(self, user: str, device: str, *, consistent: bool = True) -> Device | None: ...
    def disconnect(self, user: str, device: str, connection: str) -> bool: ...


class Store(Protocol):
    """Chats, inboxes and the push queue; store.Store keeps it. What is left undone of a batch is returned."""

    def members(self, chat: str) -> list[Member]: ...
    def size(self, chat: str) -> int: ...
    def senders(self, chat: str, after: int, up_to: int) -> set[str]: ...
    def devices_now(self, devices: Sequence[Device]) -> tuple[list[Device], list[Device]]: ...
    def put_entries(self, event: Event, inboxes: Sequence[str]) -> list[str]: ...
    def push(self, bodies: Sequence[str]) -> list[str]: ...


class Sockets(Protocol):
    """Connections; sockets.Sockets keeps it. Neither raises, and both end in time."""

    def post(self, connection: str, gateway: str, data: bytes) -> Outcome: ...
    def close(self, connection: str, gateway: str) -> bool: ...


class Presences(Protocol):
    """What is known of who is there; presences.Presences keeps it."""

    def is_alive(self, inboxes: Sequence[str]) -> set[str]: ...
    def watchers(self, user: str) -> list[str]: ...
    def may_see(self, watcher: str, user: str) -> bool: ...
    def gone(self, user: str, device: str, connection: str) -> None: ...


@dataclass(frozen=True)
class Around:
    """What deliveries work with."""

    people: People
    store: Store
    sockets: Sockets
    presences: Presences
    pool: Parallel
    persistence: Persistence
    metrics: Metrics
    log: Logger
    now_ms: Callable[[], int]


class Delivery:
    """Delivers records, each wholly before it returns. Threads may share it, each with records of its own."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def deliver(self, record: Record) -> None:
        """Tell everybody whom the record is for. Raises `Stopped` when the program ends before that is done."""
        if isinstance(record, Event):
            self.event(record)
        elif isinstance(record, Receipt):
            self.receipt(record)
        elif isinstance(record, Typing):
            self.typing(record)
        else:
            self.presence(record)

    def event(self, event: Event) -> None:
        """Deliver an event: into every device's inbox, then to connections, then to the push queue."""
        members = self._done("members", lambda: self._around.store.members(event.chat))
        shown = logic.audience(event, members)
        devices = self._devices_of(sorted(shown), consistent=True)
        frames: dict[str, bytes] = {}
        for version in _versions(shown):
            theirs = [each for each in devices if shown[each.user] == version]
            self._put_entries(version, [each.inbox for each in theirs])
            frames |= dict.fromkeys((each.user for each in theirs), records.encode(version))
        present = self._as_they_are_now(devices)
        reached = self._post(present, lambda device: frames[device.user], since_ms=event.at)
        pushed = self._push(event, present, reached)
        self._around.metrics.count("Delivered", len(present))
        self._around.log.info(
            "event delivered",
            chat=event.chat,
            seq=event.seq,
            kind=event.kind,
            devices=len(present),
            reached=len(reached),
            pushed=pushed,
        )

    def receipt(self, receipt: Receipt) -> None:
        """Tell the senders of what was received or read, where they have a device that is connected.

        Of a large chat the head alone is read: a thousand members who read one message would have a million items
        of one key read.
        """
        span = logic.acknowledged(receipt)
        if span is None or self._done("size", lambda: self._around.store.size(receipt.chat)) > SMALL_CHAT:
            return
        members = self._done("members", lambda: self._around.store.members(receipt.chat))
        if not logic.hear_receipt(receipt, members, {each.user for each in members}):
            return
        senders = self._done("senders", lambda: self._around.store.senders(receipt.chat, *span))
        users = logic.hear_receipt(receipt, members, senders)
        self._tell_all(self._devices_of(users, consistent=False), receipt)

    def typing(self, typing: Typing) -> None:
        """Tell the chat's other members that somebody types, unless it is old by now."""
        members = self._done("members", lambda: self._around.store.members(typing.chat))
        users = logic.hear_typing(typing, members, self._around.now_ms())
        self._tell_all(self._devices_of(users, consistent=False), typing)

    def presence(self, presence: Presence) -> None:
        """Tell those who watch a user, and may see it, that the user came or went; nobody while no cache knows them.

        Who is not told sees it in the answer to their next heartbeat.
        """
        try:
            watching = set(self._around.presences.watchers(presence.user))
        except Unavailable as problem:
            self._around.log.warning("nobody knows who watches", reason=str(problem))
            return
        users = sorted({keys.owner_of(inbox)[0] for inbox in watching})
        sees = self._each("privacy", lambda user: self._around.presences.may_see(user, presence.user), users)
        devices = self._devices_of(list(compress(users, sees)), consistent=False)
        self._tell_all([each for each in devices if each.inbox in watching], presence)

    # The steps

    def _devices_of(self, users: Sequence[str], *, consistent: bool) -> list[Device]:
        people = self._around.people
        found = self._each("devices", lambda user: people.devices_of(user, consistent=consistent), users)
        return [device for devices in found for device in devices]

    def _put_entries(self, event: Event, inboxes: Sequence[str]) -> None:
        def put(batch: Sequence[str]) -> Sequence[str]:
            return self._around.store.put_entries(event, batch)

        self._each_wholly("inboxes", put, inboxes, WRITTEN_AT_ONCE)

    def _as_they_are_now(self, devices: Sequence[Device]) -> list[Device]:
        """The devices with the connections that they have by now; those that were removed are left out."""
        found: list[Device] = []

        def read(batch: Sequence[Device]) -> Sequence[Device]:
            now, left = self._around.store.devices_now(batch)
            found.extend(now)
            return left

        self._each_wholly("connections", read, devices, READ_AT_ONCE)
        return sorted(found, key=lambda each: each.inbox)

    def _tell_all(self, devices: Sequence[Device], record: Record) -> None:
        data = records.encode(record)
        self._post(devices, lambda _: data)

    def _post(
        self, devices: Sequence[Device], frame_of: Callable[[Device], bytes], since_ms: int | None = None
    ) -> set[str]:
        """Post to all that are connected, at once; return the inboxes of those that have it, or will ask for it."""
        connected = [each for each in devices if each.connection]

        def post(device: Device) -> bool:
            reached = self._tell(device, frame_of(device))
            if reached and since_ms is not None:
                self._around.metrics.took("EndToEnd", self._around.now_ms() - since_ms)
            return reached

        reached = self._around.pool.each(post, connected)
        return {each.inbox for each, there in zip(connected, reached, strict=True) if there}

    def _tell(self, device: Device, data: bytes) -> bool:
        """Post to one connection; one that does not take it is closed and forgotten, if it still is the device's.

        True as well where the device has another one by now: that was noted after its inbox had the entry.
        """
        around, connection = self._around, device.connection or ""
        outcome = around.sockets.post(connection, device.gateway, data)
        around.metrics.count(outcome.capitalize())
        if outcome == "sent":
            return True
        if outcome == "gone" and self._is_being_made(device):
            return False
        if outcome == "failed":
            around.sockets.close(connection, device.gateway)
        user, name = device.user, device.device
        if self._done("disconnect", lambda: around.people.disconnect(user, name, connection)):
            around.log.info("connection removed", user=user, device=name, why=outcome)
            self._say_gone(user, name, connection)
            return False
        now = self._done("device", lambda: around.people.device(user, name, consistent=True))
        return now is not None and now.connection is not None

    def _is_being_made(self, device: Device) -> bool:
        """Whether API Gateway may have a connection only in a moment; a gateway has one before it is noted."""
        age_ms = self._around.now_ms() - (device.connected_at or 0)
        return not device.gateway and age_ms < CONNECTED_WITHIN_MS

    def _say_gone(self, user: str, device: str, connection: str) -> None:
        try:
            self._around.presences.gone(user, device, connection)
        except Unavailable as problem:
            self._around.log.warning("that a device is gone is not noted", reason=str(problem))

    def _push(self, event: Event, devices: Sequence[Device], reached: set[str]) -> int:
        others = [each for each in devices if each.user != event.sender and each.inbox in reached]
        alive = self._alive(others) if event.kind == "message" and others else set()
        bodies = [
            write(Message(each.user, each.device, event.chat, event.seq, event.at))
            for each in logic.to_push(event, devices, reached, alive)
        ]
        self._each_wholly("push queue", self._around.store.push, bodies, PUSHES_AT_ONCE)
        self._around.metrics.count("Pushed", len(bodies))
        return len(bodies)

    def _alive(self, devices: Sequence[Device]) -> set[str]:
        """Inboxes of devices that gave a sign of life; none when nobody knows: a push too many is found out later."""
        try:
            return self._around.presences.is_alive([each.inbox for each in devices])
        except Unavailable as problem:
            self._around.log.warning("nobody knows who is there", reason=str(problem))
            return set()

    # Trying again

    def _done(self, what: str, work: Callable[[], T]) -> T:
        return self._around.persistence.until_done(what, work)

    def _each(self, what: str, work: Callable[[str], T], items: Sequence[str]) -> list[T]:
        return self._around.pool.each(lambda item: self._done(what, lambda: work(item)), items)

    def _each_wholly(
        self, what: str, work: Callable[[Sequence[T]], Sequence[T]], items: Sequence[T], at_once: int
    ) -> None:
        """Have `work` do all of `items`, in batches; what it returns is left of a batch, and done again."""

        def wholly(batch: Sequence[T]) -> None:
            pause_s, left = FIRST_PAUSE_S, batch
            while left := self._done(what, partial(work, left)):
                self._around.metrics.count("Throttled", len(left))
                self._around.persistence.pause(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

        self._around.pool.each(wholly, list(batches(items, at_once)))


def _versions(shown: Mapping[str, Event]) -> list[Event]:
    """The different things that are shown of an event: one, or two where some may not see what it is about."""
    found: list[Event] = []
    for event in shown.values():
        if event not in found:
            found.append(event)
    return found
