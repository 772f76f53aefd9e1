"""SQS queues: every call is a request, and a batch of up to ten messages and 64 KB is one.

With a key of the account (`KmsMasterKeyId`) a queue asks KMS for a data key of each sender every so many seconds, to
make and to encrypt it, and for each receiver to decrypt it: AWS's formula is 2 × senders + receivers in each period.
Those calls are the queue's line, and not the key's. Facts: https://aws.amazon.com/sqs/pricing/ and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import kms
from workbench.review.by_use import is_true
from workbench.review.numbers import constant, shown
from workbench.review.resources import aws_lambda_function
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number
from workbench.workload import Figure


def _is_fifo(resource: Resource) -> bool:
    return is_true(resource.properties.get("FifoQueue"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kind = "fifo" if _is_fifo(resource) else "standard"
    requests = context.derive(resource, "requests_per_month")
    yield CostLine(f"Requests ({kind})", "requests", requests, f"sqs.{kind}")
    if "grouped_requests_per_month" in resource.workload:
        grouped = context.derive(resource, "grouped_requests_per_month")
        yield CostLine("Requests with a group (fair queue)", "requests", grouped, "sqs.fair_queue_surcharge")
    if resource.properties.get("KmsMasterKeyId"):
        yield from kms.lines(_to_kms(resource, context, requests))


def _to_kms(resource: Resource, context: Context, requests: Figure) -> Figure:
    period = resource.properties.get("KmsDataKeyReusePeriodSeconds")
    seconds = number(resource, period, "KmsDataKeyReusePeriodSeconds", default=300)
    senders = kms.declared_or_one(context, resource, "senders", "sender")
    receivers = kms.declared_or_one(context, resource, "receivers", "receiver")
    return kms.by_data_keys(requests, seconds, senders * 2 + receivers)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    arrivals = context.derive(resource, "peak_messages_per_second")
    if _is_fifo(resource):
        key = "sqs.fifo_high_throughput" if _high_throughput(resource) else "sqs.fifo"
        yield context.against(key, resource, "FIFO messages a second, sent one by one", arrivals)
    for mapping, function in _consumers(resource, context):
        load = context.derive(
            resource,
            "peak_messages_per_second",
            by=lambda rate: rate * _held(mapping, function, context),  # noqa: B023
        )
        seconds = aws_lambda_function.seconds(function, context)
        yield context.against(
            "sqs.in_flight", resource, "Messages in flight", load if seconds.value else seconds
        )
    if "largest_message_kb" in resource.workload:
        size = context.derive(resource, "largest_message_kb")
        yield context.against("sqs.message_kb", resource, "Largest message", size)


def _high_throughput(resource: Resource) -> bool:
    return resource.properties.get("FifoThroughputLimit") == "perMessageGroupId"


def _consumers(resource: Resource, context: Context) -> Iterator[tuple[Resource, Resource]]:
    """Who reads the queue: each mapping with its function."""
    for mapping in context.pointing_at(resource, "AWS::Lambda::EventSourceMapping", "EventSourceArn"):
        function = aws_lambda_function.named(mapping, context)
        if function is not None:
            yield mapping, function


def _held(mapping: Resource, function: Resource, context: Context) -> Figure:
    """How long a message is received and not yet deleted: the wait for its batch, and the batch's work."""
    work = aws_lambda_function.seconds(function, context)
    window = mapping.properties.get("MaximumBatchingWindowInSeconds")
    wait = number(mapping, window, "MaximumBatchingWindowInSeconds", default=0)
    return work + constant(wait, f"{shown(wait)} s batching window") if wait else work


ROOM = Room(
    type="AWS::SQS::Queue",
    classification="usage",
    usage={
        "requests_per_month": Usage(
            "requests", "every call, in steps of 64 KB; idle polls are the mapping's line"
        ),
        "grouped_requests_per_month": Usage(
            "requests", "standard queues: those of messages with a MessageGroupId, if any"
        ),
        "senders": kms.principals("send to a queue whose key is in the account"),
        "receivers": kms.principals("receive from it"),
        "peak_messages_per_second": Usage("messages/s", "messages sent in the busiest second"),
        "largest_message_kb": Usage("KB", "the largest message", scales=False),
    },
    lines=_lines,
    limits=_limits,
)
