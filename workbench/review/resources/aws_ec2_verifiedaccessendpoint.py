"""Verified Access endpoints: the hour of each application, and the bytes to and from it.

Applications over TCP have a price of their own. Facts: https://aws.amazon.com/verified-access/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, one_of

_OPTIONS = {"load-balancer": "LoadBalancerOptions", "network-interface": "NetworkInterfaceOptions"}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    kind = one_of(resource, properties.get("EndpointType"), "EndpointType", tuple(_OPTIONS))
    protocol = (properties.get(_OPTIONS[kind]) or {}).get("Protocol", "https")
    one_of(resource, protocol, "Protocol", ("http", "https"))
    yield CostLine("Applications", "application-hours", HOURS, "vpc.verified_access.app_hour")
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data through Verified Access", "GB", processed, "vpc.verified_access.gb")


ROOM = Room(
    type="AWS::EC2::VerifiedAccessEndpoint",
    classification="mixed",
    usage={"processed_gb_per_month": Usage("GB", "bytes of requests and answers")},
    lines=_lines,
)
