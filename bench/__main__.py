"""`python -m bench [NAME…] [--json] [--write] [--setup]`: measure, and say which goals are met.

Exit codes: 0 measured, 1 something is wrong rather than slow (a redirect elsewhere, a refused URL), 2 misuse.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bench import (
    call_faults,
    cold_start,
    dry_run,
    emulator,
    foundations,
    kafka_bridge,
    messaging,
    messaging_cost,
    real_input,
    redirects,
    report,
    review,
    setup,
    synth,
)
from bench.fresh import Bench, ProbeFailed
from bench.machine import Machine
from bench.table import Table, faults
from workbench import catalogue
from workbench.errors import BlueprintError

PAGE = catalogue.ROOT / "docs" / "benchmarks.md"
BENCHMARKS: dict[str, Callable[[Bench], Table]] = {
    "synth": synth.run,
    "dry-run": dry_run.run,
    "redirects": redirects.run,
    "real-input": real_input.run,
    "cold-start": cold_start.run,
    "review": review.run,
    "emulator": emulator.run,
    "foundations": foundations.run,
    "call-faults": call_faults.run,
    "kafka-bridge": kafka_bridge.run,
    "messaging": messaging.run,
    "messaging-cost": messaging_cost.run,
}
ALL = {**BENCHMARKS, "setup": setup.run}


def main(arguments: list[str]) -> int:
    """Run the benchmarks that `arguments` name, by default all but `setup`."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measures the project on this machine."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}; all by default")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on stdout, and nothing else there"
    )
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md (of all benchmarks)")
    parser.add_argument(
        "--setup", action="store_true", help="also measure setting up, which downloads everything"
    )
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(ALL):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    if chosen.write and chosen.names:
        parser.error("--write takes the figures of one whole run: name no benchmark")
    names = [
        name for name in ALL if name in (chosen.names or BENCHMARKS) or (name == "setup" and chosen.setup)
    ]
    machine = Machine.here()
    stderr = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as scratch:
        tables = [measure(name, Bench(Path(scratch)), stderr) for name in names]
    if chosen.json:
        document = {"machine": machine.as_json(), "tables": [table.as_json() for table in tables]}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        report.print_tables(Console(highlight=False), tables)
    if chosen.write:
        PAGE.write_text(report.page(tables, machine), encoding="utf-8")
    wrong = faults(tables)
    for line in wrong:
        stderr.print(f"[red]wrong:[/] {escape(line)}")
    return 1 if wrong else 0


def measure(name: str, bench: Bench, stderr: Console) -> Table:
    """Run one benchmark, showing on stderr that it runs."""
    if not stderr.is_terminal:
        stderr.print(f"bench: {name} …")
    with stderr.status(f"{name} …"):
        return ALL[name](bench)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(main(sys.argv[1:]))
    except (ProbeFailed, BlueprintError) as problem:
        sys.stderr.write(f"bench: {problem}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("bench: interrupted; what was started has been ended\n")
        sys.exit(1)
