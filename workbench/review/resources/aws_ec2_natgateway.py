"""NAT gateways: the hour and the gigabyte; the address is the line of its `AWS::EC2::EIP`.

Facts: https://aws.amazon.com/vpc/pricing/ ; an address serves 55,000 connections at once to one destination:
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    one_of(resource, resource.properties.get("AvailabilityMode", "zonal"), "AvailabilityMode", ("zonal",))
    yield CostLine("NAT gateways", "gateway-hours", HOURS, "nat.gateway_hour")
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data through NAT", "GB", processed, "nat.gb_processed")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    quota = context.quota("nat.connections")
    addresses = 1 + len(resource.properties.get("SecondaryAllocationIds") or [])
    serves = quota.figure * constant(addresses, f"{addresses} addresses") if addresses > 1 else quota.figure
    load = context.derive(resource, "peak_connections")
    name, limit = context.name_of(resource), "Connections at once to one destination"
    yield Limit(name, limit, quota.unit, serves, load, quota.adjustable, quota.source)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    declared = resource.stack.metadata.get("Workload") or {}
    gateways = [each for each in context.all_of(resource.type) if each.stack is resource.stack]
    if declared.get("stage") == "sandbox" and len(gateways) > 1 and resource is gateways[0]:
        yield (
            f"{context.name_of(resource)}: one of {len(gateways)} NAT gateways of a sandbox, where one, "
            "or an instance, would do"
        )


ROOM = Room(
    type="AWS::EC2::NatGateway",
    classification="mixed",
    usage={
        "processed_gb_per_month": Usage("GB", "bytes through it, both ways"),
        "peak_connections": Usage("connections", "connections at once to its busiest destination"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
