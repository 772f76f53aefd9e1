"""Contributor Insights: each rule by the month; the events that it matches pay beyond the first million.

Facts: https://aws.amazon.com/cloudwatch/pricing/ ("Contributor Insights"); the book has no price of the events.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, each


def _is_on(resource: Resource) -> bool:
    return bool(resource.properties.get("RuleState", "ENABLED") == "ENABLED")


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    if _is_on(resource):
        yield CostLine(
            "Rules (Contributor Insights)", "rules", each(1, "rule"), "cloudwatch.contributor_insights.rule"
        )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _is_on(resource):
        yield f"{context.name_of(resource)}: the events that the rule matches are not priced"


ROOM = Room(type="AWS::CloudWatch::InsightRule", classification="baseline", lines=_lines, warnings=_warnings)
