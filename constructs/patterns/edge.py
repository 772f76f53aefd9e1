"""What every CloudFront distribution of the catalogue is: HTTP/3, its domain if it has one, no errors kept."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain
from patterns.traffic import EdgeTraffic

# Unless told otherwise CloudFront keeps these errors of an origin for ten seconds.
_ERRORS_KEPT_BY_DEFAULT = (404, 405, 414, 500, 501, 502, 503, 504)


def distribution(
    scope: Construct,
    *,
    default: cloudfront.BehaviorOptions,
    additional: Mapping[str, cloudfront.BehaviorOptions] | None = None,
    web_acl_arn: str | None = None,
    domain: Domain | None,
    traffic: EdgeTraffic,
    reasons: Mapping[str, str],
) -> tuple[cloudfront.Distribution, str]:
    """A distribution in `scope`, and the host that viewers ask: its domain's, or CloudFront's name for it.

    It keeps no error on its own account, whatever the origin's headers say. `reasons` says why rules of
    AwsSolutions ("CFR1") are not kept to. The certificate of a `domain` must be in us-east-1, so the stack too.
    """
    stack = BlueprintStack.around(scope)
    zone = domain.zone(scope) if domain else None
    made = cloudfront.Distribution(
        scope,
        "Distribution",
        comment=stack.stack_name,
        http_version=cloudfront.HttpVersion.HTTP2_AND_3,
        # Without a certificate of its own it has CloudFront's, and that fixes the version.
        minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021 if domain else None,
        price_class=cloudfront.PriceClass.PRICE_CLASS_ALL
        if stack.is_production
        else cloudfront.PriceClass.PRICE_CLASS_100,
        web_acl_id=web_acl_arn,
        default_behavior=default,
        additional_behaviors=dict(additional) if additional else None,
        error_responses=[
            cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0))
            for status in _ERRORS_KEPT_BY_DEFAULT
        ],
        domain_names=[domain.name] if domain else None,
        certificate=domain.certificate(scope, zone) if domain and zone else None,
    )
    if domain and zone:
        domain.lead_to(scope, zone, made)
    traffic.declare_on(made)
    unkept = dict(reasons)
    if domain is None:
        unkept["CFR4"] = (
            "the *.cloudfront.net certificate fixes the minimum TLS version; a domain sets it to 1.2"
        )
    for rule, reason in unkept.items():
        acknowledge(made, f"AwsSolutions-{rule}", reason)
    return made, domain.name if domain else made.domain_name
