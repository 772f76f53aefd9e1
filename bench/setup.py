"""What setting up costs: MB downloaded, MB installed, seconds. Only run with `--setup`: it fetches everything.

A new environment in a scratch folder gets what `make dry-run` installs, then what `make test` adds, with the
locks' hashes, as tools/setup_environment.py does it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.fresh import Bench, ProbeFailed
from bench.table import Row, Table, compared
from workbench import catalogue

FIRST = ("requirements.txt", "requirements-node.txt")
DEVELOPMENT = ("requirements-dev.txt",)


def run(bench: Bench) -> Table:
    """Figures of the first command, and of what the gate adds to it."""
    venv = bench.scratch / "setup" / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    bare = megabytes(venv)
    wheels = bench.scratch / "setup" / "wheels"
    rows: list[Row] = []
    before, fetched = bare, 0.0
    first = None
    for called, locks in (("first command", FIRST), ("development, besides", DEVELOPMENT)):
        downloading = _pip(venv, "download", "--no-deps", "--dest", str(wheels), locks=locks)
        total = megabytes(wheels)
        installing = _pip(
            venv,
            "install",
            "--no-compile",
            "--no-deps",
            "--find-links",
            str(wheels),
            locks=locks,
        )
        installed = megabytes(venv)
        figures = (total - fetched, downloading, installed - before, installing)
        for n, (what, unit) in enumerate(
            (("downloaded", "MB"), ("downloading", "s"), ("installed", "MB"), ("installing", "s"))
        ):
            against = first[n] if first else 0.0
            rows.append(compared(f"{called}: {what}", figures[n], unit, against, "first command"))
        first = first or figures
        before, fetched = installed, total
    return Table(
        "setup",
        "Setting up",
        tuple(rows),
        (
            f"{', '.join(FIRST)}; then {', '.join(DEVELOPMENT)}. With hashes, without compiled files.",
            f"An empty environment, {bare:.0f} MB, is not counted.",
            "Seconds of downloading are those of pip's cache and of this machine's registry, maybe a "
            "mirror close by.",
        ),
    )


def megabytes(folder: Path) -> float:
    """The sum of all files under `folder`, in MB (10^6 bytes); links are not followed."""
    return (
        sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
        / 1e6
    )


def _pip(venv: Path, *arguments: str, locks: tuple[str, ...]) -> float:
    """Run pip, silently: what it says names hosts. Returns the seconds that it took."""
    files = [part for lock in locks for part in ("--requirement", str(catalogue.ROOT / lock))]
    command = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, *arguments, "--require-hashes", *files],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise ProbeFailed(f"pip {arguments[0]} ended with {done.returncode}; `make setup` shows why")
    return time.perf_counter() - started
