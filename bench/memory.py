"""Memory of processes, in MB (10^6 bytes)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

NO_PROC = "No memory: this machine has no /proc to ask."


def peak_mb() -> float:
    """The most memory that this process has had resident.

    On Linux from /proc: there the `ru_maxrss` of a new process begins with what its parent had.
    """
    found = _kilobytes("self/status", "VmHWM")
    if found is not None:
        return found
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def resident_mb(pid: int) -> float | None:
    """The memory of process `pid` that is resident now; None where there is no /proc to ask."""
    return _kilobytes(f"{pid}/status", "VmRSS")


def family_mb(pid: int) -> float | None:
    """The memory of process `pid` and all that descend from it; None where there is no /proc to ask.

    A page that several processes share counts once: each of them has its part of it (Linux calls the sum the
    proportional set size). By descent and not by process group, because PostgreSQL's processes leave theirs.
    """
    own = proportional_mb(pid)
    if own is None:
        return None
    return own + sum(family_mb(child) or 0.0 for child in children(pid))


def proportional_mb(pid: int) -> float | None:
    """The memory of process `pid` alone, with its part of the pages that it shares with others."""
    return _kilobytes(f"{pid}/smaps_rollup", "Pss")


def workers_mb(pid: int) -> list[float]:
    """The resident memory of each child process of `pid`."""
    return [resident for child in children(pid) if (resident := resident_mb(child)) is not None]


def children(pid: int) -> Iterator[int]:
    """The processes that `pid` has started and that still run."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        if parent == pid:
            yield int(stat.parent.name)


def command(pid: int) -> str:
    """The command line of process `pid`, "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _kilobytes(file: str, field: str) -> float | None:
    """The `field` of a file in /proc that counts in kB, as MB."""
    try:
        text = Path("/proc", file).read_text()
    except OSError:
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None
