"""SNS topics: publishes, and of FIFO topics their bytes. What delivery costs is the subscription's.

Subscriptions that are written in the topic itself are its own lines. With a key of the account a topic asks KMS for a
data key of each publisher every five minutes, twice; those calls are the topic's line, and not the key's. Facts:
https://aws.amazon.com/sns/pricing/ and https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import kms, service_logs, sns, tracing
from workbench.review.by_use import is_true
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("ArchivePolicy"):
        raise refuse(resource, "ArchivePolicy keeps messages, which are paid by the gigabyte")
    publishes = context.derive(resource, "publishes_per_month")
    if _is_fifo(resource):
        yield CostLine("Publishes (fifo)", "requests", publishes, "sns.fifo.publish")
        written = context.derive(resource, "published_gb_per_month")
        yield CostLine("Bytes published (fifo)", "GB", written, "sns.fifo.publish_payload")
    else:
        yield CostLine("Publishes (standard)", "requests", publishes, "sns.publish")
    if properties.get("DataProtectionPolicy"):
        scanned = context.derive(resource, "published_gb_per_month")
        yield CostLine("Data protection (scanned)", "GB", scanned, "sns.data_protection.scan")
    for subscription in properties.get("Subscription") or []:
        yield from sns.deliveries(resource, context, subscription.get("Protocol"), is_fifo=_is_fifo(resource))
    if properties.get("DeliveryStatusLogging"):
        yield from service_logs.lines(resource, context, "delivery status")
    if properties.get("TracingConfig") == "Active":
        yield from tracing.lines(publishes)
    if properties.get("KmsMasterKeyId"):
        publishers = kms.declared_or_one(context, resource, "publishers", "publisher")
        yield from kms.lines(kms.by_data_keys(publishes, kms.FIVE_MINUTES, publishers * 2))


def _is_fifo(resource: Resource) -> bool:
    return is_true(resource.properties.get("FifoTopic"))


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    scope = resource.properties.get("FifoThroughputScope", "Topic")
    if _is_fifo(resource) and scope == "Topic" and "peak_publishes_per_second" in resource.workload:
        load = context.derive(resource, "peak_publishes_per_second")
        yield context.against("sns.fifo_publish_per_second", resource, "Messages published a second", load)
    if "largest_message_kb" in resource.workload:
        size = context.derive(resource, "largest_message_kb")
        yield context.against("sns.message_kb", resource, "Largest message", size)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    topics = context.all_of("AWS::SNS::Topic")
    rate = declared_only(context.derive(each, "peak_publishes_per_second") for each in topics)
    if rate is not None:
        limit = "SNS messages published a second"
        yield context.against("sns.publish_per_second", "account", limit, rate)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("DeliveryStatusLogging"):
        yield from service_logs.warnings(resource, context, "SNS")


ROOM = Room(
    type="AWS::SNS::Topic",
    classification="usage",
    usage={
        "publishes_per_month": Usage("requests", "messages published, in steps of 64 KB; alarms count"),
        "published_gb_per_month": Usage("GB", "bytes published: FIFO topics, and those with data protection"),
        "publishers": kms.principals("publish to a topic whose key is in the account"),
        **sns.USAGE,
        **service_logs.USAGE,
        "peak_publishes_per_second": Usage("messages/s", "messages published in the busiest second"),
        "largest_message_kb": Usage("KB", "the largest message", scales=False),
    },
    lines=_lines,
    warnings=_warnings,
    limits=_limits,
    limits_of_account=_limits_of_account,
)
