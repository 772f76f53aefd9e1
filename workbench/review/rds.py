"""What PostgreSQL on RDS and on Aurora have in common: extended support, connections, what is refused.

Facts: https://aws.amazon.com/rds/postgresql/pricing/ , https://aws.amazon.com/rds/aurora/pricing/ and the release
calendar for Amazon RDS for PostgreSQL, whose dates Aurora shares:
https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import machines
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, each, refuse, text
from workbench.workload import Figure

# Major version → the last day of standard support, the first day of the price of year 3, the last day of all.
SUPPORT = {
    11: ("2024-03-31", "2026-04-01", "2027-03-31"),
    12: ("2025-02-28", "2027-03-01", "2028-02-29"),
    13: ("2026-02-28", "2028-03-01", "2029-02-28"),
    14: ("2027-02-28", "2029-03-01", "2030-02-28"),
    15: ("2028-02-29", "2030-03-01", "2031-02-28"),
}

CONNECTIONS_PAGE = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html"
# max_connections = LEAST({DBInstanceClassMemory/9531392},5000)
_BYTES_A_CONNECTION, _MOST_CONNECTIONS = Decimal(9_531_392), Decimal(5_000)
_FREE_INSIGHTS_DAYS = 7


def machine_class(resource: Resource) -> str:
    """`db.t4g.micro`. Raises `NotPriced` where the template doesn't say."""
    return text(resource, resource.properties.get("DBInstanceClass"), "DBInstanceClass")


def refuse_extras(resource: Resource) -> None:
    """Refuse the settings that add lines which nothing counts."""
    properties = resource.properties
    if properties.get("DatabaseInsightsMode", "standard") != "standard":
        raise refuse(resource, "DatabaseInsightsMode advanced pays by the vCPU")
    days = properties.get("PerformanceInsightsRetentionPeriod", _FREE_INSIGHTS_DAYS)
    if str(days) != str(_FREE_INSIGHTS_DAYS):
        raise refuse(resource, f"PerformanceInsightsRetentionPeriod is {days}, and 7 days are free")
    for extra in ("DedicatedLogVolume", "EnableHttpEndpoint", "GlobalClusterIdentifier"):
        if properties.get(extra):
            raise refuse(resource, f"{extra} has a price of its own")


def extended_support(resource: Resource, processors: Figure) -> Iterator[CostLine]:
    """The surcharge for each vCPU of a version past its standard support, on the day of the price book."""
    major = _major(resource)
    if major is None or _is_upgraded_in_time(resource):
        return
    if major < min(SUPPORT):
        raise refuse(resource, f"EngineVersion is {major}, which is past its extended support")
    if major not in SUPPORT:
        return
    today = PriceBook.load().as_of
    standard, third_year, last = SUPPORT[major]
    if today > last:
        raise refuse(resource, f"EngineVersion is {major}, whose extended support ended on {last}")
    if today > standard:
        key, words = ("year3", "year 3") if today >= third_year else ("year1_2", "years 1 and 2")
        hours = processors * HOURS
        yield CostLine(f"Extended support ({words})", "vCPU-hours", hours, f"rds.extended_support.{key}")


def _is_upgraded_in_time(resource: Resource) -> bool:
    return resource.properties.get("EngineLifecycleSupport") == "open-source-rds-extended-support-disabled"


def _major(resource: Resource) -> int | None:
    """The major version; None where the template leaves it to AWS, which then takes a recent one."""
    version = resource.properties.get("EngineVersion")
    if version is None:
        return None
    try:
        return int(str(version).split(".")[0])
    except ValueError:
        raise refuse(resource, f"EngineVersion is {version}, known only at deployment") from None


def processors(resource: Resource) -> Figure:
    """The vCPUs of one instance of its class."""
    count = machines.processors(resource, machine_class(resource))
    return constant(count, f"{count} vCPUs of a {machine_class(resource)}")


def master_secret(resource: Resource) -> Iterator[CostLine]:
    """The secret that RDS makes for the master's password, which no template shows."""
    if resource.properties.get("ManageMasterUserPassword") is True:
        yield CostLine("Secrets (master password)", "secrets", each(1, "secret"), "secretsmanager.secret")


def connection_limit(resource: Resource, context: Context) -> Iterator[Limit]:
    """`peak_connections` against what the parameter group, or the default formula, allows."""
    load = context.derive(resource, "peak_connections")
    name = context.name_of(resource)
    quota = _configured(resource, context) or _by_memory(resource)
    yield Limit(name, "Connections", "connections", quota, load, True, CONNECTIONS_PAGE)


def _configured(resource: Resource, context: Context) -> Figure | None:
    group = context.target(resource, resource.properties.get("DBParameterGroupName"))
    value = str(((group.properties if group else {}).get("Parameters") or {}).get("max_connections", ""))
    return constant(value, f"{value} (max_connections)") if value.isdecimal() else None


def _by_memory(resource: Resource) -> Figure:
    gib = machines.memory_gib(resource, machine_class(resource))
    most = min(gib * 1024**3 / _BYTES_A_CONNECTION, _MOST_CONNECTIONS).to_integral_value("ROUND_FLOOR")
    words = f"at most {shown(most)}: {shown(gib)} GiB ÷ 9,531,392 bytes, up to 5,000"
    return constant(most, words)


def hours_of_all(fleet: Grown, kind: str, price_key: str) -> Iterator[CostLine]:
    """The instance-hours of `fleet`."""
    yield from fleet.lines("Instances", kind, "instance-hours", HOURS, price_key)
