"""Additional metrics of a distribution: eight of them, at the price of custom metrics.

Facts: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/viewing-cloudfront-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, each, one_of

_METRICS = 8


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    subscription = resource.properties.get("MonitoringSubscription") or {}
    config = subscription.get("RealtimeMetricsSubscriptionConfig") or {}
    name, known = "RealtimeMetricsSubscriptionStatus", ("Enabled", "Disabled")
    if one_of(resource, config.get(name), name, known) == "Enabled":
        metrics = each(_METRICS, "metrics of the distribution")
        yield CostLine("Additional metrics", "metrics", metrics, "cloudwatch.metrics.custom")


ROOM = Room(type="AWS::CloudFront::MonitoringSubscription", classification="baseline", lines=_lines)
