"""Tumbling windows: a state that is handed from invocation to invocation until its window ends.

"Using time windows / Tumbling windows" of the Lambda developer guide: windows are told by when records were
inserted into the stream; every answer must contain a `state`; at the end of a window the function is invoked
once more with `isFinalInvokeForWindow`, and nothing goes on until that succeeds; a state over 1 MB ends the
window early, after which the same window begins anew with an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from workbench.offline.event_sources.records import Clock, Record
from workbench.offline.event_sources.responses import Reply

STATE_LIMIT = 1024 * 1024  # bytes

Invoke = Callable[[Sequence[Record], dict[str, Any]], Reply]  # records, and what the event says besides


def window_of(record: Record, seconds: float) -> int | None:
    """The window that a record belongs to, of so many seconds; None where there are none."""
    return int(record.arrived // seconds) if seconds else None


class Tumbling:
    """The open window of one shard. `seconds()` is 0 where the mapping has no windows."""

    def __init__(self, seconds: Callable[[], float], invoke: Invoke, clock: Clock) -> None:
        self._seconds = seconds
        self._invoke = invoke
        self._clock = clock
        self._window: int | None = None  # its number, counted from the epoch
        self._state: dict[str, Any] = {}
        self._too_large = False

    def ends_before(self, record: Record | None) -> bool:
        """Whether the open window has to be closed before `record` (None: nothing is there) may go."""
        if self._window is None:
            return False
        if self._too_large:
            return True
        if record is not None:
            return window_of(record, self._seconds()) != self._window
        return not self._seconds() or self._clock() >= (self._window + 1) * self._seconds()

    def closes_in(self) -> float | None:
        """Seconds until the open window ends by itself; None when none is open. The shard may not end before."""
        if self._window is None:
            return None
        return max(0.0, (self._window + 1) * self._seconds() - self._clock())

    def invoke(self, records: Sequence[Record]) -> Reply:
        """Invoke with the window's state, and keep the one that comes back."""
        if not self._seconds():
            return self._invoke(records, {})
        self._window = window_of(records[0], self._seconds())
        reply = self._invoke(records, self._fields(final=False))
        if reply.failed or not reply.reached:
            return reply
        if not isinstance(reply.body, dict) or "state" not in reply.body:
            return replace(reply, failed=True)
        self._state = reply.body["state"] or {}
        self._too_large = len(json.dumps(self._state)) > STATE_LIMIT
        return reply

    def close(self) -> bool:
        """Invoke for the last time with this state; false when that has to be tried again."""
        reply = self._invoke((), self._fields(final=not self._too_large))
        if reply.failed or not reply.reached:
            return False
        self._window, self._state, self._too_large = None, {}, False
        return True

    def _fields(self, *, final: bool) -> dict[str, Any]:
        start = (self._window or 0) * self._seconds()
        return {
            "window": {"start": _instant(start), "end": _instant(start + self._seconds())},
            "state": self._state,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": self._too_large,
        }


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
