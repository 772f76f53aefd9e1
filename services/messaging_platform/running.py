"""A program's life: it works until it is told to end, by SIGTERM or SIGINT; and what it does beside, in rounds."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable

from aws_lambda_powertools.logging import Logger

from lambdas.shared.errors import Unavailable
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


def in_rounds(
    every_s: float, once: Callable[[], bool], stopping: threading.Event, log: Logger, failing: str
) -> None:
    """Call `once` every few seconds until told to stop, and again at once while it says that there is more.

    What fails is logged as `failing`, and comes again in the next round.
    """
    # Chance only spreads the pods; nothing is kept secret by it.
    while not stopping.wait(random.uniform(0.5, 1) * every_s):  # noqa: S311
        try:
            while once() and not stopping.is_set():
                pass
        except Unavailable as problem:
            log.warning(failing, reason=str(problem))
        except Exception:
            log.exception(failing)
