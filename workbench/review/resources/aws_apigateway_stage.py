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
from workbench.review.api_stages import throttle
from workbench.review.by_use import is_true, refuse_keys
from workbench.review.floor import HOURS
from workbench.review.numbers import constant
from workbench.review.resources.aws_apigateway_restapi import operations, parts
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse
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
    holder = _traced(resource, context)
    if holder is not None:
        yield from tracing.lines(context.derive(holder, "requests_per_month"))
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


def _traced(resource: Resource, context: Context) -> Resource | None:
    """Whose requests the stage traces: its own, or the API's, of whose stages the first carries them; else None."""
    if not is_true(resource.properties.get("TracingEnabled")):
        return None
    api = _api(resource, context)
    if api is None or "requests_per_month" in resource.workload:
        return resource
    return api if resource is _first_traced(api, context) and not _is_traced_behind(api, context) else None


def _first_traced(api: Resource, context: Context) -> Resource | None:
    """The first stage of `api` that traces and declares no requests itself."""
    for stage in parts(api, context, "AWS::ApiGateway::Stage"):
        if is_true(stage.properties.get("TracingEnabled")) and "requests_per_month" not in stage.workload:
            return stage
    return None


def _is_traced_behind(api: Resource, context: Context) -> bool:
    """Whether the functions behind all methods record the traces, which are then those functions' lines."""
    called = [
        (method, (method.raw.get("Properties") or {}).get("Integration"))
        for method in parts(api, context, "AWS::ApiGateway::Method")
        if (method.properties.get("Integration") or {}).get("Type") != "MOCK"
    ]
    paths = ((api.raw.get("Properties") or {}).get("Body") or {}).get("paths") or {}
    called += [(api, operations) for operations in paths.values()]
    return bool(called) and all(_calls_traced_only(holder, value, context) for holder, value in called)


def _calls_traced_only(holder: Resource, value: Any, context: Context) -> bool:
    """Whether all functions that `value`, a part of `holder`, names record traces themselves; one at least."""
    functions = [
        each for each in context.links.mentions(holder, value) if each.type == "AWS::Lambda::Function"
    ]
    return bool(functions) and all(
        (each.properties.get("TracingConfig") or {}).get("Mode") == "Active" for each in functions
    )


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    for each in _settings(resource):
        rate = each.get("ThrottlingRateLimit")
        if _path_and_verb(each) != _EVERYTHING or rate is None:
            continue
        yield throttle(resource, context, _api(resource, context), rate, "MethodSettings")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _is_logged(resource):
        yield from service_logs.warnings(resource, context, "API Gateway")


ROOM = Room(
    type="AWS::ApiGateway::Stage",
    classification="mixed",
    usage={
        "requests_per_month": Usage(
            "requests", "requests that it traces; all of the API's, at its first stage, when not declared"
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
