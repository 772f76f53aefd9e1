"""Accelerators: the hour, two public addresses, and a premium on the direction that carries more bytes.

The hour is paid enabled or not. The premium comes on top of the usual transfer, which is the line of what serves;
its price is that of endpoints in North America or Europe, and of users there unless declared otherwise. Addresses
that you bring cost nothing. Facts: https://aws.amazon.com/global-accelerator/pricing/ , the addresses:
https://aws.amazon.com/vpc/pricing/ and flow logs:
https://docs.aws.amazon.com/global-accelerator/latest/dg/monitoring-global-accelerator.flow-logs.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import vended, zones
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_ADDRESSES = 2
_KNOWN_PLACES = ("us-", "ca-", "mx-", "eu-")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_places(resource, context)
    properties = resource.properties
    yield CostLine("Accelerators", "accelerator-hours", HOURS, "globalaccelerator.hour")
    addresses = _ADDRESSES - len(properties.get("IpAddresses") or properties.get("Ipv4Addresses") or [])
    if addresses > 0:
        yield from zones.public_addresses(zones.always(addresses, "static addresses"))
    near = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Premium (North America, Europe)", "GB", near, "globalaccelerator.dt_premium.na_eu")
    far = context.declared(resource, "asia_pacific_gb_per_month")
    if far is not None:
        yield CostLine("Premium (Asia Pacific)", "GB", far, "globalaccelerator.dt_premium.apac_from_us")
    if is_true(properties.get("FlowLogsEnabled")):
        yield from vended.lines_to(resource, context, "s3", is_here=False)
    else:
        vended.refuse_declared(resource, "FlowLogsEnabled is not set")


def _refuse_places(resource: Resource, context: Context) -> None:
    """Endpoints in other parts of the world have premiums that the price book lacks."""
    kind = "AWS::GlobalAccelerator::EndpointGroup"
    for listener in context.pointing_at(resource, "AWS::GlobalAccelerator::Listener", "AcceleratorArn"):
        for group in context.pointing_at(listener, kind, "ListenerArn"):
            region = str(group.properties.get("EndpointGroupRegion"))
            if not region.startswith(_KNOWN_PLACES):
                raise refuse(resource, f"it has endpoints in {region}, and the premium there is another")


ROOM = Room(
    type="AWS::GlobalAccelerator::Accelerator",
    classification="mixed",
    usage={
        "processed_gb_per_month": Usage(
            "GB", "bytes from or to users in North America and Europe, whichever are more"
        ),
        "asia_pacific_gb_per_month": Usage(
            "GB",
            "bytes from or to users in Asia Pacific, whichever are more, if any; with endpoints in the US",
        ),
        **vended.DELIVERED,
    },
    lines=_lines,
)
