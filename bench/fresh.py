"""Fresh Python processes, timed. Interrupted, a process is told to end and given time to put things away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import catalogue

WITHIN = 600.0
_ENDS_WITHIN = 15.0


class ProbeFailed(Exception):
    """A measured process failed; the message ends with its last words."""


@dataclass(frozen=True)
class Finished:
    """A process that ended well: its wall time in seconds, and what it wrote on stdout."""

    seconds: float
    output: str


@dataclass(frozen=True)
class Bench:
    """Where a benchmark may put files, gone after the run."""

    scratch: Path

    def python(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        given: str = "",
        okay: Sequence[int] = (0,),
    ) -> Finished:
        """Run `python *arguments` from the project's root, with `given` as its standard input.

        Raises `ProbeFailed` for an exit code that is not `okay`.
        """
        variables = os.environ | {"TMPDIR": str(self.scratch)} | dict(environment or {})
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=catalogue.ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, errors = process.communicate(given, timeout=WITHIN)
        except BaseException:
            _end(process)
            raise
        seconds = time.perf_counter() - started
        if process.returncode not in okay:
            words = (errors.strip() or output.strip() or "it wrote nothing").splitlines()[-1]
            raise ProbeFailed(f"python {' '.join(arguments[:4])} ended with {process.returncode}: {words}")
        return Finished(seconds, output)

    def probe(
        self, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> tuple[dict[str, Any], float]:
        """Run a function of `bench.probe` in a process of its own: what it found, and its wall time in seconds."""
        finished = self.python("-m", "bench.probe", name, *arguments, environment=environment)
        return json.loads(finished.output.splitlines()[-1]), finished.seconds


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
