"""Names inside a VPC: a private hosted zone, with records that lead to what is healthy."""

from __future__ import annotations

from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from constructs import Construct

from patterns.network import Network
from patterns.traffic import declare
from workbench.workload import Figure


class PrivateZone(Construct):
    """`name` and what is under it, known inside the VPC only. Attributes: `zone`."""

    def __init__(
        self, scope: Construct, id: str, *, name: str, network: Network, queries_per_month: Figure
    ) -> None:
        super().__init__(scope, id)
        self.zone = route53.PrivateHostedZone(self, "Zone", zone_name=name, vpc=network.vpc)
        declare(self.zone, queries_per_month=queries_per_month)

    def balancer(self, label: str, balancer: elbv2.ApplicationLoadBalancer) -> route53.CfnRecordSet:
        """`label` leads to a load balancer while any of its targets is healthy."""
        return route53.CfnRecordSet(
            self,
            label.title(),
            hosted_zone_id=self.zone.hosted_zone_id,
            name=f"{label}.{self.zone.zone_name}.",
            type="A",
            alias_target=route53.CfnRecordSet.AliasTargetProperty(
                dns_name=balancer.load_balancer_dns_name,
                hosted_zone_id=balancer.load_balancer_canonical_hosted_zone_id,
                evaluate_target_health=True,
            ),
        )

    def name(self, label: str, host: str) -> route53.CnameRecord:
        """`label` is another name of `host`."""
        return route53.CnameRecord(self, label.title(), zone=self.zone, record_name=label, domain_name=host)
