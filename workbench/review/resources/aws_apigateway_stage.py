"""Stages of REST APIs: the cache by its size and hour, detailed metrics, traces; throttling can be the first to give.

Detailed metrics are five for each method, and two more with a cache, in the hours that have traffic:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html A canary shares
the cache of its stage or has none. Facts: https://aws.amazon.com/api-gateway/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import service_logs, tracing
from workbench.review.by_use import is_true, refuse_keys
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.resources.aws_apigateway_restapi import operations
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse
from workbench.workload import Figure

SIZES = ("0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237")

_METRICS, _METRICS_OF_CACHE = 5, 2
_EVERYTHING = ("/*", "*")


def _api(resource: Resource, context: Context) -> Resource | None:
    return context.target(resource, resource.properties.get("RestApiId"))


def _has_cache(resource: Resource) -> bool:
    return is_true(resource.properties.get("CacheClusterEnabled"))


def _settings(resource: Resource) -> list[dict[str, Any]]:
    return resource.properties.get("MethodSettings") or []


def _path_and_verb(setting: dict[str, Any]) -> tuple[Any, Any]:
    return setting.get("ResourcePath", "/*"), setting.get("HttpMethod", "*")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if _has_cache(resource):
        written = str(resource.properties.get("CacheClusterSize", "0.5"))
        size = one_of(resource, written, "CacheClusterSize", SIZES)
        yield CostLine(f"Caches ({size} GB)", "cache-hours", HOURS, f"apigateway.rest.cache.{size}gb")
    measured = [each for each in _settings(resource) if is_true(each.get("MetricsEnabled"))]
    if measured:
        metrics = _metrics(resource, context, measured)
        yield CostLine("Detailed metrics", "metrics", metrics, "cloudwatch.metrics.custom")
    api = _api(resource, context)
    if is_true(resource.properties.get("TracingEnabled")) and not _is_traced_behind(api, context):
        yield from tracing.lines(context.derive(api or resource, "requests_per_month"))
    if _is_logged(resource):
        yield from service_logs.lines(resource, context, "API Gateway")
    else:
        refuse_keys(resource, "no LoggingLevel of it is ERROR or INFO", service_logs.KEY)


def _is_logged(resource: Resource) -> bool:
    """Whether it logs its execution; the access log goes to a group that the template names."""
    return any(each.get("LoggingLevel") in ("ERROR", "INFO") for each in _settings(resource))


def _metrics(resource: Resource, context: Context, measured: list[dict[str, Any]]) -> Figure:
    if context.traffic == 0:
        return constant(0, "without traffic there are no metrics")
    each = _METRICS + (_METRICS_OF_CACHE if _has_cache(resource) else 0)
    count = len(measured)
    if any("*" in str(part) for setting in measured for part in _path_and_verb(setting)):
        api = _api(resource, context)
        methods = None if api is None else operations(api, context)
        if methods is None:
            raise refuse(
                resource, "MetricsEnabled pays by the method, and its methods are not in the template"
            )
        count = len(methods)
    return constant(count * each, f"{count} methods × {each} metrics")


def _is_traced_behind(api: Resource | None, context: Context) -> bool:
    """Whether a function that the API calls records the trace, which is then that function's line."""
    if api is None:
        return False
    for method in context.all_of("AWS::ApiGateway::Method"):
        if context.target(method, method.properties.get("RestApiId")) is api:
            integration = (method.raw.get("Properties") or {}).get("Integration")
            for each in context.links.mentions(method, integration):
                tracing_config = each.properties.get("TracingConfig") or {}
                if each.type == "AWS::Lambda::Function" and tracing_config.get("Mode") == "Active":
                    return True
    return False


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    for setting in _settings(resource):
        rate = setting.get("ThrottlingRateLimit")
        if _path_and_verb(setting) != _EVERYTHING or rate is None:
            continue
        rate = number(resource, rate, "ThrottlingRateLimit")
        quota = constant(rate, f"{shown(rate)} requests/s in the template")
        name, source = context.name_of(resource), context.quota("apigateway.throttle").source
        load = _load(resource, context)
        yield Limit(name, "Throttling rate of the stage", "requests/s", quota, load, True, source)


def _load(resource: Resource, context: Context) -> Figure:
    api = _api(resource, context)
    holder = resource if api is None or "peak_requests_per_second" in resource.workload else api
    return context.derive(holder, "peak_requests_per_second")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _is_logged(resource):
        yield from service_logs.warnings(resource, context, "API Gateway")


ROOM = Room(
    type="AWS::ApiGateway::Stage",
    classification="mixed",
    usage={
        "requests_per_month": Usage(
            "requests", "requests that it traces, where the API is not in the template"
        ),
        "peak_requests_per_second": Usage(
            "requests/s", "requests in the busiest second; the API's own figure when not declared"
        ),
        **service_logs.USAGE,
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
