"""`blueprint list`."""

from __future__ import annotations

from rich.table import Table

from workbench import catalogue
from workbench.cli import options


def command(as_json: options.AsJson = False) -> None:
    """The catalogue."""
    found = catalogue.every()
    if as_json:
        options.print_json(
            [
                {"name": each.name, "title": each.title, "seed": each.seed, "group": each.group}
                for each in found
            ]
        )
        return
    table = Table("name", "title", "group", box=None)
    for each in found:
        table.add_row(each.name, each.title, each.group)
    options.stdout().print(table)
