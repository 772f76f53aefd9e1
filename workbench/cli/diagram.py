"""`blueprint diagram`."""

from __future__ import annotations

import sys

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.cli import assemblies, options
from workbench.diagram import mermaid


def command(
    name: assemblies.OptionalName = None,
    folder: assemblies.Folder = None,
    stage: options.StageName = "production",
) -> None:
    """A Mermaid flowchart, drawn from the template."""
    assemblies.one_of(name, folder)
    if folder is not None:
        sys.stdout.write(mermaid(Assembly.load(folder)))
        return
    chosen = catalogue.stage_named(stage)
    blueprint = catalogue.find(str(name))
    with assemblies.synthesized(blueprint, catalogue.DEFAULT_USERS, chosen) as assembly:
        sys.stdout.write(mermaid(assembly))
