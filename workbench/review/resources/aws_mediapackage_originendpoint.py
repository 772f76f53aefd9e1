"""Origin endpoints of MediaPackage: the bytes that it packages and hands to a content delivery network.

What leaves AWS otherwise is data out, at its price; discounts above the first tier are not known. Facts:
https://aws.amazon.com/mediapackage/pricing/ , which has one price for both versions
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    row = ("Packaged and originated", "GB", "originated_gb_per_month", "mediapackage.origination")
    yield from by_use.lines(resource, context, row)
    out = ("Data out (internet)", "GB", "egress_gb_per_month", "transfer.internet_out")
    yield from by_use.where_declared(resource, context, out)


ROOM = Room(
    type="AWS::MediaPackage::OriginEndpoint",
    classification="usage",
    usage={
        "originated_gb_per_month": Usage("GB", "bytes that the content delivery network fetches"),
        "egress_gb_per_month": Usage(
            "GB", "of those, what goes to the internet and not to CloudFront, if any"
        ),
    },
    lines=_lines,
)
