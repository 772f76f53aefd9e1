"""How the difference of two bills is shown: a table, Markdown for a pull request, a JSON document."""

from __future__ import annotations

import re
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
                "before_usd": plain(each.before.payable_usd),
                "after_usd": plain(each.after.payable_usd),
                "delta_usd": plain(each.monthly_usd),
                "idle_delta_usd": plain(each.idle_usd),
                "before_users": each.before.made_for,
                "after_users": each.after.made_for,
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
        table = Table(title=f"{escape(title)} {assemblies.at(size)}", title_justify="left", box=None)
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
        parts.append(
            f"### Cost of {_code(title)} {assemblies.at(size)}: {signed(each.monthly_usd)} a month\n"
        )
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
    return f"{_sums(found)}{_sizes(found)}"


def _sizes(found: Difference) -> str:
    """What to know where the two are not of one size; empty where they are, or don't say."""
    was, now = found.before.made_for, found.after.made_for
    if was is None or now is None or was == now:
        return ""
    return f" Before it is for {was:,} users, and after for {now:,}; --users compares them at one size."


def _sums(found: Difference) -> str:
    if not found.changes and not found.unpriced:
        return "nothing changes."
    return (
        f"{dollars(found.before.payable_usd)} → {dollars(found.after.payable_usd)} a month "
        f"({signed(found.monthly_usd)}); idle {dollars(found.before.idle_usd)} → "
        f"{dollars(found.after.idle_usd)} ({signed(found.idle_usd)})."
    )


def signed(value: Decimal) -> str:
    """`+$3.00`, `−$3.00`."""
    return f"−{dollars(-value)}" if value < 0 else f"+{dollars(value)}"


def _side(value: Decimal | None) -> str:
    if value is None:
        return "—"
    return f"−{dollars(-value)}" if value < 0 else dollars(value)


_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#&])")


def _cell(text: str) -> str:
    """`text` in one line that Markdown shows as it is, also within a table."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """`text` as code in a line, whatever backticks are in it."""
    line = " ".join(text.split())
    return f"`{line}`" if "`" not in line else f"`` {line} ``"
