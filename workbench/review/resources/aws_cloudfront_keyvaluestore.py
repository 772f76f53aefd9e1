"""Key-value stores of CloudFront functions: each read pays; calls that change keys do too, and are not counted.

Facts: https://aws.amazon.com/cloudfront/pricing/ , "Key Value Store"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    reads = context.derive(resource, "reads_per_month")
    yield CostLine("Reads (key-value store)", "reads", reads, "cloudfront.keyvaluestore.read")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: calls that change its keys pay too, and are not counted"


ROOM = Room(
    type="AWS::CloudFront::KeyValueStore",
    classification="usage",
    usage={"reads_per_month": Usage("reads", "keys that functions read, each counted")},
    lines=_lines,
    warnings=_warnings,
)
