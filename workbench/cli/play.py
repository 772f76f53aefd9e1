"""`blueprint play`."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench import catalogue
from workbench.cli import dry_run, options


def command(
    name: options.Name,
    stack: Annotated[
        list[str] | None,
        typer.Option(help="The deployed stack, where it is not called as usual; repeatable."),
    ] = None,
    stage: options.StageName = "sandbox",
    as_json: options.AsJson = False,
) -> int:
    """Play the scenario against a really deployed stack, with the AWS credentials of this shell."""
    from workbench.dryrun.pipeline import play_deployed

    blueprint = catalogue.find(name)
    with options.progress(name) as told:
        report = play_deployed(blueprint, stack or [], catalogue.stage_named(stage), told.step)
    if as_json:
        options.print_json(report.as_json())
    else:
        dry_run.render(report, options.stdout())
    return 0 if report.passed else 1
