"""How long a dry run takes: cold, with nothing synthesized yet, and warm, with the assembly kept; by phase."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.fresh import Bench, ProbeFailed
from bench.table import Row, Table, compared
from workbench import catalogue

BLUEPRINT = "url_shortener"
COLD_GOAL, WARM_GOAL = 10.0, 3.0
ROUNDS = 2


def run(bench: Bench) -> Table:
    """Seconds of whole processes, from the command to its end, and of the phases inside."""
    cold, warm = [], []
    for round_ in range(ROUNDS):
        root = shadow(bench.scratch / f"project-{round_}")
        cold.append(played(bench, BLUEPRINT, root))
        warm.append(played(bench, BLUEPRINT, root))
    (first, first_report), (again, report) = (min(runs, key=lambda one: one[0]) for runs in (cold, warm))
    rows = [Row("cold", first, "s", goal=COLD_GOAL)]
    rows += [Row(f"· {phase}", seconds, "s") for phase, seconds in first_report["phases"].items()]
    rows.append(compared("warm", again, "s", first, "cold", goal=WARM_GOAL))
    rows += [Row(f"· {phase}", seconds, "s") for phase, seconds in report["phases"].items()]
    slowest = sorted(report["steps"], key=lambda step: -float(step["seconds"]))[:3]
    rows += [Row(f"· play, slowest steps: {step['name']}", step["seconds"], "s") for step in slowest]
    return Table(
        "dry-run",
        f"Dry run of {BLUEPRINT}",
        tuple(rows),
        (
            f"Best of {ROUNDS} each; whole processes, so that importing and starting count as well.",
            "The whole is more than its phases: also Python's start, imports, and what is done between phases, "
            "such as listing what stands before and after.",
        ),
    )


def shadow(root: Path) -> Path:
    """A folder that looks like the project and has kept no assembly: links to all that it holds but `.blueprint`."""
    root.mkdir()
    for entry in catalogue.ROOT.iterdir():
        if entry.name != ".blueprint":
            (root / entry.name).symlink_to(entry)
    return root


def played(bench: Bench, name: str, root: Path) -> tuple[float, dict[str, Any]]:
    """The seconds and the report of a dry run of `name`, in a process of its own. Raises `ProbeFailed`."""
    report, seconds = bench.probe("dry_run", name, str(root))
    if not report["passed"]:
        failed = [step["name"] for step in report["steps"] if not step["passed"]]
        raise ProbeFailed(f"the dry run of {name} did not pass: {failed or 'see `blueprint dry-run`'}")
    return seconds, report
