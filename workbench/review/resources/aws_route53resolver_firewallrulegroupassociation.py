"""Rule groups of the DNS firewall at a VPC: each query of the VPC that is looked at pays.

Rules that detect threats by themselves (DNS Firewall Advanced) have a price of their own. Facts:
https://aws.amazon.com/route53/pricing/ , "Resolver DNS Firewall"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    group = context.target(resource, resource.properties.get("FirewallRuleGroupId"))
    rules = (group.properties.get("FirewallRules") or []) if group is not None else []
    if any(rule.get("DnsThreatProtection") for rule in rules):
        raise refuse(resource, "DnsThreatProtection in its rules pays more by the query")
    queries = context.derive(resource, "queries_per_month")
    yield CostLine("Queries (DNS firewall)", "queries", queries, "route53.dns_firewall.queries")


ROOM = Room(
    type="AWS::Route53Resolver::FirewallRuleGroupAssociation",
    classification="usage",
    usage={"queries_per_month": Usage("queries", "DNS queries of the VPC")},
    lines=_lines,
)
