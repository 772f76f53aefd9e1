"""Airflow environments: their hours, with schedulers, web servers and one worker; the hours of more workers.

The metadata database pays by the gigabyte, which no key of the price book is for: a warning says so. Facts:
https://aws.amazon.com/managed-workflows-for-apache-airflow/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, service_logs
from workbench.review.floor import HOURS, Grown, above
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse
from workbench.workload import Figure

_CLASSES = ("mw1.small", "mw1.medium", "mw1.large")
# What the hour of an environment includes.
_INCLUDED = {"Schedulers": 2, "MinWebservers": 2, "MaxWebservers": 2}
_WORKERS, _MOST_WORKERS = 1, 10
_LOGS = ("DagProcessingLogs", "SchedulerLogs", "TaskLogs", "WebserverLogs", "WorkerLogs")


def _bounds(resource: Resource) -> tuple[Figure, Figure]:
    """The least and the most workers beyond the one that is included."""
    properties = resource.properties
    least = number(resource, properties.get("MinWorkers"), "MinWorkers", default=_WORKERS)
    most = number(resource, properties.get("MaxWorkers"), "MaxWorkers", default=_MOST_WORKERS)
    return (
        constant(least - _WORKERS, f"{shown(least)} workers (MinWorkers) less the one included"),
        constant(most - _WORKERS, f"{shown(most)} workers (MaxWorkers) less the one included"),
    )


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    kind = one_of(resource, properties.get("EnvironmentClass", "mw1.small"), "EnvironmentClass", _CLASSES)
    for name, included in _INCLUDED.items():
        if number(resource, properties.get(name), name, included) > included:
            raise refuse(resource, f"{name} is {properties[name]}, and {included} are included")
    size = kind.removeprefix("mw1.")
    yield CostLine(f"Environments ({kind})", "environment-hours", HOURS, f"mwaa.environment.{size}")
    if _writes_logs(resource):
        yield from service_logs.lines(resource, context, "Airflow")
    least, most = _bounds(resource)
    if most.value <= 0:
        return
    if kind != "mw1.small":
        raise refuse(
            resource, f"it may have {shown(most.value)} more workers, whose price is known for mw1.small only"
        )
    yield from _workers(resource, context, least, most).lines(
        "Workers", kind, "worker-hours", HOURS, f"mwaa.worker.{size}"
    )


def _writes_logs(resource: Resource) -> bool:
    """Whether any of its logs is on; MWAA makes a log group for each."""
    settings = resource.properties.get("LoggingConfiguration") or {}
    return any(by_use.is_true((settings.get(each) or {}).get("Enabled")) for each in _LOGS)


def _workers(resource: Resource, context: Context, least: Figure, most: Figure) -> Grown:
    if most.value <= least.value:
        return Grown(least)
    wanted = context.derive(
        resource,
        "average_workers",
        by=lambda running: constant(
            max(running.value - _WORKERS, least.value), f"({running.formula}) less one"
        ),
    )
    return Grown(least, above(least, wanted, most))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: its metadata database pays by the gigabyte, which is not counted"


ROOM = Room(
    type="AWS::MWAA::Environment",
    classification="mixed",
    usage={
        "average_workers": Usage(
            "workers", "workers that run, averaged over the month, with the one included"
        ),
        **service_logs.USAGE,
    },
    lines=_lines,
    warnings=_warnings,
)
