"""Rules: schedules and events of AWS services are free; custom events on the default bus are counted here.

A custom event on a bus of the template is that bus's line.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if "custom_events_per_month" in resource.workload or _matches_custom_events(resource):
        events = context.derive(resource, "custom_events_per_month")
        yield CostLine("Custom events (default bus)", "events", events, "eventbridge.custom_events")


def _matches_custom_events(resource: Resource) -> bool:
    properties = resource.properties
    pattern = properties.get("EventPattern")
    if not isinstance(pattern, dict) or properties.get("EventBusName") not in (None, "default"):
        return False
    sources = pattern.get("source") or []
    return not all(str(source).startswith("aws.") for source in sources) or not sources


ROOM = Room(
    type="AWS::Events::Rule",
    classification="usage",
    usage={
        "custom_events_per_month": Usage("events", "events of your own that it matches on the default bus")
    },
    lines=_lines,
)
