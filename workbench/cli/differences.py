"""How the difference of two bills is shown: a table, Markdown for a pull request, a JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.markup import escape
from rich.table import Table

from workbench.cli import assemblies, options
from workbench.review.difference import Change, Difference
from workbench.review.numbers import dollars, plain

MARKDOWN_ROWS = 30


def document(title: str, found: Mapping[str, Difference]) -> dict[str, Any]:
    """Every change at every size; amounts are decimal strings in dollars, null where the line isn't there."""
    return {
        "name": title,
        "sizes": {
            size: {
                "before_usd": plain(each.before.monthly_usd),
                "after_usd": plain(each.after.monthly_usd),
                "delta_usd": plain(each.monthly_usd),
                "idle_delta_usd": plain(each.idle_usd),
                "changes": [_change(change) for change in each.changes],
                "unpriced": [
                    {"resource": new.resource, "type": new.type, "why": new.why} for new in each.unpriced
                ],
            }
            for size, each in found.items()
        },
    }


def _change(change: Change) -> dict[str, Any]:
    def amount(value: Decimal | None) -> str | None:
        return None if value is None else plain(value)

    return {
        "resource": change.resource,
        "type": change.type,
        "component": change.component,
        "before_usd": amount(change.before_usd),
        "after_usd": amount(change.after_usd),
        "delta_usd": plain(change.delta_usd),
        "before_quantity": amount(change.before_quantity),
        "after_quantity": amount(change.after_quantity),
        "unit": change.unit,
    }


def print_differences(title: str, found: Mapping[str, Difference]) -> None:
    """One table a size, the largest change first."""
    console = options.stdout()
    for size, each in found.items():
        table = Table(title=f"{title} {assemblies.at(size)}", title_justify="left", box=None)
        table.add_column("resource")
        table.add_column("component")
        for heading in ("before", "after", "change"):
            table.add_column(heading, justify="right")
        for change in each.changes:
            colour = "red" if change.delta_usd > 0 else "green"
            table.add_row(
                escape(change.resource),
                escape(change.component),
                _side(change.before_usd),
                _side(change.after_usd),
                f"[{colour}]{signed(change.delta_usd)}[/]",
            )
        if each.changes:
            console.print(table)
        for new in each.unpriced:
            console.print(f"[yellow]new and not priced:[/] {escape(f'{new.resource}: {new.why}')}")
        console.print(f"{escape(title)} {assemblies.at(size)}: {_sentence(each)}\n", soft_wrap=True)


def markdown(title: str, found: Mapping[str, Difference]) -> str:
    """A section for a comment on a pull request."""
    parts = []
    for size, each in found.items():
        parts.append(f"### Cost of `{title}` {assemblies.at(size)}: {signed(each.monthly_usd)} a month\n")
        parts.append(f"{_sentence(each)}\n")
        if each.changes:
            parts.append("| resource | component | before | after | change |\n|---|---|--:|--:|--:|")
            parts += [
                f"| {_cell(change.resource)} | {_cell(change.component)} | {_side(change.before_usd)} "
                f"| {_side(change.after_usd)} | {signed(change.delta_usd)} |"
                for change in each.changes[:MARKDOWN_ROWS]
            ]
            rest = each.changes[MARKDOWN_ROWS:]
            if rest:
                more = sum((change.delta_usd for change in rest), Decimal(0))
                parts.append(f"| {len(rest)} more | | | | {signed(more)} |")
            parts.append("")
        parts += [f"- new and not priced: {_cell(new.resource)}: {_cell(new.why)}" for new in each.unpriced]
    return "\n".join(parts).rstrip("\n") + "\n"


def _sentence(found: Difference) -> str:
    if not found.changes and not found.unpriced:
        return "nothing changes."
    return (
        f"{dollars(found.before.monthly_usd)} → {dollars(found.after.monthly_usd)} a month "
        f"({signed(found.monthly_usd)}); idle {dollars(found.before.idle_usd)} → "
        f"{dollars(found.after.idle_usd)} ({signed(found.idle_usd)})."
    )


def signed(value: Decimal) -> str:
    """`+$3.00`, `−$3.00`."""
    return f"−{dollars(-value)}" if value < 0 else f"+{dollars(value)}"


def _side(value: Decimal | None) -> str:
    return "—" if value is None else dollars(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
