"""Threads that all of a program's work shares, so that a large group leaves room for small chats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

THREADS = 64
AT_ONCE = 48  # of one caller; all others' turns come among them, not after them

Item = TypeVar("Item")
T = TypeVar("T")


class Parallel(Protocol):
    """What works on many items at once: a `Pool`, and in tests one after the other."""

    def each(self, work: Callable[[Item], T], items: Sequence[Item]) -> list[T]: ...


class Pool:
    """Runs work on many items in parallel. What it runs must not wait for the pool itself."""

    def __init__(self, threads: int = THREADS, at_once: int = AT_ONCE) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._at_once = at_once

    def each(self, work: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """What `work` returns of each item, in their order; when all have ended, the first failure is raised."""
        room = threading.BoundedSemaphore(self._at_once)
        futures: list[Future[T]] = []
        for item in items:
            room.acquire()
            future = self._threads.submit(work, item)
            future.add_done_callback(lambda _: room.release())
            futures.append(future)
        ended = [future.exception() for future in futures]
        for failure in ended:
            if failure is not None:
                raise failure
        return [future.result() for future in futures]

    def close(self) -> None:
        """Wait for what runs, and take nothing more."""
        self._threads.shutdown()
