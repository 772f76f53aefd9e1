"""CloudFront in front of a bucket whose objects only signed URLs open."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Annotations, Duration
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from constructs import Construct

from patterns import edge
from patterns.blueprint_stack import BlueprintStack
from patterns.bucket import Bucket
from patterns.domain import Domain
from patterns.signing_key import SigningKey
from patterns.traffic import EdgeTraffic

_REASONS = {
    "CFR1": "it is for readers everywhere",
    "CFR2": "it answers nobody without a signature; a web ACL is $5 a month and $0.60 a million requests",
    "CFR3": "who was given which address is in the API's log",
}
_NOTHING_BUT_ITSELF = "default-src 'none'; frame-ancestors 'none'"


class MediaDistribution(Construct):
    """The bucket's objects, by HTTPS, to whoever shows a URL signed by one of `signed_by`; 403 to all others.

    Only this distribution reads the bucket (origin access control), and it may not list it: what is not there is 403
    too. What lies under a key must never change: the edge keeps it for `kept_at_least` whatever the object's headers
    say, up to a year where they do. CloudFront checks each request's signature, also of what it has kept, and its
    own parameters are no part of what a response is kept under: one copy serves all.

    A browser takes an object for nothing but its declared type, runs nothing in it, and tells nobody its address.
    Where the bucket has a key of the account's, CloudFront may decrypt with it.
    Attributes: `distribution`, `host`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bucket: Bucket,
        signed_by: Sequence[SigningKey],
        traffic: EdgeTraffic,
        kept_at_least: Duration | None = None,
        domain: Domain | None = None,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        signers = cloudfront.KeyGroup(self, "Signers", items=[each.public_key for each in signed_by])
        unchanging = cloudfront.CachePolicy(
            self,
            "Unchanging",
            comment=f"{stack.stack_name}: what lies under a key never changes",
            min_ttl=kept_at_least or Duration.days(1),
            default_ttl=kept_at_least or Duration.days(1),
            max_ttl=Duration.days(365),
        )
        self.distribution, self.host = edge.distribution(
            self,
            default=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(
                    bucket, origin_access_levels=[cloudfront.AccessLevel.READ]
                ),
                allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                trusted_key_groups=[signers],
                cache_policy=unchanging,
                response_headers_policy=self._headers(),
                compress=False,  # media is compressed
            ),
            domain=domain,
            traffic=traffic,
            reasons=_REASONS,
        )
        if bucket.encryption_key is not None:
            Annotations.of(stack).acknowledge_warning(
                "@aws-cdk/aws-cloudfront-origins:wildcardKeyPolicyForOac",
                "the key's policy names any distribution of this account: the bucket's own names this one",
            )

    def _headers(self) -> cloudfront.ResponseHeadersPolicy:
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=_NOTHING_BUT_ITSELF, override=True
                ),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(365), include_subdomains=True, override=True
                ),
            ),
        )
