"""What waits for devices that have gone: it may have been posted to a connection as that one died.

Fan-out found the device connected, and alive, and posted; the frame was lost, and nobody asked for a push. So whoever
goes, by a connection's end or because their time is up, is noted by the cache, with whom nobody else looks after at
the same time. What waits in such a device's inbox is put into the push queue, the last message of each chat: whether
it is pushed is decided after the time of grace, as of any other, and what is asked for twice is pushed once.

The look comes after the connection's end, and an inbox entry before the post. So a message that was posted to a
connection that ended is found, unless the device has acknowledged it. Who is back by then asks for what waits itself;
if that connection ends too, they are noted again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.messaging_platform.notifications.logic import Message, write
from lambdas.messaging_platform.presence.cache import Ended
from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import batches
from services.messaging_platform.fanout.store import PUSHES_AT_ONCE
from services.messaging_platform.pool import Parallel
from services.messaging_platform.running import in_rounds
from services.messaging_platform.telemetry import Metrics

EVERY_S = 5.0
AT_ONCE = 100


class Cache(Protocol):
    """presence.cache.PresenceCache keeps it."""

    def ended(self, most: int = 100) -> Ended: ...
    def settled(self, devices: Sequence[str], lease: int) -> None: ...
    def is_alive(self, inboxes: Sequence[str]) -> set[str]: ...


class Store(Protocol):
    """store.Store keeps it."""

    def waiting(self, inbox: str) -> list[Message]: ...
    def push(self, bodies: Sequence[str]) -> list[str]: ...


@dataclass(frozen=True)
class Unseen:
    """Looks after devices that have gone. What fails is looked at again when the cache's lease of it ends."""

    cache: Cache
    store: Store
    pool: Parallel
    metrics: Metrics
    log: Logger

    def run(self, stopping: threading.Event) -> None:
        """Look every few seconds until told to stop; failures are logged, and it goes on."""
        in_rounds(EVERY_S, lambda: self.once() == AT_ONCE, stopping, self.log, "nobody looks who has gone")

    def once(self) -> int:
        """Look after at most `AT_ONCE` devices; return how many there were."""
        ended = self.cache.ended(AT_ONCE)
        if not ended.devices:
            return 0
        back = self.cache.is_alive(ended.devices)
        away = [each for each in ended.devices if each not in back]
        looked = self.pool.each(self._look, away)
        self.cache.settled([*sorted(back), *compress(away, looked)], ended.lease)
        self.metrics.count("Ended", len(ended.devices))
        return len(ended.devices)

    def _look(self, inbox: str) -> bool:
        """Ask for a push of what waits for a device; whether that is done."""
        try:
            messages = self.store.waiting(inbox)
            for batch in batches(map(write, messages), PUSHES_AT_ONCE):
                if self.store.push(batch):
                    raise Unavailable("the push queue is busy; try again")
        except Unavailable as problem:
            self.log.warning("what waits for a device is not known", device=inbox, reason=str(problem))
            return False
        except Exception:  # whatever it is, it is this device's alone
            self.log.exception("what waits for a device cannot be known", device=inbox)
            return False
        self.metrics.count("Pushed", len(messages))
        return True
