"""Log groups: what is written, what is kept, what queries scan, and what data protection looks through.

What CloudWatch Logs asks of a key (`KmsKeyId`) is not counted: AWS gives no figure for it. Facts:
https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import logs
from workbench.review.room import Context, CostLine, Room, Usage, one_of

_PRICES = {logs.FUNCTION: "cloudwatch.logs.vended", logs.VENDED: "cloudwatch.logs.vended"}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    log_class = one_of(
        resource,
        properties.get("LogGroupClass", "STANDARD"),
        "LogGroupClass",
        ("STANDARD", "INFREQUENT_ACCESS"),
    )
    ingested = context.derive(resource, "ingested_gb_per_month")
    if log_class == "INFREQUENT_ACCESS":
        yield CostLine("Logs written (infrequent access)", "GB", ingested, "cloudwatch.logs.ingest_ia")
    else:
        kind = logs.writer(resource, context) or "standard"
        key = _PRICES.get(kind, "cloudwatch.logs.ingest")
        yield CostLine(f"Logs written ({kind})", "GB", ingested, key)
    months = logs.kept_months(resource)
    kept = context.derive(resource, "ingested_gb_per_month", by=lambda written: logs.kept(written, months))
    yield CostLine("Logs kept", "GB-months", kept, "cloudwatch.logs.storage")
    if properties.get("DataProtectionPolicy"):
        yield CostLine("Data protection (scanned)", "GB", ingested, "cloudwatch.logs.data_protection")
    if "queried_gb_per_month" in resource.workload:
        queried = context.derive(resource, "queried_gb_per_month")
        yield CostLine("Queries (scanned)", "GB", queried, "cloudwatch.logs.insights_scanned")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("RetentionInDays") is None:
        yield f"{context.name_of(resource)}: no RetentionInDays, so its logs are kept, and paid, for ever"


ROOM = Room(
    type="AWS::Logs::LogGroup",
    classification="usage",
    usage={
        "ingested_gb_per_month": Usage("GB", "log bytes written"),
        "queried_gb_per_month": Usage("GB", "log bytes that queries of Logs Insights scan, if any"),
    },
    lines=_lines,
    warnings=_warnings,
)
