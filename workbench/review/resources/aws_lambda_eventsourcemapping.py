"""Event source mappings: what polling a queue costs while nothing happens, and how fast it can drain.

Lambda keeps five long polls of 20 s open on an idle standard queue (it may go down to two; five is the
figure priced), and the queue's owner pays for them:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html Reads of DynamoDB and Kinesis streams
by Lambda are free, and of Kafka too, but for the bytes that an MSK Serverless cluster counts as read.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.resources import aws_lambda_function
from workbench.review.room import Context, CostLine, Limit, Room, Usage, is_declared, number, refuse
from workbench.workload import SECONDS_PER_MONTH, Figure

POLLERS = 5
POLL_SECONDS = 20

_FREE_SOURCES = (
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
    "AWS::Kinesis::Stream",
    "AWS::MSK::Cluster",
    "AWS::MSK::ServerlessCluster",
)
_FREE_ARNS = (":dynamodb:", ":kinesis:")


def source_of(resource: Resource, context: Context) -> Resource | None:
    """The queue, table or stream it reads; None when that is outside the assembly."""
    return context.target(resource, resource.properties.get("EventSourceArn"))


def _reads_a_queue(resource: Resource, context: Context) -> bool:
    source = source_of(resource, context)
    if source is not None:
        if source.type in ("AWS::SQS::Queue", *_FREE_SOURCES):
            return source.type == "AWS::SQS::Queue"
        raise refuse(resource, f"its source is a {source.type}")
    arn = str(resource.properties.get("EventSourceArn"))
    if ":sqs:" in arn:
        return True
    if any(kind in arn for kind in _FREE_ARNS):
        return False
    raise refuse(resource, f"its source {arn} is neither a queue nor a table nor a stream of this assembly")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("ProvisionedPollerConfig"):
        raise refuse(resource, "ProvisionedPollerConfig pays by the poller")
    if resource.properties.get("Enabled") is False or not _reads_a_queue(resource, context):
        return
    polls = SECONDS_PER_MONTH / POLL_SECONDS * POLLERS
    quantity = constant(polls, f"{POLLERS} pollers × 730 h × 3,600 s ÷ {POLL_SECONDS} s a long poll, idle")
    kind = "fifo" if _is_fifo(source_of(resource, context)) else "standard"
    yield CostLine(f"Idle polls ({kind} queue)", "requests", quantity, f"sqs.{kind}")


def _is_fifo(queue: Resource | None) -> bool:
    return queue is not None and queue.properties.get("FifoQueue") is True


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if not _reads_a_queue(resource, context):
        return
    function = context.target(resource, resource.properties.get("FunctionName"))
    if function is None or function.type != "AWS::Lambda::Function":
        return
    load = _arrivals(resource, context)
    seconds = aws_lambda_function.seconds(function, context)
    if seconds.value == 0:
        # Without a duration there is no rate; the load says which figure is missing.
        load = load if is_declared(seconds) else seconds
        drain = constant(0, seconds.formula)
    else:
        drain = _workers(resource, function, context) * _batch(resource) / seconds
    source = context.quota("lambda.sqs_concurrent_invokes").source
    name = context.name_of(resource)
    yield Limit(name, "Messages drained a second", "messages/s", drain, load, True, source)


def _arrivals(resource: Resource, context: Context) -> Figure:
    queue = source_of(resource, context)
    if queue is None or "peak_messages_per_second" in resource.workload:
        return context.derive(resource, "peak_messages_per_second")
    return context.derive(queue, "peak_messages_per_second")


def _workers(resource: Resource, function: Resource, context: Context) -> Figure:
    """How many batches are worked on at once: the least of what the mapping, the function and AWS allow."""
    ceilings = [context.quota("lambda.sqs_concurrent_invokes").figure]
    maximum = (resource.properties.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if maximum is not None:
        count = number(resource, maximum, "ScalingConfig.MaximumConcurrency")
        ceilings.append(constant(count, f"{shown(count)} concurrent batches"))
    own = aws_lambda_function.reserved(function)
    if own is not None:
        ceilings.append(own)
    return min(ceilings, key=lambda figure: figure.value)


def _batch(resource: Resource) -> Figure:
    size = number(resource, resource.properties.get("BatchSize"), "BatchSize", default=10)
    return constant(size, f"{shown(size)} messages a batch")


ROOM = Room(
    type="AWS::Lambda::EventSourceMapping",
    classification="baseline",
    usage={
        "peak_messages_per_second": Usage(
            "messages/s",
            "messages that arrive in the busiest second; the queue's own figure when not declared",
        )
    },
    lines=_lines,
    limits=_limits,
)
