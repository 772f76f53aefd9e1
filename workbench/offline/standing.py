"""The faults that stand at this moment: each can be asked how often it struck, and can be ended."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.offline.control import Refused, command


@dataclass
class Fault:
    """A fault while it stands; `struck` counts what it met: calls, messages, processes."""

    end: Callable[[], None]
    struck: int = 0


_standing: dict[str, Fault] = {}
_numbers = itertools.count(1)


def stand(fault: Fault) -> dict[str, str]:
    """Remember the fault until it is ended; the answer of a command that makes one."""
    name = f"fault-{next(_numbers)}"
    _standing[name] = fault
    return {"fault": name}


@command("faults/standing")
def standing() -> dict[str, list[str]]:
    """The faults that nobody has ended yet."""
    return {"faults": list(_standing)}


@command("faults/struck")
def struck(fault: str) -> dict[str, Any]:
    """How often the fault has struck so far."""
    return {"struck": _found(fault).struck}


@command("faults/end")
def end(fault: str) -> dict[str, Any]:
    """End the fault, and say how often it struck."""
    ended = _found(fault)
    del _standing[fault]
    ended.end()
    return {"struck": ended.struck}


def _found(name: str) -> Fault:
    if name not in _standing:
        raise Refused(f"no fault {name} stands")
    return _standing[name]
