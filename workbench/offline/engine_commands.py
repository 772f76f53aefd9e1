"""The commands that several kinds of engines have: to stop, start and restart the one that is meant."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from workbench.offline.control import Refused, command
from workbench.offline.engines import RUNNING, Engine, find

_E = TypeVar("_E", bound=Engine)


def engine_called(kind: type[_E], name: str, what: str) -> _E:
    """The engine of a kind, such as "cache". Raises `Refused`, with the names of those there are."""
    found = find(kind, name)
    if found is None:
        there = ", ".join(sorted(each.name for each in RUNNING.values() if isinstance(each, kind))) or "none"
        raise Refused(f"there is no {what} {name}; there are: {there}")
    return found


def offer_stopping(kind: type[Engine], what: str, lock: AbstractContextManager[Any] | None = None) -> None:
    """The commands `<kind>/stop`, `/start` and `/restart`, by name; they answer with what runs then.

    `lock` is one that may be taken twice, and keeps others from starting and stopping meanwhile.
    """
    alone = lock or threading.RLock()

    def stop(name: str) -> dict[str, Any]:
        with alone:
            engine = engine_called(kind, name, what)
            engine.stop()
            return report(engine)

    def start(name: str) -> dict[str, Any]:
        with alone:
            engine = engine_called(kind, name, what)
            engine.start()
            return report(engine)

    def restart(name: str) -> dict[str, Any]:
        with alone:
            stop(name)
            return start(name)

    for name, function in (("stop", stop), ("start", start), ("restart", restart)):
        command(f"{kind.kind}/{name}")(function)


def report(engine: Engine) -> dict[str, Any]:
    """What a command says of an engine."""
    return {"name": engine.name, "running": bool(engine.pids)}
