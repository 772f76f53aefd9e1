"""The processes of Lambda functions: found, killed and frozen in the middle of an invocation, and started anew.

A function's workers are MiniStack's (`core/lambda_runtime.py`): a pool of processes a function, one for each
invocation that runs at the same time.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import lambda_svc

from workbench.offline.clock import SHIFT_VARIABLE
from workbench.offline.control import Refused, command
from workbench.offline.standing import Fault, stand
from workbench.offline.surroundings import surroundings

RUNS_WITHIN = 5.0
_LOOPBACK_HEX = "0100007F"
_retired: set[Any] = set()  # workers out of their pool that end with the invocation they are in
_shifted: dict[tuple[str, str], tuple[float, Fault]] = {}  # by region and name


@dataclass(frozen=True)
class Function:
    """A Lambda function of this offline AWS."""

    account: str
    region: str
    name: str
    role: str
    runtime: str

    def busy(self) -> list[int]:
        """The processes that an invocation runs in, of every version."""
        with lambda_runtime._lock:
            workers = [worker for key in self._pools() for worker in lambda_runtime._workers[key]]
        processes = [worker._proc for worker in workers if worker.in_use]
        return [process.pid for process in processes if process is not None]

    def behind(self, port: int) -> list[int]:
        """The process whose connection to us comes from `port`; none when that cannot be told."""
        busy = self.busy()
        return busy if len(busy) == 1 else holders(port, busy)

    def retire_workers(self) -> None:
        """Let the next invocation start a process; one that runs ends first."""
        with lambda_runtime._lock:
            gone = [worker for key in self._pools() for worker in lambda_runtime._workers.pop(key)]
            busy = {worker for worker in gone if worker.in_use}
            _retired.update(busy)
        lambda_runtime.kill_workers([worker for worker in gone if worker not in busy])

    def _pools(self) -> list[str]:
        prefix = f"{self.account}:{self.region}:{self.name}:"
        return [key for key in lambda_runtime._workers if key.startswith(prefix)]


def function(who: str) -> Function | None:
    """The function of that name or ARN, qualified or not; None when there is none."""
    region, name = "", who
    if who.startswith("arn:"):
        try:
            arn = parse_arn(who)
        except ArnParseError:
            return None
        region, name = arn.region, arn.resource.removeprefix("function:").partition(":")[0]
        if arn.service != "lambda":
            return None
    for (account, where, known), record in list(lambda_svc._functions._data.items()):
        if known == name and region in ("", where):
            config = record["config"]
            role = str(config["Role"]).rpartition("/")[2]
            return Function(account, where, known, role, str(config.get("Runtime", "")))
    return None


def existing(who: str) -> Function:
    """The function of that name or ARN. Raises `Refused` when there is none."""
    found = function(who)
    if found is None:
        raise Refused(f"there is no function {who}")
    return found


def freeze(pids: list[int]) -> None:
    """Stop the processes in their tracks."""
    _signal(pids, signal.SIGSTOP)


def thaw(pids: list[int]) -> None:
    """Let frozen processes go on."""
    _signal(pids, signal.SIGCONT)


def kill(pids: list[int]) -> None:
    """End the processes at once."""
    _signal(pids, signal.SIGKILL)


@command("workers/freeze")
def freeze_workers(function: str) -> dict[str, str]:
    """Freeze what runs of the function now, waiting a moment for it to run."""
    found = existing(function)
    until = time.monotonic() + RUNS_WITHIN
    while not (pids := found.busy()):
        if time.monotonic() >= until:
            raise Refused(
                f"no invocation of {found.name} ran within {RUNS_WITHIN:.0f} s; there is none to freeze"
            )
        time.sleep(0.01)
    freeze(pids)
    return stand(Fault(end=lambda: thaw(pids), struck=len(pids)))


@command("clock/shift")
def shift_clock(function: str, seconds: float) -> dict[str, str]:
    """Start the function's processes with a clock that is `seconds` ahead, or behind when negative."""
    found = existing(function)
    key = (found.region, found.name)
    if not found.runtime.startswith("python"):
        raise Refused(f"the clock of {found.name} cannot be shifted: it runs {found.runtime}, not Python")
    if key in _shifted:
        raise Refused(f"the clock of {found.name} is shifted already")

    def restore() -> None:
        del _shifted[key]
        found.retire_workers()

    fault = Fault(end=restore)
    _shifted[key] = (seconds, fault)
    found.retire_workers()
    return stand(fault)


def extend() -> None:
    """Start shifted workers where they are asked for, and end retired ones when they are done."""
    lambda_runtime.subprocess = _Shifting(lambda_runtime.subprocess)
    lambda_svc.release_worker = _ending_retired(lambda_svc.release_worker)


class _Shifting:
    """The module `subprocess` as MiniStack's Lambda runtime sees it, but that some workers have another clock."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def Popen(self, command: list[str], **options: Any) -> Any:  # noqa: N802 (its name there)
        environment = options.get("env") or {}
        key = (environment.get("AWS_REGION", ""), environment.get("AWS_LAMBDA_FUNCTION_NAME", ""))
        if key in _shifted:
            seconds, fault = _shifted[key]
            fault.struck += 1
            options["env"] = {**environment, SHIFT_VARIABLE: str(seconds)}
        return self._module.Popen(command, **options)


def _ending_retired(release: Callable[[Any], None]) -> Callable[[Any], None]:
    def released(worker: Any) -> None:
        release(worker)
        if worker in _retired:
            _retired.discard(worker)
            lambda_runtime.kill_workers([worker])

    return released


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def holders(port: int, pids: list[int]) -> list[int]:
    """Of the processes, those that hold the near end of a connection from `port` to us (on Linux, by /proc)."""
    ends = (f"{_LOOPBACK_HEX}:{port:04X}", f"{_LOOPBACK_HEX}:{surroundings().port:04X}")
    with suppress(OSError):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            parts = line.split()
            if (parts[1], parts[2]) == ends:
                return [pid for pid in pids if _holds(pid, f"socket:[{parts[9]}]")]
    return []


def _holds(pid: int, socket: str) -> bool:
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            if os.readlink(descriptor) == socket:
                return True
    return False


def session_of(found: Function) -> re.Pattern[str]:
    """What the ARN of the function's session looks like: Lambda names it after the function."""
    return re.compile(rf":assumed-role/{re.escape(found.role)}/{re.escape(found.name[:64])}$")
