"""Schema discovery on an event bus: every event that it looks at, in steps of 8 KB.

Facts: https://aws.amazon.com/eventbridge/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    events = context.derive(resource, "events_per_month")
    yield CostLine("Events looked at (schemas)", "events", events, "eventbridge.schema_discovery")


ROOM = Room(
    type="AWS::EventSchemas::Discoverer",
    classification="usage",
    usage={"events_per_month": Usage("events", "events on the bus, in steps of 8 KB")},
    lines=_lines,
)
