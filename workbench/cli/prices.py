"""`blueprint prices`: `list` the prices, `show` what is known of one, `refresh` them from AWS's price files.

The documents of `--json`, with numbers as text where they are exact, and tiers as a list of {up_to, price}:

    list     a list of {key, unit, tiers, grade, as_of, has_selector}
    show     key, region, service, unit, tiers, is_global, source, as_of, age_days, confirmed_as_of, grade,
             grade_means, free_tier, note, warnings, elsewhere (region → tiers or null), selector (null, or {offer,
             file, usage_types, operation, where, unit, per, source})
    refresh  region, is_written, files ({offer, file, version, published}), changes ({key, old, new, percent}),
             confirmed, without_selector, findings ({keys, why}), free (key → units that AWS's file gives away first)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench.cli import options
from workbench.errors import Misuse
from workbench.review.numbers import plain, shown
from workbench.review.prices import FOLDER, GRADES, HOME, MEMORY, Price, PriceBook, Tier, known_regions

if TYPE_CHECKING:
    from workbench.price_files.explanation import Explanation
    from workbench.price_files.refresh import Change, Report

MEGABYTE = 1_000_000

Region = Annotated[str, typer.Option("--region", help="The region whose book it is.")]

app = typer.Typer(no_args_is_help=True, help="The price book: what is in it, how old it is, and its renewal.")


@app.command("list")
def list_(
    prefix: Annotated[str, typer.Argument(help="Only the keys that begin so, like `lambda.`.")] = "",
    region: Region = HOME,
    as_json: options.AsJson = False,
) -> None:
    """The prices of a region, with their grade and their day."""
    from workbench.price_files.selectors import Selectors

    selectors = Selectors.load()
    found = [price for key, price in sorted(PriceBook.load(region).prices.items()) if key.startswith(prefix)]
    if not found:
        raise Misuse(f"no price of {region} begins with {prefix!r}; `blueprint prices list` shows them all")
    if as_json:
        options.print_json([_listed(price, selectors.matching(price.key) != []) for price in found])
        return
    table = Table("key", "price", "unit", "grade", "as of", "renewed from", box=None)
    for price in found:
        offers = [each.offer for each in selectors.matching(price.key)]
        table.add_row(
            escape(price.key),
            _shortly(price.tiers),
            escape(price.unit),
            price.grade,
            price.as_of,
            offers[0] if offers else "[dim]no selector[/]",
        )
    options.stdout().print(table)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="The key, as `blueprint prices list` names it.")],
    region: Region = HOME,
    as_json: options.AsJson = False,
) -> None:
    """One price: its tiers, source, age and grade, what it is elsewhere, and how it is renewed."""
    from workbench.price_files.explanation import explain

    explanation = explain(key, _today(), region)
    if as_json:
        options.print_json(_explained(explanation))
    else:
        _print_explanation(options.stdout(), explanation)


@app.command()
def refresh(
    prefixes: Annotated[
        list[str] | None, typer.Argument(help="Only the keys that begin so; all without.")
    ] = None,
    region: Region = HOME,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from", help="A folder with AWS's files, saved as AmazonEC2-us-east-1.csv, instead of AWS."
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """Renew the prices of a region from AWS's public price files, which need no credentials."""
    from workbench.price_files.origins import Aws, Folder
    from workbench.price_files.refresh import Options
    from workbench.price_files.refresh import refresh as renew
    from workbench.price_files.selectors import Selectors

    if region not in known_regions():
        raise Misuse(f"there is no book of {region!r}, only of {', '.join(known_regions())}")
    origin = Aws() if folder is None else Folder(folder)
    how = Options(region, FOLDER, _today(), tuple(prefixes or ()), is_dry_run)
    with options.progress(f"prices of {region}") as told:
        report = renew(
            origin, how, Selectors.load(), lambda name, count, total: told.phase(_fetched(name, count, total))
        )
    if as_json:
        options.print_json(_reported(report))
    else:
        _print_report(options.stdout(), report)
    return 0 if report.has_passed else 1


def _today() -> date:
    return datetime.now(tz=UTC).date()


def _fetched(name: str, count: int, total: int | None) -> str:
    of = f" of {total / MEGABYTE:,.1f}" if total else ""
    return f"{name}: {count / MEGABYTE:,.1f}{of} MB"


def _tiers(tiers: Sequence[Tier]) -> list[dict[str, str | None]]:
    return [
        {"up_to": None if tier.up_to is None else plain(tier.up_to), "price": plain(tier.price)}
        for tier in tiers
    ]


def _shortly(tiers: Sequence[Tier]) -> str:
    """`$0.09 (4 tiers)`."""
    return f"${plain(tiers[0].price)}" + (f" ({len(tiers)} tiers)" if len(tiers) > 1 else "")


def _in_full(tiers: Sequence[Tier]) -> str:
    """`$0.09 up to 10,240, then $0.085`."""
    return ", then ".join(
        f"${plain(tier.price)}" + ("" if tier.up_to is None else f" up to {shown(tier.up_to)}")
        for tier in tiers
    )


def _listed(price: Price, has_selector: bool) -> dict[str, Any]:
    return {
        "key": price.key,
        "unit": price.unit,
        "tiers": _tiers(price.tiers),
        "grade": price.grade,
        "as_of": price.as_of,
        "has_selector": has_selector,
    }


def _explained(explanation: Explanation) -> dict[str, Any]:
    price, wanted = explanation.price, explanation.wanted
    return {
        "key": price.key,
        "region": explanation.region,
        "service": price.service,
        "unit": price.unit,
        "tiers": _tiers(price.tiers),
        "is_global": price.is_global,
        "source": price.source,
        "as_of": price.as_of,
        "age_days": explanation.age_days,
        "confirmed_as_of": price.confirmed_as_of or None,
        "grade": price.grade,
        "grade_means": GRADES[price.grade],
        "free_tier": price.free_tier,
        "note": price.note,
        "warnings": list(explanation.warnings),
        "elsewhere": {
            region: None if other is None else _tiers(other.tiers)
            for region, other in explanation.elsewhere.items()
        },
        "selector": None
        if wanted is None
        else {
            "offer": wanted.file.offer,
            "file": wanted.file.place,
            "usage_types": list(wanted.usage_types),
            "operation": wanted.operation,
            "where": dict(wanted.where),
            "unit": wanted.unit,
            "per": plain(wanted.per),
            "source": explanation.wanted_from,
        },
    }


def _print_explanation(console: Console, explanation: Explanation) -> None:
    price = explanation.price
    where = "everywhere" if price.is_global else explanation.region
    console.print(f"[bold]{escape(price.key)}[/]  [dim]{escape(price.service)} · {where}[/]\n")
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_row("unit", escape(price.unit))
    if len(price.tiers) == 1:
        table.add_row("price", f"${plain(price.tiers[0].price)}")
    for tier in price.tiers if len(price.tiers) > 1 else ():
        border = "above" if tier.up_to is None else f"up to {shown(tier.up_to)} a month"
        table.add_row(border, f"${plain(tier.price)}")
    if price.free_tier:
        table.add_row("free tier", f"{escape(price.free_tier)} [dim](never taken off this price)[/]")
    if price.note:
        table.add_row("note", escape(price.note))
    table.add_row("source", escape(price.source))
    approximate = ", approximately" if price.is_approximate else ""
    table.add_row("as of", f"{price.as_of}, {explanation.age_days} days ago{approximate}")
    if price.confirmed_as_of:
        table.add_row("confirmed", f"{price.confirmed_as_of}, by another source")
    colour = "yellow" if price.grade == MEMORY else "default"
    table.add_row("grade", f"[{colour}]{price.grade}: {GRADES[price.grade]}[/]")
    for region, other in explanation.elsewhere.items():
        known = f"not known in {region}" if other is None else _in_full(other.tiers)
        table.add_row(region, "the same" if price.is_global else known)
    table.add_row("renewed by", escape(_renewal(explanation)))
    console.print(table)
    for warning in explanation.warnings:
        console.print(f"[yellow]note:[/] {escape(warning)}")


def _renewal(explanation: Explanation) -> str:
    wanted = explanation.wanted
    if wanted is None:
        return "no selector: `blueprint prices refresh` leaves it as it is"
    per = f", {plain(wanted.per)} of the unit in one of AWS's" if wanted.per != 1 else ""
    return f"{wanted}{per} (read in: {explanation.wanted_from})"


def _reported(report: Report) -> dict[str, Any]:
    return {
        "region": report.region,
        "is_written": report.is_written,
        "files": [
            {
                "offer": file.offer,
                "file": file.place,
                "version": edition.version,
                "published": edition.published,
            }
            for file, edition in report.editions.items()
        ],
        "changes": [
            {"key": each.key, "old": _tiers(each.old), "new": _tiers(each.new), "percent": _percent(each)}
            for each in report.changes
        ],
        "confirmed": report.confirmed,
        "without_selector": report.unselected,
        "findings": [{"keys": list(each.keys), "why": each.why} for each in report.findings],
        "free": {key: plain(units) for key, units in report.free.items()},
    }


def _percent(change: Change) -> str | None:
    return None if change.percent is None else f"{change.percent:+.1f}"


def _print_report(console: Console, report: Report) -> None:
    if report.changes:
        table = Table("key", "old", "new", "%", title="changed", title_justify="left", box=None)
        for each in report.changes:
            table.add_row(
                escape(each.key), _in_full(each.old), _in_full(each.new), _percent(each) or "", style="bold"
            )
        console.print(table)
    for finding in report.findings:
        console.print(f"[red]kept:[/] {escape(_kept(finding.keys))}: {escape(finding.why)}", soft_wrap=True)
    console.print(
        f"{report.region}: {len(report.changes)} changed, {len(report.confirmed)} confirmed, "
        f"{sum(len(each.keys) for each in report.findings)} kept because of a finding, "
        f"{len(report.unselected)} without a selector; {len(report.editions)} price files read"
    )
    if report.free:
        console.print(
            f"[dim]{len(report.free)} of them begin with a free allowance, which is told and never taken off.[/]"
        )
    console.print("written" if report.is_written else "nothing is written")


def _kept(keys: Sequence[str]) -> str:
    """The first of `keys`, and how many more there are."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
