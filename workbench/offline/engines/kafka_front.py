"""The front of a Kafka cluster: the ways in (`Door`), and a client's conversation with one broker behind one of them.

It reads one request after the other, as a broker does, answers itself what concerns the cluster, refuses what the
client may not do, and passes everything else to the broker, and the answer back, byte for byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from workbench.offline.engines.kafka_coordinator import Coordinator
from workbench.offline.engines.kafka_topics import NO_BROKER, Partition, TopicRefused
from workbench.offline.engines.kafka_wire import (
    COORDINATOR_NOT_AVAILABLE,
    FORBIDDEN,
    HEADER,
    INT8,
    INT16,
    INT32,
    INT64,
    LEADER_NOT_AVAILABLE,
    LOGIN_FAILED,
    NO_THROTTLE,
    NOT_ENOUGH_REPLICAS,
    READERS,
    TOPIC_EXISTS,
    UNKNOWN_TOPIC,
    UNSUPPORTED_MECHANISM,
    VERSIONS,
    Api,
    Asked,
    Reader,
    framed,
    needs,
    pack_api_versions,
    pack_data,
    pack_many,
    pack_numbers,
    pack_refusal,
    pack_setting,
    pack_text,
    read_find_coordinator,
    tells_something,
)
from workbench.offline.surroundings import LOOPBACK

if TYPE_CHECKING:
    from workbench.offline.engines.kafka import Kafka


class LoginRefused(Exception):
    """Somebody may not come in; its text says why, in one line."""


# Whether an action such as "ReadData" is allowed, on a kind of resource and its name.
Permission = Callable[[str, str, str], bool]


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


class Conversation:
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
        self._own: dict[int, Callable[[int, Reader], bytes]] = {
            Api.METADATA: self._metadata,
            Api.FIND_COORDINATOR: self._find_coordinator,
            Api.CREATE_TOPICS: self._create_topics,
            Api.DELETE_TOPICS: self._delete_topics,
            Api.DESCRIBE_CONFIGS: self._describe_configs,
        }
        self._of_groups = Coordinator(kafka, broker, self._allowed).answers

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the client leaves. Raises `ValueError` at what a broker would hang up on."""
        while True:
            request = await framed(reader)
            try:
                answer = await self._answer(request)
            except struct.error as problem:
                raise ValueError(f"a malformed request: {problem}") from None
            if answer is not None:
                writer.write(pack_data(answer))
                await writer.drain()

    async def _answer(self, request: bytes) -> bytes | None:
        api, version, _ = HEADER.unpack_from(request)
        correlation = request[4:8]
        if api == Api.API_VERSIONS:
            return correlation + pack_api_versions(version)
        reader = Reader(request)
        reader.skip(HEADER)
        reader.optional_text()  # the client's name for itself
        least, most = VERSIONS.get(api, (1, 0))
        if not least <= version <= most:
            raise ValueError(f"no version {version} of API {api}")
        if api == Api.HANDSHAKE:
            return correlation + self._handshake(reader)
        if api == Api.AUTHENTICATE:
            return correlation + await asyncio.to_thread(self._authenticate, version, reader)
        if self._may is None:
            raise ValueError("a request before the log-in")
        return await self._admitted(api, version, request, reader)

    async def _admitted(self, api: int, version: int, request: bytes, reader: Reader) -> bytes | None:
        correlation = request[4:8]
        asked, start = Asked(), reader.at
        if api in READERS:
            asked = READERS[api](version, reader)
            if error := self._objection(api, asked):
                if api == Api.PRODUCE and asked.acks == 0:
                    raise ValueError("a write that nobody may be told was refused")
                return correlation + pack_refusal(api, version, asked, error)
            reader.at = start
        if api in self._of_groups:
            return correlation + await self._of_groups[api](version, reader)
        if api in self._own:
            return correlation + await asyncio.to_thread(self._own[api], version, reader)
        if api == Api.FETCH:
            return await self._fetch(version, request, start)
        answer = await self._forwarded(request)
        if api == Api.PRODUCE:
            self._kafka.wake_readers()
            if asked.acks == 0:
                return (
                    None  # the mock cluster answers all the same, and a client would take it for the next one
                )
        return answer

    async def _forwarded(self, request: bytes) -> bytes:
        self._behind[1].write(pack_data(request))
        await self._behind[1].drain()
        return await framed(self._behind[0])

    async def _fetch(self, version: int, request: bytes, start: int) -> bytes:
        """Ask the broker, and ask again when something was written, until there is an answer or the time is up."""
        at = start + INT32.size  # after the replica's number: how long to wait, in milliseconds
        loop = asyncio.get_running_loop()
        until = loop.time() + INT32.unpack_from(request, at)[0] / 1000
        at_once = request[:at] + INT32.pack(0) + request[at + INT32.size :]
        while True:
            written = self._kafka.written
            answer = await self._forwarded(at_once)
            left = until - loop.time()
            if left <= 0 or tells_something(version, answer):
                return answer
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(written.wait(), left)

    def _objection(self, api: int, asked: Asked) -> int:
        """The error code with which a request is refused; 0 where nothing speaks against it."""
        for action, kind, name in needs(api, asked):
            if not self._allowed(action, kind, name):
                return FORBIDDEN[kind]
        if api == Api.PRODUCE and asked.acks == -1:
            places = ((topic, each) for topic, partitions in asked.topics for each in partitions)
            if any(self._kafka.lacks_replicas(*each) for each in places):
                return NOT_ENOUGH_REPLICAS
        return 0

    def _allowed(self, action: str, kind: str, name: str) -> bool:
        return self._may is not None and self._may(action, kind, name)

    def _handshake(self, reader: Reader) -> bytes:
        wanted = reader.text()
        make = self._door.logins.get(wanted)
        self._login = make() if make else None
        error = INT16.pack(0 if make else UNSUPPORTED_MECHANISM)
        return error + pack_many(pack_text(each) for each in self._door.logins)

    def _authenticate(self, version: int, reader: Reader) -> bytes:
        lifetime = INT64.pack(0) if version >= 1 else b""
        try:
            if self._login is None:
                raise LoginRefused("a handshake must come first")
            answer, self._may = self._login.step(reader.data())
        except LoginRefused as refusal:
            return INT16.pack(LOGIN_FAILED) + pack_text(str(refusal)) + pack_data(b"") + lifetime
        return INT16.pack(0) + pack_text(None) + pack_data(answer) + lifetime

    def _metadata(self, version: int, reader: Reader) -> bytes:
        count = reader.number(INT32)
        names = [reader.text() for _ in range(count)]
        creates = reader.number(INT8) if version >= 4 else 1
        if count < 0:
            names = [
                each for each in list(self._kafka.topics) if self._allowed("DescribeTopic", "topic", each)
            ]
        answers = [self._topic_metadata(version, each, bool(creates)) for each in names]
        up = sorted(self._kafka.up)
        brokers = pack_many(
            INT32.pack(each)
            + pack_text(LOOPBACK)
            + INT32.pack(self._kafka.port(self._door.name, each))
            + pack_text(self._kafka.racks[each - 1])
            for each in up
        )
        cluster = pack_text(self._kafka.name) if version >= 2 else b""
        head = NO_THROTTLE if version >= 3 else b""
        return head + brokers + cluster + INT32.pack(up[0] if up else NO_BROKER) + pack_many(answers)

    def _topic_metadata(self, version: int, name: str, creates: bool) -> bytes:
        error = self._topic_error(name, creates)
        topic = self._kafka.topics.get(name)
        partitions = [] if error or topic is None else topic.partitions
        described = (self._partition_metadata(version, *each) for each in enumerate(partitions))
        internal = INT8.pack(0)
        return INT16.pack(error) + pack_text(name) + internal + pack_many(described)

    def _topic_error(self, name: str, creates: bool) -> int:
        """0 where a topic may be described and is there, also because it was made now."""
        if not self._allowed("DescribeTopic", "topic", name):
            return FORBIDDEN["topic"]
        if name in self._kafka.topics:
            return 0
        if not creates or self._kafka.settings["auto.create.topics.enable"] != "true":
            return UNKNOWN_TOPIC
        if not self._allowed("CreateTopic", "topic", name):
            return FORBIDDEN["topic"]
        try:
            self._kafka.create_topic(name)
        except TopicRefused as refusal:
            return 0 if refusal.code == TOPIC_EXISTS else refusal.code  # another client was faster
        return 0

    def _partition_metadata(self, version: int, number: int, each: Partition) -> bytes:
        error = LEADER_NOT_AVAILABLE if each.leader == NO_BROKER else 0
        in_sync = self._kafka.in_sync(each)
        away = pack_numbers(set(each.replicas) - set(in_sync)) if version >= 5 else b""
        place = INT16.pack(error) + INT32.pack(number) + INT32.pack(each.leader)
        return place + pack_numbers(each.replicas) + pack_numbers(in_sync) + away

    def _find_coordinator(self, version: int, reader: Reader) -> bytes:
        asked = read_find_coordinator(version, reader)
        broker = self._kafka.coordinator(asked.kind, asked.group or asked.transaction or "")
        if broker == NO_BROKER:
            return pack_refusal(Api.FIND_COORDINATOR, version, asked, COORDINATOR_NOT_AVAILABLE)
        head, words = (NO_THROTTLE, pack_text(None)) if version >= 1 else (b"", b"")
        place = pack_text(LOOPBACK) + INT32.pack(self._kafka.port(self._door.name, broker))
        return head + INT16.pack(0) + words + INT32.pack(broker) + place

    def _create_topics(self, version: int, reader: Reader) -> bytes:
        def wanted() -> tuple[str, int, int, dict[str, str]]:
            name, partitions, replication = reader.text(), reader.number(INT32), reader.number(INT16)
            placed = reader.many(lambda: (reader.number(INT32), reader.many(lambda: reader.number(INT32))))
            settings = dict(reader.many(lambda: (reader.text(), reader.text())))
            if placed:  # by hand; that many partitions are made, on brokers of our own choice
                partitions, replication = len(placed), len(placed[0][1])
            return name, partitions, replication, settings

        topics = reader.many(wanted)
        reader.skip(INT32)
        only_check = version >= 1 and reader.number(INT8) == 1
        make = partial(self._kafka.create_topic, only_check=only_check)
        answers = [self._tried(version, "CreateTopic", each[0], partial(make, *each)) for each in topics]
        return (NO_THROTTLE if version >= 2 else b"") + pack_many(answers)

    def _delete_topics(self, version: int, reader: Reader) -> bytes:
        answers = [
            self._tried(0, "DeleteTopic", each, partial(self._kafka.delete_topic, each))
            for each in reader.many(reader.text)
        ]
        return (NO_THROTTLE if version >= 1 else b"") + pack_many(answers)

    def _tried(self, version: int, action: str, topic: str, change: Callable[[], None]) -> bytes:
        """A topic's name and what came of changing it: an error code and, from version 1 on, words."""
        error, words = 0, None
        if not self._allowed(action, "topic", topic):
            error, words = FORBIDDEN["topic"], f"kafka-cluster:{action} on {topic} is not allowed"
        else:
            try:
                change()
            except TopicRefused as refusal:
                error, words = refusal.code, str(refusal)
        return pack_text(topic) + INT16.pack(error) + (pack_text(words) if version >= 1 else b"")

    def _describe_configs(self, version: int, reader: Reader) -> bytes:
        def one() -> bytes:
            kind, name = reader.number(INT8), reader.text()
            for _ in range(reader.number(INT32)):
                reader.text()  # a setting that is asked for; all are told
            is_topic = kind == 2
            action, what = ("Topic", "topic") if is_topic else ("Cluster", "cluster")
            topic = self._kafka.topics.get(name) if is_topic else None
            error = 0 if topic or not is_topic else UNKNOWN_TOPIC
            if not self._allowed(f"Describe{action}DynamicConfiguration", what, name if is_topic else ""):
                error = FORBIDDEN[what]
            found = topic.settings if topic else self._kafka.settings
            told = pack_many(pack_setting(version, *each) for each in ({} if error else found).items())
            return INT16.pack(error) + pack_text(None) + INT8.pack(kind) + pack_text(name) + told

        return NO_THROTTLE + pack_many(reader.many(one))
