"""GraphQL APIs of AppSync: queries and mutations, updates to subscribers, connection minutes, bytes out.

A merged API pays, and the APIs that it is made of do not for what comes through it. Facts:
https://aws.amazon.com/appsync/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import service_logs, tracing
from workbench.review.by_use import is_true, refuse_keys
from workbench.review.cloudfront import is_behind_cloudfront
from workbench.review.room import Context, CostLine, Limit, Room, Usage, refuse, sum_declared


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("EnhancedMetricsConfig"):
        raise refuse(resource, "EnhancedMetricsConfig pays by the metric")
    operations = context.derive(resource, "requests_per_month")
    yield CostLine("Queries and mutations", "operations", operations, "appsync.query")
    updates = context.derive(resource, "updates_per_month")
    yield CostLine("Updates to subscribers", "updates", updates, "appsync.realtime_update")
    minutes = context.derive(resource, "connection_minutes_per_month")
    yield CostLine("Connections (subscribers)", "connection-minutes", minutes, "appsync.connection_minute")
    is_public = properties.get("Visibility") != "PRIVATE"
    if "egress_gb_per_month" in resource.workload or (
        is_public and not is_behind_cloudfront(resource, context)
    ):
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")
    if is_true(properties.get("XrayEnabled")):
        yield from tracing.lines(operations)
    if _is_logged(resource):
        yield from service_logs.lines(resource, context, "AppSync")
    else:
        refuse_keys(resource, "LogConfig is off", service_logs.KEY)


def _is_logged(resource: Resource) -> bool:
    level = (resource.properties.get("LogConfig") or {}).get("FieldLogLevel", "NONE")
    return str(level) != "NONE"


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    updates = context.derive(resource, "peak_updates_per_second")
    yield context.against(
        "appsync.outbound_messages_per_second", resource, "Updates to subscribers a second", updates
    )


def _limits_of_account(context: Context) -> Iterator[Limit]:
    """Request tokens, which all APIs of the account share; every request is taken to be a small one, of one token."""
    apis = list(context.all_of("AWS::AppSync::GraphQLApi"))
    if apis:
        load = sum_declared([context.derive(each, "peak_requests_per_second") for each in apis])
        limit = "AppSync request tokens a second"
        yield context.against("appsync.requests_per_second", "account", limit, load)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _is_logged(resource):
        yield from service_logs.warnings(resource, context, "AppSync")


ROOM = Room(
    type="AWS::AppSync::GraphQLApi",
    classification="usage",
    usage={
        "requests_per_month": Usage("operations", "queries and mutations"),
        "peak_requests_per_second": Usage("requests/s", "queries and mutations in the busiest second"),
        "updates_per_month": Usage(
            "updates", "messages to subscribers and their connects, in steps of 5 KB; zero without any"
        ),
        "peak_updates_per_second": Usage("messages/s", "messages to subscribers in the busiest second"),
        "connection_minutes_per_month": Usage("minutes", "minutes of open connections of subscribers"),
        "egress_gb_per_month": Usage("GB", "bytes sent to the internet"),
        **service_logs.USAGE,
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
