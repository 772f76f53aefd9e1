"""Canaries: each run, and the function behind it: requests, duration, temporary storage, traces and logs.

The schedule says how many runs there are. Without sizes the function has 1,000 MB of memory and 1,024 MB of temporary
storage: https://docs.aws.amazon.com/AmazonSynthetics/latest/APIReference/API_CanaryRunConfigOutput.html What a run
leaves in S3 is a line of the bucket. Facts: https://aws.amazon.com/cloudwatch/pricing/ ("Canaries")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import schedules, service_logs, tracing
from workbench.review.by_use import is_true
from workbench.review.numbers import constant, shown
from workbench.review.resources.aws_lambda_function import FREE_STORAGE_MB
from workbench.review.room import Context, CostLine, Room, Usage, is_declared, number, refuse
from workbench.workload import Figure

MEMORY_MB = 1_000
STORAGE_MB = 1_024


def _runs(resource: Resource, context: Context) -> Figure:
    """Runs a month: as declared, or as the schedule says where it never ends."""
    schedule = resource.properties.get("Schedule") or {}
    found = schedules.runs(str(schedule.get("Expression")))
    starts = is_true(resource.properties.get("StartCanaryAfterCreation", True))
    ends = str(schedule.get("DurationInSeconds") or "0") != "0"
    if found is None or ends or not starts or "runs_per_month" in resource.workload:
        return context.derive(resource, "runs_per_month")
    return found


def _config(resource: Resource) -> dict[str, Any]:
    return resource.properties.get("RunConfig") or {}


def _refuse_extras(resource: Resource) -> None:
    properties = resource.properties
    if properties.get("Replicas"):
        raise refuse(resource, "Replicas runs it in further regions")
    if len(properties.get("BrowserConfigs") or ()) > 1:
        raise refuse(resource, "BrowserConfigs runs it once for each browser")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_extras(resource)
    runs = _runs(resource, context)
    yield CostLine("Canary runs", "runs", runs, "cloudwatch.synthetics.canary_run")
    yield CostLine("Requests (x86)", "requests", runs, "lambda.requests.x86")

    def gb_seconds(megabytes: Figure) -> Figure:
        duration = context.derive(resource, "duration_ms")
        for figure in (runs, duration):
            if not is_declared(figure):
                return figure
        return runs * duration / constant(1000, "1,000 ms/s") * megabytes / constant(1024, "1,024")

    memory = number(resource, _config(resource).get("MemoryInMB"), "MemoryInMB", MEMORY_MB)
    used = gb_seconds(constant(memory, f"{shown(memory)} MB"))
    yield CostLine("Duration (x86)", "GB-seconds", used, "lambda.duration.x86")
    storage = number(resource, _config(resource).get("EphemeralStorage"), "EphemeralStorage", STORAGE_MB)
    extra = storage - FREE_STORAGE_MB
    used = gb_seconds(constant(extra, f"{shown(extra)} MB above the 512 MB that are free"))
    yield CostLine("Temporary storage (x86)", "GB-seconds", used, "lambda.ephemeral_storage.x86")
    if is_true(_config(resource).get("ActiveTracing")):
        yield from tracing.lines(runs)
    yield from service_logs.lines(resource, context, "Lambda", "cloudwatch.logs.vended")


ROOM = Room(
    type="AWS::Synthetics::Canary",
    classification="baseline",
    usage={
        "runs_per_month": Usage("runs", "runs; by its schedule when not declared", scales=False),
        "duration_ms": Usage("ms", "how long one run takes", scales=False),
        **service_logs.FIXED_USAGE,
    },
    lines=_lines,
)
