"""Auto Scaling groups: hours, volumes and public addresses of the average instances, never fewer than MinSize."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2, zones
from workbench.review.floor import grown, served, serving
from workbench.review.queueing import Station
from workbench.review.room import Context, CostLine, Limit, Room, Usage, setting

_EACH = "requests_per_second_per_instance"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    least, most = ec2.bounds(resource)
    fleet = grown(context, resource, "average_instances", least, most)
    each = ec2.group_machine(resource, context)
    yield from ec2.machine_lines(fleet, each)
    yield from ec2.credit_lines(resource, context, each)
    yield from ec2.address_lines(resource, context, fleet, each)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    _, most = ec2.bounds(resource)
    source = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-capacity-limits.html"
    limit = "Requests a second of the largest group"
    advice = f"{setting(context.name_of(resource), 'MaxSize')}, or take a larger instance type"
    yield served(context, resource, _EACH, most, limit, source, advice)


def _stations(resource: Resource, context: Context) -> Iterator[Station]:
    yield from serving(context, resource, _EACH, ec2.bounds(resource)[1])


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    least, _ = ec2.bounds(resource)
    yield from ec2.machine_warnings(resource, context, ec2.group_machine(resource, context), least.value)


ROOM = Room(
    type="AWS::AutoScaling::AutoScalingGroup",
    classification="mixed",
    usage={
        "average_instances": Usage("instances", "instances that run, averaged over the month"),
        **ec2.CREDITS,
        **zones.EGRESS,
        "peak_requests_per_second": Usage("requests/s", "requests in the busiest second"),
        _EACH: Usage("requests/s", "what one instance serves", scales=False),
    },
    lines=_lines,
    limits=_limits,
    stations=_stations,
    warnings=_warnings,
)
