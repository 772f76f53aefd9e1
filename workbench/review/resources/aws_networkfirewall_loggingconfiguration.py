"""Logs of a network firewall: each destination that is not a log group of the assembly pays by the gigabyte.

Facts: https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-pricing.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import vended
from workbench.review.by_use import is_true
from workbench.review.room import Context, CostLine, Room, one_of, refuse

_KINDS = {"S3": "s3", "CloudWatchLogs": "logs"}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if is_true(resource.properties.get("EnableMonitoringDashboard")):
        raise refuse(resource, "EnableMonitoringDashboard pays by the queries that it runs")
    places = {_place(resource, context, each) for each in _destinations(resource)}
    paid = [(kind, is_here) for kind, is_here in sorted(places) if not (kind == "logs" and is_here)]
    if len(paid) > 1:
        raise refuse(resource, "it logs to S3 and to a log group elsewhere, and one figure can't be of both")
    for kind, is_here in paid or [("logs", True)]:
        yield from vended.lines_to(resource, context, kind, is_here=is_here)


def _destinations(resource: Resource) -> list[dict[str, Any]]:
    return (resource.properties.get("LoggingConfiguration") or {}).get("LogDestinationConfigs") or []


def _place(resource: Resource, context: Context, destination: dict[str, Any]) -> tuple[str, bool]:
    """The kind of place, and whether it is of this assembly."""
    kind = one_of(resource, destination.get("LogDestinationType"), "LogDestinationType", tuple(_KINDS))
    where = destination.get("LogDestination") or {}
    group = context.target(resource, where.get("logGroup"))
    return _KINDS[kind], group is not None


ROOM = Room(
    type="AWS::NetworkFirewall::LoggingConfiguration",
    classification="usage",
    usage=vended.DELIVERED,
    lines=_lines,
)
