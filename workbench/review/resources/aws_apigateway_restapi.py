"""REST APIs: requests and the bytes that leave AWS; the cache is the stage's line.

A private API is reached through a VPC endpoint, which pays for its own bytes. The ceiling that all kinds of API share
is stated by the room of HTTP and WebSocket APIs. Facts: https://aws.amazon.com/api-gateway/pricing/ ; what only REST
APIs can do: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vs-rest.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.cloudfront import is_behind_cloudfront
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Room, Usage

MILLION = 1_000_000

_VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method")
_PROXIES = ("AWS_PROXY", "HTTP_PROXY")
_REST = "apigateway.rest.requests"
_HTTP = "apigateway.http.requests"


def is_private(resource: Resource) -> bool:
    """Whether only VPC endpoints reach it."""
    return "PRIVATE" in _endpoint_types(resource)


def _endpoint_types(resource: Resource) -> list[str]:
    return (resource.properties.get("EndpointConfiguration") or {}).get("Types") or []


def parts(api: Resource, context: Context, resource_type: str) -> Iterator[Resource]:
    """The methods, stages, validators … of `api`."""
    yield from context.pointing_at(api, resource_type, "RestApiId")


def operations(api: Resource, context: Context) -> list[tuple[str, dict[str, Any]]] | None:
    """Each method: its verb, and what the template says of it; None where a file outside the template says it."""
    body = api.properties.get("Body")
    if api.properties.get("BodyS3Location") or (body is not None and not isinstance(body, dict)):
        return None
    found = [
        (str(each.properties.get("HttpMethod", "")).upper(), each.properties)
        for each in parts(api, context, "AWS::ApiGateway::Method")
    ]
    for path in ((body or {}).get("paths") or {}).values():
        found += [(verb.upper(), _method(path[verb])) for verb in _VERBS if verb in path]
    return found


def _method(operation: dict[str, Any]) -> dict[str, Any]:
    """An operation of OpenAPI, as the properties of a method that matter here."""
    written = operation.get("x-amazon-apigateway-integration") or {}
    integration = {name[0].upper() + name[1:]: value for name, value in written.items()}
    integration["Type"] = str(integration.get("Type", "")).upper()
    method: dict[str, Any] = {"Integration": integration}
    if "x-amazon-apigateway-request-validator" in operation:
        method["RequestValidatorId"] = operation["x-amazon-apigateway-request-validator"]
    if any("api_key" in str(need).lower() for need in operation.get("security") or ()):
        method["ApiKeyRequired"] = True
    return method


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests (REST API)", "requests", requests, _REST)
    streams = [method for _, method in operations(resource, context) or () if _streams(method)]
    if streams:
        streamed = context.derive(resource, "streamed_gb_per_month")
        yield CostLine("Responses streamed", "GB", streamed, "lambda.response_streaming")
    else:
        refuse_keys(resource, "no method of it has the ResponseTransferMode STREAM", "streamed_gb_per_month")
    if is_private(resource):
        refuse_keys(resource, "it is PRIVATE", "egress_gb_per_month")
        return
    if "egress_gb_per_month" in resource.workload or not is_behind_cloudfront(resource, context):
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if "largest_payload_kb" in resource.workload:
        size = context.derive(
            resource, "largest_payload_kb", by=lambda kb: kb / constant(1024, "1,024 KB/MB")
        )
        yield context.against("apigateway.payload_mb", resource, "Largest payload", size)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if not _could_be_http(resource, context):
        return
    book = PriceBook.load().prices
    rest, http = (dollars(book[key].tiers[0].price * MILLION) for key in (_REST, _HTTP))
    advice = (
        f"{context.name_of(resource)}: nothing of it needs a REST API; an HTTP API costs {http} instead of "
        f"{rest} a million requests"
    )
    requests = context.declared(resource, "requests_per_month")
    if requests is not None and requests.value:
        less = book[_REST].cost(requests.value) - book[_HTTP].cost(requests.value)
        advice += f", {dollars(less)} a month less for {shown(requests.value)}"
    yield advice


def _could_be_http(api: Resource, context: Context) -> bool:
    """Whether an HTTP API does all that the template asks of it. False where that can't be seen."""
    methods = operations(api, context)
    if not methods or _api_needs_rest(api) or _is_guarded(api, context):
        return False
    return not any(_method_needs_rest(verb, method) for verb, method in methods)


def _streams(method: dict[str, Any]) -> bool:
    return (method.get("Integration") or {}).get("ResponseTransferMode") == "STREAM"


def _api_needs_rest(api: Resource) -> bool:
    properties = api.properties
    body = properties.get("Body") or {}
    return (
        any(properties.get(name) for name in ("Policy", "ApiKeySourceType", "CloneFrom"))
        or properties.get("MinimumCompressionSize") is not None
        or any(kind != "REGIONAL" for kind in _endpoint_types(api))
        or any(
            f"x-amazon-apigateway-{name}" in body
            for name in ("policy", "request-validator", "api-key-source", "gateway-responses")
        )
    )


def _is_guarded(api: Resource, context: Context) -> bool:
    """Whether something beside it is for REST APIs alone: a plan, a key, a validator, a firewall, a cache …"""
    kinds = ("RequestValidator", "GatewayResponse", "DocumentationPart", "DocumentationVersion")
    if any(next(parts(api, context, f"AWS::ApiGateway::{kind}"), None) is not None for kind in kinds):
        return True
    stages = list(parts(api, context, "AWS::ApiGateway::Stage"))
    if any(_stage_needs_rest(stage) for stage in stages):
        return True
    attached = (
        ("AWS::ApiGateway::UsagePlan", "ApiStages"),
        ("AWS::ApiGateway::ApiKey", "StageKeys"),
        ("AWS::WAFv2::WebACLAssociation", "ResourceArn"),
        ("AWS::WAFRegional::WebACLAssociation", "ResourceArn"),
    )
    return any(context.mentioning(one, kind, name) for kind, name in attached for one in (api, *stages))


def _stage_needs_rest(stage: Resource) -> bool:
    names = ("CacheClusterEnabled", "TracingEnabled", "CanarySetting", "ClientCertificateId")
    return any(stage.properties.get(name) for name in names)


def _method_needs_rest(verb: str, method: dict[str, Any]) -> bool:
    if method.get("RequestValidatorId") or method.get("ApiKeyRequired") or method.get("RequestModels"):
        return True
    integration = method.get("Integration") or {}
    if verb == "OPTIONS" and integration.get("Type") == "MOCK":
        return False  # answers to preflight requests, which an HTTP API gives by itself
    if integration.get("ContentHandling") or _streams(method):
        return True
    templates = integration.get("RequestTemplates") or any(
        (answer or {}).get("ResponseTemplates") for answer in integration.get("IntegrationResponses") or ()
    )
    return bool(templates) or integration.get("Type") not in _PROXIES


ROOM = Room(
    type="AWS::ApiGateway::RestApi",
    classification="usage",
    usage={
        "requests_per_month": Usage(
            "requests", "calls that reach it, cached or not; streamed ones in steps of 10 MB"
        ),
        "streamed_gb_per_month": Usage(
            "GB", "bytes that functions stream through it, beyond the first 6 MB of each response"
        ),
        "peak_requests_per_second": Usage("requests/s", "requests in the busiest second"),
        "largest_payload_kb": Usage("KB", "the largest request or answer", scales=False),
        "egress_gb_per_month": Usage("GB", "bytes sent to the internet; zero when only CloudFront calls it"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
