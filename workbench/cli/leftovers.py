"""`blueprint leftovers`.

The document of `--json`:

    name          the blueprint, or the first stack of a foreign assembly
    stages        {stage: {users, nothing, monthly_usd, blocked_usd, stays, blocks, notes}}; the stage of an assembly
                  that names none is "declared"
    prices_as_of  the day of the price book

`stays` and `blocks` are lists of {stack, resource, type, what, why, remove, ends_after_days, monthly_usd, is_known,
not_priced, lines}; `monthly_usd` is all that it costs only where `is_known` is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.blueprint import Stage
from workbench.cli import assemblies, options
from workbench.errors import Misuse
from workbench.review.cost import declared_users
from workbench.review.numbers import dollars, plain
from workbench.review.usage import add_usage

if TYPE_CHECKING:
    from workbench.review.leftovers import Leftover, LeftoverLine, Leftovers

BOTH: tuple[Stage, ...] = ("sandbox", "production")
WIDEST_WORD = 44  # of the commands, so that none is broken in the middle

Users = Annotated[
    str | None,
    typer.Option("--users", help=f"The size of what is destroyed; {catalogue.DEFAULT_USERS} of a blueprint."),
]
OneStage = Annotated[
    str | None, typer.Option("--stage", help="sandbox or production; both where it isn't given.")
]


def command(
    name: assemblies.OptionalName = None,
    users: Users = None,
    stage: OneStage = None,
    folder: assemblies.Folder = None,
    usage: assemblies.UsageFile = None,
    as_json: options.AsJson = False,
) -> None:
    """What `cdk destroy` leaves at each stage, what it costs a month, and how to be rid of it."""
    assemblies.one_of(name, folder)
    if folder is not None:
        if stage is not None:
            raise Misuse("--stage is for a blueprint; an assembly is of the stage that it was made for")
        assembly = Assembly.load(folder)
        if usage is not None:
            add_usage(assembly, usage)
        title, stage_name = assemblies.title_of(assembly)
        found = {stage_name or assemblies.DECLARED: _of_folder(assembly, users)}
    elif usage is not None:
        raise Misuse("--usage is for an --assembly; a blueprint declares its own")
    else:
        title = str(name)
        found = dict(_of_blueprint(title, users, stage))
    if as_json:
        options.print_json(_document(title, found))
        return
    console = options.stdout()
    for stage_name, each in found.items():
        _print(console, title, stage_name, each)
    _print_terms(console, found)


def _of_folder(assembly: Assembly, users: str | None) -> Leftovers:
    """The assembly as it is; with --users, its traffic grown from the users that it declares."""
    from workbench.review.leftovers import leftovers

    if users is None:
        return leftovers(assembly)
    made_for = declared_users(assembly)
    if made_for is None:
        raise Misuse(
            "--users needs an assembly that says for how many users its traffic is; this one doesn't"
        )
    return leftovers(assembly, traffic=Decimal(catalogue.users_from(users)) / made_for)


def _of_blueprint(name: str, users: str | None, stage: str | None) -> Iterator[tuple[str, Leftovers]]:
    from workbench.review.leftovers import leftovers

    size = catalogue.DEFAULT_USERS if users is None else catalogue.users_from(users)
    stages = BOTH if stage is None else (catalogue.stage_named(stage),)
    blueprint = catalogue.find(name)
    for each in stages:
        with assemblies.synthesized(blueprint, size, each) as assembly:
            yield each, leftovers(assembly)


def _document(title: str, found: Mapping[str, Leftovers]) -> dict[str, Any]:
    return {
        "name": title,
        "stages": {stage: _stage(each) for stage, each in found.items()},
        "prices_as_of": next(iter(found.values())).prices_as_of,
    }


def _stage(found: Leftovers) -> dict[str, Any]:
    return {
        "users": found.users,
        "nothing": found.nothing,
        "monthly_usd": plain(found.monthly_usd),
        "blocked_usd": plain(found.blocked_usd),
        "stays": [_leftover(each) for each in found.stays],
        "blocks": [_leftover(each) for each in found.blocks],
        "notes": list(found.notes),
    }


def _leftover(each: Leftover) -> dict[str, Any]:
    return {
        "stack": each.stack,
        "resource": each.resource,
        "type": each.type,
        "what": each.what,
        "why": each.why,
        "remove": each.remove,
        "ends_after_days": each.ends_after_days,
        "monthly_usd": plain(each.monthly_usd),
        "is_known": each.is_known,
        "not_priced": each.not_priced,
        "lines": [_line(line) for line in each.lines],
    }


def _line(line: LeftoverLine) -> dict[str, Any]:
    return {
        "component": line.component,
        "unit": line.unit,
        "quantity": plain(line.quantity),
        "monthly_usd": plain(line.monthly_usd),
        "declared": line.declared,
        "formula": line.formula,
    }


def _print(console: Console, title: str, stage: str, found: Leftovers) -> None:
    words = "" if stage == assemblies.DECLARED else f", {escape(stage)}"
    heading = f"[bold]{escape(title)}[/]{words}"
    if found.nothing and not found.stays:
        console.print(f"{heading}: [green]leaves nothing[/]")
    elif found.nothing:
        console.print(f"{heading}: [green]leaves nothing but what ends by itself, free[/]")
    else:
        console.print(heading)
    if found.blocks:
        console.print("\n[yellow]what keeps it from being deleted[/]")
        _print_table(console, found.blocks, ("resource", "why", "$ a month till then", "what to do"))
    if found.stays:
        console.print("\n[yellow]what stays[/]" if not found.nothing else "")
        _print_table(console, found.stays, ("resource", "why", "$ a month", "how to remove it"))
    if not found.nothing:
        more = "" if all(each.is_known for each in found.stays) else ", without what is not known"
        console.print(f"\nwhat stays costs [bold]{dollars(found.monthly_usd)}[/] a month{more}")
    for note in found.notes:
        console.print(f"[dim]beside it: {escape(note)}[/]", soft_wrap=True)
    console.print()


def _print_table(console: Console, rows: Sequence[Leftover], headings: tuple[str, str, str, str]) -> None:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    first, why, money, remove = headings
    table.add_column(first, overflow="fold")
    table.add_column(why, overflow="fold")
    table.add_column(money, justify="right")
    table.add_column(remove, overflow="fold", width=WIDEST_WORD)
    for each in sorted(rows, key=lambda row: row.monthly_usd, reverse=True):
        name = f"{each.resource}: {each.what}" if each.what else each.resource
        table.add_row(escape(name), escape(_why(each)), _money(each), escape(each.remove))
    console.print(table)


def _why(each: Leftover) -> str:
    return f"{each.why} (not priced: {each.not_priced})" if each.not_priced else each.why


def _money(each: Leftover) -> str:
    if each.is_known:
        return "" if each.blocks and not each.monthly_usd else dollars(each.monthly_usd)
    unknown = "not priced" if each.not_priced else "size not declared"
    return f"[yellow]{dollars(each.monthly_usd)} and more[/]" if each.monthly_usd else f"[yellow]{unknown}[/]"


def _print_terms(console: Console, found: Mapping[str, Leftovers]) -> None:
    first = next(iter(found.values()))
    sizes = {each.users for each in found.values() if each.users}
    of = f" for {max(sizes):,} users" if sizes else ""
    terms = f"The data of a system made{of}; list prices as of {first.prices_as_of}, nobody coming any more."
    console.print(f"[dim]{terms}[/]", soft_wrap=True)
