"""Kafka's wire protocol behind MSK: librdkafka's mock cluster, and a front that makes a cluster of MSK of it.

The brokers themselves (`kafka_broker.py`, one child process for a cluster) keep the records, in plaintext and for
anybody. Clients meet the front instead, a `Listener` for each broker and each way in that the
template asks for (plaintext, TLS, SASL with IAM or SCRAM). It reads one request after the other, as a broker does:

* it answers itself what concerns the cluster: which API versions there are, brokers, topics and their leaders,
  coordinators, topics to create; so a broker that is down is not named, its partitions have another leader, and
  topics come into being only where the configuration lets them (`auto.create.topics.enable`);
* it holds a fetch that finds nothing until something is written, which the mock cluster does not;
* it is the coordinator of consumer groups (`Group`), and keeps their offsets: the mock cluster's own groups hang
  when a group that was left is joined again;
* it refuses what the caller's IAM policy does not allow, and writes with `acks=all` while fewer replicas are up
  than `min.insync.replicas`;
* everything else it passes to the broker, and the answer back, byte for byte.

Versions are held to those before Kafka's compact encoding (KIP-482), so that little is to be parsed.

Differences from MSK: replicas are a table and not copies, so nothing that was acknowledged is lost with a broker;
but only about the last 5 MB of each partition are kept, in memory; transactions are answered and isolate nothing;
groups wait 0.1 s for their first members, not 3; there is no API for ACLs, more partitions, or the newer consumer
protocol (KIP-848).

Sources: "Apache Kafka protocol guide"; the MSK Developer Guide, "The default Amazon MSK configuration", "Semantics of
IAM authorization policy actions and resources".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Any, Literal, Protocol, TypeVar

from workbench.offline.engines import RUNNING
from workbench.offline.engines.redis import Listener, on_loop
from workbench.offline.surroundings import LOOPBACK

READY_WITHIN = 10.0  # seconds
LARGEST_REQUEST = 100 << 20  # bytes, as a broker's socket.request.max.bytes
NO_BROKER = -1
_FIRST_MEMBERS_WITHIN = 0.1  # seconds that an empty group waits for more
_WATCHED_EVERY = 0.25  # seconds

# Kafka's error codes.
UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, COORDINATOR_NOT_AVAILABLE, INVALID_TOPIC = 3, 5, 15, 17
NOT_ENOUGH_REPLICAS, UNSUPPORTED_MECHANISM, UNSUPPORTED_VERSION, TOPIC_EXISTS = 19, 33, 35, 36
INVALID_PARTITIONS, INVALID_REPLICATION, LOGIN_FAILED = 37, 38, 58
ILLEGAL_GENERATION, INCONSISTENT_PROTOCOL, UNKNOWN_MEMBER, REBALANCING = 22, 23, 25, 27
_FORBIDDEN = {"topic": 29, "group": 30, "cluster": 31, "transactional-id": 53}


class Api(IntEnum):
    """Kafka's APIs, by their keys: those that are offered."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    HANDSHAKE = 17
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    INIT_PRODUCER = 22
    OFFSET_FOR_EPOCH = 23
    ADD_PARTITIONS = 24
    ADD_OFFSETS = 25
    END_TRANSACTION = 26
    TRANSACTION_COMMIT = 28
    DESCRIBE_CONFIGS = 32
    AUTHENTICATE = 36


# From which to which version each is offered: all before the compact encoding.
_VERSIONS = {
    Api.PRODUCE: (3, 8),
    Api.FETCH: (4, 11),
    Api.LIST_OFFSETS: (1, 5),
    Api.METADATA: (1, 6),
    Api.OFFSET_COMMIT: (2, 7),
    Api.OFFSET_FETCH: (1, 5),
    Api.FIND_COORDINATOR: (0, 2),
    Api.JOIN_GROUP: (0, 5),
    Api.HEARTBEAT: (0, 3),
    Api.LEAVE_GROUP: (0, 3),
    Api.SYNC_GROUP: (0, 3),
    Api.DESCRIBE_GROUPS: (0, 2),
    Api.LIST_GROUPS: (0, 2),
    Api.HANDSHAKE: (1, 1),
    Api.API_VERSIONS: (0, 2),
    Api.CREATE_TOPICS: (0, 4),
    Api.DELETE_TOPICS: (0, 3),
    Api.INIT_PRODUCER: (0, 1),
    Api.OFFSET_FOR_EPOCH: (2, 2),
    Api.ADD_PARTITIONS: (0, 1),
    Api.ADD_OFFSETS: (0, 1),
    Api.END_TRANSACTION: (0, 1),
    Api.TRANSACTION_COMMIT: (0, 2),
    Api.DESCRIBE_CONFIGS: (0, 2),
    Api.AUTHENTICATE: (0, 1),
}


class LoginRefused(Exception):
    """Somebody may not come in; its text says why, in one line."""


Permission = Callable[
    [str, str, str], bool
]  # an action such as "ReadData", on a kind of resource and its name


class Login(Protocol):
    """One connection's way through SASL."""

    def step(self, message: bytes) -> tuple[bytes, Permission | None]:
        """The answer to the client's message; and, once it is in, what it may do. Raises `LoginRefused`."""


@dataclass(frozen=True)
class Door:
    """A way in: `logins` makes a `Login` for each mechanism of SASL that it knows; without any, all may enter."""

    name: str  # "plaintext", "tls", "iam" or "scram"
    logins: Mapping[str, Callable[[], Login]] = field(default_factory=dict)

    @property
    def tls(self) -> bool:
        return self.name != "plaintext"


INSIDE = Door("plaintext")  # always there, for the event sources of functions


@dataclass
class Partition:
    """Who holds it, and who leads it: brokers by number, `NO_BROKER` when no replica is up."""

    replicas: tuple[int, ...]
    leader: int = NO_BROKER


@dataclass
class Topic:
    """A topic, with the settings of its own."""

    partitions: list[Partition]
    settings: dict[str, str]


class TopicRefused(Exception):
    """A topic cannot be made or removed; `code` is Kafka's for it, the text says why."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(eq=False)
class Kafka:
    """A cluster. `zones` has one for each broker, in the order of their numbers, which start at 1.

    `settings` are the broker's properties by their names in Kafka, `doors` the ways in besides plaintext on loopback.
    """

    name: str
    arn: str
    zones: tuple[str, ...]
    racks: tuple[str, ...]
    settings: dict[str, str]
    doors: tuple[Door, ...] = ()

    kind: str = "kafka"

    def __post_init__(self) -> None:
        self.pids: list[int] = []
        self.topics: dict[str, Topic] = {}
        self.up: set[int] = set()
        self._stopped: set[int] = set(self.brokers)  # each by itself, wherever it stands
        self._lost: set[str] = set()  # zones
        self._coordinators: dict[tuple[str, str], int] = {}
        self.groups: dict[str, Group] = {}
        self.written = asyncio.Event()  # the next write, or change of leaders
        self._process: subprocess.Popen[str] | None = None
        self._ports: list[int] = []  # of the brokers behind the front
        self._changing = threading.RLock()  # never taken on the listeners' loop, which its holders wait for
        self._listeners = {
            (door.name, broker): Listener(
                partial(self._serve, broker=broker, door=door),
                tls=door.tls,
            )
            for door in {INSIDE.name: INSIDE, **{each.name: each for each in self.doors}}.values()
            for broker in self.brokers
        }

    @property
    def brokers(self) -> range:
        """Their numbers."""
        return range(1, len(self.zones) + 1)

    def start(self) -> None:
        """Start every broker that is down. Raises `RuntimeError` when the brokers' process does not start."""
        with self._changing:
            if self._process is None:
                self._launch()
            for broker in self.brokers:
                self.start_broker(broker)

    def stop(self) -> None:
        """Stop every broker; records and offsets are kept, as on their volumes."""
        for broker in self.brokers:
            self.stop_broker(broker)

    def delete(self) -> None:
        """Stop it for good."""
        with self._changing:
            for each in self._listeners.values():
                each.close()
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                for stream in (self._process.stdin, self._process.stdout):
                    if stream is not None:
                        stream.close()
                self._process, self.pids = None, []
            self.up.clear()

    def stop_broker(self, broker: int) -> None:
        """Stop one broker, until `start_broker`: its connections break, and its partitions get another leader."""
        with self._changing:
            self._stopped.add(broker)
            self._take_down(broker)

    def start_broker(self, broker: int) -> None:
        """Start one broker again, where its zone is lost once that is back; it leads what it prefers to lead."""
        with self._changing:
            self._stopped.discard(broker)
            self._bring_up(broker)

    def _take_down(self, broker: int) -> None:
        if broker in self.up:
            self.up.discard(broker)
            self._order("down", broker)
            for door in self._door_names():
                self._listeners[door, broker].close()
            self._elect()

    def _bring_up(self, broker: int) -> None:
        if broker not in self.up | self._stopped and self.zones[broker - 1] not in self._lost:
            self._order("up", broker)
            self.up.add(broker)
            self._elect()
            for door in self._door_names():
                self._listeners[door, broker].open()

    def lose_zone(self, zone: str) -> list[str]:
        """Stop the brokers in `zone`."""
        with self._changing:
            self._lost.add(zone)
            brokers = [each for each in self.brokers if self.zones[each - 1] == zone and each in self.up]
            for broker in brokers:
                self._take_down(broker)
        return [f"broker {each} of {self.name}" for each in brokers]

    def restore_zone(self, zone: str) -> list[str]:
        """Start the brokers in `zone`, except those that were stopped by themselves."""
        with self._changing:
            self._lost.discard(zone)
            standing = [each for each in self.brokers if self.zones[each - 1] == zone]
            brokers = [each for each in standing if each not in self.up | self._stopped]
            for broker in brokers:
                self._bring_up(broker)
        return [f"broker {each} of {self.name}" for each in brokers]

    def bootstrap(self, door: str = INSIDE.name) -> str | None:
        """Every broker's address for a way in, as clients take it; None where the cluster has no such way in."""
        if door not in self._door_names():
            return None
        return ",".join(f"{LOOPBACK}:{self._listeners[door, broker].port}" for broker in self.brokers)

    def create_topic(
        self,
        name: str,
        partitions: int = NO_BROKER,
        replication: int = NO_BROKER,
        settings: dict[str, str] | None = None,
        *,
        only_check: bool = False,
    ) -> None:
        """Make a topic; what is not given is as the cluster's settings say. Raises `TopicRefused`."""
        count = int(self.settings["num.partitions"]) if partitions == NO_BROKER else partitions
        copies = int(self.settings["default.replication.factor"]) if replication == NO_BROKER else replication
        with self._changing:
            self._check_topic(name, count, copies)
            if only_check:
                return
            self._order("topic", name, count)
            first = len(self.topics)  # so that not every topic's first partition is led by the same broker
            held = [self._replicas(first + each, copies) for each in range(count)]
            self.topics[name] = Topic([Partition(each) for each in held], settings or {})
            self._elect()

    def delete_topic(self, name: str) -> None:
        """Remove a topic with its records. Raises `TopicRefused` when there is none of that name."""
        with self._changing:
            if name not in self.topics:
                raise TopicRefused(UNKNOWN_TOPIC, f"{self.name} has no topic {name}")
            del self.topics[name]
            self._order("delete", name)

    def coordinator(self, kind: str, key: str) -> int:
        """The broker that looks after a "group" or a "transaction"; `NO_BROKER` when none is up."""
        with self._changing:
            known = self._coordinators.get((kind, key))
            if known in self.up:
                return known
            if not self.up:
                return NO_BROKER
            chosen = sorted(self.up)[sum(key.encode()) % len(self.up)]
            if kind == "transaction":
                self._order("coordinator", kind, key, chosen)
            self._coordinators[kind, key] = chosen
            return chosen

    def coordinates(self, broker: int, group: str) -> bool:
        """Whether a broker is the coordinator of a group, as far as anybody asked who is."""
        return self._coordinators.get(("group", group)) == broker

    def wake_readers(self) -> None:
        """Let every fetch that waits look again; on the listeners' loop."""
        self.written.set()
        self.written = asyncio.Event()

    def group(self, name: str) -> Group:
        """A consumer group; it is there from its first use on."""
        return self.groups.setdefault(name, Group(name))

    def port(self, door: str, broker: int) -> int:
        """Where a broker is met."""
        return self._listeners[door, broker].port

    def in_sync(self, partition: Partition) -> list[int]:
        """The replicas that are up: with nothing to copy, each of them has everything."""
        return [each for each in partition.replicas if each in self.up]

    def lacks_replicas(self, topic: str, partition: int) -> bool:
        """Whether a write that wants all in-sync replicas must be refused there."""
        found = self.topics.get(topic)
        if found is None or partition >= len(found.partitions):
            return False
        least = int(found.settings.get("min.insync.replicas", self.settings["min.insync.replicas"]))
        return len(self.in_sync(found.partitions[partition])) < least

    def _door_names(self) -> dict[str, None]:
        return dict.fromkeys(door for door, _ in self._listeners)

    def _check_topic(self, name: str, partitions: int, copies: int) -> None:
        if name in self.topics:
            raise TopicRefused(TOPIC_EXISTS, f"{self.name} has a topic {name} already")
        if not name or len(name) > 249 or not all(each.isalnum() or each in "._-" for each in name):
            raise TopicRefused(INVALID_TOPIC, f"a topic cannot be called {name!r}")
        if partitions < 1:
            raise TopicRefused(INVALID_PARTITIONS, f"a topic has one partition or more; got {partitions}")
        if not 1 <= copies <= len(self.up):
            words = f"replication factor {copies} with {len(self.up)} brokers up; choose one from 1 to that"
            raise TopicRefused(INVALID_REPLICATION, words)

    def _replicas(self, first: int, copies: int) -> tuple[int, ...]:
        return tuple(self.brokers[(first + each) % len(self.brokers)] for each in range(copies))

    def _elect(self) -> None:
        """Give every partition the first of its replicas that is up as its leader."""
        for name, topic in self.topics.items():
            for number, each in enumerate(topic.partitions):
                leader = next(iter(self.in_sync(each)), NO_BROKER)
                if leader != each.leader:
                    self._order("leader", name, number, leader)
                    each.leader = leader
        on_loop(self.wake_readers)

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workbench.offline.engines.kafka_broker", *self.racks],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pids = [self._process.pid]
        self._ports = self._reply()
        self.up = set()

    def _order(self, *words: Any) -> None:
        """Have the brokers' process do something. Raises `RuntimeError` with its words when it refuses."""
        with self._changing:
            if self._process is None or self._process.stdin is None:
                raise RuntimeError(f"the Kafka cluster {self.name} was deleted")
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()
            if error := self._reply().get("error"):
                raise RuntimeError(f"Kafka cluster {self.name}: {error}")

    def _reply(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the brokers of the Kafka cluster {self.name} ended; see the log of the offline AWS"
            )
        return json.loads(line)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, broker: int, door: Door
    ) -> None:
        behind = await asyncio.open_connection(LOOPBACK, self._ports[broker - 1])
        try:
            await _Conversation(self, broker, door, behind).run(reader, writer)
        finally:
            behind[1].close()


def bootstrap_of(cluster_arn: str) -> str:
    """The brokers of a cluster for a client inside the offline AWS, in plaintext: "127.0.0.1:1,127.0.0.1:2".

    Raises `KeyError` when no cluster has this ARN.
    """
    for each in RUNNING.values():
        if isinstance(each, Kafka) and each.arn == cluster_arn:
            return str(each.bootstrap())
    raise KeyError(f"no Kafka cluster is running behind {cluster_arn}")


@dataclass(eq=False)
class Member:
    """A consumer of a group; times in seconds."""

    id: str
    instance: str | None
    session: float
    rebalance: float
    protocols: dict[str, bytes] = field(default_factory=dict)  # what it can be assigned by, in its preference
    assignment: bytes = b""
    seen: float = 0.0
    joined: asyncio.Future[int] | None = None
    synced: asyncio.Future[int] | None = None


class Group:
    """A consumer group as its coordinator knows it: Kafka's classic protocol, and the committed offsets.

    Who joins waits until every member has joined anew, or the rebalance timeout has thrown out who did not; then one
    of them leads, and its assignment is handed out. All of it happens on the loop of the listeners.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: Literal["Empty", "PreparingRebalance", "CompletingRebalance", "Stable"] = "Empty"
        self.generation = 0
        self.kind = ""  # of protocol, "consumer" for consumers
        self.protocol = ""
        self.leader = ""
        self.members: dict[str, Member] = {}
        self.offsets: dict[tuple[str, int], tuple[int, str]] = {}  # with what was noted at the commit
        self._fresh = False  # whether it waits for its first members
        self._joining: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def join(self, member: Member, kind: str) -> int:
        """Take part in the next generation, once it is complete; 0 or an error code."""
        known = self.members.get(member.id)
        if member.id and known is None:
            return UNKNOWN_MEMBER
        others = [each for each in self.members.values() if each is not known]
        if others and not any(all(name in each.protocols for each in others) for name in member.protocols):
            return INCONSISTENT_PROTOCOL
        if known is not None and self._needs_nothing(known, member):
            member.assignment = known.assignment
            return 0
        member.id = member.id or f"member-{uuid.uuid4()}"
        self._make_room_for(member)
        self.kind = kind
        self.members[member.id] = member
        member.seen = time.monotonic()
        joined: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        member.joined = joined
        if self._watch is None:
            self._watch_over()
        self._prepare()
        return await joined

    async def sync(self, member_id: str, generation: int, assignments: dict[str, bytes]) -> tuple[int, bytes]:
        """Hand out the leader's assignments, or wait for them: an error code, and the member's own."""
        error = self.objection(member_id, generation)
        if error or self.state == "PreparingRebalance":
            return error or REBALANCING, b""
        member = self.members[member_id]
        if self.state == "CompletingRebalance":
            synced: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            member.synced = synced
            if member_id == self.leader:
                self._assign(assignments)
            if error := await synced:
                return error, b""
        return 0, member.assignment

    def heartbeat(self, member_id: str, generation: int) -> int:
        """Note that a member lives; an error code tells it to join anew."""
        error = self.objection(member_id, generation)
        return error or (REBALANCING if self.state == "PreparingRebalance" else 0)

    def leave(self, member_ids: Iterable[str]) -> int:
        """Let members go; the others rebalance."""
        gone = [self._remove(each) for each in member_ids]
        if any(gone):
            self._prepare()
        return 0 if all(gone) else UNKNOWN_MEMBER

    def objection(self, member_id: str, generation: int) -> int:
        """The error code for one who is no member of this generation, 0 for one who is."""
        if member_id not in self.members:
            return UNKNOWN_MEMBER
        self.members[member_id].seen = time.monotonic()
        return 0 if generation == self.generation else ILLEGAL_GENERATION

    def commit_objection(self, member_id: str, generation: int) -> int:
        """As `objection`, but that a group without members lets anybody commit who claims to be none."""
        if generation < 0 and not self.members:
            return 0
        return self.objection(member_id, generation) or (
            REBALANCING if self.state == "CompletingRebalance" else 0
        )

    def _needs_nothing(self, known: Member, member: Member) -> bool:
        unchanged = known.protocols == member.protocols and known.id != self.leader
        return self.state == "Stable" and unchanged

    def _make_room_for(self, member: Member) -> None:
        """It takes the place of itself, or of the static member that it was before it came back (KIP-345)."""
        for each in list(self.members.values()):
            if each.id == member.id or (member.instance is not None and each.instance == member.instance):
                self._remove(each.id)

    def _remove(self, member_id: str) -> bool:
        """Take a member out, and let its requests wait no longer."""
        member = self.members.pop(member_id, None)
        for waits in (member.joined, member.synced) if member else ():
            if waits is not None and not waits.done():
                waits.set_result(UNKNOWN_MEMBER)
        return member is not None

    def _prepare(self) -> None:
        """Begin a rebalance, or see whether the one that goes on is complete."""
        if not self.members:
            self.state = "Empty"
        elif self.state == "Empty":
            self._gather(_FIRST_MEMBERS_WITHIN)
        else:
            if self.state != "PreparingRebalance":
                self._gather(max(each.rebalance for each in self.members.values()))
            if not self._fresh and all(each.joined is not None for each in self.members.values()):
                self._complete()

    def _gather(self, seconds: float) -> None:
        """Wait so long for members to join, those that wait for an assignment too."""
        self._fresh, self.state = self.state == "Empty", "PreparingRebalance"
        for each in self.members.values():
            if each.synced is not None and not each.synced.done():
                each.synced.set_result(REBALANCING)
        self._joining = asyncio.get_running_loop().call_later(seconds, self._complete)

    def _complete(self) -> None:
        if self._joining is not None:
            self._joining.cancel()
            self._joining = None
        self._fresh = False
        self.members = {name: each for name, each in self.members.items() if each.joined is not None}
        if not self.members:
            self.state = "Empty"
            return
        self.generation += 1
        if self.leader not in self.members:
            self.leader = next(iter(self.members))
        wanted = self.members[self.leader].protocols
        everybody = self.members.values()
        self.protocol = next(name for name in wanted if all(name in each.protocols for each in everybody))
        self.state = "CompletingRebalance"
        for each in everybody:
            each.seen, future, each.joined = time.monotonic(), each.joined, None
            if future is not None and not future.done():
                future.set_result(0)

    def _assign(self, assignments: dict[str, bytes]) -> None:
        self.state = "Stable"
        for name, each in self.members.items():
            each.assignment = assignments.get(name, b"")
            if each.synced is not None and not each.synced.done():
                each.synced.set_result(0)

    def _watch_over(self) -> None:
        """Throw out whose session ended without a sign of life; who waits for the others is not silent."""
        now = time.monotonic()
        silent = [
            name
            for name, each in self.members.items()
            if each.joined is None and each.seen + each.session < now
        ]
        if silent:
            self.leave(silent)
        self._watch = None
        if self.members:
            self._watch = asyncio.get_running_loop().call_later(_WATCHED_EVERY, self._watch_over)


# Kafka's encoding, before its compact one: integers are big-endian, texts and arrays have their length before them.

_i8, _i16, _i32, _i64 = (Struct(">" + each) for each in "bhiq")
_HEADER = Struct(">hhi")  # of a request: API, version, correlation id
_T = TypeVar("_T")


class _Reader:
    """Reads a request from its beginning on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, of: Struct) -> int:
        (value,) = of.unpack_from(self._data, self.at)
        self.at += of.size
        return int(value)

    def skip(self, *numbers: Struct) -> None:
        self.at += sum(each.size for each in numbers)

    def taken(self, length: int) -> bytes:
        self.at += max(length, 0)
        return self._data[self.at - max(length, 0) : self.at]

    def optional_text(self) -> str | None:
        length = self.number(_i16)
        return None if length < 0 else self.taken(length).decode()

    def text(self) -> str:
        return self.optional_text() or ""

    def data(self) -> bytes:
        return self.taken(self.number(_i32))

    def many(self, read: Callable[[], _T]) -> list[_T]:
        return [read() for _ in range(self.number(_i32))]


def _text(value: str | None) -> bytes:
    return _i16.pack(-1) if value is None else _i16.pack(len(value.encode())) + value.encode()


def _data(value: bytes) -> bytes:
    return _i32.pack(len(value)) + value


def _many(values: Iterable[bytes]) -> bytes:
    packed = list(values)
    return _i32.pack(len(packed)) + b"".join(packed)


def _numbers(values: Iterable[int]) -> bytes:
    return _many(_i32.pack(each) for each in values)


_NO_THROTTLE = _i32.pack(0)


@dataclass
class _Asked:
    """What a request is about, as far as it must be known here."""

    topics: list[tuple[str, list[int]]] = field(default_factory=list)  # each with partitions
    group: str | None = None
    transaction: str | None = None
    acks: int = 1
    kind: str = "group"  # of coordinator


def _read_topics(reader: _Reader, read_partition: Callable[[], int]) -> list[tuple[str, list[int]]]:
    return reader.many(lambda: (reader.text(), reader.many(read_partition)))


def _partition_then(reader: _Reader, *rest: Struct) -> Callable[[], int]:
    """Reads a partition's number, and over what follows."""

    def read() -> int:
        number = reader.number(_i32)
        reader.skip(*rest)
        return number

    return read


def _read_produce(_: int, reader: _Reader) -> _Asked:
    transaction, acks = reader.optional_text(), reader.number(_i16)
    reader.skip(_i32)

    def partition() -> int:
        number = reader.number(_i32)
        reader.data()
        return number

    return _Asked(_read_topics(reader, partition), transaction=transaction, acks=acks)


def _read_fetch(version: int, reader: _Reader) -> _Asked:
    reader.skip(_i32, _i32, _i32, _i32, _i8, *([_i32, _i32] if version >= 7 else []))
    rest = [*([_i32] if version >= 9 else []), _i64, *([_i64] if version >= 5 else []), _i32]
    return _Asked(_read_topics(reader, _partition_then(reader, *rest)))


def _read_list_offsets(version: int, reader: _Reader) -> _Asked:
    reader.skip(_i32, *([_i8] if version >= 2 else []))
    rest = [*([_i32] if version >= 4 else []), _i64]
    return _Asked(_read_topics(reader, _partition_then(reader, *rest)))


def _read_offset_commit(version: int, reader: _Reader) -> _Asked:
    group = reader.text()
    reader.skip(_i32)
    reader.text()
    if version >= 7:
        reader.optional_text()
    reader.skip(*([_i64] if version <= 4 else []))

    def partition() -> int:
        number = reader.number(_i32)
        reader.skip(_i64, *([_i32] if version >= 6 else []))
        reader.optional_text()
        return number

    return _Asked(_read_topics(reader, partition), group=group)


def _read_offset_fetch(_: int, reader: _Reader) -> _Asked:
    return _Asked(group=reader.text(), topics=_read_topics(reader, _partition_then(reader)))


def _read_offset_for_epoch(_: int, reader: _Reader) -> _Asked:
    return _Asked(_read_topics(reader, _partition_then(reader, _i32, _i32)))


def _read_find_coordinator(version: int, reader: _Reader) -> _Asked:
    key = reader.text()
    if version >= 1 and reader.number(_i8) == 1:
        return _Asked(transaction=key, kind="transaction")
    return _Asked(group=key)


def _read_group(_: int, reader: _Reader) -> _Asked:
    return _Asked(group=reader.text())


def _read_init_producer(_: int, reader: _Reader) -> _Asked:
    return _Asked(transaction=reader.optional_text())


_READERS: dict[int, Callable[[int, _Reader], _Asked]] = {
    Api.PRODUCE: _read_produce,
    Api.FETCH: _read_fetch,
    Api.LIST_OFFSETS: _read_list_offsets,
    Api.OFFSET_COMMIT: _read_offset_commit,
    Api.OFFSET_FETCH: _read_offset_fetch,
    Api.FIND_COORDINATOR: _read_find_coordinator,
    Api.JOIN_GROUP: _read_group,
    Api.INIT_PRODUCER: _read_init_producer,
    Api.OFFSET_FOR_EPOCH: _read_offset_for_epoch,
}

# The actions of IAM that a request needs, on its topics, its group and its transaction. Where a group goes on after
# it was joined, and a transaction after its producer began, the first request was the one to be checked.
_TOPIC_ACTIONS: dict[int, str] = {
    Api.PRODUCE: "WriteData",
    Api.FETCH: "ReadData",
    Api.LIST_OFFSETS: "DescribeTopic",
    Api.OFFSET_COMMIT: "ReadData",
    Api.OFFSET_FETCH: "DescribeTopic",
    Api.OFFSET_FOR_EPOCH: "DescribeTopic",
}
_GROUP_ACTIONS: dict[int, str] = {
    Api.OFFSET_COMMIT: "AlterGroup",
    Api.OFFSET_FETCH: "DescribeGroup",
    Api.FIND_COORDINATOR: "DescribeGroup",
    Api.JOIN_GROUP: "AlterGroup",
}
_TRANSACTION_ACTIONS: dict[int, str] = {
    Api.PRODUCE: "AlterTransactionalId",
    Api.FIND_COORDINATOR: "DescribeTransactionalId",
    Api.INIT_PRODUCER: "AlterTransactionalId",
}


def _needs(api: int, asked: _Asked) -> Iterable[tuple[str, str, str]]:
    """Each action that a request needs, with the kind and the name of its resource."""
    if api in _TOPIC_ACTIONS:
        yield from ((_TOPIC_ACTIONS[api], "topic", name) for name, _ in asked.topics)
    if api in _GROUP_ACTIONS and asked.group is not None:
        yield _GROUP_ACTIONS[api], "group", asked.group
    if api in _TRANSACTION_ACTIONS and asked.transaction is not None:
        yield _TRANSACTION_ACTIONS[api], "transactional-id", asked.transaction
    if api == Api.INIT_PRODUCER and asked.transaction is None:
        yield "WriteDataIdempotently", "cluster", ""


def _refused_partition(api: int, version: int, error: int, partition: int) -> bytes:
    number, code, none = _i32.pack(partition), _i16.pack(error), _i64.pack(-1)
    if api == Api.PRODUCE:
        more = (none if version >= 5 else b"") + (_many([]) + _text(None) if version >= 8 else b"")
        return number + code + none + none + more
    if api == Api.FETCH:
        start, replica = (none if version >= 5 else b""), (_i32.pack(-1) if version >= 11 else b"")
        return number + code + none + none + start + _many([]) + replica + _data(b"")
    if api == Api.LIST_OFFSETS:
        return number + code + none + none + (_i32.pack(-1) if version >= 4 else b"")
    if api == Api.OFFSET_FETCH:
        return number + none + (_i32.pack(-1) if version >= 5 else b"") + _text(None) + code
    if api == Api.OFFSET_FOR_EPOCH:
        return code + number + _i32.pack(-1) + none
    return number + code


def _refusal(api: int, version: int, asked: _Asked, error: int) -> bytes:
    """The answer that refuses a request as a whole."""
    code, throttled = _i16.pack(error), _NO_THROTTLE
    if api == Api.FIND_COORDINATOR:
        words = _text("refused") if version >= 1 else b""
        return (throttled if version >= 1 else b"") + code + words + _i32.pack(-1) + _text("") + _i32.pack(-1)
    if api == Api.JOIN_GROUP:
        head = throttled if version >= 2 else b""
        return head + code + _i32.pack(-1) + _text("") + _text("") + _text("") + _many([])
    if api == Api.INIT_PRODUCER:
        return throttled + code + _i64.pack(-1) + _i16.pack(-1)
    topics = _many(
        _text(name) + _many(_refused_partition(api, version, error, each) for each in partitions)
        for name, partitions in asked.topics
    )
    if api == Api.PRODUCE:
        return topics + throttled
    if api == Api.FETCH:
        return throttled + (_i16.pack(0) + _i32.pack(0) if version >= 7 else b"") + topics
    since = 2 if api == Api.LIST_OFFSETS else 0 if api == Api.OFFSET_FOR_EPOCH else 3
    whole = code if api == Api.OFFSET_FETCH and version >= 2 else b""
    return (throttled if version >= since else b"") + topics + whole


class _Conversation:
    """One client's connection to one broker."""

    def __init__(
        self,
        kafka: Kafka,
        broker: int,
        door: Door,
        behind: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._kafka = kafka
        self._broker = broker
        self._door = door
        self._behind = behind
        self._login: Login | None = None
        self._may: Permission | None = None if door.logins else (lambda *_: True)
        self._own: dict[int, Callable[[int, _Reader], bytes]] = {
            Api.METADATA: self._metadata,
            Api.FIND_COORDINATOR: self._find_coordinator,
            Api.CREATE_TOPICS: self._create_topics,
            Api.DELETE_TOPICS: self._delete_topics,
            Api.DESCRIBE_CONFIGS: self._describe_configs,
        }
        self._of_groups: dict[int, Callable[[int, _Reader], Awaitable[bytes]]] = {
            Api.JOIN_GROUP: self._join_group,
            Api.SYNC_GROUP: self._sync_group,
            Api.HEARTBEAT: self._heartbeat,
            Api.LEAVE_GROUP: self._leave_group,
            Api.OFFSET_COMMIT: self._offset_commit,
            Api.TRANSACTION_COMMIT: self._transaction_commit,
            Api.OFFSET_FETCH: self._offset_fetch,
            Api.DESCRIBE_GROUPS: self._describe_groups,
            Api.LIST_GROUPS: self._list_groups,
        }

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the client leaves. Raises `ValueError` at what a broker would hang up on."""
        while True:
            request = await _framed(reader)
            try:
                answer = await self._answer(request)
            except struct.error as problem:
                raise ValueError(f"a malformed request: {problem}") from None
            if answer is not None:
                writer.write(_data(answer))
                await writer.drain()

    async def _answer(self, request: bytes) -> bytes | None:
        api, version, _ = _HEADER.unpack_from(request)
        correlation = request[4:8]
        if api == Api.API_VERSIONS:
            return correlation + _api_versions(version)
        reader = _Reader(request)
        reader.skip(_HEADER)
        reader.optional_text()  # the client's name for itself
        least, most = _VERSIONS.get(api, (1, 0))
        if not least <= version <= most:
            raise ValueError(f"no version {version} of API {api}")
        if api == Api.HANDSHAKE:
            return correlation + self._handshake(reader)
        if api == Api.AUTHENTICATE:
            return correlation + await asyncio.to_thread(self._authenticate, version, reader)
        if self._may is None:
            raise ValueError("a request before the log-in")
        return await self._admitted(api, version, request, reader)

    async def _admitted(self, api: int, version: int, request: bytes, reader: _Reader) -> bytes | None:
        correlation = request[4:8]
        asked, start = _Asked(), reader.at
        if api in _READERS:
            asked = _READERS[api](version, reader)
            if error := self._objection(api, asked):
                return correlation + _refusal(api, version, asked, error)
            reader.at = start
        if api in self._of_groups:
            return correlation + await self._of_groups[api](version, reader)
        if api in self._own:
            return correlation + await asyncio.to_thread(self._own[api], version, reader)
        if api == Api.FETCH:
            return await self._fetch(version, request, start)
        answer = await self._forwarded(request, answered=api != Api.PRODUCE or asked.acks != 0)
        if api == Api.PRODUCE:
            self._kafka.wake_readers()
        return answer

    async def _forwarded(self, request: bytes, *, answered: bool = True) -> bytes | None:
        self._behind[1].write(_data(request))
        await self._behind[1].drain()
        return await _framed(self._behind[0]) if answered else None

    async def _fetch(self, version: int, request: bytes, start: int) -> bytes | None:
        """Ask the broker, and ask again when something was written, until there is an answer or the time is up."""
        at = start + _i32.size  # after the replica's number: how long to wait, in milliseconds
        loop = asyncio.get_running_loop()
        until = loop.time() + _i32.unpack_from(request, at)[0] / 1000
        at_once = request[:at] + _i32.pack(0) + request[at + _i32.size :]
        while True:
            written = self._kafka.written
            answer = await self._forwarded(at_once)
            left = until - loop.time()
            if answer is None or left <= 0 or _tells_something(version, answer):
                return answer
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(written.wait(), left)

    def _objection(self, api: int, asked: _Asked) -> int:
        """The error code with which a request is refused; 0 where nothing speaks against it."""
        for action, kind, name in _needs(api, asked):
            if not self._allowed(action, kind, name):
                return _FORBIDDEN[kind]
        if api == Api.PRODUCE and asked.acks == -1:
            places = ((topic, each) for topic, partitions in asked.topics for each in partitions)
            if any(self._kafka.lacks_replicas(*each) for each in places):
                return NOT_ENOUGH_REPLICAS
        return 0

    def _allowed(self, action: str, kind: str, name: str) -> bool:
        return self._may is not None and self._may(action, kind, name)

    def _handshake(self, reader: _Reader) -> bytes:
        wanted = reader.text()
        make = self._door.logins.get(wanted)
        self._login = make() if make else None
        error = _i16.pack(0 if make else UNSUPPORTED_MECHANISM)
        return error + _many(_text(each) for each in self._door.logins)

    def _authenticate(self, version: int, reader: _Reader) -> bytes:
        lifetime = _i64.pack(0) if version >= 1 else b""
        try:
            if self._login is None:
                raise LoginRefused("a handshake must come first")
            answer, self._may = self._login.step(reader.data())
        except LoginRefused as refusal:
            return _i16.pack(LOGIN_FAILED) + _text(str(refusal)) + _data(b"") + lifetime
        return _i16.pack(0) + _text(None) + _data(answer) + lifetime

    def _metadata(self, version: int, reader: _Reader) -> bytes:
        count = reader.number(_i32)
        names = [reader.text() for _ in range(count)]
        creates = reader.number(_i8) if version >= 4 else 1
        if count < 0:
            names = [each for each in self._kafka.topics if self._allowed("DescribeTopic", "topic", each)]
        answers = [self._topic_metadata(version, each, bool(creates)) for each in names]
        up = sorted(self._kafka.up)
        brokers = _many(
            _i32.pack(each)
            + _text(LOOPBACK)
            + _i32.pack(self._kafka.port(self._door.name, each))
            + _text(self._kafka.racks[each - 1])
            for each in up
        )
        cluster = _text(self._kafka.name) if version >= 2 else b""
        head = _NO_THROTTLE if version >= 3 else b""
        return head + brokers + cluster + _i32.pack(up[0] if up else NO_BROKER) + _many(answers)

    def _topic_metadata(self, version: int, name: str, creates: bool) -> bytes:
        error = self._topic_error(name, creates)
        topic = self._kafka.topics.get(name)
        partitions = [] if error or topic is None else topic.partitions
        described = (self._partition_metadata(version, *each) for each in enumerate(partitions))
        internal = _i8.pack(0)
        return _i16.pack(error) + _text(name) + internal + _many(described)

    def _topic_error(self, name: str, creates: bool) -> int:
        """0 where a topic may be described and is there, also because it was made now."""
        if not self._allowed("DescribeTopic", "topic", name):
            return _FORBIDDEN["topic"]
        if name in self._kafka.topics:
            return 0
        if not creates or self._kafka.settings["auto.create.topics.enable"] != "true":
            return UNKNOWN_TOPIC
        if not self._allowed("CreateTopic", "topic", name):
            return _FORBIDDEN["topic"]
        try:
            self._kafka.create_topic(name)
        except TopicRefused as refusal:
            return 0 if refusal.code == TOPIC_EXISTS else refusal.code  # another client was faster
        return 0

    def _partition_metadata(self, version: int, number: int, each: Partition) -> bytes:
        error = LEADER_NOT_AVAILABLE if each.leader == NO_BROKER else 0
        in_sync = self._kafka.in_sync(each)
        away = _numbers(set(each.replicas) - set(in_sync)) if version >= 5 else b""
        place = _i16.pack(error) + _i32.pack(number) + _i32.pack(each.leader)
        return place + _numbers(each.replicas) + _numbers(in_sync) + away

    def _find_coordinator(self, version: int, reader: _Reader) -> bytes:
        asked = _read_find_coordinator(version, reader)
        broker = self._kafka.coordinator(asked.kind, asked.group or asked.transaction or "")
        if broker == NO_BROKER:
            return _refusal(Api.FIND_COORDINATOR, version, asked, COORDINATOR_NOT_AVAILABLE)
        head, words = (_NO_THROTTLE, _text(None)) if version >= 1 else (b"", b"")
        place = _text(LOOPBACK) + _i32.pack(self._kafka.port(self._door.name, broker))
        return head + _i16.pack(0) + words + _i32.pack(broker) + place

    async def _join_group(self, version: int, reader: _Reader) -> bytes:
        group = self._kafka.group(reader.text())
        session = reader.number(_i32) / 1000
        rebalance = reader.number(_i32) / 1000 if version >= 1 else session
        member_id, instance = reader.text(), reader.optional_text() if version >= 5 else None
        kind, protocols = reader.text(), dict(reader.many(lambda: (reader.text(), reader.data())))
        member = Member(member_id, instance, session, rebalance, protocols)
        error = await group.join(member, kind)
        head = (_NO_THROTTLE if version >= 2 else b"") + _i16.pack(error)
        if error:
            return head + _i32.pack(-1) + _text("") + _text("") + _text(member.id) + _many([])
        leads = group.leader == member.id
        told = [
            _text(each.id)
            + (_text(each.instance) if version >= 5 else b"")
            + _data(each.protocols[group.protocol])
            for each in (group.members.values() if leads else ())
        ]
        names = _text(group.protocol) + _text(group.leader) + _text(member.id)
        return head + _i32.pack(group.generation) + names + _many(told)

    async def _sync_group(self, version: int, reader: _Reader) -> bytes:
        group, generation, member = self._kafka.group(reader.text()), reader.number(_i32), reader.text()
        if version >= 3:
            reader.optional_text()
        assignments = dict(reader.many(lambda: (reader.text(), reader.data())))
        error, assignment = await group.sync(member, generation, assignments)
        return (_NO_THROTTLE if version >= 1 else b"") + _i16.pack(error) + _data(assignment)

    async def _heartbeat(self, version: int, reader: _Reader) -> bytes:
        group, generation, member = self._kafka.group(reader.text()), reader.number(_i32), reader.text()
        error = group.heartbeat(member, generation)
        return (_NO_THROTTLE if version >= 1 else b"") + _i16.pack(error)

    async def _leave_group(self, version: int, reader: _Reader) -> bytes:
        group = self._kafka.group(reader.text())
        if version < 3:
            return (_NO_THROTTLE if version >= 1 else b"") + _i16.pack(group.leave([reader.text()]))
        members = reader.many(lambda: (reader.text(), reader.optional_text()))
        left = [
            _text(member) + _text(instance) + _i16.pack(group.leave([member])) for member, instance in members
        ]
        return _NO_THROTTLE + _i16.pack(0) + _many(left)

    async def _offset_commit(self, version: int, reader: _Reader) -> bytes:
        group, generation, member = self._kafka.group(reader.text()), reader.number(_i32), reader.text()
        if version >= 7:
            reader.optional_text()
        reader.skip(*([_i64] if version <= 4 else []))
        error = group.commit_objection(member, generation)
        return (_NO_THROTTLE if version >= 3 else b"") + _committed(reader, group, error, epoch=version >= 6)

    async def _transaction_commit(self, version: int, reader: _Reader) -> bytes:
        reader.text()
        group = self._kafka.group(reader.text())
        reader.skip(_i64, _i16)
        return _NO_THROTTLE + _committed(reader, group, 0, epoch=version >= 2)

    async def _offset_fetch(self, version: int, reader: _Reader) -> bytes:
        group = self._kafka.group(reader.text())
        count = reader.number(_i32)
        asked = [(reader.text(), reader.many(lambda: reader.number(_i32))) for _ in range(count)]
        if count < 0:
            topics = {topic for topic, _ in group.offsets}
            asked = [(each, [number for topic, number in group.offsets if topic == each]) for each in topics]
        none, epoch = (-1, ""), _i32.pack(-1) if version >= 5 else b""

        def told(topic: str, number: int) -> bytes:
            offset, note = group.offsets.get((topic, number), none)
            return _i32.pack(number) + _i64.pack(offset) + epoch + _text(note) + _i16.pack(0)

        topics_told = _many(
            _text(topic) + _many(told(topic, each) for each in numbers) for topic, numbers in asked
        )
        head, end = _NO_THROTTLE if version >= 3 else b"", _i16.pack(0) if version >= 2 else b""
        return head + topics_told + end

    async def _describe_groups(self, version: int, reader: _Reader) -> bytes:
        def told(name: str) -> bytes:
            if not self._allowed("DescribeGroup", "group", name):
                return _i16.pack(_FORBIDDEN["group"]) + _text(name) + _text("") * 3 + _many([])
            group = self._kafka.groups.get(name) or Group(name)
            members = (
                _text(each.id)
                + _text("")
                + _text(f"/{LOOPBACK}")
                + _data(each.protocols.get(group.protocol, b""))
                + _data(each.assignment)
                for each in group.members.values()
            )
            state = group.state if name in self._kafka.groups else "Dead"
            texts = _text(name) + _text(state) + _text(group.kind) + _text(group.protocol)
            return _i16.pack(0) + texts + _many(members)

        return (_NO_THROTTLE if version >= 1 else b"") + _many(
            told(each) for each in reader.many(reader.text)
        )

    async def _list_groups(self, version: int, _: _Reader) -> bytes:
        seen = [
            each
            for each in self._kafka.groups.values()
            if self._kafka.coordinates(self._broker, each.name)
            and self._allowed("DescribeGroup", "group", each.name)
        ]
        told = _many(_text(each.name) + _text(each.kind) for each in seen)
        return (_NO_THROTTLE if version >= 1 else b"") + _i16.pack(0) + told

    def _create_topics(self, version: int, reader: _Reader) -> bytes:
        def wanted() -> tuple[str, int, int, dict[str, str]]:
            name, partitions, replication = reader.text(), reader.number(_i32), reader.number(_i16)
            placed = reader.many(lambda: (reader.number(_i32), reader.many(lambda: reader.number(_i32))))
            settings = dict(reader.many(lambda: (reader.text(), reader.text())))
            if placed:  # by hand; that many partitions are made, on brokers of our own choice
                partitions, replication = len(placed), len(placed[0][1])
            return name, partitions, replication, settings

        topics = reader.many(wanted)
        reader.skip(_i32)
        only_check = version >= 1 and reader.number(_i8) == 1
        make = partial(self._kafka.create_topic, only_check=only_check)
        answers = [self._tried(version, "CreateTopic", each[0], partial(make, *each)) for each in topics]
        return (_NO_THROTTLE if version >= 2 else b"") + _many(answers)

    def _delete_topics(self, version: int, reader: _Reader) -> bytes:
        answers = [
            self._tried(0, "DeleteTopic", each, partial(self._kafka.delete_topic, each))
            for each in reader.many(reader.text)
        ]
        return (_NO_THROTTLE if version >= 1 else b"") + _many(answers)

    def _tried(self, version: int, action: str, topic: str, change: Callable[[], None]) -> bytes:
        """A topic's name and what came of changing it: an error code and, from version 1 on, words."""
        error, words = 0, None
        if not self._allowed(action, "topic", topic):
            error, words = _FORBIDDEN["topic"], f"kafka-cluster:{action} on {topic} is not allowed"
        else:
            try:
                change()
            except TopicRefused as refusal:
                error, words = refusal.code, str(refusal)
        return _text(topic) + _i16.pack(error) + (_text(words) if version >= 1 else b"")

    def _describe_configs(self, version: int, reader: _Reader) -> bytes:
        def one() -> bytes:
            kind, name = reader.number(_i8), reader.text()
            for _ in range(reader.number(_i32)):
                reader.text()  # a setting that is asked for; all are told
            is_topic = kind == 2
            action, what = ("Topic", "topic") if is_topic else ("Cluster", "cluster")
            topic = self._kafka.topics.get(name) if is_topic else None
            error = 0 if topic or not is_topic else UNKNOWN_TOPIC
            if not self._allowed(f"Describe{action}DynamicConfiguration", what, name if is_topic else ""):
                error = _FORBIDDEN[what]
            found = topic.settings if topic else self._kafka.settings
            told = _many(_setting(version, *each) for each in ({} if error else found).items())
            return _i16.pack(error) + _text(None) + _i8.pack(kind) + _text(name) + told

        return _NO_THROTTLE + _many(reader.many(one))


def _tells_something(version: int, answer: bytes) -> bool:
    """Whether a fetch found records, or an error."""
    reader = _Reader(answer)
    reader.skip(_i32, _i32, *([_i16, _i32] if version >= 7 else []))

    def partition() -> bool:
        reader.skip(_i32)
        error = reader.number(_i16)
        reader.skip(_i64, _i64, *([_i64] if version >= 5 else []))
        reader.skip(*[_i64, _i64] * max(reader.number(_i32), 0))  # producers whose transactions were aborted
        reader.skip(*([_i32] if version >= 11 else []))
        return bool(error or reader.data())

    def topic() -> bool:
        reader.text()
        return any(reader.many(partition))

    return any(reader.many(topic))


def _committed(reader: _Reader, group: Group, error: int, *, epoch: bool) -> bytes:
    """Keep the offsets that follow, unless there is an error; what came of each partition."""

    def partition(topic: str) -> bytes:
        number, offset = reader.number(_i32), reader.number(_i64)
        reader.skip(*([_i32] if epoch else []))
        note = reader.text()
        if not error:
            group.offsets[topic, number] = offset, note
        return _i32.pack(number) + _i16.pack(error)

    def one() -> bytes:
        topic = reader.text()
        return _text(topic) + _many(reader.many(lambda: partition(topic)))

    return _many(reader.many(one))


def _setting(version: int, name: str, value: str) -> bytes:
    read_only = no = _i8.pack(0)
    set_on_the_topic = _i8.pack(1)
    source = set_on_the_topic if version >= 1 else no
    synonyms = _many([]) if version >= 1 else b""
    return _text(name) + _text(value) + read_only + source + no + synonyms


def _api_versions(version: int) -> bytes:
    """What there is; a client that asks in a later version is told so in the first, and asks again (KIP-511)."""
    known = version <= _VERSIONS[Api.API_VERSIONS][1]
    offered = _many(
        _i16.pack(api) + _i16.pack(low) + _i16.pack(high) for api, (low, high) in _VERSIONS.items()
    )
    throttled = _NO_THROTTLE if known and version >= 1 else b""
    return _i16.pack(0 if known else UNSUPPORTED_VERSION) + offered + throttled


async def _framed(reader: asyncio.StreamReader) -> bytes:
    (length,) = _i32.unpack(await reader.readexactly(4))
    if not 0 < length <= LARGEST_REQUEST:
        raise ValueError(f"a request of {length} bytes")
    return await reader.readexactly(length)
