"""Domain lists of the DNS firewall: each domain that is kept pays by the month. The lists of AWS are free.

Facts: https://aws.amazon.com/route53/pricing/ , "Resolver DNS Firewall"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.room import Context, CostLine, Room, Usage, each, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("DomainFileUrl"):
        domains = context.derive(resource, "domains")
    elif "domains" in resource.workload:
        raise refuse(resource, "domains is declared, and Domains are in the template")
    else:
        count = zones.count(resource, properties.get("Domains"), "Domains")
        domains = each(count, "domain" if count == 1 else "domains")
    yield CostLine("Domains (DNS firewall)", "domains", domains, "route53.dns_firewall.domains")


ROOM = Room(
    type="AWS::Route53Resolver::FirewallDomainList",
    classification="baseline",
    usage={"domains": Usage("domains", "domains of the file at DomainFileUrl", scales=False)},
    lines=_lines,
)
