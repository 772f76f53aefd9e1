"""Monitors of real users (RUM): each event that a browser or phone sends; its logs and traces where they are on.

Facts: https://aws.amazon.com/cloudwatch/pricing/ ("RUM")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.by_use import is_true, refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _config(resource: Resource) -> dict[str, Any]:
    return resource.properties.get("AppMonitorConfiguration") or {}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if _config(resource).get("MetricDestinations"):
        raise refuse(resource, "MetricDestinations pays by the metric that it adds")
    events = context.derive(resource, "events_per_month")
    yield CostLine("Events (real users)", "events", events, "cloudwatch.rum.event")
    if is_true(resource.properties.get("CwLogEnabled")):
        yield from service_logs.lines(resource, context, "RUM", "cloudwatch.logs.vended")
    else:
        refuse_keys(resource, "CwLogEnabled is off", service_logs.KEY)
    if is_true(_config(resource).get("EnableXRay")):
        traces = context.derive(resource, "traces_per_month")
        yield CostLine("Traces recorded", "traces", traces, "xray.traces_recorded")
    else:
        refuse_keys(resource, "EnableXRay is off", "traces_per_month")


ROOM = Room(
    type="AWS::RUM::AppMonitor",
    classification="usage",
    usage={
        "events_per_month": Usage(
            "events", "page views, errors and timings of the sessions that are sampled"
        ),
        **service_logs.USAGE,
        "traces_per_month": Usage("traces", "requests of sampled sessions that EnableXRay traces"),
    },
    lines=_lines,
)
