"""Services of Cloud Map: what programs register in them, calls that discover it, and health checks.

What the template itself registers is a line of `AWS::ServiceDiscovery::Instance`.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import cloud_map
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("HealthCheckConfig"):
        raise refuse(resource, "HealthCheckConfig makes a health check of Route 53 for each instance")
    if not cloud_map.is_registered_by_ecs(resource, context):
        instances = context.derive(resource, "instances")
        yield CostLine("Instances registered", "instances", instances, "cloudmap.resource")
    else:
        refuse_keys(resource, "ECS registers its tasks in it, which is free", "instances")
    calls = context.derive(resource, "discover_calls_per_month")
    yield CostLine("Discovery calls", "calls", calls, "cloudmap.discover_call")


ROOM = Room(
    type="AWS::ServiceDiscovery::Service",
    classification="usage",
    usage={
        "instances": Usage("instances", "what programs register; zero where the template does", scales=False),
        "discover_calls_per_month": Usage("calls", "calls of DiscoverInstances; zero where DNS is asked"),
    },
    lines=_lines,
)
