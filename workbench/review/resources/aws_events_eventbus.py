"""Event buses: custom events put on them, and events of partners. Events of AWS services and schedules are free.

Archives, schema discovery and API destinations are lines of theirs. What EventBridge asks of a key of the customer's
is not counted: AWS gives no figure for it. Facts: https://aws.amazon.com/eventbridge/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    events = context.derive(resource, "events_per_month")
    if resource.properties.get("EventSourceName"):
        yield CostLine("Partner events", "events", events, "eventbridge.partner_events")
    else:
        yield CostLine("Custom events", "events", events, "eventbridge.custom_events")


def _limits_of_account(context: Context) -> Iterator[Limit]:
    buses = context.all_of("AWS::Events::EventBus")
    rate = declared_only(context.derive(each, "peak_events_per_second") for each in buses)
    if rate is not None:
        limit = "EventBridge events put a second, one by one"
        yield context.against("eventbridge.put_events_per_second", "account", limit, rate)


ROOM = Room(
    type="AWS::Events::EventBus",
    classification="usage",
    usage={
        "events_per_month": Usage("events", "events put on the bus, in steps of 64 KB"),
        "peak_events_per_second": Usage("events/s", "events put on the bus in the busiest second"),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
)
