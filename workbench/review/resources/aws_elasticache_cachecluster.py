"""Cache clusters: the hours of every node of Memcached, or of the one node of Redis OSS; backups of the latter.

Both cost the same by the node. Of the memory of Redis a quarter is set aside. Facts:
https://aws.amazon.com/elasticache/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import by_use, machines, vended
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.quotas import Quota, by_size
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse, setting, text
from workbench.workload import BYTES_PER_GB, Figure

_ENGINES = ("memcached", "redis")
_PRICES = "elasticache.redis.{}"
_SET_ASIDE = Decimal("0.25")
# Families whose nodes hold what those of another do.
_SAME_MEMORY = {"t4g": "t3", "m6g": "m7g", "r5": "r7g", "r6g": "r7g"}


def _engine(resource: Resource) -> str:
    """`memcached` or `redis`. Raises `NotPriced` for versions that pay for extended support."""
    name = one_of(resource, resource.properties.get("Engine"), "Engine", _ENGINES)
    version = str(resource.properties.get("EngineVersion", ""))
    if name == "redis" and version.split(".")[0] in ("2", "3", "4", "5"):
        raise refuse(resource, f"EngineVersion is {version}, which pays for extended support")
    return name


def _kind(resource: Resource) -> str:
    return text(resource, resource.properties.get("CacheNodeType"), "CacheNodeType")


def nodes(resource: Resource) -> Figure:
    """How many nodes it has."""
    count = number(resource, resource.properties.get("NumCacheNodes"), "NumCacheNodes")
    return constant(count, "1 node" if count == 1 else f"{shown(count)} nodes")


def memory(kind: str) -> Quota | None:
    """The bytes that AWS gives a node of the type `kind`; None for a type that is not in the book."""
    family, _, size = kind.removeprefix("cache.").partition(".")
    return by_size("elasticache.node_bytes").get(f"cache.{_SAME_MEMORY.get(family, family)}.{size}")


def valkey_saving(kind: str, count: Decimal) -> str:
    """What Valkey saves on `count` nodes: dollars where the book has both prices, and otherwise what AWS says."""
    book = PriceBook.load().prices
    ours, other = (f"elasticache.{name}.{kind}" for name in ("redis", "valkey"))
    if ours not in book or other not in book:
        return "a fifth less"
    hours = count * HOURS.value
    return f"{dollars(book[ours].cost(hours) - book[other].cost(hours))} a month less"


def log_lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """Logs that it sends to a log group that is in no stack here; of one that is, they are that group's line."""
    for each in resource.properties.get("LogDeliveryConfigurations") or []:
        details = (each.get("DestinationDetails") or {}).get("CloudWatchLogsDetails") or {}
        if details and context.target(resource, details.get("LogGroup")) is None:
            yield from vended.lines_to(resource, context, "logs", is_here=False)
            return


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    engine, kind = _engine(resource), _kind(resource)
    yield from Grown(nodes(resource)).lines(
        "Nodes", f"{engine}, {kind}", "node-hours", HOURS, _PRICES.format(kind)
    )
    days = resource.properties.get("SnapshotRetentionLimit")
    if number(resource, days, "SnapshotRetentionLimit", default=0):
        row = ("Backups", "GB-months", "backup_gb", "elasticache.backup")
        yield from by_use.lines(resource, context, row)
    yield from log_lines(resource, context)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    most = memory(_kind(resource))
    if _engine(resource) == "redis" and most is not None:
        for_data = most.value * (1 - _SET_ASIDE) / BYTES_PER_GB
        holds = constant(for_data, f"{shown(for_data)} GB of a {_kind(resource)}, a quarter set aside")
        load, name = context.derive(resource, "stored_gb"), context.name_of(resource)
        advice = setting(name, "CacheNodeType")
        yield Limit(name, "Memory", "GB", holds, load, True, most.source, advice, most.grade)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    kind, count = _kind(resource), nodes(resource).value
    yield from machines.graviton_warnings(resource, context, kind, _PRICES, count)
    if _engine(resource) == "redis":
        less = valkey_saving(kind, count)
        name = context.name_of(resource)
        yield f"{name}: Valkey, as an AWS::ElastiCache::ReplicationGroup of one node, costs {less}"


ROOM = Room(
    type="AWS::ElastiCache::CacheCluster",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "Redis: data held, for the reader where the memory of its type isn't known"),
        "backup_gb": Usage("GB", "Redis: backups beyond the first, where SnapshotRetentionLimit is set"),
        **vended.DELIVERED,
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
