"""Instances of PostgreSQL and MySQL: hours, storage, backups, extended support; the members of an Aurora cluster.

A standby in another zone doubles hours and storage. Backups are free up to the size of the storage. Other engines
have no prices in the book, MariaDB, Oracle and SQL Server among them. Facts:
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
from workbench.review.queueing import Station
from workbench.review.quotas import Quota, by_size
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, setting
from workbench.workload import Figure

_ENGINES = {"postgres": "postgresql", "mysql": "mysql"}
_STORAGE_PAGE = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html"
# Above 400 GB, a gp3 volume of PostgreSQL is striped over four: IOPS and MiB/s that are included.
_STRIPED_FROM_GB = 400
_PLAIN, _STRIPED = (3_000, 125), (12_000, 500)
_LEAST_GP2, _MOST_IOPS = Decimal(100), Decimal(64_000)


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
        yield from rds.credit_lines(resource, context)
        yield from rds.public_address(resource)
        yield from rds.logs(resource, context)
        return
    copies = 2 if _has_standby(resource) else 1
    yield from _hours(resource, copies, _engine(resource, context))
    yield from rds.credit_lines(resource, context)
    yield from _storage(resource, context, copies)
    yield from _backups(resource, context)
    yield from rds.extended_support(
        resource, rds.processors(resource) * constant(copies, f"{copies} instances")
    )
    yield from rds.master_secret(resource)
    yield from rds.public_address(resource)
    yield from rds.logs(resource, context)


def _engine(resource: Resource, context: Context) -> str:
    """`postgresql` or `mysql`, as the price keys say; that of its source where it is a replica."""
    source = _source(resource, context)
    named = resource.properties.get("Engine") or (source.properties.get("Engine") if source else None)
    return _ENGINES[one_of(resource, named, "Engine", tuple(_ENGINES))]


def _hours(resource: Resource, copies: int, engine: str) -> Iterator[CostLine]:
    kind = rds.machine_class(resource)
    single, both = (f"rds.{engine}.{zones_}.{kind}" for zones_ in ("single_az", "multi_az"))
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
        yield from _beyond_gp3(resource, held.least, suffix, copies)


def _storage_type(resource: Resource) -> str:
    default = "io1" if resource.properties.get("Iops") else "gp3"
    kind = resource.properties.get("StorageType", default)
    return one_of(resource, kind, "StorageType", ("gp3", "gp2", "io1"))


def _beyond_gp3(resource: Resource, allocated: Figure, suffix: str, copies: int) -> Iterator[CostLine]:
    iops, rate = _STRIPED if allocated.value >= _STRIPED_FROM_GB else _PLAIN
    properties = resource.properties
    extra = number(resource, properties.get("Iops"), "Iops", iops) - iops
    if extra > 0:
        words = constant(extra, f"{shown(extra)} IOPS above {shown(Decimal(iops))}")
        yield CostLine("IOPS (gp3)", "IOPS-months", words, f"rds.iops.gp3{suffix}")
    wanted = number(resource, properties.get("StorageThroughput"), "StorageThroughput", rate) - rate
    if wanted > 0:
        more = constant(wanted, f"{shown(wanted)} MiB/s above {rate}")
        paid = more if copies == 1 else more * constant(copies, f"{copies} copies")
        yield CostLine("Throughput (gp3)", "MiB/s-months", paid, "rds.throughput.gp3")


def _backups(resource: Resource, context: Context) -> Iterator[CostLine]:
    days = resource.properties.get("BackupRetentionPeriod")
    if number(resource, days, "BackupRetentionPeriod", default=1) == 0 or _source(resource, context):
        return
    yield CostLine("Backups", "GB-months", context.derive(resource, "backup_gb"), "rds.backup")


def _connections(resource: Resource, context: Context) -> Iterator[Limit]:
    if rds.machine_class(resource) != aurora.SERVERLESS:
        yield from rds.connection_limit(resource, context)
    else:
        held = aurora.connections(resource, context)
        if held is not None:
            yield from rds.connection_limit(resource, context, held)


def _stations(resource: Resource, context: Context) -> Iterator[Station]:
    most = next((limit.quota for limit in _connections(resource, context)), None)
    yield from rds.pool(resource, context, most)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    yield from _connections(resource, context)
    if not _is_member(resource):
        most, load = _most_storage(resource, context), context.derive(resource, "stored_gb")
        name = context.name_of(resource)
        advice = setting(name, "AllocatedStorage or MaxAllocatedStorage (up to 65,536)")
        yield Limit(name, "Storage", "GB", most, load, True, _STORAGE_PAGE, advice)
        if "peak_iops" in resource.workload:
            yield _iops(resource, context)


def _iops(resource: Resource, context: Context) -> Limit:
    """`peak_iops` against the least of what the volume and the instance do all day."""
    name, kind = context.name_of(resource), rds.machine_class(resource)
    volume, bound, advice = _volume_iops(resource, context)
    source, grade = bound.source, bound.grade
    machine = by_size("rds.iops_by_class").get(kind)
    if machine is not None and machine.value < volume.value:
        volume = constant(machine.value, f"{shown(machine.value)} IOPS of a {kind}, all day")
        source, grade, advice = machine.source, machine.grade, machine.how
    load = context.derive(resource, "peak_iops")
    return Limit(name, "I/O operations a second", "IOPS", volume, load, True, source, advice, grade)


def _volume_iops(resource: Resource, context: Context) -> tuple[Figure, Quota, str]:
    """What the volume does a second, the quota that says so, and what to do about it."""
    size, striped = _allocated(resource, context), context.quota("rds.gp3_striped_iops")
    if resource.properties.get("Iops"):
        count = number(resource, resource.properties["Iops"], "Iops")
        return constant(count, f"{shown(count)} (Iops)"), striped, setting(context.name_of(resource), "Iops")
    if _storage_type(resource) == "gp2":
        each = context.quota("rds.gp2_iops_per_gib")
        count = min(max(size.value * each.value, _LEAST_GP2), _MOST_IOPS)
        return constant(count, f"{shown(count)} IOPS of gp2, 3 a GB"), each, each.how
    plain = striped if size.value >= _STRIPED_FROM_GB else context.quota("rds.gp3_iops")
    return constant(plain.value, f"{shown(plain.value)} IOPS that gp3 includes"), plain, plain.how


def _prices(resource: Resource, context: Context) -> str:
    """The price keys of instances like it, with `{}` for the class."""
    cluster = context.target(resource, resource.properties.get("DBClusterIdentifier"))
    if cluster is not None:
        return f"aurora.postgresql.{aurora.kind(cluster)}.{{}}"
    return f"rds.{_engine(resource, context)}.single_az.{{}}"


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    name, kind = context.name_of(resource), rds.machine_class(resource)
    if not _is_member(resource) and _storage_type(resource) == "gp2":
        yield f"{name}: gp2 costs what gp3 does, which is faster"
    if kind != aurora.SERVERLESS:
        copies = Decimal(2 if _has_standby(resource) else 1)
        yield from machines.graviton_warnings(resource, context, kind, _prices(resource, context), copies)
        if not _is_member(resource):
            processors = rds.processors(resource) * constant(copies, f"{copies} instances")
            yield from rds.extended_support_warnings(resource, context, processors)
    yield from rds.not_priced(resource, context)


ROOM = Room(
    type="AWS::RDS::DBInstance",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held; of an Aurora cluster it is the cluster's"),
        "backup_gb": Usage("GB", "backups held beyond the size of the storage; as much as that is free"),
        **rds.CREDITS,
        **rds.LOGS,
        "peak_connections": Usage("connections", "connections open at once, the proxy's where there is one"),
        "peak_iops": Usage("IOPS", "reads and writes of the volume in the busiest second, of 16 KiB"),
        "transaction_ms": Usage("ms", "how long a transaction keeps a connection", scales=False),
        "peak_transactions_per_second": Usage(
            "transactions/s",
            "for the reader, and with transaction_ms for how long one waits for a connection; nothing is paid by it",
        ),
    },
    lines=_lines,
    limits=_limits,
    stations=_stations,
    warnings=_warnings,
)
