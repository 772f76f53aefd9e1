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
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse
from workbench.workload import Figure

_GUIDE = "https://docs.aws.amazon.com/msk/latest/developerguide"
_PARTITIONS_PAGE = f"{_GUIDE}/bestpractices.html"
_EXPRESS_PAGE = f"{_GUIDE}/bestpractices-express.html"
_STORAGE_PAGE = f"{_GUIDE}/msk-provision-throughput-management.html"

# Metrics of each broker at the level PER_BROKER, at the most: https://docs.aws.amazon.com/msk/latest/
# developerguide/metrics-details.html , without those of tiered storage.
METRICS_PER_BROKER = 49

# Partitions of a broker, their copies counted.
_PARTITIONS = {
    "kafka.t3.small": 300,
    "kafka.m5.large": 1_000,
    "kafka.m5.xlarge": 1_000,
    "kafka.m5.2xlarge": 2_000,
    "kafka.m5.4xlarge": 4_000,
    "kafka.m5.8xlarge": 4_000,
    "kafka.m7g.large": 1_000,
    "kafka.m7g.xlarge": 1_000,
    "kafka.m7g.2xlarge": 2_000,
    "kafka.m7g.4xlarge": 4_000,
    "kafka.m7g.8xlarge": 4_000,
    "express.m7g.large": 1_000,
    "express.m7g.xlarge": 1_000,
    "express.m7g.2xlarge": 2_500,
    "express.m7g.4xlarge": 6_000,
    "express.m7g.8xlarge": 12_000,
}
# MB/s: of an express broker what producers may send for long, of a standard one what it writes to its volume.
_THROUGHPUT = {
    "kafka.t3.small": "21.75",
    "kafka.m5.large": "81.25",
    "kafka.m5.xlarge": "143.75",
    "kafka.m5.2xlarge": "287.5",
    "kafka.m5.4xlarge": "593.75",
    "kafka.m5.8xlarge": "850",
    "kafka.m7g.large": "78.75",
    "kafka.m7g.xlarge": "156.25",
    "kafka.m7g.2xlarge": "312.5",
    "kafka.m7g.4xlarge": "625",
    "kafka.m7g.8xlarge": "1000",
    "express.m7g.large": "15.6",
    "express.m7g.xlarge": "31.2",
    "express.m7g.2xlarge": "62.5",
    "express.m7g.4xlarge": "124.9",
    "express.m7g.8xlarge": "250",
}
# MiB/s of a volume for which nobody provisioned more.
_PLAIN_VOLUME = Decimal(250)
_COPIES = 3


def _brokers(resource: Resource) -> Figure:
    count = number(resource, resource.properties.get("NumberOfBrokerNodes"), "NumberOfBrokerNodes")
    return constant(count, f"{shown(count)} brokers")


def _group(resource: Resource) -> Mapping[str, Any]:
    return resource.properties.get("BrokerNodeGroupInfo") or {}


def _type(resource: Resource) -> str:
    return one_of(resource, _group(resource).get("InstanceType"), "InstanceType", tuple(_PARTITIONS))


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
    if settings.get("Enabled") is not True:
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
    if resource.properties.get("EnhancedMonitoring") == "PER_BROKER":
        metrics = constant(METRICS_PER_BROKER, f"{METRICS_PER_BROKER} metrics, at the most")
        yield from brokers.lines("Metrics", "PER_BROKER", "metrics", metrics, "cloudwatch.metrics.custom")


def _refuse_extras(resource: Resource) -> None:
    properties = resource.properties
    level = properties.get("EnhancedMonitoring", "DEFAULT")
    one_of(resource, level, "EnhancedMonitoring", ("DEFAULT", "PER_BROKER"))
    one_of(resource, properties.get("StorageMode", "LOCAL"), "StorageMode", ("LOCAL",))
    connectivity = _group(resource).get("ConnectivityInfo") or {}
    if connectivity.get("VpcConnectivity"):
        raise refuse(resource, "VpcConnectivity pays by the hour and by the gigabyte")
    if (connectivity.get("PublicAccess") or {}).get("Type", "DISABLED") != "DISABLED":
        raise refuse(resource, "PublicAccess gives each broker a public address")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    name, brokers = context.name_of(resource), _brokers(resource)
    page = _EXPRESS_PAGE if _is_express(resource) else _PARTITIONS_PAGE
    held = _PARTITIONS[_type(resource)]
    most = brokers * constant(held, f"{shown(Decimal(held))} partitions of a {_type(resource)}")
    partitions = context.derive(resource, "partitions")
    yield Limit(name, "Partitions on the brokers", "partitions", most, partitions, True, page)
    load = context.derive(resource, "peak_produced_mb_per_second")
    rate = brokers * _throughput(resource)
    page = _EXPRESS_PAGE if _is_express(resource) else _STORAGE_PAGE
    yield Limit(name, "Bytes produced a second", "MB/s", rate, load, True, page)
    if not _is_express(resource):
        stored, size = context.derive(resource, "stored_gb"), brokers * _volume_size(resource)
        yield Limit(name, "Volumes of the brokers", "GB", size, stored, True, _PARTITIONS_PAGE)


def _throughput(resource: Resource) -> Figure:
    """MB/s of records that a broker takes."""
    network = Decimal(_THROUGHPUT[_type(resource)])
    if _is_express(resource):
        return constant(network, f"{shown(network)} MB/s of a {_type(resource)}")
    written = min(network, _provisioned(resource) or _PLAIN_VOLUME)
    subnets = zones.count(resource, _group(resource).get("ClientSubnets"), "ClientSubnets")
    copies = min(_COPIES, subnets)
    words = constant(written, f"{shown(written)} MB/s to the volume of a {_type(resource)}")
    return words / constant(copies, f"{copies} copies")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from machines.graviton_warnings(resource, context, _type(resource), "msk.broker.{}")


ROOM = Room(
    type="AWS::MSK::Cluster",
    classification="mixed",
    usage={
        "produced_gb_per_month": Usage("GB", "bytes that producers send; paid with express brokers only"),
        "peak_produced_mb_per_second": Usage(
            "MB/s", "what producers send in the busiest second, copies not counted"
        ),
        "stored_gb": Usage("GB", "data held: every copy with standard brokers, one with express"),
        "partitions": Usage("partitions", "partitions of all topics, copies counted", scales=False),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
