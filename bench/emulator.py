"""The offline AWS itself: how long until it answers, how long a deployment takes, how much memory it has."""

from __future__ import annotations

from bench.fresh import Bench
from bench.memory import resident_mb, workers_mb
from bench.offline import Request, offline
from bench.table import Row, Table, compared

BLUEPRINT = "url_shortener"
ROUNDS = 3
NO_PROC = "No memory: this machine has no /proc to ask."


def run(bench: Bench) -> Table:
    """Seconds, best of a few; MB of the last one, where there is a /proc."""
    ready, deployed = [], []
    memory: list[Row] = []
    for round_ in range(ROUNDS):
        with offline(bench, BLUEPRINT) as system:
            ready.append(system.ready_seconds)
            deployed.append(system.deploy_seconds)
            if round_ == ROUNDS - 1 and (idle := system.idle_mb) is not None:
                pid = system.emulator.pid
                full = resident_mb(pid) or idle
                system.send([Request("GET", f"{system.outputs['ApiUrl']}/nothing1")], 1)
                memory = [
                    Row("memory when it answers", idle, "MB"),
                    compared("memory with the blueprint deployed", full, "MB", idle, "when it answers"),
                    Row("memory of one worker process (redirect)", max(workers_mb(pid), default=0.0), "MB"),
                ]
    rows = (
        Row("from the start to the first answer", min(ready), "s"),
        Row(f"deploying {BLUEPRINT}", min(deployed), "s"),
        *memory,
    )
    return Table(
        "emulator",
        "The offline AWS",
        rows,
        (f"Seconds: best of {ROUNDS} processes.", *(() if memory else (NO_PROC,))),
    )
