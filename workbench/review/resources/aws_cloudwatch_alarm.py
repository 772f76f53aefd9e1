"""Alarms pay by the metric they watch; a metric-math alarm watches several.

Facts: https://aws.amazon.com/cloudwatch/pricing/ ; an alarm on an anomaly band counts two metrics more.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, each, number, refuse

HIGH_RESOLUTION_BELOW_SECONDS = 60


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    periods, extra = _watched(resource)
    fast = any(period < HIGH_RESOLUTION_BELOW_SECONDS for period in periods)
    count = each(len(periods) + extra, "metric watched" if len(periods) + extra == 1 else "metrics watched")
    kind = "high_resolution" if fast else "standard"
    yield CostLine(f"Alarm metrics ({kind.replace('_', ' ')})", "metrics", count, f"cloudwatch.alarm.{kind}")


def _watched(resource: Resource) -> tuple[list[Decimal], int]:
    """The period of each metric that is watched, and how many metrics an anomaly band adds."""
    properties = resource.properties
    queries = properties.get("Metrics")
    if not queries:
        return [number(resource, properties.get("Period"), "Period")], 0
    periods, extra = [], 0
    for query in queries:
        if query.get("MetricStat"):
            periods.append(number(resource, query["MetricStat"].get("Period"), "Period"))
        else:
            extra += _extra(resource, query)
    return periods, extra


def _extra(resource: Resource, query: dict[str, Any]) -> int:
    expression = str(query.get("Expression", "")).upper()
    if expression.lstrip().startswith("SELECT") or "SEARCH(" in expression:
        raise refuse(resource, "a query over metrics pays by what it analyses")
    return 2 if "ANOMALY_DETECTION_BAND" in expression else 0


ROOM = Room(type="AWS::CloudWatch::Alarm", classification="baseline", lines=_lines)
