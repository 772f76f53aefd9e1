"""`blueprint capacity`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.cli import assemblies, options
from workbench.review.capacity import (
    Break,
    Checked,
    capacity_of_fixed,
    first_to_break,
    limits,
    prerequisites,
    undeclared,
)
from workbench.review.numbers import plain, shown

FEWEST, MOST = 1_000, 10**8


def command(
    name: assemblies.OptionalName = None,
    users: assemblies.OptionalSizes = None,
    stage: options.StageName = "production",
    folder: assemblies.Folder = None,
    as_json: options.AsJson = False,
) -> None:
    """Every quota against the load at each size, what to raise before deploying, and the first to give way."""
    assemblies.one_of(name, folder)
    if folder is not None:
        assembly = Assembly.load(folder)
        title, stage_name = assemblies.title_of(assembly)
        sizes, found, unknown = _of_folder(assembly, users)
    else:
        title, stage_name = str(name), stage
        sizes, found, unknown = _of_blueprint(title, users, stage)
    if as_json:
        options.print_json(_document(title, stage_name, sizes, found))
        return
    _print(options.stdout(), title, sizes, found, unknown)


def _of_folder(assembly: Assembly, users: str | None) -> tuple[dict[str, list[Checked]], Break, list[str]]:
    """The template as it is deployed: its traffic grows, its settings stay."""
    unknown = undeclared(assembly)
    sizes = assemblies.sizes_of_folder(assembly, users)
    if not sizes:
        why = "the assembly doesn't say for how many users its traffic is (Metadata.Workload.users)"
        checked = limits(assembly)
        return {assemblies.DECLARED: checked}, Break(None, None, None, why, prerequisites(checked)), unknown
    limits_at = capacity_of_fixed(assembly)
    return {str(size): limits_at(size) for size in sizes}, first_to_break(limits_at), unknown


def _of_blueprint(
    name: str, users: str | None, stage: str
) -> tuple[dict[str, list[Checked]], Break, list[str]]:
    """The blueprint synthesized anew at each size, as it would be deployed for that many."""
    sizes = assemblies.sizes_of_blueprint(users)
    chosen = catalogue.stage_named(stage)
    blueprint = catalogue.find(name)
    unknown: list[str] = []

    @cache
    def limits_at(size: int) -> list[Checked]:
        with assemblies.synthesized(blueprint, size, chosen) as assembly:
            unknown[:] = undeclared(assembly)
            return limits(assembly)

    checked = {str(size): limits_at(size) for size in sizes}
    return checked, first_to_break(limits_at, start=FEWEST, most=MOST), unknown


def _document(
    title: str, stage: str | None, sizes: Mapping[str, list[Checked]], found: Break
) -> dict[str, Any]:
    return {
        "name": title,
        "stage": stage,
        "sizes": {size: [_limit(each) for each in checked] for size, checked in sizes.items()},
        "prerequisites": [
            {**_limit(each), "idle_load": plain(each.idle_load)} for each in found.prerequisites
        ],
        "first_to_break": {
            "users": found.users,
            "resource": found.resource,
            "limit": found.limit,
            "why": found.why,
        },
    }


def _limit(checked: Checked) -> dict[str, Any]:
    return {
        "resource": checked.resource,
        "limit": checked.limit,
        "quota": plain(checked.quota),
        "load": plain(checked.load),
        "headroom": plain(checked.headroom),
        "adjustable": checked.adjustable,
        "source": checked.source,
    }


def _print(
    console: Console, title: str, sizes: Mapping[str, list[Checked]], found: Break, unknown: list[str]
) -> None:
    for size, checked in sizes.items():
        _print_size(console, f"{title} {assemblies.at(size)}", checked)
    for missing in unknown:
        console.print(f"[yellow]not checked, no usage declared:[/] {escape(missing)}")
    if found.prerequisites:
        console.print("[bold]raise these before you deploy:[/]")
    for each in found.prerequisites:
        console.print(f"  {escape(each.increase)} ({escape(each.source)})", soft_wrap=True)
    if found.users is None:
        console.print(f"[bold]{escape(title)}[/]: {escape(found.why)}.", soft_wrap=True)
    else:
        words = f"breaks at about {_rounded(found.users)} users because {found.why}."
        console.print(f"[bold]{escape(title)}[/] {escape(words)}", soft_wrap=True)


def _print_size(console: Console, title: str, checked: list[Checked]) -> None:
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("headroom", justify="right")
    table.add_column("resource")
    table.add_column("limit")
    table.add_column("load", justify="right")
    table.add_column("quota", justify="right")
    table.add_column("unit")
    table.add_column("can be raised")
    for each in checked:
        colour = "red" if each.breaks else "yellow" if each.headroom * 5 < 1 else "green"
        table.add_row(
            f"[{colour}]{each.headroom * 100:.1f} %[/]",
            escape(each.resource),
            escape(each.limit),
            shown(each.load),
            shown(each.quota),
            escape(each.unit),
            "before you deploy" if each.is_prerequisite else "yes" if each.adjustable else "no",
        )
    console.print(table)
    console.print()


def _rounded(users: int) -> str:
    """Two significant digits, as the search is exact to 1 %."""
    scale = 10 ** max(0, len(str(users)) - 2)
    return f"{round(users / scale) * scale:,}"
