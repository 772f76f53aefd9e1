"""Instances: hours, volumes, and the public address. What a NAT instance passes on costs nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2, zones
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    one = zones.always(1, "instance")
    yield from ec2.machine_lines(one, ec2.instance(resource, context))
    if _has_public_address(resource, context):
        yield from zones.public_addresses(zones.always(1, "address"))


def _has_public_address(resource: Resource, context: Context) -> bool:
    """Whether it gets one when it starts; an elastic address takes that one's place, and has its own line."""
    elastic = [*context.all_of("AWS::EC2::EIP"), *context.all_of("AWS::EC2::EIPAssociation")]
    if any(context.target(each, each.properties.get("InstanceId")) is resource for each in elastic):
        return False
    interfaces = resource.properties.get("NetworkInterfaces") or []
    said = [each["AssociatePublicIpAddress"] for each in interfaces if "AssociatePublicIpAddress" in each]
    if said:
        return any(each is True for each in said)
    places = [resource.properties.get("SubnetId"), *(each.get("SubnetId") for each in interfaces)]
    subnets = [context.target(resource, place) for place in places if place]
    return any(each is not None and each.properties.get("MapPublicIpOnLaunch") is True for each in subnets)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from ec2.machine_warnings(resource, context, ec2.instance(resource, context))


ROOM = Room(
    type="AWS::EC2::Instance",
    classification="baseline",
    usage={
        "processed_gb_per_month": Usage(
            "GB", "a NAT instance: bytes through it, which are free by themselves"
        )
    },
    lines=_lines,
    limits_of_account=ec2.processor_limit,
    warnings=_warnings,
)
