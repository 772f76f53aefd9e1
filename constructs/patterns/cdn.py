"""CloudFront in front of a web tier: TLS for viewers, a web ACL, and a health check that watches it from outside."""

from __future__ import annotations

from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from patterns import edge
from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain
from patterns.traffic import EdgeTraffic, declare
from patterns.web_tier import SECRET_HEADER, WebTier
from workbench.workload import Rate

# AWS's own rules: what everybody is attacked with, and addresses that are known for it.
MANAGED_RULES = ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesAmazonIpReputationList")
FIVE_MINUTES = 300
# Rules that only count: this one refuses every body over 8 KB, whatever the service takes.
COUNTED = {"AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",)}
_REASONS = {
    "CFR1": "it is for readers everywhere",
    "CFR3": "every request is in the program's own log",
    "CFR5": "the load balancer has no certificate, as it has no name of its own: the secret header and the "
    "security groups keep others out; with a domain give it one",
}
_UNGUARDED = "a web ACL is $5 a month and $1 a rule; production has one"


class Cdn(Construct):
    """Viewers reach the web tier by HTTPS through the edge, and in no other way.

    Nothing is kept at the edge but what a response itself allows. In production (`protected`) a web ACL stands
    before it: AWS's common rules, and at most `requests_per_address` in five minutes from one address. A web
    ACL of CloudFront, and the certificate of a `domain`, must be in us-east-1, so the stack too.
    Attributes: `distribution`, `url`, `host`, `health_check` (of Route 53, from outside, every thirty seconds).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        web: WebTier,
        traffic: EdgeTraffic,
        health_path: str = "/health",
        protected: bool | None = None,
        requests_per_address: int = 2_000,
        domain: Domain | None = None,
    ) -> None:
        super().__init__(scope, id)
        guarded = BlueprintStack.around(self).is_production if protected is None else protected
        acl = self._web_acl(traffic.requests, requests_per_address) if guarded else None
        self.distribution, self.host = edge.distribution(
            self,
            default=cloudfront.BehaviorOptions(
                origin=origins.LoadBalancerV2Origin(
                    web.balancer,
                    protocol_policy=cloudfront.OriginProtocolPolicy.HTTP_ONLY,
                    custom_headers={SECRET_HEADER: web.secret.secret_value.unsafe_unwrap()},
                ),
                allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                cache_policy=cloudfront.CachePolicy.USE_ORIGIN_CACHE_CONTROL_HEADERS,
                origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER,
                response_headers_policy=cloudfront.ResponseHeadersPolicy.SECURITY_HEADERS,
            ),
            web_acl_arn=acl.attr_arn if acl else None,
            domain=domain,
            traffic=traffic,
            reasons=_REASONS if guarded else {**_REASONS, "CFR2": _UNGUARDED},
        )
        self.url = f"https://{self.host}"
        self.health_check = self._health_check(health_path)

    def _web_acl(self, requests: Rate, per_address: int) -> wafv2.CfnWebACL:
        def seen_as(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
            return wafv2.CfnWebACL.VisibilityConfigProperty(
                cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
            )

        rules = [
            wafv2.CfnWebACL.RuleProperty(
                name=name,
                priority=place,
                override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
                statement=wafv2.CfnWebACL.StatementProperty(
                    managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                        vendor_name="AWS", name=name, rule_action_overrides=_counted(name)
                    )
                ),
                visibility_config=seen_as(name),
            )
            for place, name in enumerate(MANAGED_RULES)
        ]
        rules.append(
            wafv2.CfnWebACL.RuleProperty(
                name="RatePerAddress",
                priority=len(rules),
                action=wafv2.CfnWebACL.RuleActionProperty(block={}),
                statement=wafv2.CfnWebACL.StatementProperty(
                    rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                        aggregate_key_type="IP", limit=per_address, evaluation_window_sec=FIVE_MINUTES
                    )
                ),
                visibility_config=seen_as("RatePerAddress"),
            )
        )
        acl = wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="CLOUDFRONT",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=seen_as("WebAcl"),
            rules=rules,
        )
        declare(acl, requests_per_month=requests.per_month)
        return acl

    def _health_check(self, path: str) -> route53.CfnHealthCheck:
        return route53.CfnHealthCheck(
            self,
            "HealthCheck",
            health_check_config=route53.CfnHealthCheck.HealthCheckConfigProperty(
                type="HTTPS",
                fully_qualified_domain_name=self.host,
                port=443,
                resource_path=path,
                request_interval=30,
                failure_threshold=3,
                enable_sni=True,
            ),
        )


def _counted(group: str) -> list[wafv2.CfnWebACL.RuleActionOverrideProperty]:
    count = wafv2.CfnWebACL.RuleActionProperty(count={})
    return [
        wafv2.CfnWebACL.RuleActionOverrideProperty(name=name, action_to_use=count)
        for name in COUNTED.get(group, ())
    ]
