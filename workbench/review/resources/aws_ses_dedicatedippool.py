"""Pools of dedicated IP addresses: each address pays by the month, from when AWS leases it to the account."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    # A managed pool pays by the month and by the email, and the book has no price of either.
    one_of(resource, resource.properties.get("ScalingMode", "STANDARD"), "ScalingMode", ("STANDARD",))
    addresses = context.derive(resource, "dedicated_ips")
    yield CostLine("Dedicated addresses (standard)", "addresses", addresses, "ses.dedicated_ip")


ROOM = Room(
    type="AWS::SES::DedicatedIpPool",
    classification="usage",
    usage={"dedicated_ips": Usage("addresses", "addresses leased for the pool", scales=False)},
    lines=_lines,
)
