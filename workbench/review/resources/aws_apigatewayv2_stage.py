"""Stages of HTTP and WebSocket APIs: detailed metrics are paid; throttling can be the first to give.

Detailed metrics are six metrics for each route, in the hours that have traffic:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import is_true
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, setting
from workbench.workload import Figure

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
    if settings.get("ThrottlingRateLimit") is None:
        return
    rate = number(resource, settings["ThrottlingRateLimit"], "ThrottlingRateLimit")
    quota = constant(rate, f"{shown(rate)} requests/s in the template")
    name, source = context.name_of(resource), context.quota("apigateway.throttle").source
    load, advice = _load(resource, context), setting(name, "ThrottlingRateLimit of DefaultRouteSettings")
    yield Limit(name, "Throttling rate of the stage", "requests/s", quota, load, True, source, advice)


def _load(resource: Resource, context: Context) -> Figure:
    api = _api(resource, context)
    holder = resource if api is None or "peak_requests_per_second" in resource.workload else api
    return context.derive(holder, "peak_requests_per_second")


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
