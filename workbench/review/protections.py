"""Deletion protection: the property of each type that asks for it, and the command that ends it.

Each is described with its property on the type's own page of the CloudFormation Template Reference Guide, such as
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html . An instance
of a cluster is protected by that alone; of load balancers it is an attribute:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-delete.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource

Found = tuple[str, str]
"""Why a resource can't be deleted, and what to do about it."""

# Type → the property that protects it, and the command that ends that.
_PROPERTIES = {
    "AWS::AutoScaling::AutoScalingGroup": (
        "DeletionProtection",
        "aws autoscaling update-auto-scaling-group --auto-scaling-group-name NAME --deletion-protection none",
    ),
    "AWS::CloudTrail::EventDataStore": (
        "TerminationProtectionEnabled",
        "aws cloudtrail update-event-data-store --event-data-store ARN --no-termination-protection-enabled",
    ),
    "AWS::Cognito::UserPool": (
        "DeletionProtection",
        "aws cognito-idp update-user-pool --user-pool-id ID --deletion-protection INACTIVE",
    ),
    "AWS::DSQL::Cluster": (
        "DeletionProtectionEnabled",
        "aws dsql update-cluster --identifier ID --no-deletion-protection-enabled",
    ),
    "AWS::DocDB::DBCluster": (
        "DeletionProtection",
        "aws docdb modify-db-cluster --db-cluster-identifier ID --no-deletion-protection",
    ),
    "AWS::DocDB::GlobalCluster": (
        "DeletionProtection",
        "aws docdb modify-global-cluster --global-cluster-identifier ID --no-deletion-protection",
    ),
    "AWS::DynamoDB::Table": (
        "DeletionProtectionEnabled",
        "aws dynamodb update-table --table-name NAME --no-deletion-protection-enabled",
    ),
    "AWS::EC2::Instance": (
        "DisableApiTermination",
        "aws ec2 modify-instance-attribute --instance-id ID --no-disable-api-termination",
    ),
    "AWS::EKS::Cluster": (
        "DeletionProtection",
        "aws eks update-cluster-config --name NAME --no-deletion-protection",
    ),
    "AWS::Logs::LogGroup": (
        "DeletionProtectionEnabled",
        "aws logs put-log-group-deletion-protection --log-group-identifier NAME --no-deletion-protection-enabled",
    ),
    "AWS::Neptune::DBCluster": (
        "DeletionProtection",
        "aws neptune modify-db-cluster --db-cluster-identifier ID --no-deletion-protection",
    ),
    "AWS::Neptune::GlobalCluster": (
        "DeletionProtection",
        "aws neptune modify-global-cluster --global-cluster-identifier ID --no-deletion-protection",
    ),
    "AWS::NeptuneGraph::Graph": (
        "DeletionProtection",
        "aws neptune-graph update-graph --graph-identifier ID --no-deletion-protection",
    ),
    "AWS::NetworkFirewall::Firewall": (
        "DeleteProtection",
        "aws network-firewall update-firewall-delete-protection --firewall-arn ARN --no-delete-protection",
    ),
    "AWS::OpenSearchServerless::Collection": (
        "DeletionProtection",
        "aws opensearchserverless update-collection --id ID --deletion-protection DISABLED",
    ),
    "AWS::RDS::DBCluster": (
        "DeletionProtection",
        "aws rds modify-db-cluster --db-cluster-identifier ID --no-deletion-protection",
    ),
    "AWS::RDS::DBInstance": (
        "DeletionProtection",
        "aws rds modify-db-instance --db-instance-identifier ID --no-deletion-protection",
    ),
    "AWS::RDS::GlobalCluster": (
        "DeletionProtection",
        "aws rds modify-global-cluster --global-cluster-identifier ID --no-deletion-protection",
    ),
}
# Where nothing is said, these are protected.
_BY_DEFAULT = ("AWS::CloudTrail::EventDataStore", "AWS::NeptuneGraph::Graph")
_BALANCER = (
    "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN "
    "--attributes Key=deletion_protection.enabled,Value=false"
)


def protections(resource: Resource) -> Iterator[Found]:
    """What protects `resource` from being deleted."""
    properties = resource.properties
    if resource.type in _PROPERTIES and not _is_member(resource):
        key, command = _PROPERTIES[resource.type]
        if key not in properties and resource.type in _BY_DEFAULT:
            yield f"{key} is true where nothing is said", command
        elif _is_on(properties.get(key)):
            yield f"{key} is {_shown(properties[key])}", command
    if resource.type == "AWS::DynamoDB::GlobalTable":
        replicas = properties.get("Replicas") or []
        if any(_is_on(each.get("DeletionProtectionEnabled")) for each in replicas):
            yield "DeletionProtectionEnabled of a replica is true", _PROPERTIES["AWS::DynamoDB::Table"][1]
    if resource.type == "AWS::ElasticLoadBalancingV2::LoadBalancer":
        for each in properties.get("LoadBalancerAttributes") or []:
            if each.get("Key") == "deletion_protection.enabled" and _is_on(each.get("Value")):
                yield "deletion_protection.enabled is true", _BALANCER


def _is_member(resource: Resource) -> bool:
    return resource.type == "AWS::RDS::DBInstance" and bool(resource.properties.get("DBClusterIdentifier"))


def _is_on(value: Any) -> bool:
    return _shown(value).lower() in ("true", "active", "enabled", "prevent-all-deletion")


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
