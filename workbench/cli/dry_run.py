"""`blueprint dry-run`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import catalogue
from workbench.cli import assemblies, options
from workbench.errors import Misuse

if TYPE_CHECKING:
    from workbench.dryrun.localise import Difference
    from workbench.dryrun.report import Report

Names = Annotated[list[str], typer.Argument(help="The blueprints to play.")]


def command(
    names: Names,
    as_json: options.AsJson = False,
    stage: options.StageName = "sandbox",
    choices: assemblies.Choices = None,
    users: Annotated[str, typer.Option(help="The size to deploy for.")] = str(catalogue.DEFAULT_USERS),
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the offline AWS up, and say how to talk to it.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="The port of the offline AWS; a free one by default.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(help="Play on a LocalStack-compatible endpoint instead of starting an offline AWS."),
    ] = None,
) -> int:
    """Deploy to the offline AWS, play the scenario, destroy, and report."""
    from workbench.dryrun.emulator import endpoint_at
    from workbench.dryrun.pipeline import Options, dry_run

    blueprints = [catalogue.find(name) for name in names]
    if keep and (endpoint or len(blueprints) > 1):
        raise Misuse("--keep takes one blueprint, and starts an offline AWS of its own (no --endpoint)")
    size, chosen = catalogue.users_from(users), catalogue.stage_named(stage)
    where = endpoint_at(endpoint) if endpoint else None
    reports = []
    for blueprint in blueprints:
        with options.progress(blueprint.name) as told:
            run = Options(
                users=size,
                stage=chosen,
                choices=assemblies.choices_from(blueprint, choices or []),
                port=port,
                keep=keep,
                endpoint=where,
                on_phase=told.phase,
                on_step=told.step,
            )
            report = dry_run(blueprint, run)
        reports.append(report)
        if not as_json:
            render(report, options.stdout())
    if as_json:
        documents = [report.as_json() for report in reports]
        options.print_json(documents[0] if len(documents) == 1 else documents)
    return 0 if all(report.passed for report in reports) else 1


def render(report: Report, console: Console) -> None:
    """The report that a person reads."""
    console.print(f"\n[bold]{escape(report.title)}[/]")
    console.print(f"[dim]Promise: {escape(report.promise)}[/]\n")
    steps = Table(box=None, show_header=False, padding=(0, 1))
    for step in report.steps:
        mark = "[green]✓[/]" if step.passed else "[red]✗[/]" if step.failed else "[yellow]–[/]"
        steps.add_row(mark, escape(step.name), f"[dim]{step.seconds:6.2f} s[/]")
        if step.error:
            steps.add_row("", f"[red]{escape(step.error)}[/]", "")
        if step.not_played:
            steps.add_row("", f"[yellow]not played: {escape(step.not_played)}[/]", "")
    console.print(steps)
    if report.log:
        console.print("\n[bold]What the functions logged meanwhile[/]")
        for line in report.log:
            console.print(f"  [dim]{escape(line)}[/]", soft_wrap=True)
    console.print()
    console.print(_facts(report))
    verdict = (
        "[bold green]the promise holds[/]" if report.passed else "[bold red]the promise does not hold[/]"
    )
    console.print(f"\n{escape(report.name)}: {verdict}\n")
    for line in report.kept:
        console.print(line, soft_wrap=True, markup=False)


def _facts(report: Report) -> Table:
    facts = Table(box=None, show_header=False, padding=(0, 1))
    if report.total:
        _add_deployment(facts, report)
    phases = " · ".join(f"{name} {seconds:.1f}" for name, seconds in report.phases.items())
    facts.add_row("time", f"{report.seconds:.1f} s  [dim]({phases})[/]")
    return facts


def _add_deployment(facts: Table, report: Report) -> None:
    facts.add_row("resources", f"{report.deployed} of {report.total} deployed as they go to AWS")
    for line in _by_type(report.through_api):
        facts.add_row("", f"[dim]through its API: {escape(line)}[/]")
    for line in _by_type(report.substituted):
        facts.add_row("", f"[yellow]stand-in: {escape(line)}[/]")
    for line in _by_type(report.skipped):
        facts.add_row("", f"[red]skipped: {escape(line)}[/]")
    for note in report.notes:
        facts.add_row("", f"[dim]{escape(note)}[/]")
    facts.add_row("IAM", _iam(report))
    for refused in report.denied:
        facts.add_row(
            "", f"[red]refused: {escape(f'{refused.role} → {refused.action} on {refused.resource}')}[/]"
        )
    for grant in report.unused_grants:
        facts.add_row("", f"[yellow]never used: {escape(f'{grant.role} → {grant.action}')}[/]")
    first, *rest = _left(report)
    facts.add_row("left behind", first)
    for line in rest:
        facts.add_row("", line)


def _by_type(differences: list[Difference]) -> list[str]:
    """A line for each type, with how many there are and what was done."""
    counted = Counter((each.type, each.why) for each in differences)
    return [f"{count} {kind}: {why}" for (kind, why), count in counted.items()]


def _iam(report: Report) -> str:
    if report.denied:
        return f"[red]{len(report.denied)} calls refused that the scenario did not expect[/]"
    return "enforced, every function under its own role; nothing refused that should not be"


def _left(report: Report) -> list[str]:
    if report.kept:
        return ["the offline AWS is up, see below"]
    if not report.left_behind:
        return ["nothing"]
    if report.stage == "production":
        return ["its data, as production does:", *(f"[dim]{escape(each)}[/]" for each in report.left_behind)]
    return [f"[red]{escape(each)}[/]" for each in report.left_behind]
