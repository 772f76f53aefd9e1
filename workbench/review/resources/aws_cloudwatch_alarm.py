"""Alarms pay by the metric they watch; a metric-math alarm watches several.

Facts: https://aws.amazon.com/cloudwatch/pricing/ ; an alarm on an anomaly band counts two metrics more,
and one on a query of Metrics Insights every metric that the query analyses.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each, number

HIGH_RESOLUTION_BELOW_SECONDS = 60


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if _is_a_query(resource):
        analysed = context.derive(resource, "metrics_analysed")
        yield CostLine("Alarm metrics (query)", "metrics", analysed, "cloudwatch.alarm.metrics_insights")
        return
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
            extra += 2 if "ANOMALY_DETECTION_BAND" in _expression(query) else 0
    return periods, extra


def _expression(query: dict[str, Any]) -> str:
    return str(query.get("Expression", "")).upper().lstrip()


def _is_a_query(resource: Resource) -> bool:
    """Whether it is a query of Metrics Insights, which pays by each metric that it analyses."""
    queries = resource.properties.get("Metrics") or []
    return any(
        _expression(query).startswith("SELECT") or "SEARCH(" in _expression(query) for query in queries
    )


ROOM = Room(
    type="AWS::CloudWatch::Alarm",
    classification="baseline",
    usage={
        "metrics_analysed": Usage(
            "metrics", "queries of Metrics Insights: metrics that match in an hour", scales=False
        )
    },
    lines=_lines,
)
