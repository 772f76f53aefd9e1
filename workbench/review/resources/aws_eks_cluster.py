"""EKS clusters: the hour of the control plane, and six times that past the end of a version's standard support.

The nodes are lines of their own groups. Facts: https://aws.amazon.com/eks/pricing/ and the release calendar,
https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html as of 2026-04-24
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Room, Usage, refuse

# Version → the last day of standard support and of extended support. A newer one than these is in standard support.
SUPPORT = {
    "1.30": ("2025-07-23", "2026-07-23"),
    "1.31": ("2025-11-26", "2026-11-26"),
    "1.32": ("2026-03-23", "2027-03-23"),
    "1.33": ("2026-07-29", "2027-07-29"),
    "1.34": ("2026-12-02", "2027-12-02"),
    "1.35": ("2027-03-27", "2028-03-27"),
}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_extras(resource)
    yield CostLine("Clusters", "cluster-hours", HOURS, "eks.cluster")
    if _is_in_extended_support(resource):
        yield CostLine("Extended support", "cluster-hours", HOURS, "eks.extended_support_surcharge")
    if _makes_load_balancers(resource):
        yield from _load_balancers(resource, context)


def _makes_load_balancers(resource: Resource) -> bool:
    """Whether EKS itself makes a load balancer for an Ingress or a Service, which no template shows."""
    network = resource.properties.get("KubernetesNetworkConfig") or {}
    return (network.get("ElasticLoadBalancing") or {}).get("Enabled") is True


def _load_balancers(resource: Resource, context: Context) -> Iterator[CostLine]:
    hours = context.derive(resource, "load_balancers", by=lambda count: count * HOURS)
    yield CostLine("Load balancers (by Kubernetes)", "hours", hours, "elb.alb.hour")
    units = context.derive(resource, "load_balancer_unit_hours_per_month")
    yield CostLine("Capacity units (by Kubernetes)", "unit-hours", units, "elb.alb.lcu")
    addresses = context.derive(resource, "load_balancer_addresses", by=lambda count: count * HOURS)
    yield CostLine("Public addresses (by Kubernetes)", "address-hours", addresses, "vpc.public_ipv4.in_use")


def _refuse_extras(resource: Resource) -> None:
    properties = resource.properties
    compute = properties.get("ComputeConfig") or {}
    if compute.get("Enabled") is True and compute.get("NodePools"):
        raise refuse(resource, "its node pools are in Auto Mode, which adds to the price of each instance")
    if (properties.get("ControlPlaneScalingConfig") or {}).get("Tier", "standard") != "standard":
        raise refuse(resource, "ControlPlaneScalingConfig provisions a larger control plane")
    if properties.get("RemoteNetworkConfig"):
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
    logging = (resource.properties.get("Logging") or {}).get("ClusterLogging") or {}
    if logging.get("EnabledTypes"):
        yield (
            f"{context.name_of(resource)}: the logs of its control plane are paid by the gigabyte, and counted "
            "only where their log group is in the template"
        )


ROOM = Room(
    type="AWS::EKS::Cluster",
    classification="mixed",
    usage={
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
