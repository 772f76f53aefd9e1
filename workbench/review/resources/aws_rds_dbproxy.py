"""Database proxies: each vCPU of what is behind them, two an instance at least; of a serverless cluster each ACU.

What a proxy writes to the log group that RDS makes for it is counted where it logs in detail (`DebugLogging`). Facts:
https://aws.amazon.com/rds/proxy/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import aurora, rds, service_logs
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS, Grown, grown
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage, refuse
from workbench.workload import Figure, total

LEAST_CPUS, LEAST_ACUS = 2, 8


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    instances, clusters = _behind(resource, context)
    for cluster in clusters:
        instances += [
            each for each in aurora.members(cluster, context) if rds.machine_class(each) != aurora.SERVERLESS
        ]
    if not instances and not clusters:
        raise refuse(resource, "no target group of this assembly says what is behind it")
    if instances:
        paid = total(*map(_paid, instances))
        yield CostLine("Proxies (provisioned)", "vCPU-hours", paid * HOURS, "rds.proxy")
    for cluster in clusters:
        units = _units(cluster, context)
        if units is not None:
            yield from units.lines("Proxies", "serverless", "ACU-hours", HOURS, "rds.proxy.acu")
    if is_true(resource.properties.get("DebugLogging")):
        group = service_logs.beginning("/aws/rds/proxy/{}", resource.properties.get("DBProxyName"))
        yield from service_logs.lines(resource, context, "RDS Proxy", group=group)


def _behind(resource: Resource, context: Context) -> tuple[list[Resource], list[Resource]]:
    """The instances and the clusters that its target groups name."""
    named = []
    for group in context.pointing_at(resource, "AWS::RDS::DBProxyTargetGroup", "DBProxyName"):
        properties = group.properties
        names = [
            *(properties.get("DBInstanceIdentifiers") or []),
            *(properties.get("DBClusterIdentifiers") or []),
        ]
        named += [context.target(group, name) for name in names]
    return (
        [each for each in named if each is not None and each.type == "AWS::RDS::DBInstance"],
        [each for each in named if each is not None and each.type == "AWS::RDS::DBCluster"],
    )


def _paid(instance: Resource) -> Figure:
    count = rds.processors(instance)
    return count if count.value >= LEAST_CPUS else constant(LEAST_CPUS, f"{LEAST_CPUS} vCPUs, the least")


def _units(cluster: Resource, context: Context) -> Grown | None:
    bounds = aurora.capacity(cluster, context)
    if bounds is None:
        return None
    least, most = bounds
    floor = least if least.value >= LEAST_ACUS else constant(LEAST_ACUS, f"{LEAST_ACUS} ACU, the least")
    return grown(context, cluster, "average_acus", floor, most)


ROOM = Room(
    type="AWS::RDS::DBProxy",
    classification="baseline",
    usage={"log_gb_per_month": Usage("GB", "log bytes written, where DebugLogging is on")},
    lines=_lines,
)
