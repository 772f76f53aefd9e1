"""EKS clusters: the hour of the control plane, and six times that past the end of a version's standard support.

The nodes are lines of their own groups. What Auto Mode starts is not in the template: its vCPU-hours are declared,
and paid as those of a common machine, with the fee of Auto Mode and a volume of 80 GB to each. A provisioned control
plane is paid on top of the cluster. Facts: https://aws.amazon.com/eks/pricing/ and the release calendar,
https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html as of 2026-04-24
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS, times
from workbench.review.numbers import constant, dollars, plain
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse

# Version → the last day of standard support and of extended support. A newer one than these is in standard support.
SUPPORT = {
    "1.30": ("2025-07-23", "2026-07-23"),
    "1.31": ("2025-11-26", "2026-11-26"),
    "1.32": ("2026-03-23", "2027-03-23"),
    "1.33": ("2026-07-29", "2027-07-29"),
    "1.34": ("2026-12-02", "2027-12-02"),
    "1.35": ("2027-03-27", "2028-03-27"),
}

_LOGGED = "control_plane_logs_gb_per_month"
_TIERS = ("xl", "2xl", "4xl", "8xl")
_AUTO_MACHINE, _AUTO_CPUS, _AUTO_GB = "m7i.large", 2, 80


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_extras(resource)
    yield CostLine("Clusters", "cluster-hours", HOURS, "eks.cluster")
    if _is_in_extended_support(resource):
        yield CostLine("Extended support", "cluster-hours", HOURS, "eks.extended_support_surcharge")
    tier = _tier(resource)
    if tier is not None:
        key = f"eks.provisioned_control_plane.{tier}"
        yield CostLine(f"Provisioned control plane ({tier})", "hours", HOURS, key)
    if _is_in_auto_mode(resource):
        yield from _auto_mode(resource, context)
    if _makes_load_balancers(resource):
        yield from _load_balancers(resource, context)
    if _writes_logs(resource):
        group = service_logs.beginning("/aws/eks/{}/cluster", resource.properties.get("Name"))
        yield from service_logs.lines(resource, context, "control plane", key=_LOGGED, group=group)


def _tier(resource: Resource) -> str | None:
    """The size of a provisioned control plane, as the price keys name it; None where EKS scales it."""
    tier = (resource.properties.get("ControlPlaneScalingConfig") or {}).get("Tier", "standard")
    known = ("standard", *(f"tier-{size}" for size in _TIERS))
    chosen = one_of(resource, tier, "Tier", known)
    return None if chosen == "standard" else chosen.removeprefix("tier-")


def _is_in_auto_mode(resource: Resource) -> bool:
    """Whether EKS itself starts nodes; without node pools it manages only load balancers and volumes."""
    compute = resource.properties.get("ComputeConfig") or {}
    return is_true(compute.get("Enabled")) and bool(compute.get("NodePools"))


def _auto_mode(resource: Resource, context: Context) -> Iterator[CostLine]:
    size = constant(_AUTO_CPUS, f"{_AUTO_CPUS} vCPUs of a {_AUTO_MACHINE}")
    hours = context.derive(resource, "auto_mode_vcpu_hours_per_month", by=lambda cpus: cpus / size)
    key = f"ec2.linux.{_AUTO_MACHINE}"
    yield CostLine(f"Nodes (Auto Mode, as {_AUTO_MACHINE})", "instance-hours", hours, key)
    ratio = PriceBook.load()["eks.auto_mode.fee_ratio"].tiers[0].price
    fee = constant(ratio, f"{plain(ratio * 100)} % (fee of Auto Mode)")
    yield CostLine("Fee (Auto Mode)", "instance-hours", times(hours, fee), key)
    disk = constant(_AUTO_GB, f"{_AUTO_GB} GB a node") / HOURS
    yield CostLine("Volumes (Auto Mode, gp3)", "GB-months", times(hours, disk), "ebs.gp3")


def _writes_logs(resource: Resource) -> bool:
    """Whether the control plane writes logs, to a group that EKS makes where it isn't in the template."""
    logging = (resource.properties.get("Logging") or {}).get("ClusterLogging") or {}
    return bool(logging.get("EnabledTypes"))


def _makes_load_balancers(resource: Resource) -> bool:
    """Whether EKS itself makes a load balancer for an Ingress or a Service, which no template shows."""
    network = resource.properties.get("KubernetesNetworkConfig") or {}
    return is_true((network.get("ElasticLoadBalancing") or {}).get("Enabled"))


def _load_balancers(resource: Resource, context: Context) -> Iterator[CostLine]:
    hours = context.derive(resource, "load_balancers", by=lambda count: count * HOURS)
    yield CostLine("Load balancers (by Kubernetes)", "hours", hours, "elb.alb.hour")
    units = context.derive(resource, "load_balancer_unit_hours_per_month")
    yield CostLine("Capacity units (by Kubernetes)", "unit-hours", units, "elb.alb.lcu")
    addresses = context.derive(resource, "load_balancer_addresses", by=lambda count: count * HOURS)
    yield CostLine("Public addresses (by Kubernetes)", "address-hours", addresses, "vpc.public_ipv4.in_use")


def _refuse_extras(resource: Resource) -> None:
    if resource.properties.get("OutpostConfig"):
        raise refuse(resource, "OutpostConfig runs its control plane on an outpost, which pays by itself")
    if resource.properties.get("RemoteNetworkConfig"):
        raise refuse(resource, "RemoteNetworkConfig is for hybrid nodes, which pay by the vCPU")


def _is_in_extended_support(resource: Resource) -> bool:
    """On the day of the price book. A cluster that is upgraded at the end of standard support never pays for it."""
    version = resource.properties.get("Version")
    policy = (resource.properties.get("UpgradePolicy") or {}).get("SupportType", "EXTENDED")
    if version is None or policy == "STANDARD":
        return False
    if version not in SUPPORT:
        if _parts(resource, version) > max(_parts(resource, known) for known in SUPPORT):
            return False
        raise refuse(resource, f"Version is {version}, which is past its extended support")
    today = PriceBook.load().as_of
    standard, extended = SUPPORT[version]
    if today > extended:
        raise refuse(resource, f"Version is {version}, whose extended support ended on {extended}")
    return today > standard


def _parts(resource: Resource, version: Any) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in str(version).split("."))
    except ValueError:
        raise refuse(resource, f"Version is {version}, known only at deployment") from None


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _is_in_auto_mode(resource):
        yield (
            f"{context.name_of(resource)}: Auto Mode chooses among instance types; they are counted as "
            f"{_AUTO_MACHINE}, by the vCPU"
        )
    if _is_in_extended_support(resource):
        saved = PriceBook.load()["eks.extended_support_surcharge"].cost(HOURS.value)
        yield f"{context.name_of(resource)}: a version in standard support costs {dollars(saved)} a month less"


ROOM = Room(
    type="AWS::EKS::Cluster",
    classification="mixed",
    usage={
        "auto_mode_vcpu_hours_per_month": Usage(
            "vCPU-hours", "Auto Mode: vCPUs of the nodes that it starts × their hours"
        ),
        _LOGGED: Usage(
            "GB", "log bytes of the control plane, where its log group is not in the template", scales=False
        ),
        "load_balancers": Usage(
            "load balancers", "application load balancers that EKS makes for Ingresses", scales=False
        ),
        "load_balancer_unit_hours_per_month": Usage("unit-hours", "the capacity units that those use"),
        "load_balancer_addresses": Usage(
            "addresses", "their public addresses: one for each of their subnets", scales=False
        ),
    },
    lines=_lines,
    warnings=_warnings,
)
