"""The log and the metrics of a program: lines of JSON on its standard output.

Metrics are CloudWatch's embedded metric format ("Specification: Embedded metric format", CloudWatch User Guide): the
agent that ships the log makes them of it, and counting never calls an API. No line holds a body, a token or a secret.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, TextIO, cast

from aws_lambda_powertools.logging import Logger

from lambdas.shared import observability

MOST_VALUES = 100  # of one metric in one line; the format's bound


def logger_of(program: str) -> Logger:
    """The program's log, in the shape that handlers' logs have."""
    return Logger(service=program)


def count_here(metrics: Metrics) -> None:
    """Have what handlers' modules count be counted by `metrics`: Powertools' own set is of one thread."""
    observability.metrics = cast(Any, metrics)


class Metrics:
    """Counts and durations, from any thread, told together by `flush`."""

    def __init__(
        self, program: str, out: TextIO | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._program = program
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._durations: defaultdict[str, list[int]] = defaultdict(list)

    def count(self, name: str, times: int = 1) -> None:
        """Add to a counter."""
        if times:
            with self._lock:
                self._counts[name] += times

    def took(self, name: str, ms: int) -> None:
        """Note a duration, or an age, in milliseconds; beyond what a line holds, it is told at once."""
        with self._lock:
            full = len(self._durations[name]) >= MOST_VALUES - 1
            self._durations[name].append(max(0, ms))
            noted = self._taken() if full else None
        if noted:
            self._write(*noted)

    def add_metric(self, name: str, unit: object, value: float) -> None:
        """Add to a counter, as handlers do (`lambdas.shared.observability.count`)."""
        del unit  # handlers count, and measure nothing
        self.count(name, int(value))

    def flush(self) -> None:
        """Write what was noted since the last time, if there is any."""
        with self._lock:
            noted = self._taken()
        self._write(*noted)

    def _taken(self) -> tuple[Counter[str], defaultdict[str, list[int]]]:
        """What was noted, which is noted no longer; the lock is held, so that nothing more than fits is among it."""
        counts, self._counts = self._counts, Counter()
        durations, self._durations = self._durations, defaultdict(list)
        return counts, durations

    def _write(self, counts: Counter[str], durations: defaultdict[str, list[int]]) -> None:
        if not counts and not durations:
            return
        units = dict.fromkeys(counts, "Count") | dict.fromkeys(durations, "Milliseconds")
        line: dict[str, Any] = {
            "_aws": {
                "Timestamp": int(self._clock() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": observability.NAMESPACE,
                        "Dimensions": [["service"]],
                        "Metrics": [{"Name": name, "Unit": unit} for name, unit in sorted(units.items())],
                    }
                ],
            },
            "service": self._program,
            **counts,
            **durations,
        }
        # One write, so that threads' lines never mix.
        out = self._out or sys.stdout
        out.write(json.dumps(line, separators=(",", ":")) + "\n")
        out.flush()
