"""Another wall clock for a Python process: what a function sees whose machine's clock is wrong.

`shift` changes `time.time`, `time_ns`, `clock_gettime` (CLOCK_REALTIME), `localtime`, `gmtime`, `ctime` and
`strftime` where they take the current time, and `datetime.now`, `utcnow`, `today` and `date.today`, also for
modules that were imported before. The monotonic clocks go on as they are, and so does what compiled code
reads for itself: OpenSSL's look at certificates, file times, and pydantic's `PastDate` and `FutureDate`.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import sys
import time
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Any

SHIFT_VARIABLE = "BLUEPRINT_CLOCK_SHIFT"  # seconds; in the environment of a worker that is to have one


def shift(seconds: float) -> None:
    """Set this process's wall clock `seconds` ahead, for good."""
    nanoseconds = round(seconds * 1e9)
    changed = {getattr(time, name): made for name, made in _shifted_functions(nanoseconds).items()}
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        for name, value in list(names.items()):
            if type(value) is BuiltinFunctionType and value in changed:
                names[name] = changed[value]
    _replace(datetime.datetime, "now", _now)
    _replace(datetime.datetime, "utcnow", _utcnow)


def _shifted_functions(nanoseconds: int) -> dict[str, Callable[..., Any]]:
    read, read_ns = time.clock_gettime, time.clock_gettime_ns
    local, utc, text, formatted = time.localtime, time.gmtime, time.ctime, time.strftime
    time_ns = time.time_ns

    def now_ns() -> int:
        return time_ns() + nanoseconds

    def now() -> float:
        return now_ns() / 1e9

    def of(seconds: float | None) -> float:
        return now() if seconds is None else seconds

    def clock_gettime_ns(clock: int) -> int:
        return read_ns(clock) + (nanoseconds if clock == time.CLOCK_REALTIME else 0)

    def clock_gettime(clock: int) -> float:
        return clock_gettime_ns(clock) / 1e9 if clock == time.CLOCK_REALTIME else read(clock)

    return {
        "time": now,
        "time_ns": now_ns,
        "clock_gettime": clock_gettime,
        "clock_gettime_ns": clock_gettime_ns,
        "localtime": lambda seconds=None: local(of(seconds)),
        "gmtime": lambda seconds=None: utc(of(seconds)),
        "ctime": lambda seconds=None: text(of(seconds)),
        "strftime": lambda shape, when=None: formatted(shape, local(now()) if when is None else when),
    }


def _now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
    """As `datetime.now`, which reads the system's clock without asking the module `time`."""
    return cls.fromtimestamp(time.time(), tz)


def _utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
    return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


def _replace(kind: type, name: str, method: Callable[..., Any]) -> None:
    """Give a built-in type another class method.

    Python refuses that by assignment. Its own dictionary takes it, and with it every module that has imported
    the type, which a subclass in its place would not reach.
    """
    [attributes] = [each for each in gc.get_referents(kind.__dict__) if isinstance(each, dict)]
    attributes[name] = classmethod(method)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
