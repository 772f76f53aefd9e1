"""Capacity reservations: an instance that is reserved pays as one that runs, and one that runs in it pays once.

So the instances of the assembly whose launch template names the reservation are left out of it: they have lines of
their own; of a group its MinSize. Facts:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-reservations-pricing-billing.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import ec2
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, number, one_of, refuse, text


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    one_of(resource, properties.get("InstancePlatform"), "InstancePlatform", ("Linux/UNIX",))
    one_of(resource, properties.get("Tenancy", "default"), "Tenancy", ("default",))
    for name in ("CommitmentInfo", "StartDate", "EndDate"):
        if properties.get(name):
            raise refuse(resource, f"{name} lets it begin or end within the month")
    machine = text(resource, properties.get("InstanceType"), "InstanceType")
    reserved = number(resource, properties.get("InstanceCount"), "InstanceCount")
    running = min(reserved, _running(resource, context))
    words = f"{shown(reserved)} reserved instances"
    if running:
        words += f" − {shown(running)} that run in the reservation and are paid there"
    idle = Grown(constant(reserved - running, words))
    yield from idle.lines("Reserved instances", machine, "instance-hours", HOURS, f"ec2.linux.{machine}")


def _running(resource: Resource, context: Context) -> Decimal:
    """How many instances of the assembly always run in it."""
    running = Decimal(0)
    for each in (
        *context.all_of("AWS::EC2::Instance"),
        *context.all_of("AWS::AutoScaling::AutoScalingGroup"),
    ):
        template = context.target(each, each.properties.get("LaunchTemplate"))
        if template is None or template.type != "AWS::EC2::LaunchTemplate":
            continue
        settings = (template.raw.get("Properties") or {}).get("LaunchTemplateData") or {}
        named = context.links.mentions(template, settings.get("CapacityReservationSpecification"))
        if any(found is resource for found in named):
            is_group = each.type == "AWS::AutoScaling::AutoScalingGroup"
            running += ec2.bounds(each)[0].value if is_group else 1
    return running


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("InstanceMatchCriteria", "open") == "open":
        yield (
            f"{context.name_of(resource)}: it is open, so instances that don't name it run in it too; what is "
            "both here and on a line of its own is paid once"
        )


ROOM = Room(type="AWS::EC2::CapacityReservation", classification="baseline", lines=_lines, warnings=_warnings)
