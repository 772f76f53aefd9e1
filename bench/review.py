"""`blueprint cost` and `blueprint capacity` of an assembly that is there: whole processes, without the CDK."""

from __future__ import annotations

from bench.fresh import Bench
from bench.table import Row, Table, compared
from workbench import catalogue
from workbench.dryrun.synthesis import assembly_for

BLUEPRINT = "url_shortener"
GOAL = 1.0
ROUNDS = 5
COMMANDS = ("cost", "capacity")


def run(bench: Bench) -> Table:
    """Seconds from the command to its end."""
    folder = assembly_for(catalogue.find(BLUEPRINT), catalogue.DEFAULT_USERS, "production", bench.scratch)
    arguments = {command: (command, "--assembly", str(folder), "--json") for command in COMMANDS}
    start = "from workbench.cli import main; main()"
    best = dict.fromkeys(("bare", *COMMANDS), float("inf"))
    for _ in range(ROUNDS):
        best["bare"] = min(best["bare"], bench.python("-c", "pass").seconds)
        for command in COMMANDS:
            best[command] = min(best[command], bench.python("-c", start, *arguments[command]).seconds)
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
            Row(f"· {command}: modules of the CDK loaded", len(found["cdk"]), "", goal=0, must=True),
            Row(f"· {command}: programs started (Node.js)", len(found["programs"]), "", goal=0, must=True),
            Row(f"· {command}: exit code", found["code"], "", goal=0, must=True),
        ]
    return Table(
        "review",
        f"Cost and capacity of one assembly ({BLUEPRINT})",
        tuple(rows),
        (f"Best of {ROUNDS} fresh processes each, in turn.",),
    )
