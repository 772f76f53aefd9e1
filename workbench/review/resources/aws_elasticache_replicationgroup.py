"""Replication groups of Valkey and Redis OSS: the hours of every node, backups, memory.

A quarter of a node's memory is set aside by default. AWS states no ceiling of commands a second. Facts:
https://aws.amazon.com/elasticache/pricing/ , and the memory of each type, "Valkey and Redis OSS node-type specific
parameters": https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import machines
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse, text
from workbench.workload import BYTES_PER_GB, Figure

_MEMORY_PAGE = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html"
_SET_ASIDE = Decimal("0.25")
_ENGINES = ("valkey", "redis")
# Bytes that a node has for data (maxmemory).
_MEMORY = {
    "t3.micro": 536_870_912,
    "t3.small": 1_471_026_299,
    "t3.medium": 3_317_862_236,
    "m5.large": 6_854_542_746,
    "m7g.large": 6_854_542_746,
    "m7g.xlarge": 13_891_921_715,
    "m7g.2xlarge": 27_966_669_210,
    "m7g.4xlarge": 56_116_178_125,
    "m8g.large": 7_294_178_820,
    "r7g.large": 14_037_181_030,
    "r7g.xlarge": 28_261_849_702,
    "r7g.2xlarge": 56_711_183_565,
    "r7g.4xlarge": 113_609_865_216,
    "r7g.8xlarge": 225_000_375_228,
    "r8g.large": 15_222_495_510,
    "r8g.xlarge": 31_866_224_640,
    "r8g.2xlarge": 65_856_864_256,
}
# Families whose nodes hold what those of another do.
_SAME_MEMORY = {"t4g": "t3", "m6g": "m7g", "r5": "r7g", "r6g": "r7g"}


def engine(resource: Resource) -> str:
    """`valkey` or `redis`. Raises `NotPriced` for versions that pay for extended support."""
    name = one_of(resource, resource.properties.get("Engine", "redis"), "Engine", _ENGINES)
    version = str(resource.properties.get("EngineVersion", ""))
    if name == "redis" and version.split(".")[0] in ("4", "5"):
        raise refuse(resource, f"EngineVersion is {version}, which pays for extended support")
    return name


def _node_type(resource: Resource) -> str:
    return text(resource, resource.properties.get("CacheNodeType"), "CacheNodeType")


def _shards(resource: Resource) -> Decimal:
    properties = resource.properties
    groups = properties.get("NodeGroupConfiguration") or []
    return number(resource, properties.get("NumNodeGroups"), "NumNodeGroups", default=len(groups) or 1)


def _nodes(resource: Resource) -> Figure:
    properties = resource.properties
    clusters = properties.get("NumCacheClusters")
    if clusters is not None:
        count = number(resource, clusters, "NumCacheClusters")
        return constant(count, "1 node" if count == 1 else f"{shown(count)} nodes")
    if any("ReplicaCount" in each for each in properties.get("NodeGroupConfiguration") or []):
        raise refuse(resource, "NodeGroupConfiguration gives each shard replicas of its own")
    replicas = number(resource, properties.get("ReplicasPerNodeGroup"), "ReplicasPerNodeGroup", default=0)
    shards = _shards(resource)
    return constant(shards * (1 + replicas), f"{shown(shards)} shards × (1 + {shown(replicas)} replicas)")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("GlobalReplicationGroupId"):
        raise refuse(resource, "GlobalReplicationGroupId pays for what goes between regions")
    if properties.get("DataTieringEnabled") is True:
        raise refuse(resource, "DataTieringEnabled: part of its data is on disks")
    kind = _node_type(resource)
    fleet, key = Grown(_nodes(resource)), f"elasticache.{engine(resource)}.{kind}"
    yield from fleet.lines("Nodes", f"{engine(resource)}, {kind}", "node-hours", HOURS, key)
    if number(resource, properties.get("SnapshotRetentionLimit"), "SnapshotRetentionLimit", default=0):
        held = context.derive(resource, "backup_gb")
        yield CostLine("Backups", "GB-months", held, "elasticache.backup")


def _memory(resource: Resource) -> Figure | None:
    """Bytes for data on one shard, in GB; None for a type that is not in the table."""
    family, _, size = _node_type(resource).removeprefix("cache.").partition(".")
    most = _MEMORY.get(f"{_SAME_MEMORY.get(family, family)}.{size}")
    if most is None:
        return None
    gigabytes = Decimal(most) * (1 - _SET_ASIDE) / BYTES_PER_GB
    return constant(gigabytes, f"{shown(gigabytes)} GB of a {_node_type(resource)}, a quarter set aside")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    memory = _memory(resource)
    if memory is not None:
        shards = _shards(resource)
        holds = memory * constant(shards, f"{shown(shards)} shards") if shards > 1 else memory
        load = context.derive(resource, "stored_gb")
        yield Limit(context.name_of(resource), "Memory", "GB", holds, load, True, _MEMORY_PAGE)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    prices = f"elasticache.{engine(resource)}.{{}}"
    yield from machines.graviton_warnings(resource, context, _node_type(resource), prices)
    if engine(resource) == "redis":
        yield f"{context.name_of(resource)}: Valkey, which speaks the same protocol, costs a fifth less"


ROOM = Room(
    type="AWS::ElastiCache::ReplicationGroup",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held, counted once: replicas hold the same"),
        "backup_gb": Usage("GB", "backups held beyond the first, where SnapshotRetentionLimit is set"),
        "peak_commands_per_second": Usage(
            "commands/s", "for the reader: nothing is paid by it, and AWS states no ceiling"
        ),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
