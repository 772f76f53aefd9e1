"""Consumer groups: Kafka's classic protocol, as its coordinator carries it out, and the offsets that were committed.

A group waits 0.1 s for its first members, not 3 as Kafka does; there is no newer consumer protocol (KIP-848).

Sources: "Apache Kafka protocol guide"; KIP-345 for static members.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from workbench.offline.engines.kafka_wire import (
    ILLEGAL_GENERATION,
    INCONSISTENT_PROTOCOL,
    REBALANCING,
    UNKNOWN_MEMBER,
)

_FIRST_MEMBERS_WITHIN = 0.1  # seconds that an empty group waits for more
_WATCHED_EVERY = 0.25  # seconds


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
        try:
            return await joined
        except (
            asyncio.CancelledError
        ):  # its connection broke, and it was never told its id: nobody will use it
            if self.members.get(member.id) is member:
                self.leave([member.id])
            raise

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
            self._wait_no_longer()
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
        self._wait_no_longer()
        self._joining = asyncio.get_running_loop().call_later(seconds, self._complete)

    def _wait_no_longer(self) -> None:
        if self._joining is not None:
            self._joining.cancel()
            self._joining = None

    def _complete(self) -> None:
        self._wait_no_longer()
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
