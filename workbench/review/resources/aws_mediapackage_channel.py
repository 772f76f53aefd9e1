"""Live channels of MediaPackage: the bytes of every stream that comes in, also of one that repeats another.

Facts: https://aws.amazon.com/mediapackage/pricing/ , which has one price for both versions
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    row = ("Streams in", "GB", "ingested_gb_per_month", "mediapackage.ingest")
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::MediaPackage::Channel",
    classification="usage",
    usage={
        "ingested_gb_per_month": Usage(
            "GB", "bytes of all streams that come in, while it is live", scales=False
        )
    },
    lines=_lines,
)
