"""EMR Serverless: vCPU-hours and GB-hours of workers; those of InitialCapacity for as long as the application runs.

An application that never stops by itself has its initial workers all the time. Each worker has 20 GB of storage.
Facts: https://aws.amazon.com/emr/pricing/ , EMR Serverless, and
https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/pre-init-capacity.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use, service_logs
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse

STORAGE_INCLUDED_GB = 20
_AMOUNT = re.compile(r"\s*(\d+)\s*(v?cpu|gb)?\s*", re.IGNORECASE)


def _amount(resource: Resource, value: Any, name: str) -> Decimal:
    """The number of `4 vCPU` or `16 GB`."""
    found = _AMOUNT.fullmatch(str(value))
    return number(resource, found[1] if found else value, name)


def _initial(resource: Resource) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    """Workers, vCPUs and GB of memory of each kind of worker that is started ahead."""
    for each in resource.properties.get("InitialCapacity") or []:
        value = each.get("Value") or {}
        worker = value.get("WorkerConfiguration") or {}
        disk = _amount(resource, worker.get("Disk", STORAGE_INCLUDED_GB), "Disk")
        if disk > STORAGE_INCLUDED_GB or worker.get("DiskType", "STANDARD").upper() != "STANDARD":
            raise refuse(resource, "its workers have more storage than the 20 GB that are included")
        yield (
            number(resource, value.get("WorkerCount"), "WorkerCount"),
            _amount(resource, worker.get("Cpu"), "Cpu"),
            _amount(resource, worker.get("Memory"), "Memory"),
        )


def _never_stops(resource: Resource) -> bool:
    stop = resource.properties.get("AutoStopConfiguration") or {}
    return not by_use.is_true(stop.get("Enabled", True))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    one_of(resource, resource.properties.get("Architecture", "X86_64"), "Architecture", ("X86_64",))
    initial = list(_initial(resource))
    if initial and _never_stops(resource):
        cpus = sum((count * cpu for count, cpu, _ in initial), Decimal(0))
        memory = sum((count * gb for count, _, gb in initial), Decimal(0))
        words = "of InitialCapacity"
        yield CostLine(
            "Initial workers (vCPUs)",
            "vCPU-hours",
            constant(cpus, f"{shown(cpus)} vCPU {words}") * HOURS,
            "emr_serverless.vcpu",
        )
        yield CostLine(
            "Initial workers (memory)",
            "GB-hours",
            constant(memory, f"{shown(memory)} GB {words}") * HOURS,
            "emr_serverless.memory",
        )
    yield from by_use.lines(
        resource,
        context,
        ("Workers (vCPUs)", "vCPU-hours", "vcpu_hours_per_month", "emr_serverless.vcpu"),
        ("Workers (memory)", "GB-hours", "memory_gb_hours_per_month", "emr_serverless.memory"),
    )
    monitoring = resource.properties.get("MonitoringConfiguration") or {}
    logging = monitoring.get("CloudWatchLoggingConfiguration") or {}
    named = logging.get("LogGroupName")
    if by_use.is_true(logging.get("Enabled")) and context.target(resource, named) is None:
        yield from service_logs.lines(resource, context, "EMR", group=service_logs.beginning("{}", named))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("InitialCapacity") and _never_stops(resource):
        yield f"{context.name_of(resource)}: its initial workers never stop; AutoStopConfiguration ends idle ones"


ROOM = Room(
    type="AWS::EMRServerless::Application",
    classification="usage",
    usage={
        "vcpu_hours_per_month": Usage(
            "vCPU-hours", "vCPUs × hours of all workers, without those that never stop"
        ),
        "memory_gb_hours_per_month": Usage("GB-hours", "memory × hours of the same workers"),
        **service_logs.USAGE,
    },
    lines=_lines,
    warnings=_warnings,
)
