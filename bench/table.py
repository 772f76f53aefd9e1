"""What a benchmark returns: a table of figures, each with its unit, its peer and its goal; and the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_DECIMALS = {"s": 2, "ms": 1, "MB": 0, "/s": 1, "×": 2, "$": 2, "": 0}


@dataclass(frozen=True)
class Row:
    """One figure.

    `unit` is s, ms, MB, /s, ×, $ or "" for a count. `ratio` is `value` divided by the same figure of `peer`. `goal`
    is the most that `value` may be, in the same unit; `must` says that missing it is a fault, not slowness.
    """

    what: str
    value: float
    unit: str
    ratio: float | None = None
    peer: str = ""
    goal: float | None = None
    must: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None else self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "value": round(self.value, 6),
            "unit": self.unit,
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "peer": self.peer,
            "goal": self.goal,
            "met": self.met,
        }


@dataclass(frozen=True)
class Table:
    """The figures of one benchmark. `notes` say how they were taken, a sentence each."""

    name: str
    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "rows": [row.as_json() for row in self.rows],
            "notes": list(self.notes),
        }


def compared(what: str, value: float, unit: str, against: float, peer: str, **more: Any) -> Row:
    """A row whose ratio is `value` to `against`, the same figure of `peer`; no ratio to nothing."""
    return Row(what, value, unit, value / against if against else None, peer, **more)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them don't exceed: the nearest-rank method.

    Raises `ValueError` when there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no percentile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def shown(value: float, unit: str) -> str:
    """`value` with its unit, as precise as a reader can use: 1.23 s, 250.0 ms, 57 MB, 81.4/s, $5.20, 1,993."""
    number = f"{value:,.{_DECIMALS[unit]}f}"
    if unit == "$":
        return f"${number}"
    return f"{number}{unit}" if unit == "/s" else f"{number} {unit}".rstrip()


def verdicts(tables: Sequence[Table]) -> list[tuple[bool, str]]:
    """Each goal in one line, and whether it is met."""
    return [
        (
            bool(row.met),
            f"{table.name}: {_plain(row)}: {shown(row.value, row.unit)}, goal at most {shown(row.goal, row.unit)}",
        )
        for table in tables
        for row in table.rows
        if row.goal is not None
    ]


def faults(tables: Sequence[Table]) -> list[str]:
    """What is wrong rather than slow: the rows that must meet their goal, and don't."""
    return [
        f"{table.name}: {_plain(row)}: {shown(row.value, row.unit)}"
        for table in tables
        for row in table.rows
        if row.must and not row.met
    ]


def _plain(row: Row) -> str:
    """What the row is of, without the dot that sets it below another one in a table."""
    return row.what.removeprefix("· ")
