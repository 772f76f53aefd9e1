"""EKS node groups: hours, disks and public addresses of the average nodes, never fewer than MinSize; pods.

How many pods a node takes is what its network interfaces have addresses for, at most 110 below 30 vCPUs and 250
above: https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html . Prefix delegation, which
raises it, is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2, machines, zones
from workbench.review.by_use import is_true
from workbench.review.floor import grown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, refuse, setting


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if is_true((resource.properties.get("WarmPoolConfig") or {}).get("Enabled")):
        raise refuse(resource, "WarmPoolConfig keeps stopped nodes, which pay for their volumes")
    least, most = ec2.bounds(resource)
    fleet = grown(context, resource, "average_nodes", least, most)
    each = ec2.nodes_machine(resource, context)
    yield from ec2.machine_lines(fleet, each)
    yield from ec2.credit_lines(resource, context, each)
    yield from ec2.address_lines(resource, context, fleet, each)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    pods = machines.pods(resource, ec2.nodes_machine(resource, context).type)
    if pods is not None:
        _, most = ec2.bounds(resource)
        load = context.derive(resource, "peak_pods")
        source = "https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html"
        name = context.name_of(resource)
        advice = f"{setting(name, 'MaxSize of ScalingConfig')}, or take a larger instance type"
        yield Limit(name, "Pods on the nodes", "pods", most * pods, load, True, source, advice)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    least, _ = ec2.bounds(resource)
    yield from ec2.machine_warnings(resource, context, ec2.nodes_machine(resource, context), least.value)


ROOM = Room(
    type="AWS::EKS::Nodegroup",
    classification="mixed",
    usage={
        "average_nodes": Usage("nodes", "nodes that run, averaged over the month"),
        **ec2.CREDITS,
        **zones.EGRESS,
        "peak_pods": Usage("pods", "pods at the busiest time, those of the system on each node included"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
