"""`blueprint cost` and `blueprint capacity` of an assembly that is there: whole processes, without the CDK."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from itertools import pairwise

from bench.copies import copied
from bench.fresh import Bench
from bench.table import Row, Table, compared
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.dryrun.synthesis import assembly_for
from workbench.review.capacity import limits
from workbench.review.cost import price

GOAL, GOAL_MB = 1.0, 80
GOAL_GROWTH = 1.3
ROUNDS = 5
COMMANDS = ("cost", "capacity")
TIMES = (2, 4, 8, 16)


def run(bench: Bench) -> Table:
    """Seconds from the command to its end, memory, and how both reviews grow with the resources."""
    name, assembly = _largest(bench)
    folder = assembly.directory
    arguments = {command: (command, "--assembly", str(folder), "--json") for command in COMMANDS}
    start = "from workbench.cli import main; main()"
    best = dict.fromkeys(("bare", *COMMANDS), float("inf"))
    for _ in range(ROUNDS):
        best["bare"] = min(best["bare"], bench.python("-c", "pass").seconds)
        for command in COMMANDS:
            best[command] = min(best[command], bench.python("-c", start, *arguments[command]).seconds)
    bare_mb = bench.probe("command")[0]["peak_mb"]
    rows = []
    for command in COMMANDS:
        found, _ = bench.probe("command", *arguments[command])
        rows += [
            compared(
                f"blueprint {command} --assembly",
                best[command],
                "s",
                best["bare"],
                "python -c pass",
                goal=GOAL,
            ),
            compared(
                f"· {command}: memory",
                found["peak_mb"],
                "MB",
                bare_mb,
                "blueprint without a command",
                goal=GOAL_MB,
            ),
            Row(f"· {command}: modules of the CDK loaded", len(found["cdk"]), "", goal=0, must=True),
            Row(f"· {command}: programs started (Node.js)", len(found["programs"]), "", goal=0, must=True),
            Row(f"· {command}: exit code", found["code"], "", goal=0, must=True),
        ]
    resources = len(list(assembly.resources))
    return Table(
        "review",
        f"Cost and capacity of one assembly ({name}, {resources} resources)",
        (*rows, *_growth(bench, assembly)),
        (
            f"Best of {ROUNDS} fresh processes each, in turn; the largest assembly of the catalogue.",
            "Growth: the assembly's resources written down several times over, read and reviewed in one process; "
            f"best of {ROUNDS}. The ratio is time to time for twice the resources, halved: 1 is linear. The last row "
            "is its mean over all doublings.",
        ),
    )


def _largest(bench: Bench) -> tuple[str, Assembly]:
    """The blueprint with the most resources in its production stage."""
    found = {}
    for blueprint in catalogue.every():
        scratch = bench.scratch / blueprint.name
        folder = assembly_for(blueprint, catalogue.DEFAULT_USERS, "production", scratch)
        found[blueprint.name] = Assembly.load(folder)
    name = max(found, key=lambda name: len(list(found[name].resources)))
    return name, found[name]


def _growth(bench: Bench, assembly: Assembly) -> list[Row]:
    rows = []
    reviews: dict[str, Callable[[Assembly], object]] = {"cost": price, "capacity": limits}
    gc.collect()
    gc.freeze()  # what this process holds already is not the review's to look through
    folders = [copied(assembly, times, bench.scratch / f"copies-{times}") for times in TIMES]
    for name, review in reviews.items():
        taken = []
        for folder, resources in folders:
            best = float("inf")
            for _ in range(ROUNDS):
                started = time.perf_counter()
                review(Assembly.load(folder))
                best = min(best, time.perf_counter() - started)
            taken.append((resources, best))
            gc.collect()
        for (fewer, less), (more, longer) in pairwise(taken):
            growth = longer / less / (more / fewer)
            rows.append(
                Row(
                    f"· {name} of {more:,} resources",
                    longer,
                    "s",
                    growth,
                    f"{fewer:,} resources, a resource",
                )
            )
        (fewest, shortest), (most, longest) = taken[0], taken[-1]
        each = (longest / shortest / (most / fewest)) ** (1 / (len(TIMES) - 1))
        rows.append(Row(f"· {name}: growth a doubling (1 is linear)", each, "×", goal=GOAL_GROWTH))
    return rows
