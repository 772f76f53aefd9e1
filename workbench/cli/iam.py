"""`blueprint iam`.

It exits with 1 when a statement is missing, a grant is unused or survives unexplained, or an explanation explains
nothing. The document of `--json`:

    name, passed, seconds
    missing            a list of {resource, what}: statements that the template's wires need and it lacks
    counts             how many grants have each verdict
    grants             a list of {role, action, resources, verdict, why}; the verdict is killed (`why` is the step
                       that noticed), sole (`why` is a call that nothing else allows), deployment, explained
                       (`why` is the reason), unused or survivor
    idle_explanations  entries of EXPLAINED, as "blueprint/role, action", that explain nothing
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import catalogue
from workbench.cli import options

if TYPE_CHECKING:
    from workbench.dryrun.mutation import Proof, Verdict

COLOURS = {"killed": "green", "sole": "green", "survivor": "red", "unused": "red"}
VERDICTS = {
    "killed": "killed",
    "sole": "sole, by the log",
    "deployment": "used by the deployment",
    "explained": "explained",
    "unused": "unused",
    "survivor": "survivor",
}


def command(
    name: options.Name,
    as_json: options.AsJson = False,
    role: Annotated[
        str, typer.Option(help="The roles to look at, by construct or logical id, as a pattern: 'Redirect*'.")
    ] = "*",
    replays: Annotated[
        int | None,
        typer.Option(
            min=0, help="Play again without so many of the grants, and read of the others in the log."
        ),
    ] = None,
) -> int:
    """Take each grant away in turn: the scenario must notice. Names those that nothing needs, or that lack."""
    from workbench.dryrun.mutation import prove
    from workbench.dryrun.pipeline import Options

    blueprint = catalogue.find(name)
    with options.progress(name) as told:
        proof = prove(blueprint, role=role, options=Options(on_phase=told.phase), replays=replays)
    if as_json:
        options.print_json(proof.as_json())
    else:
        render(proof, options.stdout())
    return 0 if proof.passed else 1


def render(proof: Proof, console: Console) -> None:
    """The report that a person reads."""
    console.print(f"\n[bold]{escape(proof.report.title)}[/]: who may do what, and whether it is needed\n")
    for each in proof.missing:
        console.print(f"[red]missing: {escape(str(each))}[/]")
    if not proof.missing:
        console.print("Every wire of the template has the statements that it needs.")
    console.print()
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for heading in ("role", "action", "verdict"):
        table.add_column(heading)
    for verdict in proof.verdicts:
        table.add_row(escape(verdict.role), escape(verdict.action), _told(verdict))
    console.print(table)
    for entry in proof.idle_explanations:
        console.print(f"[red]explains nothing: {escape(entry)} (EXPLAINED in workbench/dryrun/grants.py)[/]")
    counted = " · ".join(f"{count} {VERDICTS[kind]}" for kind, count in proof.counts.items())
    summary = "[bold green]every grant is needed[/]" if proof.passed else "[bold red]not as it should be[/]"
    console.print(f"\n{len(proof.verdicts)} grants: {counted}  [dim]({proof.report.seconds:.0f} s)[/]")
    console.print(f"{escape(proof.name)}: {summary}\n")


def _told(verdict: Verdict) -> str:
    """The verdict in words, coloured."""
    words = VERDICTS[verdict.kind]
    if verdict.kind == "killed":
        words += f" by “{verdict.why}”"
    elif verdict.kind in ("explained", "sole"):
        words += f": {verdict.why}"
    elif verdict.is_finding:
        words += f", on {', '.join(verdict.resources)}"
    colour = COLOURS.get(verdict.kind, "default")
    return f"[{colour}]{escape(words)}[/]"
