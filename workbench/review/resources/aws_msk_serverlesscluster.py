"""MSK Serverless: the hour of the cluster and of each partition, bytes in, out and held.

Facts: https://aws.amazon.com/msk/pricing/ and https://docs.aws.amazon.com/msk/latest/developerguide/limits.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Limit, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Clusters (serverless)", "cluster-hours", HOURS, "msk.serverless.cluster")
    partitions = context.derive(resource, "partitions", by=lambda count: count * HOURS)
    yield CostLine("Partitions", "partition-hours", partitions, "msk.serverless.partition")
    for component, unit, usage, key in (
        ("Data in", "GB", "produced_gb_per_month", "data_in"),
        ("Data out", "GB", "consumed_gb_per_month", "data_out"),
        ("Stored data", "GB-months", "stored_gb", "storage"),
    ):
        yield CostLine(component, unit, context.derive(resource, usage), f"msk.serverless.{key}")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    for key, limit, usage in (
        ("msk.serverless_ingress", "Bytes produced a second", "peak_produced_mb_per_second"),
        ("msk.serverless_partitions", "Partitions of the cluster", "partitions"),
    ):
        yield context.against(key, resource, limit, context.derive(resource, usage))


ROOM = Room(
    type="AWS::MSK::ServerlessCluster",
    classification="mixed",
    usage={
        "partitions": Usage("partitions", "partitions of all topics, copies not counted", scales=False),
        "produced_gb_per_month": Usage("GB", "bytes that producers send"),
        "consumed_gb_per_month": Usage("GB", "bytes that consumers read"),
        "stored_gb": Usage("GB", "data held, copies not counted"),
        "peak_produced_mb_per_second": Usage("MB/s", "what producers send in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
)
