"""Devices that are not heard of any more: their users go offline, and their connections are closed.

All pods look, and each device is found by one of them. What is told of it is told at most once, as all of presence
is; a connection that is left over by a crash here is found by the next frame that is posted to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.messaging_platform import keys, records
from lambdas.messaging_platform.people import Device
from lambdas.messaging_platform.presence.cache import Lapsed
from lambdas.messaging_platform.records import Presence
from lambdas.shared.errors import Unavailable
from services.messaging_platform.pool import Parallel
from services.messaging_platform.running import in_rounds
from services.messaging_platform.telemetry import Metrics

EVERY_S = 5.0
AT_ONCE = 100
TOLD_WITHIN_S = 5.0


class Cache(Protocol):
    """presence.cache.PresenceCache keeps it."""

    def expire(self, most: int = 100) -> list[Lapsed]: ...


class Noted(Protocol):
    """presence.store.Store keeps it."""

    def is_alive(self, inboxes: Sequence[str]) -> set[str]: ...


class People(Protocol):
    """people.People keeps it."""

    def device(self, user: str, device: str, *, consistent: bool = True) -> Device | None: ...
    def disconnect(self, user: str, device: str, connection: str) -> bool: ...


class Closing(Protocol):
    """sockets.Sockets keeps it."""

    def close(self, connection: str, gateway: str) -> object: ...


@dataclass(frozen=True)
class Expiry:
    """Expires presence. `tell` writes (key, value) to the topic of presence, and raises `Unavailable`."""

    cache: Cache
    noted: Noted
    people: People
    sockets: Closing
    pool: Parallel
    tell: Callable[[Sequence[tuple[str, bytes]]], None]
    metrics: Metrics
    log: Logger
    now_ms: Callable[[], int]
    alive_seconds: int

    def run(self, stopping: threading.Event) -> None:
        """Look every few seconds until told to stop; failures are logged, and it goes on."""
        in_rounds(EVERY_S, lambda: self.once() == AT_ONCE, stopping, self.log, "presence is not expired")

    def once(self) -> int:
        """Take out at most `AT_ONCE` devices whose time is up; return how many there were."""
        lapsed = self.cache.expire(AT_ONCE)
        gone = [
            (each.user, records.encode(Presence(each.user, online=False, last_seen=each.went_offline)))
            for each in lapsed
            if each.went_offline is not None
        ]
        if gone:
            try:
                self.tell(gone)
            except Unavailable as problem:  # clients see it in the answers to their heartbeats
                self.log.warning("that users went offline was not told", reason=str(problem))
            except Exception:
                self.log.exception("that users went offline cannot be told")
        self.metrics.count("Lapsed", len(lapsed))
        self.pool.each(self._try_to_drop, lapsed)
        return len(lapsed)

    def _try_to_drop(self, lapsed: Lapsed) -> None:
        """Drop one, whatever becomes of it: the cache answers nobody with these devices again."""
        user, name = lapsed.user, lapsed.device
        try:
            self._drop(user, name)
        except Unavailable as problem:
            self.log.warning("a silent connection is not closed", user=user, device=name, reason=str(problem))
        except Exception:
            self.log.exception("a silent connection is not closed", user=user, device=name)

    def _drop(self, user: str, name: str) -> None:
        """Close and forget a silent device's connection; not one that is new, or was heard of again."""
        device = self.people.device(user, name, consistent=True)
        if device is None or device.connection is None:
            return
        silent_ms = self.now_ms() - (device.connected_at or 0)
        if silent_ms <= self.alive_seconds * 1000 or self.noted.is_alive([keys.inbox(user, name)]):
            return
        self.sockets.close(device.connection, device.gateway)
        if self.people.disconnect(user, name, device.connection):
            self.log.info("connection removed", user=user, device=name, why="silent")
