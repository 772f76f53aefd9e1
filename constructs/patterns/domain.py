"""A name in a public hosted zone: its certificate, and the records that lead there."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct


@dataclass(frozen=True)
class Domain:
    """A name in a public hosted zone of Route 53."""

    name: str
    hosted_zone_id: str
    zone_name: str

    @classmethod
    def from_context(cls, scope: Construct) -> Domain | None:
        """From `-c domain=go.example.com -c zone=example.com -c zone_id=Z…`; None when `domain` is not given."""
        name, zone, zone_id = (scope.node.try_get_context(key) for key in ("domain", "zone", "zone_id"))
        if not name:
            return None
        if not zone or not zone_id:
            raise ValueError(
                "-c domain=… needs its hosted zone too: -c zone=example.com -c zone_id=Z0123456789"
            )
        return cls(str(name), str(zone_id), str(zone))

    def zone(self, scope: Construct) -> route53.IHostedZone:
        """The hosted zone, as a construct in `scope`."""
        return route53.HostedZone.from_hosted_zone_attributes(
            scope, "Zone", hosted_zone_id=self.hosted_zone_id, zone_name=self.zone_name
        )

    def certificate(self, scope: Construct, zone: route53.IHostedZone) -> acm.Certificate:
        """A public certificate, validated by a record in `zone`. For CloudFront the stack must be in us-east-1."""
        return acm.Certificate(
            scope,
            "Certificate",
            domain_name=self.name,
            validation=acm.CertificateValidation.from_dns(zone),
        )

    def lead_to(
        self, scope: Construct, zone: route53.IHostedZone, distribution: cloudfront.IDistribution
    ) -> route53.ARecord:
        """An alias record to `distribution`."""
        return route53.ARecord(
            scope,
            "Alias",
            zone=zone,
            record_name=f"{self.name}.",
            target=route53.RecordTarget.from_alias(targets.CloudFrontTarget(distribution)),
        )
