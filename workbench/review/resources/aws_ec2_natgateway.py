"""NAT gateways: the hour, the gigabyte, and the way to it from other zones; the address is the line of its EIP.

Where subnets of other zones are routed to it, their part of the bytes is taken to be as large as their part of the
subnets, and crosses zones, which is paid on both sides. Facts: https://aws.amazon.com/vpc/pricing/ ; an address
serves 55,000 connections at once to one destination:
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from workbench.assembly import Resource, Stack
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, dollars
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of
from workbench.workload import Figure

_BOTH_SIDES = constant(2, "2 sides that pay")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    one_of(resource, resource.properties.get("AvailabilityMode", "zonal"), "AvailabilityMode", ("zonal",))
    yield CostLine("NAT gateways", "gateway-hours", HOURS, "nat.gateway_hour")
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data through NAT", "GB", processed, "nat.gb_processed")
    share = _from_other_zones(resource, context)
    if share is not None:
        crossing = context.derive(resource, "processed_gb_per_month", by=lambda gb: gb * share * _BOTH_SIDES)
        yield CostLine("Data from other zones (to NAT)", "GB", crossing, "transfer.inter_az")


def _from_other_zones(resource: Resource, context: Context) -> Figure | None:
    """The part of the subnets routed to it that are in another zone; None where none is seen to be."""
    own = _zone(context.target(resource, resource.properties.get("SubnetId")))
    served = list(_served(resource, context))
    others = [zone for zone in served if zone != own]
    if own is None or not others:
        return None
    words = f"{len(others)} of {len(served)} subnets are in other zones"
    return constant(Decimal(len(others)) / len(served), words)


def _served(resource: Resource, context: Context) -> Iterator[str]:
    """The zone of each subnet whose route table leads to it, where the template tells."""
    routes = context.pointing_at(resource, "AWS::EC2::Route", "NatGatewayId")
    tables = dict.fromkeys(context.target(each, each.properties.get("RouteTableId")) for each in routes)
    for table in tables:
        if table is None:
            continue
        for each in context.pointing_at(table, "AWS::EC2::SubnetRouteTableAssociation", "RouteTableId"):
            zone = _zone(context.target(each, each.properties.get("SubnetId")))
            if zone is not None:
                yield zone


def _zone(subnet: Resource | None) -> str | None:
    """The zone of a subnet as its template writes it: a name, or the function that selects one."""
    value = None if subnet is None else subnet.properties.get("AvailabilityZone")
    return None if value is None else str(value)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    count = 1 + len(resource.properties.get("SecondaryAllocationIds") or [])
    addresses = constant(count, f"{count} addresses") if count > 1 else None
    load, limit = context.derive(resource, "peak_connections"), "Connections at once to one destination"
    yield context.against("nat.connections", resource, limit, load, addresses)
    if "peak_mb_per_second" in resource.workload:
        eight = constant("0.008", "0.008 Gbit/MB")
        rate = context.derive(resource, "peak_mb_per_second", by=lambda rate: rate * eight)
        yield context.against("nat.gbps", resource, "Bandwidth", rate)


def _by_stack(context: Context) -> Mapping[Stack, list[Resource]]:
    found: dict[Stack, list[Resource]] = {}
    for each in context.all_of("AWS::EC2::NatGateway"):
        found.setdefault(each.stack, []).append(each)
    return found


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    declared = resource.stack.top.metadata.get("Workload") or {}
    gateways = context.once(_by_stack)[resource.stack]
    if declared.get("stage") == "sandbox" and len(gateways) > 1 and resource is gateways[0]:
        price = PriceBook.load()["nat.gateway_hour"].cost(HOURS.value)
        saved = dollars(price * (len(gateways) - 1))
        yield (
            f"{context.name_of(resource)}: one of {len(gateways)} NAT gateways of a sandbox, where one, "
            f"or an instance, would do: {saved} a month less with one"
        )


ROOM = Room(
    type="AWS::EC2::NatGateway",
    classification="mixed",
    usage={
        "processed_gb_per_month": Usage("GB", "bytes through it, both ways"),
        "peak_connections": Usage("connections", "connections at once to its busiest destination"),
        "peak_mb_per_second": Usage("MB/s", "bytes through it in the busiest second, both ways"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
