"""Replication groups of Valkey and Redis OSS: the hours of every node, backups, memory.

Nodes with data tiering have the price of their type. A quarter of a node's memory is set aside by default. AWS states
no ceiling of commands a second. Facts: https://aws.amazon.com/elasticache/pricing/ , and the memory of each type,
"Valkey and Redis OSS node-type specific parameters":
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import machines, vended
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.resources import aws_elasticache_cachecluster
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse, text
from workbench.workload import BYTES_PER_GB, Figure, total

_SET_ASIDE = Decimal("0.25")
_ENGINES = ("valkey", "redis")


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
    groups = properties.get("NodeGroupConfiguration") or []
    if any("ReplicaCount" in each for each in groups):
        each_shard = [1 + number(resource, each.get("ReplicaCount"), "ReplicaCount", 0) for each in groups]
        count = sum(each_shard, Decimal(0))
        return constant(count, f"{shown(count)} nodes in {len(groups)} shards")
    replicas = number(resource, properties.get("ReplicasPerNodeGroup"), "ReplicasPerNodeGroup", default=0)
    shards = _shards(resource)
    return constant(shards * (1 + replicas), f"{shown(shards)} shards × (1 + {shown(replicas)} replicas)")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    durability = properties.get("Durability", "default")
    one_of(resource, str(durability).lower(), "Durability", ("default", "disabled"))
    kind = _node_type(resource)
    fleet, key = Grown(_nodes(resource)), f"elasticache.{engine(resource)}.{kind}"
    yield from fleet.lines("Nodes", f"{engine(resource)}, {kind}", "node-hours", HOURS, key)
    if number(resource, properties.get("SnapshotRetentionLimit"), "SnapshotRetentionLimit", default=0):
        held = context.derive(resource, "backup_gb")
        yield CostLine("Backups", "GB-months", held, "elasticache.backup")
    if properties.get("GlobalReplicationGroupId") or "replicated_gb_per_month" in resource.workload:
        moved = context.derive(resource, "replicated_gb_per_month")
        yield CostLine("Data replicated (other region)", "GB", moved, "transfer.inter_region")
    yield from aws_elasticache_cachecluster.log_lines(resource, context)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    most, name = aws_elasticache_cachecluster.memory(_node_type(resource)), context.name_of(resource)
    if most is not None:
        shards = _shards(resource)
        for_data = most.value * (1 - _SET_ASIDE) / BYTES_PER_GB
        words = f"{shown(for_data)} GB of a {_node_type(resource)}, a quarter set aside"
        memory = constant(for_data, words)
        holds = memory * constant(shards, f"{shown(shards)} shards") if shards > 1 else memory
        load = context.derive(resource, "stored_gb")
        yield Limit(name, "Memory", "GB", holds, load, True, most.source, most.how, most.grade)
    if "peak_connections" in resource.workload:
        load = context.derive(resource, "peak_connections")
        yield context.against("elasticache.node_connections", resource, "Connections to a node", load)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    """The nodes of the account: those of the groups, and those of clusters that stand alone."""
    nodes = [_nodes(each) for each in context.all_of("AWS::ElastiCache::ReplicationGroup")]
    nodes += map(aws_elasticache_cachecluster.nodes, context.all_of("AWS::ElastiCache::CacheCluster"))
    if nodes:
        yield context.against("elasticache.nodes_per_region", "account", "ElastiCache nodes", total(*nodes))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    prices = f"elasticache.{engine(resource)}.{{}}"
    count = _nodes(resource).value
    yield from machines.graviton_warnings(resource, context, _node_type(resource), prices, count)
    if engine(resource) == "redis":
        less = aws_elasticache_cachecluster.valkey_saving(_node_type(resource), count)
        yield f"{context.name_of(resource)}: Valkey, which speaks the same protocol, costs {less}"


ROOM = Room(
    type="AWS::ElastiCache::ReplicationGroup",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held, counted once: replicas hold the same"),
        "backup_gb": Usage("GB", "backups held beyond the first, where SnapshotRetentionLimit is set"),
        "replicated_gb_per_month": Usage(
            "GB",
            "the primary of a global datastore: bytes written, which go to another region; zero elsewhere",
        ),
        **vended.DELIVERED,
        "peak_connections": Usage("connections", "connections at once to its busiest node"),
        "peak_commands_per_second": Usage(
            "commands/s", "for the reader: nothing is paid by it, and AWS states no ceiling"
        ),
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
