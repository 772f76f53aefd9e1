"""aws_foundations on the offline AWS: how long its dry run takes, and the memory of each engine while it stands.

The dry run as in `dry_run.py`: cold, with nothing synthesized yet, and warm. Then the blueprint is deployed once
more, and when each of its programs serves, the process of the offline AWS and all that it has started are
weighed. Every child of that process counts with its own children, under the engine that it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bench.dry_run import played, shadow
from bench.fresh import Bench, ProbeFailed
from bench.memory import NO_PROC, children, command, family_mb, proportional_mb
from bench.offline import Offline, offline
from bench.table import Row, Table, compared
from stacks.aws_foundations.scenario import ZONES, Guestbook

BLUEPRINT = "aws_foundations"
COLD_GOAL, WARM_GOAL, MEMORY_GOAL = 30.0, 25.0, 1_000.0
ZONE_LOST = "a zone is lost"  # how the name of that step begins
PHASES = ("synth", "engines", "localise", "deploy", "play", "destroy")
KINDS = {  # by the name of its program or module
    "postgres": "PostgreSQL",
    "valkey-server": "Valkey",
    "kafka_broker": "Kafka",
    "node": "Node.js programs",
    "forkserver": "Python functions",
}
OTHER = "other processes"


def run(bench: Bench) -> Table:
    """Seconds of whole processes and of their phases; MB where there is a /proc."""
    root = shadow(bench.scratch / "foundations")
    (cold, cold_report), (warm, report) = (played(bench, BLUEPRINT, root) for _ in range(2))
    rows = [Row("resources", report["resources"]["total"], "")]
    rows += [Row("cold", cold, "s", goal=COLD_GOAL), *_phases(cold_report)]
    rows += [compared("warm", warm, "s", cold, "cold", goal=WARM_GOAL), *_phases(report)]
    rows += _steps(report)
    with offline(bench, BLUEPRINT) as system:
        _wait_until_it_serves(system)
        memory = weighed(system.emulator.pid, goal=MEMORY_GOAL)
    notes = (
        "One run each; whole processes, so that importing and starting count as well.",
        "Memory: a page that several processes share counts once, a part of it for each."
        if memory
        else NO_PROC,
    )
    return Table("foundations", f"Dry run and memory of {BLUEPRINT}", (*rows, *memory), notes)


def _phases(report: dict[str, Any]) -> list[Row]:
    return [Row(f"· {phase}", report["phases"][phase], "s") for phase in PHASES]


def _steps(report: dict[str, Any]) -> list[Row]:
    """The step that loses a zone, and the three others that take longest."""
    [lost] = [step for step in report["steps"] if step["name"].startswith(ZONE_LOST)]
    others = [step for step in report["steps"] if step is not lost]
    slowest = sorted(others, key=lambda step: -float(step["seconds"]))[:3]
    play = report["phases"]["play"]
    return [
        compared(f"· play: {step['name']}", step["seconds"], "s", play, "play") for step in (lost, *slowest)
    ]


def _wait_until_it_serves(system: Offline) -> None:
    """Return when every store answers, and a program in each zone on both platforms."""
    try:
        for output in ("Url", "KubernetesUrl"):
            book = Guestbook(system.world, system.outputs[output])
            book.wait_until_it_answers()
            book.wait_until_it_is_ready()
            book.wait_until(lambda zones: len(zones) == ZONES, "three zones answer")
    except AssertionError as problem:
        raise ProbeFailed(f"{BLUEPRINT} was deployed and does not serve: {problem}") from None


def weighed(pid: int, kinds: Mapping[str, str] = KINDS, *, goal: float | None = None) -> list[Row]:
    """The memory of the offline AWS and of everything that it started, engine by engine; no rows without a /proc."""
    own = proportional_mb(pid)
    if own is None:
        return []
    engines: dict[str, list[float]] = defaultdict(list)
    for child in children(pid):
        engines[kind_of(command(child), kinds)].append(family_mb(child) or 0.0)
    whole = own + sum(sum(each) for each in engines.values())
    rows = [
        Row("memory while it stands", whole, "MB", goal=goal),
        compared("· the offline AWS itself", own, "MB", whole, "all"),
    ]
    for kind in (*kinds.values(), OTHER):
        if weights := engines[kind]:
            label = kind if len(weights) == 1 else f"{kind} ({len(weights)})"
            rows.append(compared(f"· {label}", sum(weights), "MB", whole, "all"))
            if kind == KINDS["node"]:
                rows.append(Row(f"· the largest of the {kind}", max(weights), "MB"))
    return rows


def kind_of(command_line: str, kinds: Mapping[str, str] = KINDS) -> str:
    """Which of `kinds` the process of this command line is."""
    for program, kind in kinds.items():
        if re.search(rf"(?:^|[/.]){re.escape(program)}(?=[\s:]|$)", command_line):
            return kind
    return OTHER
