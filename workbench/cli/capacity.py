"""`blueprint capacity`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.cli import assemblies, options
from workbench.errors import Misuse
from workbench.review import queueing
from workbench.review.capacity import (
    Break,
    Checked,
    Waiting,
    capacity_of_fixed,
    first_to_break,
    limits,
    prerequisites,
    queues,
    tightest,
    undeclared,
)
from workbench.review.cost import declared_users
from workbench.review.numbers import plain, rounded, shown
from workbench.review.prices import HOME
from workbench.review.quotas import MEMORY
from workbench.review.usage import add_usage

FEWEST, MOST = 1_000, 10**8

Summary = Annotated[
    bool, typer.Option("--summary", help="The tightest limits of each size, without the tables.")
]


@dataclass(frozen=True)
class _Seen:
    """What there is to say of one size."""

    checked: list[Checked]
    waiting: list[Waiting]


def command(
    name: assemblies.OptionalName = None,
    users: assemblies.OptionalSizes = None,
    stage: options.StageName = "production",
    folder: assemblies.Folder = None,
    as_json: options.AsJson = False,
    summary: Summary = False,
    choices: assemblies.Choices = None,
    usage: assemblies.UsageFile = None,
) -> None:
    """Every quota against the load at each size, what to raise before deploying, and the first to give way."""
    assemblies.one_of(name, folder)
    if folder is not None:
        if choices:
            raise Misuse("--choose is for a blueprint; an --assembly is as it is")
        assembly = Assembly.load(folder)
        if usage is not None:
            add_usage(assembly, usage)
        title, stage_name = assemblies.title_of(assembly)
        sizes, found, unknown = _of_folder(assembly, users)
    elif usage is not None:
        raise Misuse("--usage is for an --assembly; a blueprint declares its own")
    else:
        title, stage_name = str(name), stage
        sizes, found, unknown = _of_blueprint(title, users, stage, choices or [])
    if as_json:
        options.print_json(_document(title, stage_name, sizes, found, unknown))
        return
    console = options.stdout()
    if folder is not None:
        _print_regions(console, {stack.region for stack in assembly.stacks})
    if not summary:
        _print_sizes(console, title, sizes, unknown)
    _print_summary(console, title, sizes)
    _print_break(console, title, found)


def _of_folder(assembly: Assembly, users: str | None) -> tuple[dict[str, _Seen], Break, list[str]]:
    """The template as it is deployed: its traffic grows, its settings stay."""
    unknown = undeclared(assembly)
    sizes, made_for = assemblies.sizes_of_folder(assembly, users), declared_users(assembly)
    if made_for is None:
        why = "the assembly doesn't say for how many users its traffic is (Metadata.Workload.users)"
        seen = _Seen(limits(assembly), queues(assembly))
        return {assemblies.DECLARED: seen}, Break(None, None, None, why, prerequisites(seen.checked)), unknown
    limits_at = capacity_of_fixed(assembly)
    found = {str(size): _Seen(limits_at(size), queues(assembly, Decimal(size) / made_for)) for size in sizes}
    return found, first_to_break(limits_at, also=sizes), unknown


def _of_blueprint(
    name: str, users: str | None, stage: str, asked: list[str]
) -> tuple[dict[str, _Seen], Break, list[str]]:
    """The blueprint synthesized anew at each size, as it would be deployed for that many."""
    sizes = assemblies.sizes_of_blueprint(users)
    chosen = catalogue.stage_named(stage)
    blueprint = catalogue.find(name)
    choices = assemblies.choices_from(blueprint, asked)
    unknown: list[str] = []

    @cache
    def seen_at(size: int) -> _Seen:
        with assemblies.synthesized(blueprint, size, chosen, choices) as assembly:
            unknown[:] = undeclared(assembly)
            return _Seen(limits(assembly), queues(assembly) if size in sizes else [])

    found = {str(size): seen_at(size) for size in sizes}
    first = first_to_break(lambda size: seen_at(size).checked, start=FEWEST, most=MOST, also=sizes)
    return found, first, unknown


def _document(
    title: str, stage: str | None, sizes: Mapping[str, _Seen], found: Break, unknown: list[str]
) -> dict[str, Any]:
    """The limits of each size, the tightest first; amounts are decimal strings, waits seconds."""
    return {
        "name": title,
        "stage": stage,
        "sizes": {size: [_limit(each) for each in seen.checked] for size, seen in sizes.items()},
        "queues": {size: [_queue(each) for each in seen.waiting] for size, seen in sizes.items()},
        "not_checked": list(unknown),
        "prerequisites": [
            {**_limit(each), "idle_load": plain(each.idle_load)} for each in found.prerequisites
        ],
        "first_to_break": {
            "users": found.users,
            "resource": found.resource,
            "limit": found.limit,
            "why": found.why,
            "advice": found.advice,
        },
    }


def _limit(checked: Checked) -> dict[str, Any]:
    return {
        "resource": checked.resource,
        "limit": checked.limit,
        "unit": checked.unit,
        "quota": plain(checked.quota),
        "load": plain(checked.load),
        "utilisation": plain(checked.utilisation),
        "headroom": plain(checked.headroom),
        "adjustable": checked.adjustable,
        "advice": checked.advice,
        "quota_formula": checked.quota_formula,
        "load_formula": checked.load_formula,
        "source": checked.source,
        "grade": checked.grade,
    }


def _queue(waiting: Waiting) -> dict[str, Any]:
    return {
        "resource": waiting.resource,
        "work": waiting.work,
        "servers": waiting.servers,
        "arrivals_per_second": plain(waiting.arrivals),
        "service_seconds": plain(waiting.service_seconds),
        "utilisation": plain(waiting.utilisation),
        "refuses": waiting.refuses,
        "chance": plain(waiting.chance),
        "mean_wait_seconds": None if waiting.mean_wait is None else plain(waiting.mean_wait),
        "p99_wait_seconds": None if waiting.p99_wait is None else plain(waiting.p99_wait),
        "growth_per_second": plain(waiting.growth),
        "formula": waiting.formula,
    }


def _print_regions(console: Console, regions: set[str]) -> None:
    others = ", ".join(sorted(regions - {HOME}))
    if others:
        console.print(f"[yellow]quotas are those of {HOME}; AWS may give fewer in {escape(others)}[/]\n")


def _print_sizes(console: Console, title: str, sizes: Mapping[str, _Seen], unknown: list[str]) -> None:
    for size, seen in sizes.items():
        _print_limits(console, f"{title} {assemblies.at(size)}", seen.checked)
        _print_queues(console, f"{title} {assemblies.at(size)}: queueing at the peak", seen.waiting)
    if any(seen.waiting for seen in sizes.values()):
        rules = (
            f"{queueing.UTILISATION}; chance to wait {queueing.ERLANG_C}, {queueing.ERLANG_B}; mean wait "
            f"{queueing.MEAN_WAIT}; p99 wait {queueing.P99_WAIT}. Poisson arrivals, exponential times (M/M/c); "
            "what is refused instead of waiting is refused with the chance B."
        )
        console.print(f"[dim]{escape(rules)}[/]\n", soft_wrap=True)
    for missing in unknown:
        console.print(f"[yellow]not checked, no usage declared:[/] {escape(missing)}")
    if any(each.grade == MEMORY for seen in sizes.values() for each in seen.checked):
        console.print(f"[yellow]({MEMORY}):[/] a quota from memory, which was read on no page of AWS")


def _print_limits(console: Console, title: str, checked: list[Checked]) -> None:
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("used", justify="right")
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
            _percent(each.utilisation),
            f"[{colour}]{_percent(each.headroom)}[/]",
            escape(each.resource),
            escape(_name(each)),
            shown(each.load),
            shown(each.quota),
            escape(each.unit),
            "before you deploy" if each.is_prerequisite else "yes" if each.adjustable else "no",
        )
    console.print(table)
    for each in checked:
        if each.breaks and not each.is_prerequisite:
            words = f"{each.resource}, {each.limit}: {each.advice}"
            console.print(f"[red]over:[/] {escape(words)}", soft_wrap=True)
    console.print()


def _name(checked: Checked) -> str:
    return f"{checked.limit} ({MEMORY})" if checked.grade == MEMORY else checked.limit


def _percent(share: Decimal) -> str:
    return f"{share * 100:,.1f} %"


def _print_queues(console: Console, title: str, waiting: list[Waiting]) -> None:
    if not waiting:
        return
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("resource", "work"):
        table.add_column(heading)
    for heading in ("servers c", "used ρ", "chance to wait", "mean wait", "p99 wait"):
        table.add_column(heading, justify="right")
    for each in waiting:
        table.add_row(
            escape(each.resource),
            escape(each.work),
            f"{each.servers:,}",
            f"[red]{_percent(each.utilisation)}[/]" if each.utilisation >= 1 else _percent(each.utilisation),
            f"{_percent(each.chance)}{' refused' if each.refuses else ''}",
            _time(each.mean_wait),
            _time(each.p99_wait),
        )
    console.print(table)
    for each in waiting:
        if each.grows:
            words = (
                f"{each.resource}: the queue grows without end, by {shown(each.growth)} {each.work} a second "
                f"({queueing.GROWTH})"
            )
            console.print(f"[red]over:[/] {escape(words)}", soft_wrap=True)
        console.print(f"[dim]{escape(f'{each.resource}: {each.formula}')}[/]", soft_wrap=True)
    console.print()


def _time(seconds: Decimal | None) -> str:
    if seconds is None:
        return "—"
    if seconds >= 1:
        return f"{seconds:,.1f} s"
    return f"{seconds * 1000:.1f} ms"


def _print_summary(console: Console, title: str, sizes: Mapping[str, _Seen]) -> None:
    table = Table(title=f"{title}: the tightest limits", title_justify="left", box=None)
    table.add_column("users", justify="right")
    table.add_column("used", justify="right")
    table.add_column("limit")
    table.add_column("what to do about it", overflow="fold")
    for size, seen in sizes.items():
        words = size if size == assemblies.DECLARED else f"{int(size):,}"
        for index, each in enumerate(tightest(seen.checked)):
            table.add_row(
                words if index == 0 else "",
                _percent(each.utilisation),
                escape(f"{each.resource}: {_name(each)}"),
                escape(each.advice),
            )
    console.print(table)
    console.print()


def _print_break(console: Console, title: str, found: Break) -> None:
    if found.prerequisites:
        console.print("[bold]raise these before you deploy:[/]")
    for each in found.prerequisites:
        console.print(f"  {escape(f'{each.increase} ({each.source}); {each.advice}')}", soft_wrap=True)
    if found.users is None:
        console.print(f"[bold]{escape(title)}[/]: {escape(found.why)}.", soft_wrap=True)
        return
    words = f"breaks at about {rounded(found.users)} users because {found.why}."
    console.print(f"[bold]{escape(title)}[/] {escape(words)}", soft_wrap=True)
    console.print(f"  {escape(found.advice)}", soft_wrap=True)
