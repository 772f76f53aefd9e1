"""HTTP and WebSocket APIs: requests, messages, connection minutes, and the bytes that leave AWS.

A request of more than 512 KB counts as several, as does a message of more than 32 KB; the declared figures
count them so. Facts: https://aws.amazon.com/api-gateway/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import queueing
from workbench.review.cloudfront import is_behind_cloudfront
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse, sum_declared
from workbench.workload import Figure

_HTTP_ONLY = ("requests_per_month",)
_WEBSOCKET_ONLY = ("messages_per_month", "connection_minutes_per_month")


def protocol(resource: Resource) -> str:
    """`HTTP` or `WEBSOCKET`."""
    declared = resource.properties.get("ProtocolType", "HTTP")
    return one_of(resource, declared, "ProtocolType", ("HTTP", "WEBSOCKET"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kind = protocol(resource)
    for key in _WEBSOCKET_ONLY if kind == "HTTP" else _HTTP_ONLY:
        if key in resource.workload:
            raise refuse(resource, f"ProtocolType is {kind}, and {key} is declared")
    if kind == "HTTP":
        requests = context.derive(resource, "requests_per_month")
        yield CostLine("Requests (HTTP API)", "requests", requests, "apigateway.http.requests")
    else:
        messages = context.derive(resource, "messages_per_month")
        yield CostLine("Messages (WebSocket)", "messages", messages, "apigateway.websocket.messages")
        minutes = context.derive(resource, "connection_minutes_per_month")
        yield CostLine(
            "Connections (WebSocket)",
            "connection-minutes",
            minutes,
            "apigateway.websocket.connection_minutes",
        )
    if "egress_gb_per_month" in resource.workload or not is_behind_cloudfront(resource, context):
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if "largest_payload_kb" not in resource.workload:
        return
    if protocol(resource) == "WEBSOCKET":
        size = context.derive(resource, "largest_payload_kb")
        yield context.against("apigateway.websocket_message_kb", resource, "Largest message", size)
    else:
        size = context.derive(
            resource, "largest_payload_kb", by=lambda kb: kb / constant(1024, "1,024 KB/MB")
        )
        yield context.against("apigateway.payload_mb", resource, "Largest payload", size)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    apis = list(context.all_of("AWS::ApiGatewayV2::Api"))
    # One quota for all kinds of API: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    throttled = [*apis, *context.all_of("AWS::ApiGateway::RestApi")]
    if throttled:
        rates = [context.derive(each, "peak_requests_per_second") for each in throttled]
        yield context.against(
            "apigateway.throttle", "account", "API Gateway requests a second", sum_declared(rates)
        )
    sockets = [each for each in apis if protocol(each) == "WEBSOCKET"]
    if sockets:
        opened = [context.derive(each, "peak_new_connections_per_second") for each in sockets]
        yield context.against(
            "apigateway.websocket_new_connections_per_second",
            "account",
            "WebSocket connections opened a second",
            sum_declared(opened),
        )
        held = [_connections(each, context) for each in sockets]
        yield context.against(
            "apigateway.websocket_connections", "account", "WebSocket connections at once", sum_declared(held)
        )


def _connections(resource: Resource, context: Context) -> Figure:
    """Connections open at once in the busiest time: as declared, or by Little's law."""
    if "peak_connections" in resource.workload:
        return context.derive(resource, "peak_connections")
    return context.derive(
        resource, "peak_new_connections_per_second", "mean_connection_seconds", by=queueing.little
    )


ROOM = Room(
    type="AWS::ApiGatewayV2::Api",
    classification="usage",
    usage={
        "requests_per_month": Usage("requests", "HTTP APIs: requests, in steps of 512 KB"),
        "peak_requests_per_second": Usage(
            "requests/s", "requests, or messages from clients, in the busiest second"
        ),
        "messages_per_month": Usage("messages", "WebSocket APIs: messages both ways, in steps of 32 KB"),
        "connection_minutes_per_month": Usage("minutes", "WebSocket APIs: minutes of open connections"),
        "peak_new_connections_per_second": Usage(
            "connections/s", "WebSocket APIs: connections opened in the busiest second"
        ),
        "mean_connection_seconds": Usage(
            "s",
            "WebSocket APIs: how long one stays open, where peak_connections is not declared",
            scales=False,
        ),
        "peak_connections": Usage("connections", "WebSocket APIs: open at once at the busiest time"),
        "largest_payload_kb": Usage("KB", "the largest request, answer or message", scales=False),
        "egress_gb_per_month": Usage("GB", "bytes sent to the internet; zero when only CloudFront calls it"),
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
)
