"""ECS clusters: free, but Container Insights sends metrics that are paid each, and writes logs that they are made of.

What ECS Exec records is the line of the log group or bucket that its configuration names. Facts:
https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.room import Context, CostLine, Room, Usage, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    for setting in resource.properties.get("ClusterSettings") or []:
        if setting.get("Name") == "containerInsights":
            known = ("disabled", "enabled", "enhanced")
            if one_of(resource, setting.get("Value"), "containerInsights", known) != "disabled":
                metrics = context.derive(resource, "insight_metrics")
                yield CostLine("Container Insights", "metrics", metrics, "cloudwatch.metrics.custom")
                name = resource.properties.get("ClusterName")
                group = service_logs.beginning("/aws/ecs/containerinsights/{}/performance", name)
                yield from service_logs.lines(resource, context, "Container Insights", group=group)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    for setting in resource.properties.get("ClusterSettings") or []:
        if setting.get("Name") == "containerInsights" and setting.get("Value") == "enhanced":
            yield (
                f"{context.name_of(resource)}: metrics of enhanced Container Insights have a price of their own; "
                "that of custom metrics, which is counted, is higher"
            )


ROOM = Room(
    type="AWS::ECS::Cluster",
    classification="baseline",
    usage={
        "insight_metrics": Usage(
            "metrics",
            "metrics of Container Insights: about 8 a cluster, 7 a service, 5 a task definition",
            False,
        ),
        **service_logs.USAGE,
    },
    lines=_lines,
    warnings=_warnings,
)
