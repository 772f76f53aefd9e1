"""A program's life: it works until it is told to end, by SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from aws_lambda_powertools.logging import Logger

from services.messaging_platform.persistence import Stopped

LOOK_EVERY_S = 0.1


def until_told(work: Callable[[], None], stopping: threading.Event, log: Logger) -> bool:
    """Run `work` until it ends; when a signal comes, `stopping` is set, and it is to end. Whether it was told to.

    The work is another thread's. A signal's handler runs in the main thread between any two of its steps: were that
    one within `stopping` itself, setting it there would wait for ever.
    """
    told: list[int] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Stopped:
            pass  # it was told to end before it could begin
        except BaseException as problem:
            failed.append(problem)
            log.exception("the program has failed")

    before = {
        number: signal.signal(number, lambda got, _: told.append(got))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    thread = threading.Thread(target=run, name="work")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(LOOK_EVERY_S)
            if told and not stopping.is_set():
                log.info("told to end")
                stopping.set()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return bool(told) and not failed
