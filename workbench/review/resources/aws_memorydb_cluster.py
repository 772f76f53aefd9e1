"""MemoryDB clusters: the hours of every node, bytes written to the log, snapshots beyond the first day's.

Facts: https://aws.amazon.com/memorydb/pricing/ and, for what a template leaves out,
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-memorydb-cluster.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse, text
from workbench.workload import Figure

_ENGINES = ("redis", "valkey")


def _engine(resource: Resource) -> str:
    return one_of(resource, str(resource.properties.get("Engine", "redis")).lower(), "Engine", _ENGINES)


def _nodes(resource: Resource) -> Figure:
    properties = resource.properties
    shards = number(resource, properties.get("NumShards"), "NumShards", default=1)
    replicas = number(resource, properties.get("NumReplicasPerShard"), "NumReplicasPerShard", default=1)
    return constant(shards * (1 + replicas), f"{shown(shards)} shards × (1 + {shown(replicas)} replicas)")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if by_use.is_true(properties.get("DataTiering")):
        raise refuse(resource, "DataTiering: part of its data is on disks")
    if properties.get("MultiRegionClusterName"):
        raise refuse(resource, "MultiRegionClusterName pays for what goes between regions")
    engine, kind = _engine(resource), text(resource, properties.get("NodeType"), "NodeType")
    nodes = Grown(_nodes(resource))
    yield from nodes.lines("Nodes", f"{engine}, {kind}", "node-hours", HOURS, f"memorydb.{engine}.{kind}")
    row = (f"Data written ({engine})", "GB", "written_gb_per_month", f"memorydb.data_written.{engine}")
    yield from by_use.lines(resource, context, row)
    if number(resource, properties.get("SnapshotRetentionLimit"), "SnapshotRetentionLimit", default=0):
        row = ("Snapshots", "GB-months", "backup_gb", "memorydb.snapshot")
        yield from by_use.lines(resource, context, row)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    kind = resource.properties.get("NodeType")
    if _engine(resource) == "redis" and f"memorydb.valkey.{kind}" in PriceBook.load().prices:
        yield f"{context.name_of(resource)}: Valkey, which speaks the same protocol, costs almost a third less"


ROOM = Room(
    type="AWS::MemoryDB::Cluster",
    classification="mixed",
    usage={
        "written_gb_per_month": Usage("GB", "bytes that commands write, copies not counted"),
        "backup_gb": Usage(
            "GB", "snapshots held beyond those of one day, where SnapshotRetentionLimit is set"
        ),
    },
    lines=_lines,
    warnings=_warnings,
)
