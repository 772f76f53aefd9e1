"""Replicators between MSK clusters: their hours, and the bytes that they copy.

What goes to another region pays for the transfer as well. Facts: https://aws.amazon.com/msk/pricing/ , MSK Replicator
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Replicators", "replicator-hours", HOURS, "msk.replicator")
    row = ("Data replicated", "GB", "replicated_gb_per_month", "msk.replicator.data_same_region")
    yield from by_use.lines(resource, context, row)
    row = ("Data to another region", "GB", "cross_region_gb_per_month", "transfer.inter_region")
    yield from by_use.where_declared(resource, context, row)


ROOM = Room(
    type="AWS::MSK::Replicator",
    classification="mixed",
    usage={
        "replicated_gb_per_month": Usage("GB", "bytes that it copies"),
        "cross_region_gb_per_month": Usage("GB", "of those, what goes to another region, if any"),
    },
    lines=_lines,
)
