"""Auto Scaling groups: the hours and volumes of the instances that run on average, never fewer than MinSize."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2
from workbench.review.floor import grown
from workbench.review.room import Context, CostLine, Limit, Room, Usage
from workbench.workload import Figure


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    least, most = ec2.bounds(resource)
    fleet = grown(context, resource, "average_instances", least, most)
    yield from ec2.machine_lines(fleet, ec2.group_machine(resource, context))


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    _, most = ec2.bounds(resource)
    each = context.derive(resource, "requests_per_second_per_instance")
    load: Figure = context.derive(
        resource,
        "peak_requests_per_second",
        "requests_per_second_per_instance",
        by=lambda peak, _each: peak,
    )
    source = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-capacity-limits.html"
    name, limit = context.name_of(resource), "Requests a second of the largest group"
    yield Limit(name, limit, "requests/s", most * each, load, True, source)


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
