"""EKS node groups: hours, disks and public addresses of the average nodes, never fewer than MinSize; pods.

How many pods a node takes is what its network interfaces have addresses for, at most 110 below 30 vCPUs and 250
above: https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html . Prefix delegation, which
raises it, is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2, machines, zones
from workbench.review.floor import grown
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Room, Usage, setting
from workbench.workload import Figure

# Size → network interfaces, and IPv4 addresses of each.
_INTERFACES = {
    "medium": (2, 4),
    "large": (3, 10),
    "xlarge": (4, 15),
    "2xlarge": (4, 15),
    "4xlarge": (8, 30),
    "8xlarge": (8, 30),
    "12xlarge": (8, 30),
    "16xlarge": (15, 50),
}
_BURSTABLE_INTERFACES = {
    "nano": (2, 2),
    "micro": (2, 2),
    "small": (3, 4),
    "medium": (3, 6),
    "large": (3, 12),
    "xlarge": (4, 15),
    "2xlarge": (4, 15),
}
_PODS_OF_SMALL, _PODS_OF_LARGE, _LARGE_CPUS = 110, 250, 30


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    least, most = ec2.bounds(resource)
    fleet = grown(context, resource, "average_nodes", least, most)
    each = ec2.nodes_machine(resource, context)
    yield from ec2.machine_lines(fleet, each)
    yield from ec2.credit_lines(resource, context, each)
    yield from ec2.address_lines(resource, context, fleet, each)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    pods = _pods_of_a_node(resource, ec2.nodes_machine(resource, context).type)
    if pods is not None:
        _, most = ec2.bounds(resource)
        load = context.derive(resource, "peak_pods")
        source = "https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html"
        name = context.name_of(resource)
        advice = f"{setting(name, 'MaxSize of ScalingConfig')}, or take a larger instance type"
        yield Limit(name, "Pods on the nodes", "pods", most * pods, load, True, source, advice)


def _pods_of_a_node(resource: Resource, machine: str) -> Figure | None:
    family, _, size = machine.partition(".")
    sizes = _BURSTABLE_INTERFACES if family.startswith("t") else _INTERFACES
    if size not in sizes or machine == "t3a.small":  # that one has an interface less than its sisters
        return None
    interfaces, addresses = sizes[size]
    ceiling = _PODS_OF_SMALL if machines.processors(resource, machine) < _LARGE_CPUS else _PODS_OF_LARGE
    room = interfaces * (addresses - 1) + 2
    return constant(min(room, ceiling), f"{min(room, ceiling)} pods a {machine}")


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
