"""Kafka's wire protocol behind MSK: librdkafka's mock cluster, and a front that makes a cluster of MSK of it.

The brokers themselves (`kafka_broker.py`, one child process for a cluster) keep the records, in plaintext and for
anybody. Clients meet the front instead (`kafka_front.py`), a `Listener` for each broker and each way in that the
template asks for (plaintext, TLS, SASL with IAM or SCRAM):

* it answers itself what concerns the cluster: which API versions there are, brokers, topics and their leaders
  (`kafka_topics.py`), coordinators, topics to create; so a broker that is down is not named, its partitions have
  another leader, and topics come into being only where the configuration lets them (`auto.create.topics.enable`);
* it holds a fetch that finds nothing until something is written, which the mock cluster does not;
* it is the coordinator of consumer groups (`kafka_coordinator.py`, `kafka_groups.py`), and keeps their offsets: the
  mock cluster's own groups hang when a group that was left is joined again;
* it refuses what the caller's IAM policy does not allow, and writes with `acks=all` while fewer replicas are up
  than `min.insync.replicas`;
* everything else it passes on. `kafka_wire.py` is how all of that is spelled.

Differences from MSK: replicas are a table and not copies, so nothing that was acknowledged is lost with a broker;
but only about the last 5 MB of each partition are kept, in memory; transactions are answered and isolate nothing;
there is no API for ACLs or more partitions.

Source: the MSK Developer Guide, "The default Amazon MSK configuration".
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from workbench.offline.engines import LOST_ZONES, RUNNING
from workbench.offline.engines.kafka_front import INSIDE, Conversation, Door
from workbench.offline.engines.kafka_groups import Group
from workbench.offline.engines.kafka_topics import NO_BROKER, Partition, Topic, TopicRefused
from workbench.offline.engines.kafka_wire import (
    INVALID_PARTITIONS,
    INVALID_REPLICATION,
    INVALID_TOPIC,
    TOPIC_EXISTS,
    UNKNOWN_TOPIC,
)
from workbench.offline.engines.listeners import Listener, on_loop
from workbench.offline.surroundings import LOOPBACK


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
        self._lost = set(LOST_ZONES)
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
                        with suppress(OSError):  # what was never read by a process that has ended
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
                self._order("coordinator", key, chosen)
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
        for name, topic in list(self.topics.items()):
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
            with suppress(OSError):  # of a process that has ended, which its reply will tell
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
            await Conversation(self, broker, door, behind).run(reader, writer)
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
