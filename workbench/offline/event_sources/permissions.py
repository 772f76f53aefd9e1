"""Whether a function's role may read what its mapping reads: asked as AWS asks, and written to the IAM log.

Which permissions: "Configuring Lambda permissions for Amazon MSK event source mappings" and the permission
sections of the pages on Kinesis, DynamoDB and SQS, all of the Lambda developer guide. What is refused is what
Lambda refuses at creation, in its words; other grants that those pages name are noted as used where they are
held, for it is AWS itself that uses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.arn import parse_arn

from workbench.offline.event_sources.settings import destination_of
from workbench.offline.identity import Principal, allowed, may, principal_of, write_down

_SERVICE_NAMES = {"sqs": "SQS", "sns": "SNS", "s3": "S3", "ec2": "EC2", "kafka": "Kafka"}
NETWORK_INTERFACES = ("CreateNetworkInterface", "DeleteNetworkInterface")
NETWORK = ("DescribeNetworkInterfaces", "DescribeVpcs", "DescribeSubnets", "DescribeSecurityGroups")


@dataclass(frozen=True)
class Need:
    """A permission that the role must hold (one of `actions`), and what Lambda says where it does not."""

    actions: tuple[str, ...]
    resource: str
    says: str = ""
    optional: bool = False


def refusal(mapping: Mapping[str, Any], function: Mapping[str, Any]) -> str | None:
    """What Lambda answers to a mapping whose function's role lacks something, or None.

    `function` is the function's configuration. Every decision goes to the IAM log.
    """
    who, region = _principal(function)
    for need in [*_to_read(mapping, function), *_to_report(mapping)]:
        held = next((action for action in need.actions if may(who, action, need.resource, region)), None)
        if held or not need.optional:
            write_down(who.arn, held or need.actions[0], need.resource, allowed=held is not None)
        if not held and not need.optional:
            return need.says
    return None


def may_read(source_arn: str, function: Mapping[str, Any]) -> bool:
    """Whether the role may read this stream at this moment: a policy can be taken away."""
    who, region = _principal(function)
    return allowed(who, f"{parse_arn(source_arn).service}:GetRecords", _stream_of(source_arn), region)


def _principal(function: Mapping[str, Any]) -> tuple[Principal, str]:
    """The session of a function's role, and the region that it calls."""
    home = parse_arn(str(function["FunctionArn"]))
    key = lambda_runtime.execution_credentials(dict(function))["AWS_ACCESS_KEY_ID"]
    return principal_of(key, home.account_id, home.region), home.region


def _stream_of(source_arn: str) -> str:
    """The stream itself, where the source is a consumer that is registered with it."""
    return source_arn.partition("/consumer/")[0]


def _to_read(mapping: Mapping[str, Any], function: Mapping[str, Any]) -> Iterator[Need]:
    arn = str(mapping.get("EventSourceArn") or "")
    service = parse_arn(arn).service if arn else "kafka"
    if service == "sqs":
        yield from _lacking(arn, "sqs", ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"))
    elif service == "kinesis":
        stream = _stream_of(arn)
        yield from _stream(
            stream, "kinesis", ("GetRecords", "GetShardIterator", "DescribeStream", "ListShards")
        )
        if stream != arn:
            yield from _lacking(arn, "kinesis", ("SubscribeToShard",))
        yield from _noted(stream, "kinesis", ("DescribeStreamSummary", "ListStreams", "SubscribeToShard"))
    elif service == "dynamodb":
        yield from _stream(arn, "dynamodb", ("GetRecords", "GetShardIterator", "DescribeStream"))
        yield from _noted("*", "dynamodb", ("ListStreams",))
    else:
        yield from _kafka(mapping, function, arn)


def _stream(arn: str, service: str, actions: tuple[str, ...]) -> Iterator[Need]:
    says = (
        f"Cannot access stream {arn}. Please ensure the role can perform the {', '.join(actions)}, "
        "and ListStreams Actions on your stream in IAM."
    )
    for action in actions:
        yield Need((f"{service}:{action}",), arn, says)


def _kafka(mapping: Mapping[str, Any], function: Mapping[str, Any], arn: str) -> Iterator[Need]:
    if arn:
        describe = ("kafka:DescribeClusterV2", "kafka:DescribeCluster")
        yield Need(describe, arn, _has_no(describe[0]))
        yield from _lacking(arn, "kafka", ("GetBootstrapBrokers",))
        yield from _noted(arn, "kafka", ("DescribeCluster", "ListScramSecrets"))
        home = parse_arn(str(function["FunctionArn"]))
        interfaces = f"arn:aws:ec2:{home.region}:{home.account_id}:network-interface/*"
        yield from _lacking(interfaces, "ec2", NETWORK_INTERFACES)
        yield from _lacking("*", "ec2", NETWORK)
        if not mapping.get("SourceAccessConfigurations") and _takes_iam(arn):
            yield from _kafka_data(mapping, arn)
    for access in mapping.get("SourceAccessConfigurations") or ():
        if ":secretsmanager:" in access.get("URI", ""):
            says = (
                f"Cannot access secret manager value {access['URI']}. Please ensure the role can perform "
                "the 'secretsmanager:GetSecretValue' action on your broker in IAM."
            )
            yield Need(("secretsmanager:GetSecretValue",), access["URI"], says)


def _kafka_data(mapping: Mapping[str, Any], arn: str) -> Iterator[Need]:
    """A cluster with IAM authentication asks for more, by cluster, topic and consumer group."""
    topic = arn.replace(":cluster/", ":topic/", 1) + f"/{mapping['Topics'][0]}"
    group = arn.replace(":cluster/", ":group/", 1) + f"/{consumer_group(mapping)}"
    yield from _lacking(arn, "kafka-cluster", ("Connect",))
    yield from _lacking(topic, "kafka-cluster", ("DescribeTopic", "ReadData"))
    yield from _lacking(group, "kafka-cluster", ("DescribeGroup", "AlterGroup"))
    yield from _noted(arn, "kafka-cluster", ("DescribeCluster", "DescribeClusterDynamicConfiguration"))


def _takes_iam(cluster_arn: str) -> bool:
    from workbench.offline.parts.msk import brokers_behind  # only where there is a cluster

    try:
        return any(door.name == "iam" for door in brokers_behind(cluster_arn).doors)
    except ValueError:
        return False  # no such cluster: whoever looks for its brokers says so


def _to_report(mapping: Mapping[str, Any]) -> Iterator[Need]:
    destination = destination_of(mapping)
    if not destination.startswith("arn:"):
        return
    service = parse_arn(destination).service
    if service == "s3":
        yield from _lacking(f"{destination}/*", "s3", ("PutObject",))
        yield from _lacking(destination, "s3", ("ListBucket",))
    else:
        yield from _lacking(destination, service, ("SendMessage",) if service == "sqs" else ("Publish",))


def _lacking(resource: str, service: str, actions: Iterable[str]) -> Iterator[Need]:
    for action in actions:
        yield Need((f"{service}:{action}",), resource, _has_no(f"{service}:{action}"))


def _noted(resource: str, service: str, actions: Iterable[str]) -> Iterator[Need]:
    for action in actions:
        yield Need((f"{service}:{action}",), resource, optional=True)


def _has_no(action: str) -> str:
    service, name = action.split(":")
    return (
        f"The provided execution role does not have permissions to call {name} on "
        f"{_SERVICE_NAMES.get(service, service)}"
    )


def consumer_group(mapping: Mapping[str, Any]) -> str:
    """The Kafka consumer group of a mapping: the one that it names, or its own id."""
    for name in ("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig"):
        if chosen := (mapping.get(name) or {}).get("ConsumerGroupId"):
            return str(chosen)
    return str(mapping["UUID"])
