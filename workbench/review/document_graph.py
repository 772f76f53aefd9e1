"""DocumentDB and Neptune: clusters with a store of their own, and their members, provisioned or serverless.

The cluster pays for data, input and output, backups beyond its size, and for the capacity of serverless members,
each of which scales between the same bounds. I/O-optimised storage pays more for hours and data and nothing for I/O.
Logs that are exported go to a log group that no template shows. Of the surplus CPU credits of the T classes those of
DocumentDB are in the price book, and those of Neptune are not. Facts: https://aws.amazon.com/documentdb/pricing/ and
https://aws.amazon.com/neptune/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use, machines, rds, service_logs, zones
from workbench.review.floor import HOURS, grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Usage, number, one_of, refuse
from workbench.workload import Figure

SERVERLESS = "db.serverless"
_NAMES = {"docdb": "DocumentDB", "neptune": "Neptune"}
_KINDS = {"standard": "standard", "iopt1": "io_optimized"}


@dataclass(frozen=True)
class Engine:
    """`prices` begins the price keys, and the names of log groups behind `/aws/`.

    `scaling` is the property with the bounds of serverless members, in `unit`.
    """

    prices: str
    cluster: str
    member: str
    scaling: str
    unit: str

    @property
    def global_cluster(self) -> str:
        """The type of what joins clusters of several regions, which has no price."""
        return self.cluster.replace("DBCluster", "GlobalCluster")

    @property
    def average_key(self) -> str:
        """The usage key of what all serverless members take together."""
        return f"average_{self.unit.lower()}s"

    @property
    def usage(self) -> dict[str, Usage]:
        """The usage keys of a cluster."""
        return {
            "stored_gb": Usage("GB", "data held, counted once"),
            "io_requests_per_month": Usage("requests", "standard storage: pages read and writes of 4 KB"),
            "backup_gb": Usage("GB", "backups held beyond the size of the cluster"),
            self.average_key: Usage(
                f"{self.unit}s", "capacity of all serverless members together, averaged over the month"
            ),
            **service_logs.USAGE,
        }


DOCUMENTDB = Engine(
    "docdb", "AWS::DocDB::DBCluster", "AWS::DocDB::DBInstance", "ServerlessV2ScalingConfiguration", "DCU"
)
NEPTUNE = Engine(
    "neptune", "AWS::Neptune::DBCluster", "AWS::Neptune::DBInstance", "ServerlessScalingConfiguration", "NCU"
)


def _kind(cluster: Resource) -> str:
    value = cluster.properties.get("StorageType") or "standard"
    return _KINDS[one_of(cluster, value, "StorageType", tuple(_KINDS))]


def _serverless(cluster: Resource, context: Context, engine: Engine) -> list[Resource]:
    members = context.pointing_at(cluster, engine.member, "DBClusterIdentifier")
    return [each for each in members if rds.machine_class(each) == SERVERLESS]


def cluster_lines(cluster: Resource, context: Context, engine: Engine) -> Iterator[CostLine]:
    """What the cluster itself pays."""
    _check_regions(cluster, context, engine)
    kind, prices = _kind(cluster), engine.prices
    suffix = "" if kind == "standard" else ".io_optimized"
    words = kind.replace("_", "-")
    row = (f"Stored data ({words})", "GB-months", "stored_gb", f"{prices}.storage{suffix}")
    yield from by_use.lines(cluster, context, row)
    if kind == "standard":
        row = ("Input and output", "requests", "io_requests_per_month", f"{prices}.io")
        yield from by_use.lines(cluster, context, row)
    else:
        by_use.refuse_keys(cluster, "its storage is I/O-optimised", "io_requests_per_month")
    yield from by_use.lines(cluster, context, ("Backups", "GB-months", "backup_gb", f"{prices}.backup"))
    yield from _capacity(cluster, context, engine, kind)
    yield from rds.master_secret(cluster)
    if cluster.properties.get("EnableCloudwatchLogsExports"):
        group = service_logs.beginning(f"/aws/{prices}/{{}}/", cluster.properties.get("DBClusterIdentifier"))
        yield from service_logs.lines(cluster, context, _NAMES[prices], group=group)


def _check_regions(cluster: Resource, context: Context, engine: Engine) -> None:
    """Refuse a cluster that others elsewhere follow, unless what joins them is here, and listed as not priced."""
    named = cluster.properties.get("GlobalClusterIdentifier")
    joined = context.target(cluster, named)
    if named and (joined is None or joined.type != engine.global_cluster):
        raise refuse(cluster, "GlobalClusterIdentifier pays for what goes between regions")


def _capacity(cluster: Resource, context: Context, engine: Engine, kind: str) -> Iterator[CostLine]:
    count = len(_serverless(cluster, context, engine))
    if not count:
        by_use.refuse_keys(cluster, "no member of it is serverless", engine.average_key)
        return
    settings: dict[str, Any] = cluster.properties.get(engine.scaling) or {}
    members = constant(count, f"{count} serverless members")

    def bound(name: str) -> Figure:
        units = number(cluster, settings.get(name), name)
        return constant(units, f"{shown(units)} {engine.unit} ({name})") * members

    least, most = bound("MinCapacity"), bound("MaxCapacity")
    unit = engine.unit.lower() + ("" if kind == "standard" else "_io_optimized")
    units = grown(context, cluster, engine.average_key, least, most)
    yield from units.lines(
        "Capacity", "serverless", f"{engine.unit}-hours", HOURS, f"{engine.prices}.serverless.{unit}"
    )


def member_warnings(member: Resource, context: Context, engine: Engine) -> Iterator[str]:
    """Where Graviton does the same for less."""
    cluster, machine = (
        context.target(member, member.properties.get("DBClusterIdentifier")),
        rds.machine_class(member),
    )
    if cluster is not None and machine != SERVERLESS:
        prices = f"{engine.prices}.{_kind(cluster)}.{{}}"
        yield from machines.graviton_warnings(member, context, machine, prices)


def member_lines(member: Resource, context: Context, engine: Engine) -> Iterator[CostLine]:
    """The hours of one member. Raises `NotPriced` where its cluster is in another assembly."""
    cluster = context.target(member, member.properties.get("DBClusterIdentifier"))
    if cluster is None or cluster.type != engine.cluster:
        raise refuse(member, "its cluster is not in this assembly")
    machine = rds.machine_class(member)
    if machine != SERVERLESS:
        price_key = f"{engine.prices}.{_kind(cluster)}.{machine}"
        yield from rds.hours_of_all(zones.always(1, "instance"), machine, price_key)
    yield from rds.public_address(member)
