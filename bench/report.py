"""The tables of a run for a terminal and as the page docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Shown

from bench.machine import Machine
from bench.table import Row, Table, shown, verdicts

_INTRODUCTION = """\
# Benchmarks

Written by `python -m bench --write`; not by hand. What each figure is and how it is taken stands at the top of
its module in `bench/`. Figures of two machines don't compare; ratios, taken in one run, do.

Seconds and requests of the offline AWS say what working with the blueprints is like. They say nothing about
how fast a blueprint is on AWS.
"""


def print_tables(console: Console, tables: Sequence[Table]) -> None:
    """Every table, and a line for every goal."""
    for table in tables:
        out = Shown(title=escape(table.title), title_justify="left", box=box.SIMPLE_HEAD)
        out.add_column("what", overflow="fold")
        for heading in ("value", "ratio"):
            out.add_column(heading, justify="right", no_wrap=True)
        out.add_column("goal")
        for row in table.rows:
            colour = {None: "", True: "[green]", False: "[red]"}[row.met]
            out.add_row(escape(row.what), shown(row.value, row.unit), _ratio(row), f"{colour}{_goal(row)}")
        console.print(out)
        for note in table.notes:
            console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
        console.print()
    for met, line in verdicts(tables):
        console.print(f"{'[green]met[/]   ' if met else '[red]missed[/]'} {escape(line)}", soft_wrap=True)


def page(tables: Sequence[Table], machine: Machine) -> str:
    """docs/benchmarks.md."""
    parts = [_INTRODUCTION, f"Machine: {machine.sentence()}.\n"]
    for table in tables:
        lines = [f"## {table.title}", "", "| what | value | ratio | goal |", "|---|--:|--:|---|"]
        lines += [
            f"| {_cell(row.what)} | {shown(row.value, row.unit)} | {_cell(_ratio(row))} | {_goal(row)} |"
            for row in table.rows
        ]
        if table.notes:
            lines += ["", " ".join(table.notes)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _ratio(row: Row) -> str:
    return "" if row.ratio is None else f"{row.ratio:.2f} × {row.peer}"


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    return f"at most {shown(row.goal, row.unit)}: {'met' if row.met else 'missed'}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
