"""Event buses: custom events put on them. Events of AWS services and schedules are free."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    events = context.derive(resource, "events_per_month")
    yield CostLine("Custom events", "events", events, "eventbridge.custom_events")


ROOM = Room(
    type="AWS::Events::EventBus",
    classification="usage",
    usage={"events_per_month": Usage("events", "events put on the bus, in steps of 64 KB")},
    lines=_lines,
)
