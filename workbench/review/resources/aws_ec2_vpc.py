"""VPCs: free, but what crosses from zone to zone inside pays on both sides, and what leaves to the internet.

Facts: https://aws.amazon.com/ec2/pricing/on-demand/ , "Data Transfer"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage

_BOTH_SIDES = constant(2, "2 sides that pay")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    crossing = context.derive(resource, "cross_zone_gb_per_month", by=lambda moved: moved * _BOTH_SIDES)
    yield CostLine("Data between zones", "GB", crossing, "transfer.inter_az")
    egress = context.derive(resource, "egress_gb_per_month")
    yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")


ROOM = Room(
    type="AWS::EC2::VPC",
    classification="usage",
    usage={
        "cross_zone_gb_per_month": Usage(
            "GB",
            "bytes that one zone sends to another, each counted once; not those that a NAT gateway or a network load "
            "balancer counts",
        ),
        "egress_gb_per_month": Usage("GB", "bytes sent to the internet; not those to CloudFront"),
    },
    lines=_lines,
)
