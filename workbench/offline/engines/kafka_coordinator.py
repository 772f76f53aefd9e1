"""The requests of consumer groups, answered by the broker that coordinates the group (`kafka_groups.py`).

Offsets that are committed in a transaction are committed at once.

Source: "Apache Kafka protocol guide".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from workbench.offline.engines.kafka_groups import Group, Member
from workbench.offline.engines.kafka_wire import (
    FORBIDDEN,
    INT16,
    INT32,
    INT64,
    NO_THROTTLE,
    Api,
    Reader,
    pack_data,
    pack_many,
    pack_text,
)
from workbench.offline.surroundings import LOOPBACK

if TYPE_CHECKING:
    from workbench.offline.engines.kafka import Kafka


class Coordinator:
    """A broker as one client's coordinator: `answers` has a coroutine for each API of groups.

    `allowed(action, kind, name)` is what the client may do.
    """

    def __init__(self, kafka: Kafka, broker: int, allowed: Callable[[str, str, str], bool]) -> None:
        self._kafka = kafka
        self._broker = broker
        self._allowed = allowed
        self.answers: dict[int, Callable[[int, Reader], Awaitable[bytes]]] = {
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

    async def _join_group(self, version: int, reader: Reader) -> bytes:
        group = self._kafka.group(reader.text())
        session = reader.number(INT32) / 1000
        rebalance = reader.number(INT32) / 1000 if version >= 1 else session
        member_id, instance = reader.text(), reader.optional_text() if version >= 5 else None
        kind, protocols = reader.text(), dict(reader.many(lambda: (reader.text(), reader.data())))
        member = Member(member_id, instance, session, rebalance, protocols)
        error = await group.join(member, kind)
        head = (NO_THROTTLE if version >= 2 else b"") + INT16.pack(error)
        if error:
            return (
                head + INT32.pack(-1) + pack_text("") + pack_text("") + pack_text(member.id) + pack_many([])
            )
        leads = group.leader == member.id
        told = [
            pack_text(each.id)
            + (pack_text(each.instance) if version >= 5 else b"")
            + pack_data(each.protocols[group.protocol])
            for each in (group.members.values() if leads else ())
        ]
        names = pack_text(group.protocol) + pack_text(group.leader) + pack_text(member.id)
        return head + INT32.pack(group.generation) + names + pack_many(told)

    async def _sync_group(self, version: int, reader: Reader) -> bytes:
        group, generation, member = self._kafka.group(reader.text()), reader.number(INT32), reader.text()
        if version >= 3:
            reader.optional_text()
        assignments = dict(reader.many(lambda: (reader.text(), reader.data())))
        error, assignment = await group.sync(member, generation, assignments)
        return (NO_THROTTLE if version >= 1 else b"") + INT16.pack(error) + pack_data(assignment)

    async def _heartbeat(self, version: int, reader: Reader) -> bytes:
        group, generation, member = self._kafka.group(reader.text()), reader.number(INT32), reader.text()
        error = group.heartbeat(member, generation)
        return (NO_THROTTLE if version >= 1 else b"") + INT16.pack(error)

    async def _leave_group(self, version: int, reader: Reader) -> bytes:
        group = self._kafka.group(reader.text())
        if version < 3:
            return (NO_THROTTLE if version >= 1 else b"") + INT16.pack(group.leave([reader.text()]))
        members = reader.many(lambda: (reader.text(), reader.optional_text()))
        left = [
            pack_text(member) + pack_text(instance) + INT16.pack(group.leave([member]))
            for member, instance in members
        ]
        return NO_THROTTLE + INT16.pack(0) + pack_many(left)

    async def _offset_commit(self, version: int, reader: Reader) -> bytes:
        group, generation, member = self._kafka.group(reader.text()), reader.number(INT32), reader.text()
        if version >= 7:
            reader.optional_text()
        reader.skip(*([INT64] if version <= 4 else []))
        error = group.commit_objection(member, generation)
        return (NO_THROTTLE if version >= 3 else b"") + _committed(reader, group, error, epoch=version >= 6)

    async def _transaction_commit(self, version: int, reader: Reader) -> bytes:
        reader.text()
        group = self._kafka.group(reader.text())
        reader.skip(INT64, INT16)
        return NO_THROTTLE + _committed(reader, group, 0, epoch=version >= 2)

    async def _offset_fetch(self, version: int, reader: Reader) -> bytes:
        group = self._kafka.group(reader.text())
        count = reader.number(INT32)
        asked = [(reader.text(), reader.many(lambda: reader.number(INT32))) for _ in range(count)]
        if count < 0:
            topics = {topic for topic, _ in group.offsets}
            asked = [(each, [number for topic, number in group.offsets if topic == each]) for each in topics]
        none, epoch = (-1, ""), INT32.pack(-1) if version >= 5 else b""

        def told(topic: str, number: int) -> bytes:
            offset, note = group.offsets.get((topic, number), none)
            return INT32.pack(number) + INT64.pack(offset) + epoch + pack_text(note) + INT16.pack(0)

        topics_told = pack_many(
            pack_text(topic) + pack_many(told(topic, each) for each in numbers) for topic, numbers in asked
        )
        head, end = NO_THROTTLE if version >= 3 else b"", INT16.pack(0) if version >= 2 else b""
        return head + topics_told + end

    async def _describe_groups(self, version: int, reader: Reader) -> bytes:
        def told(name: str) -> bytes:
            if not self._allowed("DescribeGroup", "group", name):
                return INT16.pack(FORBIDDEN["group"]) + pack_text(name) + pack_text("") * 3 + pack_many([])
            group = self._kafka.groups.get(name) or Group(name)
            members = (
                pack_text(each.id)
                + pack_text("")
                + pack_text(f"/{LOOPBACK}")
                + pack_data(each.protocols.get(group.protocol, b""))
                + pack_data(each.assignment)
                for each in group.members.values()
            )
            state = group.state if name in self._kafka.groups else "Dead"
            texts = pack_text(name) + pack_text(state) + pack_text(group.kind) + pack_text(group.protocol)
            return INT16.pack(0) + texts + pack_many(members)

        return (NO_THROTTLE if version >= 1 else b"") + pack_many(
            told(each) for each in reader.many(reader.text)
        )

    async def _list_groups(self, version: int, _: Reader) -> bytes:
        seen = [
            each
            for each in self._kafka.groups.values()
            if self._kafka.coordinates(self._broker, each.name)
            and self._allowed("DescribeGroup", "group", each.name)
        ]
        told = pack_many(pack_text(each.name) + pack_text(each.kind) for each in seen)
        return (NO_THROTTLE if version >= 1 else b"") + INT16.pack(0) + told


def _committed(reader: Reader, group: Group, error: int, *, epoch: bool) -> bytes:
    """Keep the offsets that follow, unless there is an error; what came of each partition."""

    def partition(topic: str) -> bytes:
        number, offset = reader.number(INT32), reader.number(INT64)
        reader.skip(*([INT32] if epoch else []))
        note = reader.text()
        if not error:
            group.offsets[topic, number] = offset, note
        return INT32.pack(number) + INT16.pack(error)

    def one() -> bytes:
        topic = reader.text()
        return pack_text(topic) + pack_many(reader.many(lambda: partition(topic)))

    return pack_many(reader.many(one))
