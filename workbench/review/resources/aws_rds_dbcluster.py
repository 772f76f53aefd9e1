"""Aurora PostgreSQL clusters: storage, I/O, backups, the capacity of serverless members; copies to other regions.

Backups are free up to the size of the data. Aurora MySQL and Multi-AZ clusters have no prices in the book. Facts:
https://aws.amazon.com/rds/aurora/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import aurora, by_use, rds
from workbench.review.floor import HOURS, grown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse
from workbench.workload import total


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    rds.refuse_extras(resource)
    one_of(resource, resource.properties.get("Engine"), "Engine", (aurora.ENGINE,))
    kind = aurora.kind(resource)
    yield from _capacity(resource, context, kind)
    stored = context.derive(resource, "stored_gb")
    words = kind.replace("_", "-")
    yield CostLine(f"Stored data ({words})", "GB-months", stored, f"aurora.storage.{kind}")
    if kind == "standard":
        requests = context.derive(resource, "io_requests_per_month")
        yield CostLine("Input and output", "I/O requests", requests, "aurora.io")
    yield CostLine("Backups", "GB-months", context.derive(resource, "backup_gb"), "aurora.backup")
    if by_use.is_true(resource.properties.get("EnableHttpEndpoint")):
        calls = context.derive(resource, "data_api_requests_per_month")
        yield CostLine("Requests (Data API)", "requests", calls, "aurora.data_api")
    yield from _replication(resource, context)
    yield from rds.master_secret(resource)
    yield from rds.logs(resource, context)


def _replication(resource: Resource, context: Context) -> Iterator[CostLine]:
    """To other regions; of a global database of this assembly it is that one's line."""
    if aurora.global_cluster(resource, context) is not None:
        by_use.refuse_keys(
            resource, "AWS::RDS::GlobalCluster pays for what is replicated", *aurora.GLOBAL_USAGE
        )
    elif resource.properties.get("GlobalClusterIdentifier"):
        yield from aurora.replication_lines(resource, context)


def _capacity(resource: Resource, context: Context, kind: str) -> Iterator[CostLine]:
    bounds = aurora.capacity(resource, context)
    if bounds is None:
        return
    if list(rds.extended_support(resource, bounds[0])):
        raise refuse(resource, "extended support of serverless members pays by their capacity")
    units = grown(context, resource, "average_acus", *bounds)
    words = "serverless" if kind == "standard" else "serverless, io-optimized"
    yield from units.lines("Capacity", words, "ACU-hours", HOURS, f"aurora.serverless_v2.acu.{kind}")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from rds.not_priced(resource, context)
    provisioned = [
        rds.processors(each)
        for each in aurora.members(resource, context)
        if rds.machine_class(each) != aurora.SERVERLESS
    ]
    if provisioned:
        yield from rds.extended_support_warnings(resource, context, total(*provisioned))


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    load = context.derive(resource, "stored_gb")
    yield context.against("aurora.storage", resource, "Storage of the cluster", load)
    yield from aurora.peak_capacity(resource, context)


ROOM = Room(
    type="AWS::RDS::DBCluster",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held, counted once: its six copies are in the price"),
        "io_requests_per_month": Usage(
            "I/O requests", "reads and writes of the storage; not with I/O-Optimized"
        ),
        "backup_gb": Usage("GB", "backups held beyond the size of the data; as much as that is free"),
        "data_api_requests_per_month": Usage(
            "requests", "calls of the Data API, in steps of 32 KB, where EnableHttpEndpoint is on"
        ),
        **aurora.GLOBAL_USAGE,
        **rds.LOGS,
        "average_acus": Usage("ACU", "capacity of all serverless members, averaged over the month"),
        "peak_acus": Usage("ACU", "capacity that the busiest serverless member needs at the peak"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
