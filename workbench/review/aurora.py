"""Aurora PostgreSQL: a cluster and its members, provisioned or serverless.

The members of `db.serverless` are paid by the capacity of the whole cluster, which is the cluster's line.
Facts: https://aws.amazon.com/rds/aurora/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import rds, zones
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, number, one_of, refuse
from workbench.workload import Figure

SERVERLESS = "db.serverless"
ENGINE = "aurora-postgresql"


def kind(cluster: Resource) -> str:
    """`standard`, or `io_optimized`, which pays more for hours and storage and nothing for I/O."""
    value = cluster.properties.get("StorageType") or "aurora"
    known = {"aurora": "standard", "aurora-iopt1": "io_optimized"}
    return known[one_of(cluster, value, "StorageType", tuple(known))]


def members(cluster: Resource, context: Context) -> list[Resource]:
    """The instances of `cluster`."""
    return [
        each
        for each in context.all_of("AWS::RDS::DBInstance")
        if context.target(each, each.properties.get("DBClusterIdentifier")) is cluster
    ]


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
