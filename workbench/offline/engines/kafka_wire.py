"""Kafka's wire format: the APIs that are offered, how they are encoded, and what of a request must be known here.

Versions are held to those before Kafka's compact encoding (KIP-482), so that little is to be parsed: of a request its
topics, group and transaction (`Asked`), with the actions of IAM that it `needs`; of an answer, whether a fetch found
something, and the answers that the front itself gives.

Sources: "Apache Kafka protocol guide"; the MSK Developer Guide, "Semantics of IAM authorization policy actions and
resources".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import TypeVar

LARGEST_REQUEST = 100 << 20  # bytes, as a broker's socket.request.max.bytes

# Kafka's error codes.
UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, COORDINATOR_NOT_AVAILABLE, INVALID_TOPIC = 3, 5, 15, 17
NOT_ENOUGH_REPLICAS, UNSUPPORTED_MECHANISM, UNSUPPORTED_VERSION, TOPIC_EXISTS = 19, 33, 35, 36
INVALID_PARTITIONS, INVALID_REPLICATION, LOGIN_FAILED = 37, 38, 58
ILLEGAL_GENERATION, INCONSISTENT_PROTOCOL, UNKNOWN_MEMBER, REBALANCING = 22, 23, 25, 27
FORBIDDEN = {"topic": 29, "group": 30, "cluster": 31, "transactional-id": 53}


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
VERSIONS = {
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


# Kafka's encoding, before its compact one: integers are big-endian, texts and arrays have their length before them.

INT8, INT16, INT32, INT64 = (Struct(">" + each) for each in "bhiq")
HEADER = Struct(">hhi")  # of a request: API, version, correlation id
_T = TypeVar("_T")


class Reader:
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
        length = self.number(INT16)
        return None if length < 0 else self.taken(length).decode()

    def text(self) -> str:
        return self.optional_text() or ""

    def data(self) -> bytes:
        return self.taken(self.number(INT32))

    def many(self, read: Callable[[], _T]) -> list[_T]:
        return [read() for _ in range(self.number(INT32))]


def pack_text(value: str | None) -> bytes:
    return INT16.pack(-1) if value is None else INT16.pack(len(value.encode())) + value.encode()


def pack_data(value: bytes) -> bytes:
    return INT32.pack(len(value)) + value


def pack_many(values: Iterable[bytes]) -> bytes:
    packed = list(values)
    return INT32.pack(len(packed)) + b"".join(packed)


def pack_numbers(values: Iterable[int]) -> bytes:
    return pack_many(INT32.pack(each) for each in values)


NO_THROTTLE = INT32.pack(0)


@dataclass
class Asked:
    """What a request is about, as far as it must be known here."""

    topics: list[tuple[str, list[int]]] = field(default_factory=list)  # each with partitions
    group: str | None = None
    transaction: str | None = None
    acks: int = 1
    kind: str = "group"  # of coordinator


def _read_topics(reader: Reader, read_partition: Callable[[], int]) -> list[tuple[str, list[int]]]:
    return reader.many(lambda: (reader.text(), reader.many(read_partition)))


def _partition_then(reader: Reader, *rest: Struct) -> Callable[[], int]:
    """Reads a partition's number, and over what follows."""

    def read() -> int:
        number = reader.number(INT32)
        reader.skip(*rest)
        return number

    return read


def _read_produce(_: int, reader: Reader) -> Asked:
    transaction, acks = reader.optional_text(), reader.number(INT16)
    reader.skip(INT32)

    def partition() -> int:
        number = reader.number(INT32)
        reader.data()
        return number

    return Asked(_read_topics(reader, partition), transaction=transaction, acks=acks)


def _read_fetch(version: int, reader: Reader) -> Asked:
    reader.skip(INT32, INT32, INT32, INT32, INT8, *([INT32, INT32] if version >= 7 else []))
    rest = [*([INT32] if version >= 9 else []), INT64, *([INT64] if version >= 5 else []), INT32]
    return Asked(_read_topics(reader, _partition_then(reader, *rest)))


def _read_list_offsets(version: int, reader: Reader) -> Asked:
    reader.skip(INT32, *([INT8] if version >= 2 else []))
    rest = [*([INT32] if version >= 4 else []), INT64]
    return Asked(_read_topics(reader, _partition_then(reader, *rest)))


def _read_offset_commit(version: int, reader: Reader) -> Asked:
    group = reader.text()
    reader.skip(INT32)
    reader.text()
    if version >= 7:
        reader.optional_text()
    reader.skip(*([INT64] if version <= 4 else []))

    def partition() -> int:
        number = reader.number(INT32)
        reader.skip(INT64, *([INT32] if version >= 6 else []))
        reader.optional_text()
        return number

    return Asked(_read_topics(reader, partition), group=group)


def _read_offset_fetch(_: int, reader: Reader) -> Asked:
    return Asked(group=reader.text(), topics=_read_topics(reader, _partition_then(reader)))


def _read_offset_for_epoch(_: int, reader: Reader) -> Asked:
    return Asked(_read_topics(reader, _partition_then(reader, INT32, INT32)))


def read_find_coordinator(version: int, reader: Reader) -> Asked:
    key = reader.text()
    if version >= 1 and reader.number(INT8) == 1:
        return Asked(transaction=key, kind="transaction")
    return Asked(group=key)


def _read_group(_: int, reader: Reader) -> Asked:
    return Asked(group=reader.text())


def _read_init_producer(_: int, reader: Reader) -> Asked:
    return Asked(transaction=reader.optional_text())


READERS: dict[int, Callable[[int, Reader], Asked]] = {
    Api.PRODUCE: _read_produce,
    Api.FETCH: _read_fetch,
    Api.LIST_OFFSETS: _read_list_offsets,
    Api.OFFSET_COMMIT: _read_offset_commit,
    Api.OFFSET_FETCH: _read_offset_fetch,
    Api.FIND_COORDINATOR: read_find_coordinator,
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


def needs(api: int, asked: Asked) -> Iterable[tuple[str, str, str]]:
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
    number, code, none = INT32.pack(partition), INT16.pack(error), INT64.pack(-1)
    if api == Api.PRODUCE:
        more = (none if version >= 5 else b"") + (pack_many([]) + pack_text(None) if version >= 8 else b"")
        return number + code + none + none + more
    if api == Api.FETCH:
        start, replica = (none if version >= 5 else b""), (INT32.pack(-1) if version >= 11 else b"")
        return number + code + none + none + start + pack_many([]) + replica + pack_data(b"")
    if api == Api.LIST_OFFSETS:
        return number + code + none + none + (INT32.pack(-1) if version >= 4 else b"")
    if api == Api.OFFSET_FETCH:
        return number + none + (INT32.pack(-1) if version >= 5 else b"") + pack_text(None) + code
    if api == Api.OFFSET_FOR_EPOCH:
        return code + number + INT32.pack(-1) + none
    return number + code


def pack_refusal(api: int, version: int, asked: Asked, error: int) -> bytes:
    """The answer that refuses a request as a whole."""
    code, throttled = INT16.pack(error), NO_THROTTLE
    if api == Api.FIND_COORDINATOR:
        words = pack_text("refused") if version >= 1 else b""
        return (
            (throttled if version >= 1 else b"")
            + code
            + words
            + INT32.pack(-1)
            + pack_text("")
            + INT32.pack(-1)
        )
    if api == Api.JOIN_GROUP:
        head = throttled if version >= 2 else b""
        return head + code + INT32.pack(-1) + pack_text("") + pack_text("") + pack_text("") + pack_many([])
    if api == Api.INIT_PRODUCER:
        return throttled + code + INT64.pack(-1) + INT16.pack(-1)
    topics = pack_many(
        pack_text(name) + pack_many(_refused_partition(api, version, error, each) for each in partitions)
        for name, partitions in asked.topics
    )
    if api == Api.PRODUCE:
        return topics + throttled
    if api == Api.FETCH:
        return throttled + (INT16.pack(0) + INT32.pack(0) if version >= 7 else b"") + topics
    since = 2 if api == Api.LIST_OFFSETS else 0 if api == Api.OFFSET_FOR_EPOCH else 3
    whole = code if api == Api.OFFSET_FETCH and version >= 2 else b""
    return (throttled if version >= since else b"") + topics + whole


def tells_something(version: int, answer: bytes) -> bool:
    """Whether a fetch found records, or an error."""
    reader = Reader(answer)
    reader.skip(INT32, INT32, *([INT16, INT32] if version >= 7 else []))

    def partition() -> bool:
        reader.skip(INT32)
        error = reader.number(INT16)
        reader.skip(INT64, INT64, *([INT64] if version >= 5 else []))
        reader.skip(
            *[INT64, INT64] * max(reader.number(INT32), 0)
        )  # producers whose transactions were aborted
        reader.skip(*([INT32] if version >= 11 else []))
        return bool(error or reader.data())

    def topic() -> bool:
        reader.text()
        return any(reader.many(partition))

    return any(reader.many(topic))


def pack_setting(version: int, name: str, value: str) -> bytes:
    read_only = no = INT8.pack(0)
    set_on_the_topic = INT8.pack(1)
    source = set_on_the_topic if version >= 1 else no
    synonyms = pack_many([]) if version >= 1 else b""
    return pack_text(name) + pack_text(value) + read_only + source + no + synonyms


def pack_api_versions(version: int) -> bytes:
    """What there is; a client that asks in a later version is told so in the first, and asks again (KIP-511)."""
    known = version <= VERSIONS[Api.API_VERSIONS][1]
    offered = pack_many(
        INT16.pack(api) + INT16.pack(low) + INT16.pack(high) for api, (low, high) in VERSIONS.items()
    )
    throttled = NO_THROTTLE if known and version >= 1 else b""
    return INT16.pack(0 if known else UNSUPPORTED_VERSION) + offered + throttled


async def framed(reader: asyncio.StreamReader) -> bytes:
    (length,) = INT32.unpack(await reader.readexactly(4))
    if not 0 < length <= LARGEST_REQUEST:
        raise ValueError(f"a request of {length} bytes")
    return await reader.readexactly(length)
