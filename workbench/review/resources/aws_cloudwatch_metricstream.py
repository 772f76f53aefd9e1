"""Metric streams: each update of a metric that is sent. The delivery stream that takes it pays for itself.

Facts: https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    updates = context.derive(resource, "metric_updates_per_month")
    yield CostLine("Metric updates", "updates", updates, "cloudwatch.metric_streams")


ROOM = Room(
    type="AWS::CloudWatch::MetricStream",
    classification="usage",
    usage={
        "metric_updates_per_month": Usage(
            "updates",
            "metrics × updates of each, one a minute as a rule; once more for each five AdditionalStatistics",
        )
    },
    lines=_lines,
)
