"""Pipes: requests that pass the filter, in steps of 64 KB, and the polls of a queue while nothing happens.

A batch is one request for every 64 KB. What enriches and what receives pays for itself, as does the source. A pipe
reads a queue as Lambda does, with long polls that the queue's owner pays:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-sqs.html Its logs to S3 pay for the delivery:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html Facts:
https://aws.amazon.com/eventbridge/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import vended
from workbench.review.by_use import is_true
from workbench.review.numbers import constant
from workbench.review.resources.aws_lambda_eventsourcemapping import POLL_SECONDS, POLLERS
from workbench.review.room import Context, CostLine, Room, Usage, refuse
from workbench.workload import SECONDS_PER_MONTH


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests (pipe)", "requests", requests, "eventbridge.pipes")
    kind = _queue(resource, context)
    if kind is not None and resource.properties.get("DesiredState") != "STOPPED":
        polls = SECONDS_PER_MONTH / POLL_SECONDS * POLLERS
        words = f"{POLLERS} pollers × 730 h × 3,600 s ÷ {POLL_SECONDS} s a long poll, idle"
        yield CostLine(f"Idle polls ({kind} queue)", "requests", constant(polls, words), f"sqs.{kind}")
    yield from _logs(resource, context)


def _logs(resource: Resource, context: Context) -> Iterator[CostLine]:
    """The delivery of its logs; nothing where they go to a log group of the assembly, whose line they are."""
    config = resource.properties.get("LogConfiguration") or {}
    if not config or config.get("Level") == "OFF":
        vended.refuse_declared(resource, "it has no LogConfiguration, or one whose Level is OFF")
        return
    if config.get("FirehoseLogDestination"):
        raise refuse(resource, "FirehoseLogDestination pays for the delivery at a price of its own")
    group = (config.get("CloudwatchLogsLogDestination") or {}).get("LogGroupArn")
    is_here = context.target(resource, group) is not None
    kinds = ["s3"] if config.get("S3LogDestination") else []
    if group and not (kinds and is_here):
        kinds.append("logs")
    if len(kinds) > 1:
        raise refuse(resource, "it logs to S3 and to a log group elsewhere, and one figure can't be of both")
    for each in kinds:
        yield from vended.lines_to(resource, context, each, is_here=is_here and each == "logs")


def _queue(resource: Resource, context: Context) -> str | None:
    """`standard` or `fifo` where the source is a queue; None where it is none."""
    source = context.target(resource, resource.properties.get("Source"))
    if source is not None:
        if source.type != "AWS::SQS::Queue":
            return None
        return "fifo" if is_true(source.properties.get("FifoQueue")) else "standard"
    arn = str(resource.properties.get("Source"))
    if ":sqs:" not in arn:
        return None
    return "fifo" if arn.endswith(".fifo") else "standard"


ROOM = Room(
    type="AWS::Pipes::Pipe",
    classification="mixed",
    usage={
        "requests_per_month": Usage("requests", "batches that pass the filter, in steps of 64 KB"),
        **vended.DELIVERED,
    },
    lines=_lines,
)
