"""Archives of events: what is taken in, what is kept, and events played again, which are custom events.

Facts: https://aws.amazon.com/eventbridge/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number
from workbench.workload import DAYS_PER_MONTH, Figure

MONTHS_WITHOUT_RETENTION = 12


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    archived = context.derive(resource, "archived_gb_per_month")
    yield CostLine("Events archived", "GB", archived, "eventbridge.archive.processing")
    months = _months(resource)
    kept = context.derive(resource, "archived_gb_per_month", by=lambda taken: taken * months)
    yield CostLine("Events kept", "GB-months", kept, "eventbridge.archive.storage")
    if "replayed_events_per_month" in resource.workload:
        replayed = context.derive(resource, "replayed_events_per_month")
        yield CostLine("Custom events (replayed)", "events", replayed, "eventbridge.custom_events")


def _months(resource: Resource) -> Figure:
    days = number(resource, resource.properties.get("RetentionDays"), "RetentionDays", default=0)
    if not days:
        words = f"{MONTHS_WITHOUT_RETENTION} months (never deleted: after a year)"
        return constant(MONTHS_WITHOUT_RETENTION, words)
    return constant(days / DAYS_PER_MONTH, f"{shown(days)} days ÷ {shown(DAYS_PER_MONTH)}")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if not resource.properties.get("RetentionDays"):
        yield f"{context.name_of(resource)}: no RetentionDays, so its events are kept, and paid, for ever"


ROOM = Room(
    type="AWS::Events::Archive",
    classification="usage",
    usage={
        "archived_gb_per_month": Usage("GB", "events that the archive takes in"),
        "replayed_events_per_month": Usage("events", "events played again, in steps of 64 KB, if any"),
    },
    lines=_lines,
    warnings=_warnings,
)
