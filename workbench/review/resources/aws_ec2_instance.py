"""Instances: hours, volumes, and the public address. What a NAT instance passes on costs nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2, zones
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    one, each = zones.always(1, "instance"), ec2.instance(resource, context)
    yield from ec2.machine_lines(one, each)
    yield from ec2.credit_lines(resource, context, each)
    if _has_elastic_address(resource, context):
        yield from zones.egress(resource, context)
    else:
        yield from ec2.address_lines(resource, context, zones.always(1, "address"), each)


def _has_elastic_address(resource: Resource, context: Context) -> bool:
    """Whether one takes the place of the address that it would get; that one has a line of its own."""
    kinds = ("AWS::EC2::EIP", "AWS::EC2::EIPAssociation")
    return any(context.pointing_at(resource, kind, "InstanceId") for kind in kinds)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from ec2.machine_warnings(resource, context, ec2.instance(resource, context))


ROOM = Room(
    type="AWS::EC2::Instance",
    classification="mixed",
    usage={
        "processed_gb_per_month": Usage(
            "GB", "a NAT instance: bytes through it, which are free by themselves"
        ),
        **ec2.CREDITS,
        **zones.EGRESS,
    },
    lines=_lines,
    limits_of_account=ec2.processor_limit,
    warnings=_warnings,
)
