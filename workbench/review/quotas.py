"""The quota book: `workbench/data/quotas.json`, default quotas of a new AWS account and physical limits, dated.

    quotas()["lambda.concurrent_executions"].value      # Decimal(1000)
    quotas()["rds.iops_by_class.db.m7g.large"].value    # one of a limit that goes by size
    by_size("rds.iops_by_class")                        # all of it, by size

`grade`: A is an extract of an AWS file, B AWS's page read on that day, C a secondary page, a list of Service Quotas
or what the project wrote down before, D memory. What AWS raises says where to ask; what it doesn't, what to change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from workbench.review.numbers import shown
from workbench.workload import Figure

QUOTAS = Path(__file__).resolve().parent.parent / "data" / "quotas.json"
MEMORY = "D"


@dataclass(frozen=True)
class Quota:
    """A ceiling that AWS sets, `name` in AWS's words; `adjustable` when AWS raises it on request.

    `how` is where to ask for more, or what to redesign where AWS gives no more.
    """

    key: str
    value: Decimal
    unit: str
    adjustable: bool
    source: str
    as_of: str
    name: str
    how: str
    grade: str
    note: str = ""

    @property
    def figure(self) -> Figure:
        return Figure(self.value, f"{shown(self.value)} {self.unit}")

    @property
    def advice(self) -> str:
        """What to do about it: `raise it: Service Quotas, lambda L-B99A9384`, or `redesign: …`."""
        return f"raise it: {self.how}" if self.adjustable else f"redesign: {self.how}"


@cache
def quotas(path: Path = QUOTAS) -> Mapping[str, Quota]:
    """Quotas by key; one that goes by size is there once a size, under its key, a dot and the size."""
    entries = json.loads(path.read_text(), parse_float=Decimal)["entries"]
    return {quota.key: quota for entry in entries for quota in _of(entry)}


@cache
def by_size(key: str) -> Mapping[str, Quota]:
    """The limit `key` by size, such as an instance class. Raises `KeyError` where it is of one size."""
    found = {
        name.removeprefix(f"{key}."): quota for name, quota in quotas().items() if name.startswith(f"{key}.")
    }
    if not found:
        raise KeyError(f"there is no quota {key!r} by size in workbench/data/quotas.json")
    return found


def _of(entry: Mapping[str, Any]) -> Iterator[Quota]:
    sizes: Mapping[str, Any] = entry.get("by") or {"": entry.get("value")}
    for size, value in sizes.items():
        yield Quota(
            key=f"{entry['key']}.{size}" if size else entry["key"],
            value=Decimal(value),
            unit=entry["unit"],
            adjustable=entry["adjustable"],
            source=entry["source"],
            as_of=entry["as_of"],
            name=f"{entry['name']}, {size}" if size else entry["name"],
            how=entry["raise"] if entry["adjustable"] else entry["redesign"],
            grade=entry["grade"],
            note=entry.get("note", ""),
        )
