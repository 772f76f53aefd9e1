"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Machine:
    """The machine as a reader needs it; `load` is the mean number of busy processes over the last minute."""

    date: str
    cores: int
    processor: str
    system: str
    python: str
    load: float

    @classmethod
    def here(cls) -> Machine:
        """This one, now."""
        available = getattr(os, "sched_getaffinity", None)
        return cls(
            date=datetime.now(UTC).date().isoformat(),
            cores=len(available(0)) if available else os.cpu_count() or 1,
            processor=platform.machine(),
            system=platform.system(),
            python=platform.python_version(),
            load=os.getloadavg()[0],
        )

    def sentence(self) -> str:
        """The machine in a line."""
        return (
            f"{self.date}: {self.cores} cores ({self.processor}), {self.system}, Python {self.python}, "
            f"load {self.load:.1f} at the start"
        )

    def as_json(self) -> dict[str, Any]:
        return vars(self)
