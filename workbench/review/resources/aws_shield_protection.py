"""Shield Advanced: one subscription for the whole organisation, a year at least, and what leaves the protected.

The subscription is the line of the first protection of the assembly. What leaves is priced where a load balancer is
protected; of a hosted zone nothing is, and for distributions, addresses and accelerators the price book has no price.
Facts: https://aws.amazon.com/shield/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each, refuse

_BALANCERS = ("AWS::ElasticLoadBalancing::LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer")
_ZONE = "AWS::Route53::HostedZone"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    target = context.target(resource, resource.properties.get("ResourceArn"))
    kind = target.type if target is not None else f"{resource.properties.get('ResourceArn')}"
    if kind not in (*_BALANCERS, _ZONE):
        raise refuse(resource, f"it protects {kind}; only load balancers and zones of the assembly are known")
    if resource is next(context.all_of(resource.type)):
        subscription = each(1, "organisation, if it has no subscription yet")
        yield CostLine("Subscriptions", "organisations", subscription, "shield.advanced")
    if kind in _BALANCERS:
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (protected)", "GB", egress, "shield.advanced.dto.elb")
    elif "egress_gb_per_month" in resource.workload:
        raise refuse(resource, "egress_gb_per_month is declared, and a zone sends nothing that pays")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource is next(context.all_of(resource.type)):
        yield (
            f"{context.name_of(resource)}: Shield Advanced is bought for twelve months; web ACLs of what it "
            "protects, which are counted in full, are then free"
        )


ROOM = Room(
    type="AWS::Shield::Protection",
    classification="mixed",
    usage={"egress_gb_per_month": Usage("GB", "a load balancer: bytes that leave it to the internet")},
    lines=_lines,
    warnings=_warnings,
)
