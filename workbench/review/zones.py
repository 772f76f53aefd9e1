"""Public IPv4 addresses and availability zones: what is paid for each, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.floor import HOURS, Grown
from workbench.review.room import CostLine, each, refuse


def public_addresses(fleet: Grown) -> Iterator[CostLine]:
    """Each public IPv4 address pays by the hour, in use or not: https://aws.amazon.com/vpc/pricing/ ."""
    yield from fleet.lines("Public addresses", "IPv4", "address-hours", HOURS, "vpc.public_ipv4.in_use")


def count(resource: Resource, value: Any, name: str) -> int:
    """How many things the list `value`, the property `name`, holds. Raises `NotPriced` where it is no list."""
    if not isinstance(value, list) or not value:
        raise refuse(resource, f"{name} is {value}, not a list in the template")
    return len(value)


def always(number: int, what: str) -> Grown:
    """`number` things that are there whatever the traffic."""
    return Grown(each(number, what))
