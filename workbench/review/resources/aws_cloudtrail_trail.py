"""Trails: the first copy of management events is free; further copies, data events and Insights are paid.

The first trail of the assembly that records a region is taken to be the account's first there. Network activity is
paid as data events are. What a trail writes to S3 and to CloudWatch Logs is a line of the bucket and of the log
group. Facts:
https://aws.amazon.com/cloudtrail/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.by_use import is_true, refuse_keys
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _is_on(resource: Resource) -> bool:
    return is_true(resource.properties.get("IsLogging", True))


def _categories(resource: Resource) -> set[str]:
    """What it records: `Management`, `Data`, `NetworkActivity`."""
    advanced = resource.properties.get("AdvancedEventSelectors")
    if advanced:
        return {category for selector in advanced for category in _selected(selector)}
    selectors = resource.properties.get("EventSelectors")
    if not selectors:
        return {"Management"}
    found = set()
    if any(is_true(selector.get("IncludeManagementEvents", True)) for selector in selectors):
        found.add("Management")
    if any(selector.get("DataResources") for selector in selectors):
        found.add("Data")
    return found


def _selected(selector: dict[str, Any]) -> Iterator[str]:
    for field in selector.get("FieldSelectors") or []:
        if field.get("Field") == "eventCategory":
            yield from field.get("Equals") or []


def _is_first(resource: Resource, context: Context) -> bool:
    for trail in context.all_of("AWS::CloudTrail::Trail"):
        if _overlap(trail, resource) and _is_on(trail) and "Management" in _categories(trail):
            return trail is resource
    return False


def _overlap(one: Resource, other: Resource) -> bool:
    """Whether there is a region of an account that both record."""
    if one.stack.account != other.stack.account:
        return False
    several = any(is_true(each.properties.get("IsMultiRegionTrail")) for each in (one, other))
    return several or one.stack.region == other.stack.region


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("AggregationConfigurations"):
        raise refuse(resource, "AggregationConfigurations pays by the event aggregated")
    if not _is_on(resource):
        return
    categories = _categories(resource)
    if "Management" in categories and not _is_first(resource, context):
        copies = context.derive(resource, "management_events_per_month")
        yield CostLine("Management events (further copy)", "events", copies, "cloudtrail.management_events")
    if categories & {"Data", "NetworkActivity"}:
        events = context.derive(resource, "data_events_per_month")
        yield CostLine("Data events", "events", events, "cloudtrail.data_events")
    else:
        refuse_keys(resource, "no selector of it records data events", "data_events_per_month")
    insights = resource.properties.get("InsightSelectors") or []
    if insights:
        kinds = constant(len(insights), f"{len(insights)} kind{'' if len(insights) == 1 else 's'} of insight")
        analysed = context.derive(resource, "analysed_events_per_month", by=lambda events: events * kinds)
        yield CostLine("Events analysed (Insights)", "events", analysed, "cloudtrail.insights")
    else:
        refuse_keys(resource, "it has no InsightSelectors", "analysed_events_per_month")


ROOM = Room(
    type="AWS::CloudTrail::Trail",
    classification="usage",
    usage={
        "management_events_per_month": Usage(
            "events", "management events; paid by every trail but the first", scales=False
        ),
        "data_events_per_month": Usage("events", "data and network events that its selectors match"),
        "analysed_events_per_month": Usage("events", "events that Insights looks at"),
    },
    lines=_lines,
)
