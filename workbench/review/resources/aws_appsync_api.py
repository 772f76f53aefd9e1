"""Event APIs of AppSync: operations, connection minutes, bytes out, logs.

Each event published, each delivery to a subscriber, each subscription and each call of a handler is an operation, in
steps of 5 KB. Facts: https://aws.amazon.com/appsync/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    operations = context.derive(resource, "operations_per_month")
    yield CostLine("Operations (events)", "operations", operations, "appsync.events.operation")
    minutes = context.derive(resource, "connection_minutes_per_month")
    yield CostLine("Connections (events)", "connection-minutes", minutes, "appsync.connection_minute")
    egress = context.derive(resource, "egress_gb_per_month")
    yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")
    if _is_logged(resource):
        yield from service_logs.lines(resource, context, "AppSync")
    else:
        refuse_keys(resource, "LogConfig is off", service_logs.KEY)


def _is_logged(resource: Resource) -> bool:
    config = (resource.properties.get("EventConfig") or {}).get("LogConfig") or {}
    return str(config.get("LogLevel", "NONE")) != "NONE"


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _is_logged(resource):
        yield from service_logs.warnings(resource, context, "AppSync")


ROOM = Room(
    type="AWS::AppSync::Api",
    classification="usage",
    usage={
        "operations_per_month": Usage(
            "operations", "events published and delivered, subscriptions and handler calls, in steps of 5 KB"
        ),
        "connection_minutes_per_month": Usage("minutes", "minutes of open connections"),
        "egress_gb_per_month": Usage("GB", "bytes sent to the internet"),
        **service_logs.USAGE,
    },
    lines=_lines,
    warnings=_warnings,
)
