"""`blueprint cost`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.cli import assemblies, options
from workbench.errors import Misuse
from workbench.review.cost import Bill, BillLine, declared_users, price
from workbench.review.numbers import dollars, plain, shown

FOLD_FROM = 4

Summary = Annotated[bool, typer.Option("--summary", help="One line a size, without the lines of the bill.")]
Explain = Annotated[
    str | None, typer.Option("--explain", help="How the lines of this resource were made, to the dollar.")
]


def command(
    name: assemblies.OptionalName = None,
    users: assemblies.OptionalSizes = None,
    stage: options.StageName = "production",
    folder: assemblies.Folder = None,
    as_json: options.AsJson = False,
    summary: Summary = False,
    explain: Explain = None,
) -> None:
    """The monthly bill from the template, at every size."""
    assemblies.one_of(name, folder)
    if folder is not None:
        assembly = Assembly.load(folder)
        title, stage_name = assemblies.title_of(assembly)
        bills = dict(_bills_of_folder(assembly, users))
    else:
        title, stage_name = str(name), stage
        bills = dict(_bills_of_blueprint(title, users, stage))
    if as_json:
        options.print_json(_document(title, stage_name, bills))
        return
    console = options.stdout()
    if explain is not None:
        _explain(console, bills, explain)
        return
    if not summary:
        for size, bill in bills.items():
            _print_bill(console, title, size, bill)
    _print_summary(console, title, bills)


def _bills_of_blueprint(name: str, users: str | None, stage: str) -> Iterator[tuple[str, Bill]]:
    sizes = assemblies.sizes_of_blueprint(users)
    chosen = catalogue.stage_named(stage)
    blueprint = catalogue.find(name)
    for size in sizes:
        with assemblies.synthesized(blueprint, size, chosen) as assembly:
            yield str(size), price(assembly)


def _bills_of_folder(assembly: Assembly, users: str | None) -> Iterator[tuple[str, Bill]]:
    """The assembly as it is; with --users, its traffic grown from the users that it declares."""
    sizes = assemblies.sizes_of_folder(assembly, users)
    made_for = declared_users(assembly)
    if made_for is None:
        yield assemblies.DECLARED, price(assembly)
        return
    for size in sizes:
        yield str(size), price(assembly, traffic=Decimal(size) / made_for)


def _document(title: str, stage: str | None, bills: Mapping[str, Bill]) -> dict[str, Any]:
    first = next(iter(bills.values()))
    return {
        "name": title,
        "stage": stage,
        "sizes": {size: _size(bill) for size, bill in bills.items()},
        "unpriced": [
            {"resource": each.resource, "type": each.type, "why": each.why} for each in first.unpriced
        ],
        "prices_as_of": first.prices_as_of,
    }


def _size(bill: Bill) -> dict[str, Any]:
    each = bill.per_user_usd
    return {
        "monthly_usd": plain(bill.monthly_usd),
        "idle_usd": plain(bill.idle_usd),
        "per_user_usd": None if each is None else plain(each),
        "lines": [_line(line) for line in bill.lines],
    }


def _line(line: BillLine) -> dict[str, Any]:
    return {
        "resource": line.resource,
        "type": line.type,
        "component": line.component,
        "unit": line.unit,
        "quantity": plain(line.quantity),
        "unit_price": plain(line.unit_price),
        "monthly_usd": plain(line.monthly_usd),
        "grade": line.grade,
        "formula": line.formula,
    }


def _explain(console: Console, bills: Mapping[str, Bill], resource: str) -> None:
    names = {line.resource for bill in bills.values() for line in bill.lines}
    if resource not in names:
        raise Misuse(f"no line of the bill is of {resource!r}; there are: {', '.join(sorted(names))}")
    for size, bill in bills.items():
        console.print(f"\n[bold]{escape(resource)}[/] {assemblies.at(size)}")
        for line in bill.lines:
            if line.resource == resource:
                console.print(f"  {escape(line.component)}: {_money(line)}")
                console.print(f"    [dim]{escape(line.formula)}[/]", soft_wrap=True)
                console.print(f"    [dim]price {line.price_key}, grade {line.grade}[/]", soft_wrap=True)


def _money(line: BillLine) -> str:
    return dollars(line.monthly_usd) if line.declared else "depends on usage"


def _print_bill(console: Console, title: str, size: str, bill: Bill) -> None:
    table = Table(title=f"{title} {assemblies.at(size)}", title_justify="left", box=None)
    table.add_column("resource")
    table.add_column("component")
    for heading in ("quantity", "each", "a month"):
        table.add_column(heading, justify="right")
    for resource, lines in groupby(_folded(bill), key=lambda line: line.resource):
        for index, line in enumerate(lines):
            table.add_row(
                escape(resource) if index == 0 else "",
                escape(line.component),
                f"{shown(line.quantity)} {escape(line.unit)}" if line.declared else "",
                f"${plain(line.unit_price)}",
                _money(line) if line.declared else "[yellow]depends on usage[/]",
            )
    console.print(table)
    for each in bill.unpriced:
        console.print(f"[yellow]not priced:[/] {escape(f'{each.resource} ({each.type}): {each.why}')}")
    for warning in bill.warnings:
        console.print(f"[yellow]note:[/] {escape(warning)}")
    console.print()


def _folded(bill: Bill) -> Iterator[BillLine]:
    """The lines, with resources of a type that cost the same by existing (many alarms) made one."""
    alike: dict[tuple[str, str, Decimal], list[BillLine]] = {}
    for line in bill.lines:
        alike.setdefault((line.type, line.component, line.unit_price), []).append(line)
    for line in bill.lines:
        same = alike[line.type, line.component, line.unit_price]
        if len(same) < FOLD_FROM or len({each.quantity for each in same}) > 1 or not line.declared:
            yield line
        elif line is same[0]:
            yield replace(
                line,
                resource=f"{len(same)} × {line.type.rsplit('::', 1)[-1]}",
                quantity=line.quantity * len(same),
                monthly_usd=sum((each.monthly_usd for each in same), Decimal(0)),
            )


def _print_summary(console: Console, title: str, bills: Mapping[str, Bill]) -> None:
    table = Table(title=f"{title}: what it costs", title_justify="left", box=None)
    for heading in ("users", "$ a month", "$ a user", "idle $ a month"):
        table.add_column(heading, justify="right")
    table.add_column("largest line")
    for size, bill in bills.items():
        each, largest = bill.per_user_usd, bill.largest
        table.add_row(
            size if size == assemblies.DECLARED else f"{int(size):,}",
            dollars(bill.monthly_usd),
            "" if each is None else dollars(each),
            dollars(bill.idle_usd),
            "" if largest is None else escape(f"{largest.resource}: {largest.component} {_money(largest)}"),
        )
    console.print(table)
    first = next(iter(bills.values()))
    terms = (
        f"List prices of us-east-1 as of {first.prices_as_of}; no tax, discount or free allowance taken off."
    )
    console.print(f"[dim]{terms}[/]", soft_wrap=True)
