"""What costs nothing by itself, and why. A type with a `*` stands for all that begin so.

`unless` names the properties that make it cost something after all, each with the values that don't; with
one of them set to anything else the review refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Free:
    """Why a type is free, and which properties would end that."""

    reason: str
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_TRAFFIC_PAYS = "the API's requests pay"
_DEPLOY_TIME = "runs at deployment only"

FREE: dict[str, Free] = {
    "AWS::IAM::*": Free("IAM is free"),
    "AWS::CDK::Metadata": Free("a note that CDK leaves in the template"),
    "AWS::CloudFormation::CustomResource": Free(_DEPLOY_TIME),
    "AWS::CloudFormation::WaitCondition*": Free(_DEPLOY_TIME),
    "Custom::*": Free(_DEPLOY_TIME),
    "AWS::Lambda::Permission": Free("a policy"),
    "AWS::Lambda::Version": Free("a name for code", unless={"ProvisionedConcurrencyConfig": ()}),
    "AWS::Lambda::Alias": Free("a name for a version", unless={"ProvisionedConcurrencyConfig": ()}),
    "AWS::Lambda::LayerVersion": Free("part of the functions that use it"),
    "AWS::Lambda::EventInvokeConfig": Free("a setting of its function"),
    "AWS::Lambda::Url": Free("the function's invocations pay"),
    "AWS::ApiGatewayV2::Route": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::RouteResponse": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::Integration": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::IntegrationResponse": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::Authorizer": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::Deployment": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::Model": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::DomainName": Free(_TRAFFIC_PAYS),
    "AWS::ApiGatewayV2::ApiMapping": Free(_TRAFFIC_PAYS),
    "AWS::ApiGateway::Account": Free("a setting of the account"),
    "AWS::CloudFront::CachePolicy": Free("the distribution's traffic pays"),
    "AWS::CloudFront::OriginRequestPolicy": Free("the distribution's traffic pays"),
    "AWS::CloudFront::ResponseHeadersPolicy": Free("the distribution's traffic pays"),
    "AWS::CloudFront::OriginAccessControl": Free("access to an origin"),
    "AWS::CloudFront::CloudFrontOriginAccessIdentity": Free("access to an origin"),
    "AWS::CloudFront::PublicKey": Free("a key for signed addresses"),
    "AWS::CloudFront::KeyGroup": Free("keys for signed addresses"),
    "AWS::Cognito::UserPoolDomain": Free("the pool's users pay"),
    "AWS::Cognito::UserPoolGroup": Free("the pool's users pay"),
    "AWS::Cognito::UserPoolResourceServer": Free("the pool's users pay"),
    "AWS::Cognito::ManagedLoginBranding": Free("the pool's users pay"),
    "AWS::SQS::QueuePolicy": Free("a policy"),
    "AWS::SQS::QueueInlinePolicy": Free("a policy"),
    "AWS::SNS::TopicPolicy": Free("a policy"),
    "AWS::SNS::TopicInlinePolicy": Free("a policy"),
    "AWS::S3::BucketPolicy": Free("a policy"),
    "AWS::Logs::MetricFilter": Free("filters are free; the alarm on the metric pays"),
    "AWS::Logs::ResourcePolicy": Free("a policy"),
    "AWS::Logs::LogStream": Free("the log group pays"),
    "AWS::Logs::QueryDefinition": Free("a saved query; running it pays by what it scans"),
    "AWS::XRay::Group": Free("a filter on traces"),
    "AWS::KMS::Alias": Free("a name for a key"),
    "AWS::Route53::RecordSet": Free(
        "records are free, and so are alias queries to AWS resources",
        unless={"Region": (), "GeoLocation": (), "GeoProximityLocation": (), "CidrRoutingConfig": ()},
    ),
    "AWS::CertificateManager::Certificate": Free(
        "public certificates are free",
        unless={"CertificateAuthorityArn": (), "CertificateExport": ("DISABLED",)},
    ),
    "AWS::WAFv2::WebACLAssociation": Free("the web ACL pays"),
    "AWS::WAFv2::IPSet": Free("the web ACL pays"),
    "AWS::WAFv2::RegexPatternSet": Free("the web ACL pays"),
    "AWS::Scheduler::ScheduleGroup": Free("a name for schedules"),
    "AWS::Events::EventBusPolicy": Free("a policy"),
    "AWS::SecretsManager::ResourcePolicy": Free("a policy"),
    "AWS::SSM::Parameter": Free("standard parameters are free", unless={"Tier": ("Standard",)}),
    "AWS::ApplicationAutoScaling::ScalableTarget": Free("scaling is free; what it adds pays"),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Free("scaling is free; what it adds pays"),
    "AWS::ResourceGroups::Group": Free("a list of resources"),
    "AWS::Budgets::Budget": Free("a budget without actions is free"),
}


def free_type(resource_type: str) -> Free | None:
    """Why `resource_type` is free; None when it is not in the table."""
    exact = FREE.get(resource_type)
    if exact is not None:
        return exact
    for pattern, free in FREE.items():
        if pattern.endswith("*") and resource_type.startswith(pattern[:-1]):
            return free
    return None
