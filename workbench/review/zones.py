"""Public IPv4 addresses, zones, and bytes to the internet: what is paid for each, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.floor import HOURS, Grown
from workbench.review.room import Context, CostLine, Usage, each, refuse


def public_addresses(fleet: Grown) -> Iterator[CostLine]:
    """Each public IPv4 address pays by the hour, in use or not: https://aws.amazon.com/vpc/pricing/ ."""
    yield from fleet.lines("Public addresses", "IPv4", "address-hours", HOURS, "vpc.public_ipv4.in_use")


EGRESS = {
    "egress_gb_per_month": Usage(
        "GB", "bytes sent to the internet, where the VPC, whose line it would be, is in no stack here"
    )
}


def egress(resource: Resource, context: Context) -> Iterator[CostLine]:
    """Bytes that something with a public address sends, where the assembly has no VPC to count them."""
    has_vpc = next(context.all_of("AWS::EC2::VPC"), None) is not None
    if "egress_gb_per_month" in resource.workload or not has_vpc:
        sent = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", sent, "transfer.internet_out")


def count(resource: Resource, value: Any, name: str) -> int:
    """How many things the list `value`, the property `name`, holds. Raises `NotPriced` where it is no list."""
    if not isinstance(value, list) or not value:
        raise refuse(resource, f"{name} is {value}, not a list in the template")
    return len(value)


def always(number: int, what: str) -> Grown:
    """`number` things that are there whatever the traffic."""
    return Grown(each(number, what))
