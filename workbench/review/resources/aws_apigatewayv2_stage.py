"""Stages of HTTP and WebSocket APIs: detailed metrics are paid; throttling can be the first to give.

Detailed metrics are six metrics for each route, in the hours that have traffic:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.api_stages import throttle
from workbench.review.by_use import is_true
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Room, Usage

METRICS_A_ROUTE = 6


def _api(resource: Resource, context: Context) -> Resource | None:
    return context.target(resource, resource.properties.get("ApiId"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    measured = _measured(resource, context)
    if measured is not None:
        metrics = constant(measured * METRICS_A_ROUTE, f"{measured} routes × {METRICS_A_ROUTE} metrics")
        sent = metrics if context.traffic else constant(0, "without traffic there are no metrics")
        yield CostLine("Detailed metrics", "metrics", sent, "cloudwatch.metrics.custom")


def _measured(resource: Resource, context: Context) -> int | None:
    """How many routes are measured in detail: all of them, or those that say so; None where none is."""
    settings = resource.properties.get("DefaultRouteSettings") or {}
    if is_true(settings.get("DetailedMetricsEnabled")):
        api = _api(resource, context)
        return 0 if api is None else len(context.pointing_at(api, "AWS::ApiGatewayV2::Route", "ApiId"))
    single = (resource.properties.get("RouteSettings") or {}).values()
    return sum(is_true((each or {}).get("DetailedMetricsEnabled")) for each in single) or None


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    settings = resource.properties.get("DefaultRouteSettings") or {}
    rate = settings.get("ThrottlingRateLimit")
    if rate is not None:
        yield throttle(resource, context, _api(resource, context), rate, "DefaultRouteSettings")


ROOM = Room(
    type="AWS::ApiGatewayV2::Stage",
    classification="usage",
    usage={
        "peak_requests_per_second": Usage(
            "requests/s", "requests in the busiest second; the API's own figure when not declared"
        )
    },
    lines=_lines,
    limits=_limits,
)
