"""The options that several commands take, and the console they print on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from workbench import catalogue
from workbench.errors import Misuse

if TYPE_CHECKING:
    from rich.status import Status

    from workbench.dryrun.world import Step

Name = Annotated[str, typer.Argument(help="The blueprint, as `blueprint list` names it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, and nothing else there.")]
StageName = Annotated[str, typer.Option("--stage", help="sandbox or production.")]

FIVE_SIZES = "1000,10000,100000,1000000,10000000"


def sizes_from(text: str) -> list[int]:
    """`1000,100000` as numbers, each at least 1. Raises `Misuse`."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise Misuse("give at least one size, like --users 1000")
    return sorted({catalogue.users_from(part) for part in parts})


PIPED_WIDTH = 120  # where there is no terminal to ask


def stdout() -> Console:
    """The console of the report."""
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=PIPED_WIDTH)


def stderr() -> Console:
    """The console of progress and notices."""
    return Console(stderr=True, highlight=False, emoji=False)


def print_json(document: Any) -> None:
    """Write `document` as the one thing on stdout."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


class Progress:
    """What a long command is doing, on stderr: one moving line on a terminal, nothing elsewhere."""

    def __init__(self, name: str, status: Status) -> None:
        self._name, self._status = name, status
        self._steps = 0

    def phase(self, phase: str) -> None:
        self._status.update(f"{self._name}: {phase} …")

    def step(self, step: Step) -> None:
        self._steps += 1
        self._status.update(f"{self._name}: play … {self._steps} steps, last: {step.name}")


@contextmanager
def progress(name: str) -> Iterator[Progress]:
    """Show progress while inside."""
    with stderr().status(f"{name} …") as status:
        yield Progress(name, status)
