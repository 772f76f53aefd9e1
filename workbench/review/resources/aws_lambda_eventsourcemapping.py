"""Event source mappings: what polling a queue costs while nothing happens, and how fast it can drain.

Lambda keeps five long polls of 20 s open on an idle standard queue (it may go down to two; five is the
figure priced), and the queue's owner pays for them:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html Reads of DynamoDB and Kinesis streams
by Lambda are free, and of Kafka, Amazon MQ and DocumentDB too, but for the bytes that an MSK Serverless cluster
counts as read; what polls them costs only where it is provisioned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.assembly import Resource
from workbench.review.by_use import is_true
from workbench.review.numbers import constant, shown
from workbench.review.queueing import Station
from workbench.review.resources import aws_kinesis_stream, aws_lambda_function, aws_msk_cluster
from workbench.review.room import Context, CostLine, Limit, Room, Usage, is_declared, number, refuse, setting
from workbench.workload import SECONDS_PER_MONTH, Figure

POLLERS = 5
POLL_SECONDS = 20
_MOST_POLLERS = 200  # of the provisioned mode, where the template names no other

_FREE_SOURCES = (
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
    "AWS::Kinesis::Stream",
    "AWS::MSK::Cluster",
    "AWS::MSK::ServerlessCluster",
    "AWS::AmazonMQ::Broker",
    "AWS::DocDB::DBCluster",
)
_STREAM_PAGE = "https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html"
_KAFKA_PAGE = "https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html"
_FREE_ARNS = (":dynamodb:", ":kinesis:", ":kafka:", ":mq:", ":rds:")


def source_of(resource: Resource, context: Context) -> Resource | None:
    """The queue, table or stream it reads, also by a consumer of its own; None when that is outside the assembly."""
    source = context.target(resource, resource.properties.get("EventSourceArn"))
    if source is not None and source.type == "AWS::Kinesis::StreamConsumer":
        return context.target(source, source.properties.get("StreamARN"))
    return source


def _reads_a_queue(resource: Resource, context: Context) -> bool:
    if resource.properties.get("SelfManagedEventSource"):
        return False
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
    if not is_true(resource.properties.get("Enabled", True)) or not _reads_a_queue(resource, context):
        return
    polls = SECONDS_PER_MONTH / POLL_SECONDS * POLLERS
    quantity = constant(polls, f"{POLLERS} pollers × 730 h × 3,600 s ÷ {POLL_SECONDS} s a long poll, idle")
    kind = "fifo" if _is_fifo(resource, context) else "standard"
    yield CostLine(f"Idle polls ({kind} queue)", "requests", quantity, f"sqs.{kind}")


def _is_fifo(resource: Resource, context: Context) -> bool:
    queue = source_of(resource, context)
    if queue is None:
        return str(resource.properties.get("EventSourceArn")).endswith(".fifo")
    return is_true(queue.properties.get("FifoQueue"))


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    function = aws_lambda_function.named(resource, context)
    if function is None:
        return
    seconds = aws_lambda_function.seconds(function, context)
    name, source = context.name_of(resource), context.quota("lambda.sqs_concurrent_invokes").source
    if _reads_a_queue(resource, context):
        load = _arrivals(resource, context)
        workers, advice = _workers(resource, function, context)
        if not is_declared(seconds):
            # Without a duration there is no rate; the load says which figure is missing.
            load, drain = seconds, constant(0, seconds.formula)
        elif not seconds.value:
            return
        else:
            drain = workers * _filled(resource, function, context) / seconds
        yield Limit(name, "Messages drained a second", "messages/s", drain, load, True, source, advice)
        return
    lanes, load = _lanes(resource, context), _batches(resource, function, context)
    if lanes is not None and seconds.value and is_declared(load):
        limit = "Batches worked on a second"
        yield Limit(name, limit, "batches/s", lanes.count / seconds, load, True, lanes.source, lanes.advice)


@dataclass(frozen=True)
class _Lanes:
    """The parts of a stream or of topics, of each of which one batch is worked on at a time."""

    count: Figure
    work: str
    source: str
    advice: str


def _lanes(resource: Resource, context: Context) -> _Lanes | None:
    """Shards, or partitions; None where their number isn't in the template."""
    source = source_of(resource, context)
    if source is None:
        return None
    name, from_ = context.name_of(resource), context.name_of(source)
    if source.type == "AWS::Kinesis::Stream" and source.properties.get("ShardCount") is not None:
        factor = number(
            resource, resource.properties.get("ParallelizationFactor"), "ParallelizationFactor", default=1
        )
        at_once = constant(factor, f"{shown(factor)} batches of each (ParallelizationFactor)")
        shards = aws_kinesis_stream.shard_count(source)
        advice = f"{setting(name, 'ParallelizationFactor')} (up to 10), or ShardCount of {from_}"
        return _Lanes(shards * at_once, "batches of each shard", _STREAM_PAGE, advice)
    if source.type in ("AWS::MSK::Cluster", "AWS::MSK::ServerlessCluster"):
        partitions = context.declared(source, "partitions")
        if partitions is not None and source.type == "AWS::MSK::Cluster":
            partitions = partitions / aws_msk_cluster.copies(source)
        if partitions is not None:
            advice = f"give the topics of {from_} more partitions, or work on a batch in less time"
            return _Lanes(partitions, "batches of each partition", _KAFKA_PAGE, advice)
    return None


def _stations(resource: Resource, context: Context) -> Iterator[Station]:
    """A queue's batches wait for any worker; those of a shard or partition, one after the other, for their own."""
    function = aws_lambda_function.named(resource, context)
    if function is None:
        return
    name, seconds = context.name_of(resource), aws_lambda_function.seconds(function, context)
    if _reads_a_queue(resource, context):
        workers, _ = _workers(resource, function, context)
        yield Station(name, "batches", workers, _batches(resource, function, context), seconds)
        return
    lanes = _lanes(resource, context)
    if lanes is not None and lanes.count.value:
        load = _batches(resource, function, context)
        each = load / lanes.count if is_declared(load) else load
        yield Station(name, lanes.work, constant(1, "1 at a time"), each, seconds)


def _batches(resource: Resource, function: Resource, context: Context) -> Figure:
    """Batches a second at the peak: the function's calls, or full batches where it is called by others too."""
    feeds = aws_lambda_function.feeds(function, context)
    if len(feeds) == 1 and "peak_invocations_per_second" in function.workload:
        return context.derive(function, "peak_invocations_per_second")
    source = source_of(resource, context)
    if source is not None and source.type == "AWS::Kinesis::Stream":
        messages = context.derive(source, "peak_records_per_second")
    else:
        messages = _arrivals(resource, context)
    return messages / _batch(resource, context) if is_declared(messages) else messages


def _arrivals(resource: Resource, context: Context) -> Figure:
    queue = source_of(resource, context)
    if queue is None or "peak_messages_per_second" in resource.workload:
        return context.derive(resource, "peak_messages_per_second")
    return context.derive(queue, "peak_messages_per_second")


def _workers(resource: Resource, function: Resource, context: Context) -> tuple[Figure, str]:
    """How many batches are worked on at once: the least of what mapping, function and AWS allow, with its advice."""
    ceilings = [_pollers(resource, context)]
    maximum = (resource.properties.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if maximum is not None:
        count = number(resource, maximum, "ScalingConfig.MaximumConcurrency")
        advice = setting(context.name_of(resource), "MaximumConcurrency (up to 1,000) or BatchSize")
        ceilings.append((constant(count, f"{shown(count)} concurrent batches"), advice))
    own = aws_lambda_function.reserved(function)
    if own is not None:
        ceilings.append((own, setting(context.name_of(function), "ReservedConcurrentExecutions")))
    return min(ceilings, key=lambda ceiling: ceiling[0].value)


def _pollers(resource: Resource, context: Context) -> tuple[Figure, str]:
    """How many batches AWS works on at once, with its advice: by the pollers, where it has some of its own."""
    config, quota = resource.properties.get("ProvisionedPollerConfig"), "lambda.sqs_concurrent_invokes"
    if not config:
        return context.quota(quota).figure, context.quota(quota).advice
    count = number(resource, config.get("MaximumPollers"), "MaximumPollers", default=_MOST_POLLERS)
    each = context.quota("lambda.poller_concurrent_invokes").figure
    advice = setting(context.name_of(resource), "MaximumPollers of ProvisionedPollerConfig (up to 2,000)")
    return each * constant(count, f"{shown(count)} pollers"), advice


def _filled(resource: Resource, function: Resource, context: Context) -> Figure:
    """The messages of a batch: as many as a call gets by what is declared, and otherwise as it may hold."""
    most, messages = _batch(resource, context), _arrivals(resource, context)
    calls = _batches(resource, function, context)
    if not is_declared(messages) or not is_declared(calls) or not calls.value:
        return most
    each = messages / calls
    return Figure(each.value, f"{shown(each.value)} messages a call") if each.value < most.value else most


def _batch(resource: Resource, context: Context) -> Figure:
    """The most that a batch holds: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"""
    usual = 10 if _reads_a_queue(resource, context) else 100
    size = number(resource, resource.properties.get("BatchSize"), "BatchSize", default=usual)
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
    stations=_stations,
)
