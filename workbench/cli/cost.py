"""`blueprint cost`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.cli import assemblies, bills, differences, options
from workbench.errors import Misuse, OverBudget
from workbench.review.cost import Bill, declared_users, price
from workbench.review.curve import crossings
from workbench.review.difference import difference
from workbench.review.numbers import dollars
from workbench.review.usage import add_usage, missing_usage

FEWEST, MOST = 1_000, 10**8

Summary = Annotated[bool, typer.Option("--summary", help="One line a size, without the lines of the bill.")]
Idle = Annotated[bool, typer.Option("--idle", help="What it costs with nobody there, line by line.")]
Explain = Annotated[
    str | None, typer.Option("--explain", help="How the lines of this resource were made, to the dollar.")
]
Region = Annotated[
    str | None, typer.Option("--region", help="Price every stack as if it stood in this region.")
]
FreeTier = Annotated[bool, typer.Option("--free-tier", help="Take off what AWS gives everybody for nothing.")]
Budget = Annotated[
    str | None, typer.Option("--budget", help="Exit 1 when a month costs more than this many dollars.")
]
MissingUsage = Annotated[
    bool, typer.Option("--missing-usage", help="Print a --usage file to fill in for an --assembly.")
]
Diff = Annotated[
    tuple[Path, Path] | None, typer.Option("--diff", help="What changes from the assembly OLD to NEW.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="The --diff as Markdown, for a pull request.")]
Curve = Annotated[bool, typer.Option("--curve", help="Draw the bill over the sizes.")]
Svg = Annotated[Path | None, typer.Option("--svg", help="Write the curve to this file.")]
Compare = Annotated[
    str | None, typer.Option("--compare", help="Price both ways of a choice, and find where they cross.")
]
Coverage = Annotated[
    bool, typer.Option("--coverage", help="Which resources are priced, free, without usage, or not priced.")
]


@dataclass(frozen=True)
class _Terms:
    """How every bill of one run is made."""

    region: str | None
    with_free_tier: bool
    is_idle: bool

    def price(self, assembly: Assembly, traffic: Decimal = Decimal(1)) -> Bill:
        traffic = Decimal(0) if self.is_idle else traffic
        return price(assembly, traffic=traffic, region=self.region, with_free_tier=self.with_free_tier)


def command(
    name: assemblies.OptionalName = None,
    users: assemblies.OptionalSizes = None,
    stage: options.StageName = "production",
    folder: assemblies.Folder = None,
    as_json: options.AsJson = False,
    summary: Summary = False,
    explain: Explain = None,
    region: Region = None,
    free_tier: FreeTier = False,
    idle: Idle = False,
    budget: Budget = None,
    choices: assemblies.Choices = None,
    compare: Compare = None,
    usage: assemblies.UsageFile = None,
    missing: MissingUsage = False,
    coverage: Coverage = False,
    diff: Diff = None,
    markdown: Markdown = False,
    curve: Curve = False,
    svg: Svg = None,
) -> None:
    """The monthly bill from the template, at every size."""
    most = _budget_from(budget)
    terms = _Terms(region, free_tier, idle)
    lists = {"--summary": summary, "--explain": explain, "--idle": idle, "--curve": curve}
    others = {"--svg": svg, "--choose": choices, "--compare": compare}
    given = {"a blueprint": name, "--assembly": folder, "--usage": usage, "--missing-usage": missing}
    if diff is not None:
        _refuse_with("--diff", {**given, **lists, **others, "--coverage": coverage})
        if as_json and markdown:
            raise Misuse("--json and --markdown don't go together; give one of them")
        _diff(diff, users, terms, as_json=as_json, markdown=markdown, most=most)
        return
    if markdown:
        raise Misuse("--markdown is of --diff OLD NEW")
    assemblies.one_of(name, folder)
    if svg is not None and not svg.absolute().parent.is_dir():
        raise Misuse(f"{svg}: there is no folder {svg.parent} to write it in; make it first")
    if missing:
        wrong = {"--json": as_json, "--usage": usage, "--coverage": coverage}
        _refuse_with("--missing-usage", {"a blueprint": name, **wrong})
    if missing and folder is not None:
        typer.echo("\n".join(missing_usage(Assembly.load(folder))))
        return
    if compare is not None:
        _refuse_with("--compare", {"--assembly": folder, **lists, "--budget": budget, "--coverage": coverage})
        _compare(str(name), compare, users, stage, choices or [], terms, as_json=as_json, svg=svg)
        return
    title, stage_name, opened = _opened(name, users, stage, choices, folder, usage)
    if coverage:
        _refuse_with("--coverage", {**lists, **others, "--budget": budget, "--free-tier": free_tier})
        bills.print_coverage(title, opened, region, as_json=as_json)
        return
    if (curve or svg is not None) and opened[0][0] == assemblies.DECLARED:
        raise Misuse("a curve is over users, and the assembly doesn't say for how many its traffic is")
    found = {}
    for size, opening, traffic in opened:
        with opening as assembly:
            found[size] = terms.price(assembly, traffic)
    if svg is not None:
        bills.write_curve(svg, title, found)
    if as_json:
        options.print_json(bills.document(title, stage_name, found))
    elif explain is not None:
        bills.print_explanation(explain, found)
    else:
        bills.print_bills(title, found, summary=summary, curve=curve)
    _hold(most, found)


def _opened(
    name: str | None,
    users: str | None,
    stage: str,
    choices: list[str] | None,
    folder: Path | None,
    usage: Path | None,
) -> tuple[str, str | None, Opened]:
    """What is reviewed: its title, its stage, and the assembly at each size."""
    if folder is None:
        _refuse_with("a blueprint", {"--usage": usage})
        return str(name), stage, _blueprint_at(str(name), users, stage, choices or [])
    _refuse_with("--assembly", {"--choose": choices})
    assembly = Assembly.load(folder)
    if usage is not None:
        add_usage(assembly, usage)
    return *assemblies.title_of(assembly), _folder_at(assembly, users)


Opened = list[tuple[str, AbstractContextManager[Assembly], Decimal]]
"""The size, the assembly once it is opened, and what its traffic is multiplied by."""


def _blueprint_at(name: str, users: str | None, stage: str, chosen: list[str]) -> Opened:
    """The blueprint synthesized anew at each size."""
    sizes = assemblies.sizes_of_blueprint(users)
    stage_name, blueprint = catalogue.stage_named(stage), catalogue.find(name)
    choices = assemblies.choices_from(blueprint, chosen)
    return [
        (str(size), assemblies.synthesized(blueprint, size, stage_name, choices), Decimal(1))
        for size in sizes
    ]


def _folder_at(assembly: Assembly, users: str | None) -> Opened:
    """The assembly as it is; with --users, its traffic grown from the users that it declares."""
    sizes = assemblies.sizes_of_folder(assembly, users)
    made_for = declared_users(assembly)
    if made_for is None:
        return [(assemblies.DECLARED, nullcontext(assembly), Decimal(1))]
    return [(str(size), nullcontext(assembly), Decimal(size) / made_for) for size in sizes]


def _diff(
    folders: tuple[Path, Path],
    users: str | None,
    terms: _Terms,
    *,
    as_json: bool,
    markdown: bool,
    most: Decimal | None,
) -> None:
    old, new = (Assembly.load(folder) for folder in folders)
    before, after = (dict(_priced(each, users, terms)) for each in (old, new))
    if users is None:  # each as it is, whatever the size it was made for
        before = dict(zip(after, before.values(), strict=True))
    changes = {size: difference(before[size], after[size]) for size in after}
    title, _ = assemblies.title_of(new)
    if as_json:
        options.print_json(differences.document(title, changes))
    elif markdown:
        typer.echo(differences.markdown(title, changes), nl=False)
    else:
        differences.print_differences(title, changes)
    _hold(most, after)


def _priced(assembly: Assembly, users: str | None, terms: _Terms) -> Iterator[tuple[str, Bill]]:
    for size, opening, traffic in _folder_at(assembly, users):
        with opening as opened:
            yield size, terms.price(opened, traffic)


def _compare(
    name: str,
    key: str,
    users: str | None,
    stage: str,
    chosen: list[str],
    terms: _Terms,
    *,
    as_json: bool,
    svg: Path | None,
) -> None:
    """Every way of one choice at every size, and the sizes where another becomes the cheapest."""
    blueprint, stage_name = catalogue.find(name), catalogue.stage_named(stage)
    choice = blueprint.choice(key)
    others = assemblies.choices_from(blueprint, chosen)
    if key in others:
        raise Misuse(f"--compare {key} builds every way of it; leave --choose {key}={others[key]} away")
    sizes = assemblies.sizes_of_blueprint(users)

    def cost_of(way: str) -> Callable[[int], Decimal]:
        @cache
        def monthly(size: int) -> Decimal:
            with assemblies.synthesized(blueprint, size, stage_name, {**others, key: way}) as assembly:
                return terms.price(assembly).payable_usd

        return monthly

    ways = {way: cost_of(way) for way in choice.ways}
    curves = {way: [(size, monthly(size)) for size in sizes] for way, monthly in ways.items()}
    found = crossings(ways, fewest=min(*sizes, FEWEST), most=max(*sizes, MOST), also=sizes)
    if svg is not None:
        bills.write_curves(svg, f"{name}: {key}", curves)
    if as_json:
        options.print_json(bills.comparison_document(name, choice, curves, found))
    else:
        bills.print_comparison(name, choice, curves, found)


def _refuse_with(what: str, given: Mapping[str, object]) -> None:
    for other, value in given.items():
        if value:
            raise Misuse(f"{what} and {other} don't go together; give one of them")


def _budget_from(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text.removeprefix("$").replace(",", "").replace("_", ""))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise Misuse(f"a budget is an amount of dollars a month, like 500; got {text!r}")
    return amount


def _hold(most: Decimal | None, found: Mapping[str, Bill]) -> None:
    """Raise `OverBudget` where a bill is above `most`; say on stderr where one isn't whole."""
    if most is None:
        return
    missing = bills.not_in_any_sum(found)
    if missing:
        options.stderr().print(f"the budget is held against less than all: {missing}", soft_wrap=True)
    for size, bill in found.items():
        if bill.payable_usd > most:
            raise OverBudget(
                f"over budget {assemblies.at(size)}: {dollars(bill.payable_usd)} a month against {dollars(most)}"
            )
