"""PostgreSQL instances: hours, storage, backups, extended support; the members of an Aurora cluster.

A standby in another zone doubles hours and storage. Backups are free up to the size of the storage. Facts:
https://aws.amazon.com/rds/postgresql/pricing/ and
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import aurora, machines, rds, zones
from workbench.review.floor import HOURS, grown
from workbench.review.numbers import constant, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse
from workbench.workload import Figure

_STORAGE_PAGE = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html"
# Above 400 GB, a gp3 volume of PostgreSQL is striped over four: IOPS and MiB/s that are included.
_STRIPED_FROM_GB = 400
_PLAIN, _STRIPED = (3_000, 125), (12_000, 500)


def _is_member(resource: Resource) -> bool:
    return bool(resource.properties.get("DBClusterIdentifier"))


def _has_standby(resource: Resource) -> bool:
    return str(resource.properties.get("MultiAZ", False)).lower() == "true"


def _source(resource: Resource, context: Context) -> Resource | None:
    """The instance that it is a replica of."""
    return context.target(resource, resource.properties.get("SourceDBInstanceIdentifier"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    rds.refuse_extras(resource)
    if _is_member(resource):
        yield from aurora.member_lines(resource, context)
        return
    if _source(resource, context) is None:
        one_of(resource, resource.properties.get("Engine"), "Engine", ("postgres",))
    copies = 2 if _has_standby(resource) else 1
    yield from _hours(resource, copies)
    yield from _storage(resource, context, copies)
    yield from _backups(resource, context)
    yield from rds.extended_support(
        resource, rds.processors(resource) * constant(copies, f"{copies} instances")
    )
    yield from rds.master_secret(resource)


def _hours(resource: Resource, copies: int) -> Iterator[CostLine]:
    kind = rds.machine_class(resource)
    single, both = (f"rds.postgresql.{zones_}.{kind}" for zones_ in ("single_az", "multi_az"))
    if copies == 2 and both in PriceBook.load().prices:
        yield CostLine(f"Instances ({kind}, with a standby)", "instance-hours", HOURS, both)
    else:
        words = "instance and standby" if copies == 2 else "instance"
        yield from rds.hours_of_all(zones.always(copies, words), kind, single)


def _allocated(resource: Resource, context: Context) -> Figure:
    source = _source(resource, context)
    value = resource.properties.get("AllocatedStorage")
    if value is None and source is not None:
        value = source.properties.get("AllocatedStorage")
    size = number(resource, value, "AllocatedStorage")
    return constant(size, f"{shown(size)} GB (AllocatedStorage)")


def _most_storage(resource: Resource, context: Context) -> Figure:
    """What the storage may grow to by itself."""
    allocated = _allocated(resource, context)
    value = resource.properties.get("MaxAllocatedStorage")
    if value is None:
        return allocated
    size = number(resource, value, "MaxAllocatedStorage")
    return constant(max(size, allocated.value), f"{shown(size)} GB (MaxAllocatedStorage)")


def _storage(resource: Resource, context: Context, copies: int) -> Iterator[CostLine]:
    kind = _storage_type(resource)
    held = grown(
        context, resource, "stored_gb", _allocated(resource, context), _most_storage(resource, context)
    )
    suffix = ".multi_az" if copies == 2 and kind != "io1" else ""
    each = constant(2, "2 copies") if copies == 2 and kind == "io1" else constant(1, "1 month")
    yield from held.lines("Storage", kind, "GB-months", each, f"rds.storage.{kind}{suffix}", "as data grows")
    if kind == "io1":
        iops = number(resource, resource.properties.get("Iops"), "Iops")
        yield CostLine(
            "IOPS (io1)", "IOPS-months", constant(iops, f"{shown(iops)} IOPS") * each, "rds.iops.io1"
        )
    if kind == "gp3":
        yield from _beyond_gp3(resource, held.least, suffix)


def _storage_type(resource: Resource) -> str:
    default = "io1" if resource.properties.get("Iops") else "gp2"
    kind = resource.properties.get("StorageType", default)
    return one_of(resource, kind, "StorageType", ("gp3", "gp2", "io1"))


def _beyond_gp3(resource: Resource, allocated: Figure, suffix: str) -> Iterator[CostLine]:
    iops, rate = _STRIPED if allocated.value >= _STRIPED_FROM_GB else _PLAIN
    properties = resource.properties
    extra = number(resource, properties.get("Iops"), "Iops", iops) - iops
    if extra > 0:
        words = constant(extra, f"{shown(extra)} IOPS above {shown(Decimal(iops))}")
        yield CostLine("IOPS (gp3)", "IOPS-months", words, f"rds.iops.gp3{suffix}")
    wanted = number(resource, properties.get("StorageThroughput"), "StorageThroughput", rate) - rate
    if wanted > 0:
        if suffix:
            raise refuse(resource, "StorageThroughput above what gp3 includes, with a standby")
        words = constant(wanted, f"{shown(wanted)} MiB/s above {rate}")
        yield CostLine("Throughput (gp3)", "MiB/s-months", words, "rds.throughput.gp3")


def _backups(resource: Resource, context: Context) -> Iterator[CostLine]:
    days = resource.properties.get("BackupRetentionPeriod")
    if number(resource, days, "BackupRetentionPeriod", default=1) == 0 or _source(resource, context):
        return
    yield CostLine("Backups", "GB-months", context.derive(resource, "backup_gb"), "rds.backup")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if rds.machine_class(resource) != aurora.SERVERLESS:
        yield from rds.connection_limit(resource, context)
    if not _is_member(resource):
        most, load = _most_storage(resource, context), context.derive(resource, "stored_gb")
        yield Limit(context.name_of(resource), "Storage", "GB", most, load, True, _STORAGE_PAGE)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    name, kind = context.name_of(resource), rds.machine_class(resource)
    if not _is_member(resource) and _storage_type(resource) == "gp2":
        yield f"{name}: gp2 costs what gp3 does, which is faster"
    if kind != aurora.SERVERLESS:
        prices = "aurora.postgresql.standard.{}" if _is_member(resource) else "rds.postgresql.single_az.{}"
        yield from machines.graviton_warnings(resource, context, kind, prices)
    if resource.properties.get("MonitoringInterval"):
        yield f"{name}: enhanced monitoring writes to a log group of the account, which is not counted"


ROOM = Room(
    type="AWS::RDS::DBInstance",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held; of an Aurora cluster it is the cluster's"),
        "backup_gb": Usage("GB", "backups held beyond the size of the storage; as much as that is free"),
        "peak_connections": Usage("connections", "connections open at once, the proxy's where there is one"),
        "peak_transactions_per_second": Usage(
            "transactions/s", "for the reader: nothing is paid by it, and AWS states no ceiling"
        ),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
