"""`blueprint new`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from workbench.cli import options
from workbench.new import Plan, create

Name = Annotated[str, typer.Argument(help="The system's name in every room, like demo_counter.")]


def command(
    name: Name,
    title: Annotated[str, typer.Option(help="What people call it; by default the name in words.")] = "",
    group: Annotated[str, typer.Option(help="The group that `blueprint list` shows.")] = Plan.group,
    seed: Annotated[str, typer.Option(help="The file of the text that it comes from.")] = Plan.seed,
    passage: Annotated[str, typer.Option(help="Where in that text; by default the title.")] = "",
    promise: Annotated[str, typer.Option(help="What its scenario proves, in a sentence.")] = Plan.promise,
    as_json: options.AsJson = False,
) -> None:
    """Write every room of a new system: a small one that keeps the whole contract, to be changed into yours."""
    plan = Plan(name, title, group, seed, passage, promise)
    files = create(plan)
    following = [f"make dry-run SYSTEM={name}", "make golden", "make check"]
    if as_json:
        options.print_json({"name": name, "files": files, "next": following})
        return
    console = options.stdout()
    console.print(f"[bold]{escape(plan.title)}[/] is written, and whole:\n")
    for file in files:
        console.print(f"  {escape(file)}")
    console.print("\nNext, and again after every change (CONTRIBUTING.md says what to change first):\n")
    for line in following:
        console.print(f"  [bold]{escape(line)}[/]")
