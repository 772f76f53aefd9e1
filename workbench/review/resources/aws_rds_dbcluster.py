"""Aurora PostgreSQL clusters: storage, I/O, backups, and the capacity of serverless members.

Backups are free up to the size of the data. Facts: https://aws.amazon.com/rds/aurora/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import aurora, rds
from workbench.review.floor import HOURS, grown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse


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
    yield from rds.master_secret(resource)


def _capacity(resource: Resource, context: Context, kind: str) -> Iterator[CostLine]:
    bounds = aurora.capacity(resource, context)
    if bounds is None:
        return
    if list(rds.extended_support(resource, bounds[0])):
        raise refuse(resource, "extended support of serverless members pays by their capacity")
    units = grown(context, resource, "average_acus", *bounds)
    words = "serverless" if kind == "standard" else "serverless, io-optimized"
    yield from units.lines("Capacity", words, "ACU-hours", HOURS, f"aurora.serverless_v2.acu.{kind}")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    load = context.derive(resource, "stored_gb")
    yield context.against("aurora.storage", resource, "Storage of the cluster", load)


ROOM = Room(
    type="AWS::RDS::DBCluster",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held, counted once: its six copies are in the price"),
        "io_requests_per_month": Usage(
            "I/O requests", "reads and writes of the storage; not with I/O-Optimized"
        ),
        "backup_gb": Usage("GB", "backups held beyond the size of the data; as much as that is free"),
        "average_acus": Usage("ACU", "capacity of all serverless members, averaged over the month"),
    },
    lines=_lines,
    limits=_limits,
)
