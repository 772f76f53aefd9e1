"""Memory of processes, in MB (10^6 bytes)."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_mb() -> float:
    """The most memory that this process has had resident.

    On Linux from /proc: there the `ru_maxrss` of a new process begins with what its parent had.
    """
    found = _status("self", "VmHWM")
    if found is not None:
        return found
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def resident_mb(pid: int) -> float | None:
    """The memory of process `pid` that is resident now; None where there is no /proc to ask."""
    return _status(str(pid), "VmRSS")


def workers_mb(pid: int) -> list[float]:
    """The resident memory of each child process of `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid and (resident := resident_mb(int(stat.parent.name))) is not None:
            found.append(resident)
    return found


def _status(process: str, field: str) -> float | None:
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None
