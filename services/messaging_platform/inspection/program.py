"""The loop: messages are received, handled while nobody else gets them, and deleted when all is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from aws_lambda_powertools.logging import Logger

from services.messaging_platform.inspection.logic import Unreadable, pause_s
from services.messaging_platform.inspection.store import Message
from services.messaging_platform.telemetry import Metrics

AT_ONCE = 2
# A large file takes longer than any fixed time; of one whose pod was killed the message shows within a minute.
HIDDEN_S, HIDE_AGAIN_S = 60, 20
READY_WITHIN_S = 60.0
LOOK_EVERY_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0


class ThreadDied(Exception):
    """Less is done than should be; whoever looks after the program starts it again."""


class MessageQueue(Protocol):
    """What the loop needs of a queue; its promises are written at `store.Queue`."""

    def receive(self, hidden_s: int) -> Message | None: ...
    def hide(self, message: Message, seconds: int) -> None: ...
    def delete(self, message: Message) -> None: ...


class Program:
    """`at_once` threads, each with one message. What fails comes again, later each time, until the redrive policy of
    the queue takes it to the dead letters.
    """

    def __init__(
        self,
        queue: MessageQueue,
        handle: Callable[[str], None],
        log: Logger,
        metrics: Metrics,
        stopping: threading.Event,
        *,
        at_once: int = AT_ONCE,
        hide_again_s: float = HIDE_AGAIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._log = log
        self._metrics = metrics
        self._hide_again_s = hide_again_s
        self._clock = clock
        self._stopping = stopping
        self._answered_at: float | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"inspection-{place}") for place in range(at_once)
        ]

    def run(self) -> None:
        """Work until `stopping` is set, and then till what was begun is finished.

        Raises `ThreadDied` when a thread did not live so long.
        """
        for thread in self._threads:
            thread.start()
        died = False
        while not died and not self._stopping.wait(LOOK_EVERY_S):
            dead = not all(thread.is_alive() for thread in self._threads)
            died = dead and not self._stopping.is_set()  # or it ended because it was told to, a moment ago
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._metrics.flush()
        if died:
            raise ThreadDied

    def is_ready(self) -> bool:
        """Whether the queue answered within the last minute."""
        return self._answered_at is not None and self._clock() - self._answered_at <= READY_WITHIN_S

    def _work(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                message = self._queue.receive(HIDDEN_S)
                self._answered_at = self._clock()
                if message is not None:
                    self._take(message)
                pause = FIRST_PAUSE_S
            except Exception:
                self._log.exception("the queue does not answer")
                self._stopping.wait(pause)
                pause = min(LONGEST_PAUSE_S, pause * 2)

    def _take(self, message: Message) -> None:
        if self._stopping.is_set():  # it came with the last answer: another pod has it at once
            self._queue.hide(message, 0)
            return
        began = self._clock()
        if self._done(message):
            self._queue.delete(message)
        else:
            self._metrics.count("MediaFailed")
            self._queue.hide(message, pause_s(message.receives))
        self._answered_at = self._clock()
        self._metrics.took("MediaHandled", int((self._clock() - began) * 1_000))
        self._metrics.flush()

    def _done(self, message: Message) -> bool:
        try:
            with self._hidden(message):
                self._handle(message.body)
        except Unreadable as problem:
            self._log.warning("no message of ours", why=str(problem), receives=message.receives)
            return False
        except Exception:
            self._log.exception("an upload was not inspected", receives=message.receives)
            return False
        return True

    @contextmanager
    def _hidden(self, message: Message) -> Iterator[None]:
        """Keep the message from others for as long as the block takes."""
        done = threading.Event()

        def extend() -> None:
            while not done.wait(self._hide_again_s):
                try:
                    self._queue.hide(message, HIDDEN_S)
                    self._answered_at = self._clock()
                except Exception:  # once more before it shows; and then somebody does the same again
                    self._log.exception("a message could not be kept back")

        thread = threading.Thread(target=extend, name="hiding")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
