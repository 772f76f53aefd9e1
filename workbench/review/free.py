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
_NETWORK = "a part of the network; what passes through is the VPC's line"
_BALANCER_PAYS = "the load balancer pays"
_SETTINGS = "settings of what uses them"

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
    "AWS::EC2::DHCPOptions": Free(_NETWORK),
    "AWS::EC2::EgressOnlyInternetGateway": Free(_NETWORK),
    "AWS::EC2::EIPAssociation": Free("the address pays"),
    "AWS::EC2::GatewayRouteTableAssociation": Free(_NETWORK),
    "AWS::EC2::InternetGateway": Free(_NETWORK),
    "AWS::EC2::KeyPair": Free("a key to sign in with"),
    "AWS::EC2::LaunchTemplate": Free("what is launched from it pays"),
    "AWS::EC2::NetworkAcl*": Free(_NETWORK),
    "AWS::EC2::PlacementGroup": Free("a wish of where instances run"),
    "AWS::EC2::PrefixList": Free(_NETWORK),
    "AWS::EC2::Route": Free(_NETWORK),
    "AWS::EC2::RouteTable": Free(_NETWORK),
    "AWS::EC2::SecurityGroup*": Free("rules of who may talk to whom"),
    "AWS::EC2::Subnet": Free(_NETWORK),
    "AWS::EC2::SubnetCidrBlock": Free(_NETWORK),
    "AWS::EC2::SubnetNetworkAclAssociation": Free(_NETWORK),
    "AWS::EC2::SubnetRouteTableAssociation": Free(_NETWORK),
    "AWS::EC2::VPCCidrBlock": Free(_NETWORK),
    "AWS::EC2::VPCDHCPOptionsAssociation": Free(_NETWORK),
    "AWS::EC2::VPCGatewayAttachment": Free(_NETWORK),
    "AWS::EC2::VPCPeeringConnection": Free(_NETWORK),
    "AWS::EC2::VolumeAttachment": Free("the volume pays"),
    "AWS::AutoScaling::LifecycleHook": Free("scaling is free; what it adds pays"),
    "AWS::AutoScaling::ScalingPolicy": Free("scaling is free; what it adds pays"),
    "AWS::AutoScaling::ScheduledAction": Free("scaling is free; what it adds pays"),
    "AWS::ElasticLoadBalancingV2::Listener": Free(_BALANCER_PAYS),
    "AWS::ElasticLoadBalancingV2::ListenerCertificate": Free(_BALANCER_PAYS),
    "AWS::ElasticLoadBalancingV2::ListenerRule": Free(_BALANCER_PAYS),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Free(_BALANCER_PAYS),
    "AWS::EKS::AccessEntry": Free("who may use the cluster"),
    "AWS::EKS::Addon": Free("those of AWS are free; what they run is on the nodes"),
    "AWS::EKS::PodIdentityAssociation": Free("a role for pods"),
    "AWS::ECS::CapacityProvider": Free("scaling is free; what it adds pays"),
    "AWS::ECS::ClusterCapacityProviderAssociations": Free("scaling is free; what it adds pays"),
    "AWS::ECS::TaskDefinition": Free("the service that runs it pays"),
    "AWS::ECR::PullThroughCacheRule": Free("the repositories pay for what it keeps"),
    "AWS::ECR::RegistryPolicy": Free("a policy"),
    "AWS::ECR::RepositoryCreationTemplate": Free(_SETTINGS),
    "AWS::RDS::DBClusterParameterGroup": Free(_SETTINGS),
    "AWS::RDS::DBParameterGroup": Free(_SETTINGS),
    "AWS::RDS::DBProxyTargetGroup": Free("the proxy pays"),
    "AWS::RDS::DBSubnetGroup": Free(_SETTINGS),
    "AWS::RDS::EventSubscription": Free("the topic pays for its messages"),
    "AWS::RDS::OptionGroup": Free(_SETTINGS),
    "AWS::ElastiCache::ParameterGroup": Free(_SETTINGS),
    "AWS::ElastiCache::SubnetGroup": Free(_SETTINGS),
    "AWS::ElastiCache::User*": Free("who may use the cache"),
    "AWS::MSK::BatchScramSecret": Free("who may use the cluster; the secrets pay"),
    "AWS::MSK::ClusterPolicy": Free("a policy"),
    "AWS::MSK::Configuration": Free(_SETTINGS),
    "AWS::MSK::Topic": Free("the cluster pays, by its brokers or partitions"),
    "AWS::EFS::AccessPoint": Free("a way into a file system"),
    "AWS::EFS::MountTarget": Free("a way into a file system"),
    "AWS::Backup::BackupSelection": Free("what is backed up; the vault pays"),
    "AWS::Kinesis::ResourcePolicy": Free("a policy"),
    "AWS::SecretsManager::RotationSchedule": Free("the function that rotates pays, and each of its requests"),
    "AWS::SecretsManager::SecretTargetAttachment": Free("part of the secret"),
    "AWS::CloudFront::VpcOrigin": Free("access to an origin"),
    "AWS::WAFv2::LoggingConfiguration": Free("what receives the logs pays"),
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
