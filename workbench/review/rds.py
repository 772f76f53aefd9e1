"""What RDS and Aurora have in common: extended support, connections, logs, what is refused and what is not priced.

Facts: https://aws.amazon.com/rds/postgresql/pricing/ , https://aws.amazon.com/rds/aurora/pricing/ and the release
calendar for Amazon RDS for PostgreSQL, whose dates Aurora shares:
https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import logs as log_groups
from workbench.review import machines, service_logs, zones
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.queueing import Station
from workbench.review.quotas import Quota
from workbench.review.room import (
    Context,
    CostLine,
    Limit,
    Usage,
    each,
    number,
    one_of,
    refuse,
    setting,
    text,
)
from workbench.workload import DAYS_PER_MONTH, Figure

# Major version → the last day of standard support, the first day of the price of year 3, the last day of all.
SUPPORT = {
    "11": ("2024-03-31", "2026-04-01", "2027-03-31"),
    "12": ("2025-02-28", "2027-03-01", "2028-02-29"),
    "13": ("2026-02-28", "2028-03-01", "2029-02-28"),
    "14": ("2027-02-28", "2029-03-01", "2030-02-28"),
    "15": ("2028-02-29", "2030-03-01", "2031-02-28"),
}
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/MySQL.Concepts.VersionMgmt.html
MYSQL_SUPPORT = {
    "5.7": ("2024-02-29", "2026-03-01", "2027-02-28"),
    "8.0": ("2026-07-31", "2028-08-01", "2029-07-31"),
}
MYSQL = "mysql"

CONNECTIONS_PAGE = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html"
# max_connections = LEAST({DBInstanceClassMemory/9531392},5000)
_BYTES_A_CONNECTION, _MOST_CONNECTIONS = Decimal(9_531_392), Decimal(5_000)
# max_connections = {DBInstanceClassMemory/12582880}
_BYTES_A_CONNECTION_OF_MYSQL = Decimal(12_582_880)
_FREE_INSIGHTS_DAYS = 7


def machine_class(resource: Resource) -> str:
    """`db.t4g.micro`. Raises `NotPriced` where the template doesn't say."""
    return text(resource, resource.properties.get("DBInstanceClass"), "DBInstanceClass")


def refuse_extras(resource: Resource) -> None:
    """Refuse the settings that add lines which nothing counts."""
    properties = resource.properties
    if is_true(properties.get("DedicatedLogVolume")):
        raise refuse(resource, "DedicatedLogVolume has a price of its own")
    if properties.get("AutomaticBackupReplicationRegion"):
        raise refuse(resource, "AutomaticBackupReplicationRegion keeps backups in another region")
    one_of(resource, properties.get("BackupTarget", "region"), "BackupTarget", ("region",))
    one_of(resource, properties.get("EngineMode", "provisioned"), "EngineMode", ("provisioned",))
    kind = properties.get("ClusterScalabilityType", "standard")
    one_of(resource, kind, "ClusterScalabilityType", ("standard",))


def public_address(resource: Resource) -> Iterator[CostLine]:
    """The address of an instance that the internet reaches, where the template says that it does."""
    if is_true(resource.properties.get("PubliclyAccessible")):
        yield from zones.public_addresses(zones.always(1, "address"))


def not_priced(resource: Resource, context: Context) -> Iterator[str]:
    """What is switched on, and pays by something that no price is known of."""
    name, properties = context.name_of(resource), resource.properties
    if properties.get("DatabaseInsightsMode", "standard") != "standard":
        yield f"{name}: DatabaseInsightsMode advanced pays by the vCPU, which is not priced"
        return
    days = properties.get("PerformanceInsightsRetentionPeriod", _FREE_INSIGHTS_DAYS)
    if str(days) != str(_FREE_INSIGHTS_DAYS):
        yield (
            f"{name}: PerformanceInsightsRetentionPeriod is {days}, which pays by the vCPU beyond "
            f"{_FREE_INSIGHTS_DAYS} days, and is not priced"
        )


_MONITORED = "monitoring_gb_per_month"
LOGS = {
    service_logs.KEY: Usage("GB", "log bytes that it exports, to groups that are not in the template"),
    _MONITORED: Usage("GB", "log bytes that Enhanced Monitoring writes, where it is on", scales=False),
}
# Of the log group RDSOSMetrics, which RDS makes for a whole region:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.html
_DAYS_MONITORED = 30


def logs(resource: Resource, context: Context) -> Iterator[CostLine]:
    """What it writes to log groups that RDS makes, which no template shows."""
    properties = resource.properties
    if properties.get("EnableCloudwatchLogsExports"):
        yield from service_logs.lines(resource, context, "RDS", group=_group(resource))
    if number(resource, properties.get("MonitoringInterval"), "MonitoringInterval", default=0):
        months = constant(
            _DAYS_MONITORED / DAYS_PER_MONTH, f"{_DAYS_MONITORED} days ÷ {shown(DAYS_PER_MONTH)}"
        )
        written = context.derive(resource, _MONITORED)
        yield CostLine("Logs written (Enhanced Monitoring)", "GB", written, "cloudwatch.logs.ingest")
        held = context.derive(resource, _MONITORED, by=lambda given: log_groups.kept(given, months))
        yield CostLine("Logs kept (Enhanced Monitoring)", "GB-months", held, "cloudwatch.logs.storage")


def _group(resource: Resource) -> str | None:
    """How the names of the groups begin that its logs are exported to."""
    if resource.type == "AWS::RDS::DBCluster":
        return service_logs.beginning("/aws/rds/cluster/{}/", resource.properties.get("DBClusterIdentifier"))
    return service_logs.beginning("/aws/rds/instance/{}/", resource.properties.get("DBInstanceIdentifier"))


CREDITS = {
    "surplus_vcpu_hours_per_month": Usage(
        "vCPU-hours", "T classes: what it uses above the CPU credits that it earns, if anything"
    )
}


def credit_lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """Surplus CPU credits, where they are declared: instances of the T classes are always unlimited.

    Those of Aurora cost more, by its own pricing page, and the price book hasn't got them.
    """
    key = "surplus_vcpu_hours_per_month"
    if key in resource.workload:
        if resource.properties.get("DBClusterIdentifier"):
            raise refuse(resource, f"{key} is declared on a member of an Aurora cluster")
        if not machine_class(resource).startswith("db.t"):
            raise refuse(resource, f"{key} is declared, and a {machine_class(resource)} has no CPU credits")
        surplus = context.derive(resource, key)
        yield CostLine("CPU credits (unlimited)", "vCPU-hours", surplus, "rds.cpu_credits.t3_t4g")


def extended_support_warnings(resource: Resource, context: Context, processors: Figure) -> Iterator[str]:
    """What a version in standard support would save."""
    for line in extended_support(resource, processors):
        saved = PriceBook.load()[line.price_key].cost(line.quantity.value)
        yield f"{context.name_of(resource)}: a version in standard support costs {dollars(saved)} a month less"


def extended_support(resource: Resource, processors: Figure) -> Iterator[CostLine]:
    """The surcharge for each vCPU of a version past its standard support, on the day of the price book."""
    calendar = MYSQL_SUPPORT if resource.properties.get("Engine") == MYSQL else SUPPORT
    major = _major(resource)
    if major is None or _is_upgraded_in_time(resource):
        return
    if _parts(resource, major) < min(_parts(resource, known) for known in calendar):
        raise refuse(resource, f"EngineVersion is {major}, which is past its extended support")
    if major not in calendar:
        return
    today = PriceBook.load().as_of
    standard, third_year, last = calendar[major]
    if today > last:
        raise refuse(resource, f"EngineVersion is {major}, whose extended support ended on {last}")
    if today > standard:
        key, words = ("year3", "year 3") if today >= third_year else ("year1_2", "years 1 and 2")
        hours = processors * HOURS
        yield CostLine(f"Extended support ({words})", "vCPU-hours", hours, f"rds.extended_support.{key}")


def _is_upgraded_in_time(resource: Resource) -> bool:
    return resource.properties.get("EngineLifecycleSupport") == "open-source-rds-extended-support-disabled"


def _major(resource: Resource) -> str | None:
    """`16`, or `8.0` of MySQL; None where the template leaves it to AWS, which then takes a recent one."""
    version = resource.properties.get("EngineVersion")
    if version is None:
        return None
    count = 2 if resource.properties.get("Engine") == MYSQL else 1
    major = ".".join(str(version).split(".")[:count])
    _parts(resource, major)
    return major


def _parts(resource: Resource, version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        raise refuse(resource, f"EngineVersion is {version}, known only at deployment") from None


def processors(resource: Resource) -> Figure:
    """The vCPUs of one instance of its class."""
    count = machines.processors(resource, machine_class(resource))
    return constant(count, f"{count} vCPUs of a {machine_class(resource)}")


def master_secret(resource: Resource) -> Iterator[CostLine]:
    """The secret that RDS makes for the master's password, which no template shows."""
    if is_true(resource.properties.get("ManageMasterUserPassword")):
        yield CostLine("Secrets (master password)", "secrets", each(1, "secret"), "secretsmanager.secret")


def connection_limit(resource: Resource, context: Context, most: Quota | None = None) -> Iterator[Limit]:
    """`peak_connections` against what the parameter group, or else `most` or the default formula, allows."""
    load, name = context.derive(resource, "peak_connections"), context.name_of(resource)
    configured = _configured(resource, context)
    if configured is not None:
        page, advice = CONNECTIONS_PAGE, setting(name, "max_connections of the parameter group")
        yield Limit(name, "Connections", "connections", configured, load, True, page, advice)
    elif most is not None:
        quota, page = most.figure, most.source
        yield Limit(name, "Connections", "connections", quota, load, True, page, most.how, most.grade)
    else:
        quota, ceiling = _by_memory(resource), context.quota("rds.connections")
        advice = ceiling.how
        if quota.value < ceiling.value:
            advice = f"take a larger DBInstanceClass for {name}, or {advice}"
        yield Limit(name, "Connections", "connections", quota, load, True, CONNECTIONS_PAGE, advice)


def pool(resource: Resource, context: Context, most: Figure | None) -> Iterator[Station]:
    """The connections that are open at the peak, up to `most`: a transaction that finds each busy waits for one."""
    if "transaction_ms" not in resource.workload:
        return
    arrivals = context.derive(resource, "peak_transactions_per_second")
    seconds = context.derive(resource, "transaction_ms", by=lambda ms: ms / constant(1000, "1,000 ms/s"))
    held = context.declared(resource, "peak_connections")
    if held is not None:
        open_ = constant(held.value.to_integral_value("ROUND_CEILING"), held.formula)
        if most is not None and most.value < open_.value:
            open_ = most
        yield Station(context.name_of(resource), "transactions", open_, arrivals, seconds)


def _configured(resource: Resource, context: Context) -> Figure | None:
    group = context.target(resource, resource.properties.get("DBParameterGroupName"))
    value = str(((group.properties if group else {}).get("Parameters") or {}).get("max_connections", ""))
    return constant(value, f"{value} (max_connections)") if value.isdecimal() else None


def _by_memory(resource: Resource) -> Figure:
    gib = machines.memory_gib(resource, machine_class(resource))
    if resource.properties.get("Engine") == MYSQL:
        most = (gib * 1024**3 / _BYTES_A_CONNECTION_OF_MYSQL).to_integral_value("ROUND_FLOOR")
        return constant(most, f"at most {shown(most)}: {shown(gib)} GiB ÷ 12,582,880 bytes")
    most = min(gib * 1024**3 / _BYTES_A_CONNECTION, _MOST_CONNECTIONS).to_integral_value("ROUND_FLOOR")
    words = f"at most {shown(most)}: {shown(gib)} GiB ÷ 9,531,392 bytes, up to 5,000"
    return constant(most, words)


def hours_of_all(fleet: Grown, kind: str, price_key: str) -> Iterator[CostLine]:
    """The instance-hours of `fleet`."""
    yield from fleet.lines("Instances", kind, "instance-hours", HOURS, price_key)
