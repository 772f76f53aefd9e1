"""The assemblies that a command reviews: a blueprint synthesized at a size, or a folder that is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from workbench.review.cost import declared, declared_users

DECLARED = "declared"
"""What stands for the size of an assembly that doesn't say for how many users it is."""

Choices = Annotated[
    list[str] | None,
    typer.Option("--choose", help="Build a part another way: <key>=<option>. `blueprint show` lists them."),
]
UsageFile = Annotated[
    Path | None, typer.Option("--usage", help="A TOML file of usage, for an --assembly that declares none.")
]
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


def title_of(assembly: Assembly) -> tuple[str, str | None]:
    """The blueprint and the stage that `assembly` says it is; for a foreign one its first stack and None."""
    said = declared(assembly)
    stage = said.get("stage")
    return str(said.get("blueprint", assembly.stacks[0].name)), None if stage is None else str(stage)


def sizes_of_folder(assembly: Assembly, users: str | None) -> list[int]:
    """The sizes to review a folder at: those of `--users`, or else its own, of which there may be none.

    Raises `Misuse` for `--users` where the assembly says no size that its traffic could grow from.
    """
    made_for = declared_users(assembly)
    if users is None:
        return [] if made_for is None else [made_for]
    if made_for is None:
        raise Misuse(
            "--users needs an assembly that says for how many users its traffic is; this one doesn't"
        )
    return options.sizes_from(users)


def at(size: str) -> str:
    """The words for a size: `at 1,000 users`, or those for `DECLARED`."""
    return "with its declared traffic" if size == DECLARED else f"at {int(size):,} users"


def sizes_of_blueprint(users: str | None) -> list[int]:
    """The sizes to synthesize a blueprint for: those of `--users`, or the usual ones."""
    return options.sizes_from(options.FIVE_SIZES if users is None else users)


@contextmanager
def synthesized(
    blueprint: Blueprint, users: int, stage: Stage, choices: Mapping[str, str] | None = None
) -> Iterator[Assembly]:
    """The assembly of `blueprint`, in a folder that is gone afterwards, however that comes about."""
    console = options.stderr()
    doing = f"synthesizing {blueprint.name} for {users:,} users …"
    status = console.status(doing) if console.is_terminal else nullcontext()
    with TemporaryDirectory(prefix="blueprint-") as folder, status:
        made = catalogue.synthesize(blueprint, Path(folder), users=users, stage=stage, choices=choices)
        yield Assembly.load(made)


def choices_from(blueprint: Blueprint, asked: Sequence[str]) -> dict[str, str]:
    """`["counters=provisioned"]` as a context. Raises `Misuse` for what `blueprint` doesn't let one choose."""
    found = {}
    for each in asked:
        key, separator, option = each.partition("=")
        if not separator:
            raise Misuse(f"a choice is written <key>=<option>; got {each!r}")
        found[key] = blueprint.choice(key).taken(option)
    return found
