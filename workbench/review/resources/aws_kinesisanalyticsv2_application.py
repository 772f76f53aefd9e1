"""Managed Flink: processing units (KPUs) of an application that always runs, those of its service, and storage.

One KPU more is for orchestration, and one more for a notebook. Each KPU that processes has 50 GB of running storage.
Scaling adds to what the template starts with and does not go below it. Facts:
https://aws.amazon.com/managed-service-apache-flink/pricing/ and
https://docs.aws.amazon.com/managed-flink/latest/java/how-scaling.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS, Grown, grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, refuse
from workbench.workload import Figure

STORAGE_GB_A_KPU = 50


def _is_notebook(resource: Resource) -> bool:
    return str(resource.properties.get("ApplicationMode")) == "INTERACTIVE"


def _parallelism(resource: Resource) -> dict[str, Any]:
    flink = (resource.properties.get("ApplicationConfiguration") or {}).get("FlinkApplicationConfiguration")
    return (flink or {}).get("ParallelismConfiguration") or {}


def _units(resource: Resource) -> Figure:
    """The KPUs that process, as the application starts."""
    settings = _parallelism(resource)
    tasks = number(resource, settings.get("Parallelism"), "Parallelism", default=1)
    each = number(resource, settings.get("ParallelismPerKPU"), "ParallelismPerKPU", default=1)
    count = (tasks / each).to_integral_value(rounding="ROUND_CEILING")
    return constant(count, f"{shown(count)} KPU (Parallelism {shown(tasks)} ÷ {shown(each)} a KPU)")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    runtime = str(resource.properties.get("RuntimeEnvironment"))
    if runtime.startswith("SQL"):
        raise refuse(resource, f"RuntimeEnvironment is {runtime}, which AWS has ended")
    scales = by_use.is_true(_parallelism(resource).get("AutoScalingEnabled", True))
    if not scales:
        by_use.refuse_keys(resource, "AutoScalingEnabled is false", "average_kpus")
    least = _units(resource)
    fleet = grown(context, resource, "average_kpus", least) if scales else Grown(least)
    service = constant(2, "2 KPU, one for the notebook") if _is_notebook(resource) else constant(1, "1 KPU")
    yield from fleet.lines("Processing", "Flink", "KPU-hours", HOURS, "flink.kpu")
    yield CostLine("Orchestration", "KPU-hours", service * HOURS, "flink.kpu")
    storage = constant(STORAGE_GB_A_KPU, f"{STORAGE_GB_A_KPU} GB a KPU")
    yield from fleet.lines("Running storage", "Flink", "GB-months", storage, "flink.running_storage")
    row = ("Backups", "GB-months", "backup_gb", "flink.backup")
    yield from by_use.where_declared(resource, context, row)


ROOM = Room(
    type="AWS::KinesisAnalyticsV2::Application",
    classification="mixed",
    usage={
        "average_kpus": Usage("KPUs", "units that process, averaged over the month, where it scales"),
        "backup_gb": Usage("GB", "snapshots of the application held, if any"),
    },
    lines=_lines,
)
