"""Auto Scaling groups: hours, volumes and public addresses of the average instances, never fewer than MinSize."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2
from workbench.review.floor import grown, served
from workbench.review.room import Context, CostLine, Limit, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    least, most = ec2.bounds(resource)
    fleet = grown(context, resource, "average_instances", least, most)
    each = ec2.group_machine(resource, context)
    yield from ec2.machine_lines(fleet, each)
    yield from ec2.address_lines(resource, context, fleet, each)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    _, most = ec2.bounds(resource)
    source = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-capacity-limits.html"
    limit = "Requests a second of the largest group"
    yield served(context, resource, "requests_per_second_per_instance", most, limit, source)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from ec2.machine_warnings(resource, context, ec2.group_machine(resource, context))


ROOM = Room(
    type="AWS::AutoScaling::AutoScalingGroup",
    classification="mixed",
    usage={
        "average_instances": Usage("instances", "instances that run, averaged over the month"),
        "peak_requests_per_second": Usage("requests/s", "requests in the busiest second"),
        "requests_per_second_per_instance": Usage("requests/s", "what one instance serves", scales=False),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
