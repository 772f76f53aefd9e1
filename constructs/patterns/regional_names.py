"""Names that lead to the nearest region that is well: latency records of Route 53, each with its health check."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Aws
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain

FAILURES = 3  # of the checks in a row, before a region is left out
EVERY_SECONDS = 30


class RegionalNames(Construct):
    """With a `domain`, names under it that lead to this region; and a check of its API from outside, which they heed.

    `stages` is label → stage ("api" → …, "chat" → …): each label is a custom domain name of API Gateway in this
    region, and a latency record beside those that the stacks of other regions add. A caller gets the nearest region
    of those whose check passes; where none does, Route 53 takes all of them to be well ("How Amazon Route 53
    determines whether a health check is healthy", Route 53 Developer Guide). `host` is the API's own name, for by
    its name under the domain the check would ask whichever region is nearest to it.

    Without a domain production has its check alone, and a sandbox nothing: all checkers together ask every two or
    three seconds, and each time is a request of the API's and a call of a function's.
    Attributes: `health_check` (or None), `hosts` (label → the name, where there is a domain).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        host: str,
        stages: Mapping[str, apigw.HttpStage | apigw.WebSocketStage],
        domain: Domain | None,
        health_path: str = "/health",
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self.health_check = self._check(host, health_path) if domain or stack.is_production else None
        self.hosts: dict[str, str] = {}
        if domain is None or self.health_check is None:
            return
        zone = domain.zone(self)
        check = route53.HealthCheck.from_health_check_id(
            self, "Check", self.health_check.attr_health_check_id
        )
        for label, stage in stages.items():
            self.hosts[label] = self._lead(zone, f"{label}.{domain.name}", label.title(), stage, check)

    def _check(self, host: str, path: str) -> route53.CfnHealthCheck:
        return route53.CfnHealthCheck(
            self,
            "HealthCheck",
            health_check_config=route53.CfnHealthCheck.HealthCheckConfigProperty(
                type="HTTPS",
                fully_qualified_domain_name=host,
                port=443,
                resource_path=path,
                request_interval=EVERY_SECONDS,
                failure_threshold=FAILURES,
                enable_sni=True,
            ),
        )

    def _lead(
        self,
        zone: route53.IHostedZone,
        name: str,
        label: str,
        stage: apigw.HttpStage | apigw.WebSocketStage,
        check: route53.IHealthCheck,
    ) -> str:
        certificate = acm.Certificate(
            self,
            f"{label}Certificate",
            domain_name=name,
            validation=acm.CertificateValidation.from_dns(zone),
        )
        host = apigw.DomainName(
            self,
            f"{label}Name",
            domain_name=name,
            certificate=certificate,
            security_policy=apigw.SecurityPolicy.TLS_1_2,
        )
        mapping = apigw.ApiMapping(self, f"{label}Mapping", api=stage.api, domain_name=host, stage=stage)
        record = route53.ARecord(
            self,
            f"{label}Record",
            zone=zone,
            record_name=f"{name}.",
            region=Aws.REGION,
            set_identifier=Aws.REGION,
            health_check=check,
            target=route53.RecordTarget.from_alias(
                targets.ApiGatewayv2DomainProperties(host.regional_domain_name, host.regional_hosted_zone_id)
            ),
        )
        record.node.add_dependency(mapping)  # nobody is led where nothing answers yet
        return name
