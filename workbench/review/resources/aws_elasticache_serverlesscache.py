"""Serverless caches: data by the hour, with a floor, and processing units (an ECPU is a kilobyte of a command).

Facts: https://aws.amazon.com/elasticache/pricing/ and
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.floor import HOURS, grown
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, setting
from workbench.workload import SECONDS_PER_MONTH, Figure

# The least that is paid, in GB.
_LEAST_GB = {"valkey": Decimal("0.1"), "redis": Decimal(1)}


def _engine(resource: Resource) -> str:
    return one_of(resource, resource.properties.get("Engine"), "Engine", tuple(_LEAST_GB))


def _bound(resource: Resource, what: str, end: str) -> Decimal | None:
    limits = (resource.properties.get("CacheUsageLimits") or {}).get(what) or {}
    return None if limits.get(end) is None else number(resource, limits[end], f"{what}.{end}")


def _least_data(resource: Resource) -> Figure:
    minimum = _bound(resource, "DataStorage", "Minimum")
    floor = max(_LEAST_GB[_engine(resource)], minimum or Decimal(0))
    return constant(floor, f"{shown(floor)} GB, the least")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    engine = _engine(resource)
    held = grown(context, resource, "stored_gb", _least_data(resource))
    yield from held.lines(
        "Stored data", engine, "GB-hours", HOURS, f"elasticache.serverless.{engine}.storage", "as data grows"
    )
    a_second = _bound(resource, "ECPUPerSecond", "Minimum") or Decimal(0)
    words = f"{shown(a_second)} ECPU/s, the least, × 2,628,000 s"
    least = constant(a_second * SECONDS_PER_MONTH, words)
    used = grown(context, resource, "ecpus_per_month", least)
    one = constant(1, "1 ECPU")
    yield from used.lines("Processing", engine, "ECPUs", one, f"elasticache.serverless.{engine}.ecpu")
    if number(
        resource, resource.properties.get("SnapshotRetentionLimit"), "SnapshotRetentionLimit", default=0
    ):
        backups = context.derive(resource, "backup_gb")
        yield CostLine("Backups", "GB-months", backups, "elasticache.backup")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    yield from _processing(resource, context)
    load = context.derive(resource, "stored_gb")
    maximum = _bound(resource, "DataStorage", "Maximum")
    if maximum is None:
        yield context.against("elasticache.serverless_storage", resource, "Data of the cache", load)
        return
    source = context.quota("elasticache.serverless_storage").source
    most = constant(maximum, f"{shown(maximum)} GB (DataStorage.Maximum)")
    advice = setting(context.name_of(resource), "Maximum of DataStorage (up to 5,000 GB)")
    yield Limit(context.name_of(resource), "Data of the cache", "GB", most, load, True, source, advice)


def _processing(resource: Resource, context: Context) -> Iterator[Limit]:
    """`peak_ecpus_per_second` against what CacheUsageLimits allows."""
    maximum = _bound(resource, "ECPUPerSecond", "Maximum")
    if maximum is None or "peak_ecpus_per_second" not in resource.workload:
        return
    most, name = constant(maximum, f"{shown(maximum)} ECPU/s (Maximum)"), context.name_of(resource)
    load, advice = (
        context.derive(resource, "peak_ecpus_per_second"),
        setting(name, "Maximum of ECPUPerSecond"),
    )
    source = context.quota("elasticache.serverless_storage").source
    yield Limit(name, "Processing of the cache", "ECPU/s", most, load, True, source, advice)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _engine(resource) == "redis":
        book = PriceBook.load()
        idle = {
            name: book[f"elasticache.serverless.{name}.storage"].cost(least * HOURS.value)
            for name, least in _LEAST_GB.items()
        }
        saved = dollars(idle["redis"] - idle["valkey"])
        yield (
            f"{context.name_of(resource)}: Valkey, which speaks the same protocol, costs a third less, "
            f"and {saved} a month less at the least"
        )


ROOM = Room(
    type="AWS::ElastiCache::ServerlessCache",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held, averaged over the month"),
        "ecpus_per_month": Usage("ECPUs", "commands, in steps of a kilobyte"),
        "peak_ecpus_per_second": Usage("ECPU/s", "commands of the busiest second, in steps of a kilobyte"),
        "backup_gb": Usage("GB", "backups held, where SnapshotRetentionLimit is set"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
