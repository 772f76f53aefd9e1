"""Aurora PostgreSQL: a cluster and its members, provisioned or serverless.

The members of `db.serverless` are paid by the capacity of the whole cluster, which is the cluster's line.
Facts: https://aws.amazon.com/rds/aurora/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use, rds, zones
from workbench.review.numbers import constant, shown
from workbench.review.quotas import Quota, by_size
from workbench.review.room import Context, CostLine, Limit, Usage, number, one_of, refuse, setting
from workbench.workload import Figure

SERVERLESS = "db.serverless"
_GLOBAL = "AWS::RDS::GlobalCluster"
ENGINE = "aurora-postgresql"

_CONNECTIONS = "aurora.serverless_connections"
# With a minimum capacity of up to 0.5, a serverless member takes no more than 2,000 connections.
_SMALL_ACUS, _MOST_OF_SMALL = Decimal("0.5"), Decimal(2_000)


def kind(cluster: Resource) -> str:
    """`standard`, or `io_optimized`, which pays more for hours and storage and nothing for I/O."""
    value = cluster.properties.get("StorageType") or "aurora"
    known = {"aurora": "standard", "aurora-iopt1": "io_optimized"}
    return known[one_of(cluster, value, "StorageType", tuple(known))]


def members(cluster: Resource, context: Context) -> list[Resource]:
    """The instances of `cluster`."""
    return context.pointing_at(cluster, "AWS::RDS::DBInstance", "DBClusterIdentifier")


GLOBAL_USAGE = {
    "replicated_writes_per_month": Usage(
        "writes", "global databases: write I/O of the primary × the number of other regions"
    ),
    "replicated_gb_per_month": Usage("GB", "global databases: the bytes of those"),
}


def replication_lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """What a global database pays to bring the writes of its primary to the other regions."""
    price_key = "aurora.global_database.replicated_write"
    yield from by_use.lines(
        resource,
        context,
        ("Writes replicated (global database)", "writes", "replicated_writes_per_month", price_key),
        ("Data replicated (other region)", "GB", "replicated_gb_per_month", "transfer.inter_region"),
    )


def global_cluster(cluster: Resource, context: Context) -> Resource | None:
    """The global database of the assembly that `cluster` is a part of, whose line its replication is."""
    named = cluster.properties.get("GlobalClusterIdentifier")
    found = context.target(cluster, named)
    if found is not None and found.type == _GLOBAL:
        return found
    return context.once(_by_name).get(named) if isinstance(named, str) else None


def _by_name(context: Context) -> dict[str, Resource]:
    """The global databases by the names that their templates give them, as a stack elsewhere writes them."""
    every = context.all_of(_GLOBAL)
    return {str(each.properties["GlobalClusterIdentifier"]): each for each in every if _is_named(each)}


def _is_named(found: Resource) -> bool:
    return isinstance(found.properties.get("GlobalClusterIdentifier"), str)


def member_lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """The hours of one member. Raises `NotPriced` where its cluster is in another assembly."""
    cluster = context.target(resource, resource.properties["DBClusterIdentifier"])
    if cluster is None or cluster.type != "AWS::RDS::DBCluster":
        raise refuse(resource, "its cluster is not in this assembly")
    one_of(resource, resource.properties.get("Engine", ENGINE), "Engine", (ENGINE,))
    machine = rds.machine_class(resource)
    if machine == SERVERLESS:
        return
    key = f"aurora.postgresql.{kind(cluster)}.{machine}"
    yield from rds.hours_of_all(zones.always(1, "instance"), machine, key)
    yield from rds.extended_support(cluster, rds.processors(resource))


def connections(member: Resource, context: Context) -> Quota | None:
    """What a serverless member holds open, by the most capacity that it may have; None where that isn't known."""
    cluster = context.target(member, member.properties.get("DBClusterIdentifier"))
    settings: dict[str, Any] = (
        cluster.properties.get("ServerlessV2ScalingConfiguration") or {} if cluster else {}
    )
    if cluster is None or settings.get("MaxCapacity") is None:
        return None
    most = number(cluster, settings["MaxCapacity"], "MaxCapacity")
    known = [quota for size, quota in by_size(_CONNECTIONS).items() if Decimal(size) <= most]
    if not known:
        return None
    found = max(known, key=lambda quota: quota.value)
    small = number(cluster, settings.get("MinCapacity"), "MinCapacity", default=0) <= _SMALL_ACUS
    return replace(found, value=min(found.value, _MOST_OF_SMALL)) if small else found


def peak_capacity(cluster: Resource, context: Context) -> Iterator[Limit]:
    """`peak_acus` against the most that each serverless member may have."""
    settings: dict[str, Any] = cluster.properties.get("ServerlessV2ScalingConfiguration") or {}
    if "peak_acus" not in cluster.workload or settings.get("MaxCapacity") is None:
        return
    most = number(cluster, settings["MaxCapacity"], "MaxCapacity")
    ceiling, name = context.quota("aurora.acu_max"), context.name_of(cluster)
    advice = ceiling.how
    if most < ceiling.value:
        advice = setting(name, f"MaxCapacity (up to {shown(ceiling.value)})")
    load, quota = context.derive(cluster, "peak_acus"), constant(most, f"{shown(most)} ACU (MaxCapacity)")
    yield Limit(name, "Capacity of a member", "ACU", quota, load, True, ceiling.source, advice, ceiling.grade)


def capacity(cluster: Resource, context: Context) -> tuple[Figure, Figure] | None:
    """The least and the most capacity units of its serverless members together; None without any."""
    serverless = [each for each in members(cluster, context) if rds.machine_class(each) == SERVERLESS]
    if not serverless:
        return None
    settings: dict[str, Any] = cluster.properties.get("ServerlessV2ScalingConfiguration") or {}
    least = number(cluster, settings.get("MinCapacity"), "MinCapacity")
    most = number(cluster, settings.get("MaxCapacity"), "MaxCapacity")
    count = constant(len(serverless), f"{len(serverless)} serverless instances")
    return (
        constant(least, f"{shown(least)} ACU (MinCapacity)") * count,
        constant(most, f"{shown(most)} ACU (MaxCapacity)") * count,
    )
