"""Data sets of QuickSight: what is held in SPICE. Each author brings 10 GB of it, which are not taken off here.

A query of the source is that source's line; readers and authors are not in a template. Facts:
https://aws.amazon.com/quicksight/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    mode = one_of(resource, resource.properties.get("ImportMode"), "ImportMode", ("SPICE", "DIRECT_QUERY"))
    if mode == "SPICE":
        stored = context.derive(resource, "stored_gb")
        yield CostLine("Stored data (SPICE)", "GB-months", stored, "quicksight.spice")
    else:
        refuse_keys(resource, f"ImportMode is {mode}", "stored_gb")


ROOM = Room(
    type="AWS::QuickSight::DataSet",
    classification="usage",
    usage={"stored_gb": Usage("GB", "data held in SPICE")},
    lines=_lines,
)
