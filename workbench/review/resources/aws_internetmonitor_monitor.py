"""Internet monitors: each resource watched, by the hour, and the measurements that go to a log group.

It writes those of the 500 city networks with the most traffic. City networks beyond the first hundred pay too, of
which the book has no price. Facts:
https://aws.amazon.com/cloudwatch/pricing/ ("Internet Monitor")
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.by_use import refuse_keys
from workbench.review.floor import HOURS, Grown
from workbench.review.room import Context, CostLine, Room, each, number

FREE_NETWORKS = 100


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("Status") == "INACTIVE":
        refuse_keys(resource, "Status is INACTIVE", service_logs.KEY)
        return
    watched = len(resource.properties.get("Resources") or ())
    if watched:
        count = Grown(each(watched, f"resource{'' if watched == 1 else 's'} watched"))
        yield from count.lines("Monitors", "internet", "resource-hours", HOURS, "cloudwatch.internet_monitor")
    yield from service_logs.lines(resource, context, "Internet Monitor", "cloudwatch.logs.vended")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    name = "MaxCityNetworksToMonitor"
    most = number(resource, resource.properties.get(name), name, FREE_NETWORKS)
    if most > FREE_NETWORKS or resource.properties.get("TrafficPercentageToMonitor"):
        yield f"{context.name_of(resource)}: city networks beyond the first {FREE_NETWORKS} are not priced"


ROOM = Room(
    type="AWS::InternetMonitor::Monitor",
    classification="baseline",
    usage=service_logs.USAGE,
    lines=_lines,
    warnings=_warnings,
)
