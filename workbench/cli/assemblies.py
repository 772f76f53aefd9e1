"""The assemblies that a command reviews: a blueprint synthesized at a size, or a folder that is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.blueprint import Blueprint, Stage
from workbench.cli import options
from workbench.errors import Misuse

OptionalName = Annotated[str | None, typer.Argument(help="The blueprint, as `blueprint list` names it.")]
Folder = Annotated[
    Path | None,
    typer.Option("--assembly", help="A cloud assembly (cdk.out) to review instead of a blueprint."),
]
OptionalSizes = Annotated[
    str | None,
    typer.Option("--users", help=f"Sizes, separated by commas; {options.FIVE_SIZES} of a blueprint."),
]


def one_of(name: str | None, folder: Path | None) -> None:
    """Raise `Misuse` unless exactly one of a blueprint and a folder is given."""
    if (name is None) == (folder is None):
        raise Misuse("give either the name of a blueprint or --assembly with a folder")


@contextmanager
def synthesized(blueprint: Blueprint, users: int, stage: Stage) -> Iterator[Assembly]:
    """The assembly of `blueprint`, in a folder that is gone afterwards, however that comes about."""
    console = options.stderr()
    doing = f"synthesizing {blueprint.name} for {users:,} users …"
    status = console.status(doing) if console.is_terminal else nullcontext()
    with TemporaryDirectory(prefix="blueprint-") as folder, status:
        yield Assembly.load(catalogue.synthesize(blueprint, Path(folder), users=users, stage=stage))
