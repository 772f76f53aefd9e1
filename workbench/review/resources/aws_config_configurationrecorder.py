"""Configuration recorders: each change of a resource is an item, and each day in which one changed is another kind.

Facts: https://aws.amazon.com/config/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, one_of

_FREQUENCIES = ("CONTINUOUS", "DAILY")


def _frequencies(resource: Resource) -> set[str]:
    mode = resource.properties.get("RecordingMode") or {}
    settings = [mode, *(mode.get("RecordingModeOverrides") or [])]
    return {
        one_of(resource, each.get("RecordingFrequency", "CONTINUOUS"), "RecordingFrequency", _FREQUENCIES)
        for each in settings
    }


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    frequencies = _frequencies(resource)
    if "CONTINUOUS" in frequencies:
        items = context.derive(resource, "items_per_month")
        yield CostLine("Configuration items (continuous)", "items", items, "config.item")
    else:
        refuse_keys(resource, "it records DAILY alone", "items_per_month")
    if "DAILY" in frequencies:
        daily = context.derive(resource, "daily_items_per_month")
        yield CostLine("Configuration items (daily)", "items", daily, "config.item_daily")
    else:
        refuse_keys(resource, "it records CONTINUOUS alone", "daily_items_per_month")


ROOM = Room(
    type="AWS::Config::ConfigurationRecorder",
    classification="usage",
    usage={
        "items_per_month": Usage("items", "changes of resources recorded as they happen", scales=False),
        "daily_items_per_month": Usage("items", "resources and days with a change of it", scales=False),
    },
    lines=_lines,
)
