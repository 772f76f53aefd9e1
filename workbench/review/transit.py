"""What each attachment to a transit gateway pays, whatever it attaches: the hour, and the gigabytes it sends in.

Facts: https://aws.amazon.com/transit-gateway/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Usage

PROCESSED = {
    "processed_gb_per_month": Usage(
        "GB", "bytes sent into the transit gateway, and to receivers of multicast"
    )
}


def attachment_lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """One attachment, in as many zones as it has subnets."""
    key = "vpc.transit_gateway.attachment"
    yield CostLine("Transit gateway attachments", "attachment-hours", HOURS, key)
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data into the transit gateway", "GB", processed, "vpc.transit_gateway.gb")
