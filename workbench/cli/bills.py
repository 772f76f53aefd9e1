"""How bills are shown: tables, curves and documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import plots
from workbench.blueprint import Choice
from workbench.cli import assemblies, options
from workbench.errors import Misuse
from workbench.review.cost import Bill, BillLine
from workbench.review.curve import Crossing, sentence
from workbench.review.numbers import dollars, plain, shown
from workbench.review.prices import MEMORY, OLD_AFTER_DAYS

if TYPE_CHECKING:
    from workbench.cli.cost import Opened

FOLD_FROM = 4
NIGHT_HOURS = 12


def document(title: str, stage: str | None, bills: Mapping[str, Bill]) -> dict[str, Any]:
    """The bills as one JSON document; amounts are decimal strings in dollars.

    `unpriced` and `warnings` are those of all sizes, each once.
    """
    unpriced = dict.fromkeys(each for bill in bills.values() for each in bill.unpriced)
    return {
        "name": title,
        "stage": stage,
        "sizes": {size: _size(bill) for size, bill in bills.items()},
        "unpriced": [{"resource": each.resource, "type": each.type, "why": each.why} for each in unpriced],
        "warnings": list(dict.fromkeys(each for bill in bills.values() for each in bill.warnings)),
        "prices_as_of": next(iter(bills.values())).prices_as_of,
    }


def _size(bill: Bill) -> dict[str, Any]:
    each, thousand = bill.per_user_usd, bill.per_1000_requests_usd
    return {
        "monthly_usd": plain(bill.monthly_usd),
        "idle_usd": plain(bill.idle_usd),
        "per_user_usd": None if each is None else plain(each),
        "per_1000_requests_usd": None if thousand is None else plain(thousand),
        "free_tier_usd": plain(bill.free_usd),
        "payable_usd": plain(bill.payable_usd),
        "free_tier": [
            {"name": each.allowance.name, "quantity": plain(each.quantity), "usd": plain(each.usd)}
            for each in bill.free_tier
        ],
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
        "declared": line.declared,
        "price_key": line.price_key,
        "price_as_of": line.as_of,
        "grade": line.grade,
        "formula": line.formula,
    }


def print_explanation(resource: str, bills: Mapping[str, Bill]) -> None:
    """Each line of `resource`, with its formula. Raises `Misuse` where there is none."""
    names = {line.resource for bill in bills.values() for line in bill.lines}
    if resource not in names:
        raise Misuse(f"no line of the bill is of {resource!r}; there are: {', '.join(sorted(names))}")
    console = options.stdout()
    for size, bill in bills.items():
        console.print(f"\n[bold]{escape(resource)}[/] {assemblies.at(size)}")
        for line in bill.lines:
            if line.resource == resource:
                console.print(f"  {escape(line.component)}: {_money(line)}")
                console.print(f"    [dim]{escape(line.formula)}[/]", soft_wrap=True)
                console.print(
                    f"    [dim]price {line.price_key}, grade {line.grade}, as of {line.as_of}[/]",
                    soft_wrap=True,
                )


def _money(line: BillLine) -> str:
    return dollars(line.monthly_usd) if line.declared else "depends on usage"


def print_bills(title: str, bills: Mapping[str, Bill], *, summary: bool, curve: bool) -> None:
    """The lines of every size, unless it is a `summary`; then one row a size, and the curve where it is asked for."""
    console = options.stdout()
    if not summary:
        for size, bill in bills.items():
            _print_bill(console, title, size, bill)
    _print_summary(console, title, bills)
    if curve:
        width = min(console.width, 100)
        drawn = plots.terminal(f"{title}: dollars a month", _curves(bills), width=width)
        console.print(f"\n{drawn}", markup=False, soft_wrap=True)


def _curves(bills: Mapping[str, Bill]) -> dict[str, plots.Points]:
    sizes = [(int(size), bill) for size, bill in bills.items()]
    return {
        "a month": [(users, bill.payable_usd) for users, bill in sizes],
        "idle": [(users, bill.idle_usd) for users, bill in sizes],
    }


def write_curve(file: Path, title: str, bills: Mapping[str, Bill]) -> None:
    """The bill over the sizes as an SVG document."""
    write_curves(file, f"{title}: dollars a month", _curves(bills))


def write_curves(file: Path, title: str, curves: Mapping[str, plots.Points]) -> None:
    """`curves` as an SVG document."""
    file.write_text(plots.svg(title, curves))


def _print_bill(console: Console, title: str, size: str, bill: Bill) -> None:
    table = Table(title=f"{escape(title)} {assemblies.at(size)}", title_justify="left", box=None)
    table.add_column("resource")
    table.add_column("component")
    for heading in ("quantity", "each", "a month"):
        table.add_column(heading, justify="right")
    listed = [line for line in _folded(bill) if bill.traffic or line.monthly_usd or not line.declared]
    for resource, lines in groupby(listed, key=lambda line: line.resource):
        for index, line in enumerate(lines):
            table.add_row(
                escape(resource) if index == 0 else "",
                escape(line.component),
                f"{shown(line.quantity)} {escape(line.unit)}" if line.declared else "",
                f"${plain(line.unit_price)}{' ?' if line.grade == MEMORY else ''}",
                _money(line) if line.declared else "[yellow]depends on usage[/]",
            )
    if bill.free_tier:
        table.add_row("Free tier", "always free, for the whole account", "", "", f"−{dollars(bill.free_usd)}")
    console.print(table)
    for each in bill.unpriced:
        console.print(f"[yellow]not priced:[/] {escape(f'{each.resource} ({each.type}): {each.why}')}")
    for note in (*bill.warnings, *_doubts(bill)):
        console.print(f"[yellow]note:[/] {escape(note)}")
    console.print()


def _doubts(bill: Bill) -> Iterator[str]:
    """What the prices themselves leave open: those from memory, and those that are old."""
    remembered = sorted({line.price_key for line in bill.lines if line.grade == MEMORY})
    if remembered:
        yield f"a price with ? is from memory only: {', '.join(remembered)}"
    oldest = (date.today() - timedelta(days=OLD_AFTER_DAYS)).isoformat()  # noqa: DTZ011 (a day more or less)
    old = {line.price_key: line.as_of for line in bill.lines if line.as_of < oldest}
    if old:
        first = min(old, key=lambda key: (old[key], key))
        yield (
            f"{len(old)} prices were last seen more than {OLD_AFTER_DAYS} days ago, the oldest on {old[first]} "
            f"({first}); `blueprint prices refresh` renews them"
        )


def _folded(bill: Bill) -> Iterator[BillLine]:
    """The lines, with resources of a type that cost the same by existing (many alarms) made one."""
    alike: dict[tuple[str, str, Decimal], list[BillLine]] = {}
    for line in bill.lines:
        alike.setdefault((line.type, line.component, line.unit_price), []).append(line)
    for line in bill.lines:
        same = alike[line.type, line.component, line.unit_price]
        differ = len({(each.quantity, each.declared) for each in same}) > 1
        if len(same) < FOLD_FROM or differ or not line.declared:
            yield line
        elif line is same[0]:
            yield replace(
                line,
                resource=f"{len(same)} × {line.type.rsplit('::', 1)[-1]}",
                quantity=line.quantity * len(same),
                monthly_usd=sum((each.monthly_usd for each in same), Decimal(0)),
            )


def _print_summary(console: Console, title: str, bills: Mapping[str, Bill]) -> None:
    with_free_tier = any(bill.free_tier for bill in bills.values())
    table = Table(title=f"{escape(title)}: what it costs", title_justify="left", box=None)
    free = ("free tier", "$ to pay") if with_free_tier else ()
    for heading in ("users", "$ a month", *free, "$ a user", "$ per 1,000 requests", "idle $ a month"):
        table.add_column(heading, justify="right")
    table.add_column("largest line")
    for size, bill in bills.items():
        each, thousand, largest = bill.per_user_usd, bill.per_1000_requests_usd, bill.largest
        table.add_row(
            size if size == assemblies.DECLARED else f"{int(size):,}",
            dollars(bill.monthly_usd),
            *((f"−{dollars(bill.free_usd)}", dollars(bill.payable_usd)) if with_free_tier else ()),
            "" if each is None else dollars(each),
            "" if thousand is None else dollars(thousand),
            dollars(bill.idle_usd),
            "" if largest is None else escape(f"{largest.resource}: {largest.component} {_money(largest)}"),
        )
    console.print(table)
    first = next(iter(bills.values()))
    night = dollars(first.idle_for_usd(NIGHT_HOURS))
    console.print(
        f"Forgotten overnight, with nobody there, it costs {night} ({NIGHT_HOURS} h of the idle bill"
        f"{'' if len(bills) == 1 else ' of the smallest size'}).",
        soft_wrap=True,
    )
    missing = not_in_any_sum(bills)
    if missing:
        console.print(f"[yellow]{missing}.[/]", soft_wrap=True)
    taken = "no tax or discount" if with_free_tier else "no tax, discount or free allowance"
    terms = f"List prices as of {first.prices_as_of} for a month of 730 h; {taken} taken off."
    console.print(f"[dim]{terms} An estimate, and no bill of AWS.[/]", soft_wrap=True)


def not_in_any_sum(bills: Mapping[str, Bill]) -> str:
    """How many things are not priced, and how many lines depend on usage that nobody declared; empty for none."""
    unpriced = {(each.resource, each.why) for bill in bills.values() for each in bill.unpriced}
    open_lines = {
        (line.resource, line.component) for bill in bills.values() for line in bill.lines if not line.declared
    }
    said = []
    if unpriced:
        said.append(f"{_counted(len(unpriced), 'thing is', 'things are')} not priced, and in no sum")
    if open_lines:
        said.append(f"{_counted(len(open_lines), 'line hangs', 'lines hang')} on usage that nobody declared")
    return "; ".join(said)


def _counted(number: int, one: str, more: str) -> str:
    return f"1 {one}" if number == 1 else f"{number} {more}"


def comparison_document(
    name: str, choice: Choice[Any], curves: Mapping[str, plots.Points], found: Sequence[Crossing]
) -> dict[str, Any]:
    """The ways of a choice at every size, and where they cross, as one JSON document."""
    return {
        "name": name,
        "choice": choice.key,
        "question": choice.question,
        "ways": {way: {str(users): plain(paid) for users, paid in points} for way, points in curves.items()},
        "crossings": [{"users": each.users, "before": each.before, "then": each.then} for each in found],
    }


def print_comparison(
    name: str, choice: Choice[Any], curves: Mapping[str, plots.Points], found: Sequence[Crossing]
) -> None:
    """A row a size, the cheapest in bold, and where the ways cross."""
    console = options.stdout()
    table = Table(title=escape(f"{name}: {choice.question}"), title_justify="left", box=None)
    table.add_column("users", justify="right")
    for way in curves:
        table.add_column(f"$ a month, {way}", justify="right")
    for row in zip(*curves.values(), strict=True):
        least = min(paid for _, paid in row)
        cells = [f"[bold]{dollars(paid)}[/]" if paid == least else dollars(paid) for _, paid in row]
        table.add_row(f"{row[0][0]:,}", *cells)
    console.print(table)
    console.print(escape(sentence(choice.key, curves, found)), soft_wrap=True)


def print_coverage(title: str, opened: Opened, region: str | None, *, as_json: bool) -> None:
    """Which class each resource of the first size is in; as if it stood in `region`, where one is given."""
    from workbench.review.coverage import coverage

    _, opening, _ = opened[0]
    with opening as assembly:
        found = coverage(assembly, region)
    if as_json:
        options.print_json(
            {
                "name": title,
                "resources": [
                    {"resource": each.resource, "type": each.type, "class": each.state, "why": each.why}
                    for each in found
                ],
            }
        )
        return
    console = options.stdout()
    table = Table(title=f"{escape(title)}: what of it is priced", title_justify="left", box=None)
    for heading in ("resource", "type", "class", "why"):
        table.add_column(heading)
    for each in found:
        table.add_row(escape(each.resource), each.type, each.state, escape(each.why))
    console.print(table)
