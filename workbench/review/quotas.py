"""The quota book: `workbench/data/quotas.json`, the default quotas of a new AWS account, with their pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from workbench.review.numbers import shown
from workbench.workload import Figure

QUOTAS = Path(__file__).resolve().parent.parent / "data" / "quotas.json"


@dataclass(frozen=True)
class Quota:
    """A ceiling that AWS sets; `adjustable` when support raises it on request."""

    key: str
    value: Decimal
    unit: str
    adjustable: bool
    source: str
    as_of: str

    @property
    def figure(self) -> Figure:
        return Figure(self.value, f"{shown(self.value)} {self.unit}")


@cache
def quotas(path: Path = QUOTAS) -> Mapping[str, Quota]:
    """Quotas by key."""
    entries = json.loads(path.read_text(), parse_float=Decimal)["entries"]
    return {
        entry["key"]: Quota(
            key=entry["key"],
            value=Decimal(entry["value"]),
            unit=entry["unit"],
            adjustable=entry["adjustable"],
            source=entry["source"],
            as_of=entry["as_of"],
        )
        for entry in entries
    }
