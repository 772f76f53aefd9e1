"""Whether CloudFront stands before a resource: what AWS origins send to CloudFront is free."""

from __future__ import annotations

from workbench.assembly import Resource
from workbench.review.room import Context


def is_behind_cloudfront(resource: Resource, context: Context) -> bool:
    """True when an origin of some distribution of the assembly is `resource`."""
    return resource in context.once(_fetched)


def _fetched(context: Context) -> set[Resource]:
    """All that distributions fetch from, in whatever region it is."""
    return {
        origin
        for distribution in context.assembly.resources
        if distribution.type == "AWS::CloudFront::Distribution"
        for origin in origins(distribution, context)
    }


def origins(distribution: Resource, context: Context) -> list[Resource]:
    """The resources of the assembly that `distribution` fetches from."""
    config = (distribution.raw.get("Properties") or {}).get("DistributionConfig") or {}
    domains = [origin.get("DomainName") for origin in config.get("Origins") or [] if isinstance(origin, dict)]
    return context.links.mentions(distribution, domains)
