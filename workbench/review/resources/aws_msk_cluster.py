"""MSK clusters, with standard and with express brokers: hours, volumes, bytes in, metrics; what a broker bears.

AWS states the partitions of a broker, and for express its throughput. Of a standard broker it states what it writes
to its volumes; every record is written as many times as there are copies, three where there are three zones. The
page: "Best practices for Standard brokers" and "… for Express brokers" of the MSK developer guide, and "Manage
storage throughput", https://docs.aws.amazon.com/msk/latest/developerguide/msk-provision-throughput-management.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import machines, zones
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.quotas import Quota, by_size
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, setting
from workbench.workload import Figure, total

_PARTITIONS_PAGE = "https://docs.aws.amazon.com/msk/latest/developerguide/bestpractices.html"

# Metrics of each broker at the level PER_BROKER, at the most: https://docs.aws.amazon.com/msk/latest/
# developerguide/metrics-details.html , without those of tiered storage.
METRICS_PER_BROKER = 49

_COPIES = 3


def _brokers(resource: Resource) -> Figure:
    count = number(resource, resource.properties.get("NumberOfBrokerNodes"), "NumberOfBrokerNodes")
    return constant(count, f"{shown(count)} brokers")


def _group(resource: Resource) -> Mapping[str, Any]:
    return resource.properties.get("BrokerNodeGroupInfo") or {}


def _type(resource: Resource) -> str:
    known = (*by_size("msk.broker_mb_per_second"), *by_size("msk.express_broker_mb_per_second"))
    return one_of(resource, _group(resource).get("InstanceType"), "InstanceType", known)


def _is_express(resource: Resource) -> bool:
    return _type(resource).startswith("express.")


def _volume(resource: Resource) -> Mapping[str, Any]:
    return (_group(resource).get("StorageInfo") or {}).get("EBSStorageInfo") or {}


def _volume_size(resource: Resource) -> Figure:
    size = number(resource, _volume(resource).get("VolumeSize"), "VolumeSize")
    return constant(size, f"{shown(size)} GB a broker")


def _provisioned(resource: Resource) -> Decimal | None:
    """The MiB/s provisioned for each volume; None where it is left as it comes."""
    settings = _volume(resource).get("ProvisionedThroughput") or {}
    if not is_true(settings.get("Enabled")):
        return None
    return number(resource, settings.get("VolumeThroughput"), "VolumeThroughput")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_extras(resource)
    brokers = Grown(_brokers(resource))
    yield from brokers.lines(
        "Brokers", _type(resource), "broker-hours", HOURS, f"msk.broker.{_type(resource)}"
    )
    if _is_express(resource):
        stored = context.derive(resource, "stored_gb")
        yield CostLine("Stored data (express)", "GB-months", stored, "msk.express.storage")
        produced = context.derive(resource, "produced_gb_per_month")
        yield CostLine("Data in (express)", "GB", produced, "msk.express.data_in")
    else:
        yield from brokers.lines("Volumes", "brokers", "GB-months", _volume_size(resource), "msk.storage.gp2")
        rate = _provisioned(resource)
        if rate is not None:
            each = constant(rate, f"{shown(rate)} MiB/s")
            yield from brokers.lines(
                "Throughput", "provisioned", "MiB/s-months", each, "msk.storage.provisioned_throughput"
            )
    level = resource.properties.get("EnhancedMonitoring", "DEFAULT")
    if level != "DEFAULT":
        metrics = constant(METRICS_PER_BROKER, f"{METRICS_PER_BROKER} metrics, at the most")
        yield from brokers.lines("Metrics", "PER_BROKER", "metrics", metrics, "cloudwatch.metrics.custom")
    if level.startswith("PER_TOPIC"):
        of_topics = context.derive(resource, "topic_metrics")
        yield CostLine(f"Metrics ({level})", "metrics", of_topics, "cloudwatch.metrics.custom")
    yield from _beside(resource, context, brokers)


def _beside(resource: Resource, context: Context, brokers: Grown) -> Iterator[CostLine]:
    """Tiered storage, private connectivity, public addresses, and logs that go to S3."""
    if resource.properties.get("StorageMode") == "TIERED":
        held = context.derive(resource, "tiered_gb")
        yield CostLine("Stored data (tiered)", "GB-months", held, "msk.tiered_storage")
        read = context.derive(resource, "tiered_read_gb_per_month")
        yield CostLine("Data retrieved (tiered)", "GB", read, "msk.tiered_storage.retrieval")
    connectivity = _group(resource).get("ConnectivityInfo") or {}
    schemes = _private_schemes(connectivity)
    if schemes:
        each_scheme = zones.always(schemes, "authentication schemes")
        key = "msk.private_connectivity"
        yield from each_scheme.lines("Connectivity", "private", "scheme-hours", HOURS, f"{key}.hour")
        moved = context.derive(resource, "private_connectivity_gb_per_month")
        yield CostLine("Data through private connectivity", "GB", moved, f"{key}.gb")
    if (connectivity.get("PublicAccess") or {}).get("Type", "DISABLED") != "DISABLED":
        yield from zones.public_addresses(brokers)
        yield from zones.egress(resource, context)
    logs = (resource.properties.get("LoggingInfo") or {}).get("BrokerLogs") or {}
    if is_true((logs.get("S3") or {}).get("Enabled")):
        delivered = context.derive(resource, "delivered_logs_gb_per_month")
        yield CostLine("Logs delivered (to S3)", "GB", delivered, "cloudwatch.logs.vended_to_s3")
    group = logs.get("CloudWatchLogs") or {}
    if is_true(group.get("Enabled")) and context.target(resource, group.get("LogGroup")) is None:
        delivered = context.derive(resource, "delivered_logs_gb_per_month")
        yield CostLine("Logs delivered (to a log group elsewhere)", "GB", delivered, "cloudwatch.logs.vended")


def _private_schemes(connectivity: Mapping[str, Any]) -> int:
    """The ways to sign in from other VPCs, each of which pays by the hour."""
    signing = (connectivity.get("VpcConnectivity") or {}).get("ClientAuthentication") or {}
    sasl = signing.get("Sasl") or {}
    ways = (sasl.get("Iam"), sasl.get("Scram"), signing.get("Tls"))
    return sum(is_true((each or {}).get("Enabled")) for each in ways)


def _refuse_extras(resource: Resource) -> None:
    properties = resource.properties
    level = properties.get("EnhancedMonitoring", "DEFAULT")
    known = ("DEFAULT", "PER_BROKER", "PER_TOPIC_PER_BROKER", "PER_TOPIC_PER_PARTITION")
    one_of(resource, level, "EnhancedMonitoring", known)
    one_of(resource, properties.get("StorageMode", "LOCAL"), "StorageMode", ("LOCAL", "TIERED"))


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    name, brokers = context.name_of(resource), _brokers(resource)
    held = _of_type(resource, "broker_partitions")
    most = brokers * constant(held.value, f"{shown(held.value)} partitions of a {_type(resource)}")
    partitions, page = context.derive(resource, "partitions"), held.source
    yield Limit(
        name, "Partitions on the brokers", "partitions", most, partitions, True, page, held.how, held.grade
    )
    yield _throughput(resource, context)
    if not _is_express(resource):
        stored, size = context.derive(resource, "stored_gb"), brokers * _volume_size(resource)
        advice = f"{setting(name, 'VolumeSize of EBSStorageInfo')}, or keep records for less long"
        yield Limit(name, "Volumes of the brokers", "GB", size, stored, True, _PARTITIONS_PAGE, advice)
    if "peak_connections" in resource.workload and _signs_in_by_iam(resource):
        load = context.derive(resource, "peak_connections")
        yield context.against("msk.connections", resource, "Connections (IAM)", load, brokers)
    key = "msk.brokers_per_cluster" if _is_kraft(resource) else "msk.zookeeper_brokers_per_cluster"
    yield context.against(key, resource, "Brokers of the cluster", brokers)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    clusters = [_brokers(each) for each in context.all_of("AWS::MSK::Cluster")]
    if clusters:
        yield context.against("msk.brokers_per_account", "account", "MSK brokers", total(*clusters))


def _of_type(resource: Resource, limit: str) -> Quota:
    """What AWS says that one broker bears."""
    family = "express_" if _is_express(resource) else ""
    return by_size(f"msk.{family}{limit}")[_type(resource)]


def _is_kraft(resource: Resource) -> bool:
    version = str(resource.properties.get("KafkaVersion", ""))
    return "kraft" in version or version.split(".")[0] >= "4"


def _signs_in_by_iam(resource: Resource) -> bool:
    sasl = (resource.properties.get("ClientAuthentication") or {}).get("Sasl") or {}
    return is_true((sasl.get("Iam") or {}).get("Enabled"))


def copies(resource: Resource) -> Figure:
    """How often a record is written: once in each zone, three times at the most."""
    subnets = zones.count(resource, _group(resource).get("ClientSubnets"), "ClientSubnets")
    times = min(_COPIES, subnets)
    return constant(times, f"{times} copies")


def _throughput(resource: Resource, context: Context) -> Limit:
    """MB/s of records that the brokers take: the least of what a broker bears and what its volume does."""
    load = context.derive(resource, "peak_produced_mb_per_second")
    network, kind = _of_type(resource, "broker_mb_per_second"), _type(resource)
    bound, takes = network, constant(network.value, f"{shown(network.value)} MB/s of a {kind}")
    if not _is_express(resource):
        plain_volume = context.quota("msk.volume_mb_per_second")
        provisioned = _provisioned(resource)
        volume = plain_volume.value if provisioned is None else provisioned
        if volume < network.value:
            bound = plain_volume
        written = min(network.value, volume)
        takes = constant(written, f"{shown(written)} MB/s to the volume of a {kind}") / copies(resource)
    rate = _brokers(resource) * takes
    return Limit(
        context.name_of(resource),
        "Bytes produced a second",
        "MB/s",
        rate,
        load,
        True,
        bound.source,
        bound.how,
        bound.grade,
    )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    count = _brokers(resource).value
    yield from machines.graviton_warnings(resource, context, _type(resource), "msk.broker.{}", count)


ROOM = Room(
    type="AWS::MSK::Cluster",
    classification="mixed",
    usage={
        "produced_gb_per_month": Usage("GB", "bytes that producers send; paid with express brokers only"),
        "peak_produced_mb_per_second": Usage(
            "MB/s", "what producers send in the busiest second, copies not counted"
        ),
        "topic_metrics": Usage(
            "metrics", "metrics of topics, where EnhancedMonitoring is PER_TOPIC_…", scales=False
        ),
        "tiered_gb": Usage("GB", "tiered storage: data moved off the volumes"),
        "tiered_read_gb_per_month": Usage("GB", "tiered storage: bytes read from there"),
        "private_connectivity_gb_per_month": Usage("GB", "bytes through private connectivity to other VPCs"),
        "delivered_logs_gb_per_month": Usage(
            "GB", "broker logs to S3, or to a log group that is in no stack here: bytes delivered"
        ),
        **zones.EGRESS,
        "stored_gb": Usage("GB", "data held: every copy with standard brokers, one with express"),
        "partitions": Usage("partitions", "partitions of all topics, copies counted", scales=False),
        "peak_connections": Usage("connections", "connections to all brokers at once, where IAM signs in"),
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
