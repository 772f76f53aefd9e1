"""Capacity reservations: an instance that is reserved pays as one that runs, and one that runs in it pays once.

So the instances of the assembly that name the reservation, or whose launch template does, are left out of it: they
have lines of their own; of a group its MinSize. Facts:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-reservations-pricing-billing.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    for each in context.once(_machines).get(resource, []):
        is_group = each.type == "AWS::AutoScaling::AutoScalingGroup"
        running += ec2.bounds(each)[0].value if is_group else 1
    return running


def _machines(context: Context) -> Mapping[Resource, list[Resource]]:
    """Reservation → the instances and groups that run in it."""
    found: dict[Resource, list[Resource]] = {}
    for kind in ("AWS::EC2::Instance", "AWS::AutoScaling::AutoScalingGroup"):
        for each in context.all_of(kind):
            for reservation in dict.fromkeys(_named_by(each, context)):
                found.setdefault(reservation, []).append(each)
    return found


def _named_by(machine: Resource, context: Context) -> list[Resource]:
    """The reservations that an instance or a group names, itself or in its launch template."""
    own = (machine.raw.get("Properties") or {}).get("CapacityReservationSpecification")
    named = context.links.mentions(machine, own)
    template = context.target(machine, machine.properties.get("LaunchTemplate"))
    if template is not None and template.type == "AWS::EC2::LaunchTemplate":
        settings = (template.raw.get("Properties") or {}).get("LaunchTemplateData") or {}
        named += context.links.mentions(template, settings.get("CapacityReservationSpecification"))
    return named


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("InstanceMatchCriteria", "open") == "open":
        yield (
            f"{context.name_of(resource)}: it is open, so instances that don't name it run in it too; what is "
            "both here and on a line of its own is paid once"
        )


ROOM = Room(type="AWS::EC2::CapacityReservation", classification="baseline", lines=_lines, warnings=_warnings)
