"""Doing work until it is done: for stores that fail now and come back later.

Nothing is skipped. Between tries the pauses grow to `LONGEST_PAUSE_S`; only the end of the program ends the trying,
by `Stopped`, and then the work is somebody else's: its record was not committed.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from aws_lambda_powertools.logging import Logger

from lambdas.shared.errors import Unavailable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0

T = TypeVar("T")


class Stopped(Exception):
    """The program ends before the work could be done."""


class Persistence:
    """Tries again until `stopping` is set; threads may share it. `failed` hears of each failure."""

    def __init__(
        self,
        stopping: threading.Event,
        log: Logger,
        failed: Callable[[], None] = lambda: None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._stopping = stopping
        self._log = log
        self._failed = failed
        self._pause = pause or stopping.wait

    def until_done(self, what: str, work: Callable[[], T]) -> T:
        """What `work` returns, once it does. Raises `Stopped` when it fails and the program is to end.

        What no store says when it is busy (a missing grant, a missing table) is a fault of the deployment: it is
        logged as an error, and tried again all the same: a deployment can mend it, and a record skipped is lost.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return work()
            except Stopped:
                raise
            except Unavailable as problem:
                self._log.warning("a store is away", what=what, reason=str(problem))
            except Exception:
                self._log.exception("a store refuses", what=what)
            self._failed()
            self.pause(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def pause(self, pause_s: float) -> None:
        """Wait, with jitter, before another try. Raises `Stopped` when there is none."""
        if self._stopping.is_set():
            raise Stopped
        # Chance only spreads those who wait; nothing is kept secret by it.
        self._pause(random.uniform(0.5, 1) * pause_s)  # noqa: S311
        if self._stopping.is_set():
            raise Stopped
