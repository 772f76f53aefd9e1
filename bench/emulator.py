"""The offline AWS itself: how long until it answers, how long a deployment takes, how much memory it has.

Its start is compared with that of MiniStack alone, and with its own without what is in `workbench/offline/parts`
and `workbench/offline/stand_ins`: so much does every dry run pay for them, also one that needs none. MiniStack
alone has not loaded CloudFormation and what that provisions; a deployment would.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench.fresh import Bench
from bench.memory import NO_PROC, resident_mb, workers_mb
from bench.offline import Request, offline
from bench.table import Row, Table, compared
from workbench.dryrun.emulator import Emulator

BLUEPRINT = "url_shortener"
ROUNDS, STARTS = 3, 5
START_GOAL, MEMORY_GOAL = 0.3, 30.0  # what parts and stand-ins may add
ALONE, BARE, WHOLE = "MiniStack alone", "without parts and stand-ins", "the offline AWS"
PROGRAMS = {
    ALONE: (  # which would outlive its parent, and take port 443 if it could
        "import os, sys, threading, ministack.app as app; app._port_is_bindable = lambda *_: False; "
        "threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start(); app.main()"
    ),
    BARE: (
        "from workbench.offline import gateway, parts, stand_ins; "
        "parts.extend_all = lambda: None; stand_ins.table = dict; gateway.main()"
    ),
    WHOLE: "from workbench.offline import gateway; gateway.main()",
}


def run(bench: Bench) -> Table:
    """Seconds, best of a few; MB of the last one, where there is a /proc."""
    deployed = []
    memory: list[Row] = []
    for round_ in range(ROUNDS):
        with offline(bench, BLUEPRINT) as system:
            deployed.append(system.deploy_seconds)
            if round_ == ROUNDS - 1 and (idle := system.idle_mb) is not None:
                pid = system.emulator.pid
                full = resident_mb(pid) or idle
                system.send([Request("GET", f"{system.outputs['ApiUrl']}/nothing1")], 1)
                memory = [
                    compared("memory with the blueprint deployed", full, "MB", idle, "when it answers"),
                    Row("memory of one worker process (redirect)", max(workers_mb(pid), default=0.0), "MB"),
                ]
    rows = (*_starts(bench), Row(f"deploying {BLUEPRINT}", min(deployed), "s"), *memory)
    notes = (
        f"Seconds: best of {STARTS} starts each, in turn, with compiled files in place, and of {ROUNDS} deployments.",
        "Memory is what the process has resident." if memory else NO_PROC,
    )
    return Table("emulator", "The offline AWS", rows, notes)


def _starts(bench: Bench) -> list[Row]:
    """How long each of `PROGRAMS` takes to its first answer, and its memory then."""
    seconds: dict[str, list[float]] = {what: [] for what in PROGRAMS}
    memory: dict[str, float] = {}
    for round_ in range(STARTS + 1):
        for what, program in PROGRAMS.items():
            took, megabytes = _start(bench, program)
            if round_:  # the first one writes the compiled files
                seconds[what].append(took)
            if megabytes is not None:
                memory[what] = megabytes
    best = {what: min(taken) for what, taken in seconds.items()}
    rows = _compared("from the start to the first answer", best, "s", START_GOAL)
    return rows + (_compared("memory when it answers", memory, "MB", MEMORY_GOAL) if memory else [])


def _compared(figure: str, values: dict[str, float], unit: str, goal: float) -> list[Row]:
    """A figure of each of `PROGRAMS`, and how much of it is that of parts and stand-ins."""
    return [
        Row(f"{ALONE}: {figure}", values[ALONE], unit),
        compared(f"{WHOLE}: {figure}", values[WHOLE], unit, values[ALONE], ALONE),
        compared(f"· {BARE}", values[BARE], unit, values[ALONE], ALONE),
        Row(f"· what parts and stand-ins add: {figure}", values[WHOLE] - values[BARE], unit, goal=goal),
    ]


def _start(bench: Bench, program: str) -> tuple[float, float | None]:
    """Seconds to the first answer of `program`, and its resident memory in MB."""
    folder = bench.scratch / f"start-{time.monotonic_ns()}"
    folder.mkdir()
    started = time.perf_counter()
    with _Program(folder, program, bench.scratch / "compiled") as emulator:
        emulator.wait_until_ready()
        return time.perf_counter() - started, resident_mb(emulator.pid)


class _Program(Emulator):
    """The offline AWS, but for its program: `program` in Python, with its compiled files in `compiled`."""

    def __init__(self, folder: Path, program: str, compiled: Path) -> None:
        super().__init__(folder)
        self.program = ("-c", program)
        self.compiled = compiled

    def _environment(self) -> dict[str, str]:
        files = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.compiled)}
        return super()._environment() | files
