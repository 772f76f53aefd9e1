"""Log groups: what is written, and what is kept.

Logs of Lambda functions are priced in tiers, as vended logs, since May 2025. What is kept is billed
compressed, to 15 % of what was written by the assumption of the AWS Pricing Calculator. Facts:
https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse
from workbench.workload import DAYS_PER_MONTH, Figure

COMPRESSED_TO = Decimal("0.15")
MONTHS_WITHOUT_RETENTION = 12


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("DataProtectionPolicy"):
        raise refuse(resource, "DataProtectionPolicy pays by what it scans")
    log_class = one_of(
        resource,
        properties.get("LogGroupClass", "STANDARD"),
        "LogGroupClass",
        ("STANDARD", "INFREQUENT_ACCESS"),
    )
    ingested = context.derive(resource, "ingested_gb_per_month")
    if log_class == "INFREQUENT_ACCESS":
        yield CostLine("Logs written (infrequent access)", "GB", ingested, "cloudwatch.logs.ingest_ia")
    elif _is_of_a_function(resource, context):
        yield CostLine("Logs written (Lambda)", "GB", ingested, "cloudwatch.logs.vended")
    else:
        yield CostLine("Logs written (standard)", "GB", ingested, "cloudwatch.logs.ingest")
    kept = context.derive(
        resource, "ingested_gb_per_month", by=lambda written: written * _months(resource) * _squeezed()
    )
    yield CostLine("Logs kept", "GB-months", kept, "cloudwatch.logs.storage")


def _months(resource: Resource) -> Figure:
    retention = resource.properties.get("RetentionInDays")
    if retention is None:
        return constant(
            MONTHS_WITHOUT_RETENTION, f"{MONTHS_WITHOUT_RETENTION} months (never deleted: after a year)"
        )
    days = number(resource, retention, "RetentionInDays")
    return constant(days / DAYS_PER_MONTH, f"{shown(days)} days ÷ {shown(DAYS_PER_MONTH)}")


def _squeezed() -> Figure:
    return constant(COMPRESSED_TO, "15 % (compressed)")


def _is_of_a_function(resource: Resource, context: Context) -> bool:
    if str(resource.properties.get("LogGroupName", "")).startswith("/aws/lambda/"):
        return True
    for function in context.assembly.resources:
        if function.type == "AWS::Lambda::Function":
            logging = function.properties.get("LoggingConfig") or {}
            if logging.get("LogGroup") and context.target(function, logging["LogGroup"]) is resource:
                return True
    return False


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("RetentionInDays") is None:
        yield f"{context.name_of(resource)}: no RetentionInDays, so its logs are kept, and paid, for ever"


ROOM = Room(
    type="AWS::Logs::LogGroup",
    classification="usage",
    usage={"ingested_gb_per_month": Usage("GB", "log bytes written")},
    lines=_lines,
    warnings=_warnings,
)
