"""What keeps a stack from being deleted: protections, things that must be empty, and things still in use.

- Termination protection of the stack, as the manifest says.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html
- Deletion protection of a resource that is to be deleted; that of one which is kept stands in nobody's way.
- Buckets, image repositories and backup vaults are deleted empty only. A custom resource of the stack may empty
  them: the CDK's own, or any whose function the template lets delete what is in there.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html ,
  https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-delete.html and
  https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault.html
- Objects under a default retention of Object Lock, which nobody empties before its time.
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
- What is kept and stands in a network or uses a configuration that is to be deleted: AWS deletes no subnet, security
  group, subnet group, parameter group or MSK configuration that is in use.
  https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html ,
  https://docs.aws.amazon.com/msk/latest/developerguide/msk-configuration-operations-delete.html and
  https://github.com/aws/aws-cdk/issues/5282
- Functions that CloudFront runs, until it has removed their copies, hours later.
  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-delete-replicas.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any

from workbench.assembly import Assembly, Resource, Stack
from workbench.review.closure import Closure
from workbench.review.destruction import DELETE, RETAIN, Rest, Standing, or_unknown, policy_of
from workbench.review.implicit_logs import ImplicitGroups
from workbench.review.protections import Found, protections

# What is deleted empty only: what it holds, the actions that empty it, the CDK's own custom resource, the command.
_HOLDS = {
    "AWS::S3::Bucket": (
        "objects",
        ("s3:DeleteObject",),
        "Custom::S3AutoDeleteObjects",
        "delete every version of every object",
    ),
    "AWS::ECR::Repository": (
        "images",
        ("ecr:BatchDeleteImage",),
        "Custom::ECRAutoDeleteImages",
        "set EmptyOnDelete, or delete every image",
    ),
    "AWS::Backup::BackupVault": (
        "recovery points",
        ("backup:DeleteRecoveryPoint",),
        "",
        "delete every recovery point",
    ),
}
_STANDS_IN_A_NETWORK = frozenset(
    {
        "AWS::AmazonMQ::Broker",
        "AWS::AutoScaling::AutoScalingGroup",
        "AWS::DocDB::DBCluster",
        "AWS::EC2::Instance",
        "AWS::EC2::NatGateway",
        "AWS::EC2::NetworkInterface",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::Subnet",
        "AWS::EC2::VPCEndpoint",
        "AWS::ECS::Service",
        "AWS::EFS::MountTarget",
        "AWS::EKS::Cluster",
        "AWS::EKS::Nodegroup",
        "AWS::ElastiCache::CacheCluster",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::Lambda::Function",
        "AWS::MSK::Cluster",
        "AWS::MSK::ServerlessCluster",
        "AWS::Neptune::DBCluster",
        "AWS::OpenSearchService::Domain",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::RDS::DBProxy",
        "AWS::Redshift::Cluster",
    }
)
_NOT_DELETED_IN_USE = frozenset(
    {
        "AWS::DocDB::DBClusterParameterGroup",
        "AWS::DocDB::DBSubnetGroup",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::Subnet",
        "AWS::EC2::VPC",
        "AWS::ElastiCache::ParameterGroup",
        "AWS::ElastiCache::SubnetGroup",
        "AWS::MSK::Configuration",
        "AWS::Neptune::DBClusterParameterGroup",
        "AWS::Neptune::DBSubnetGroup",
        "AWS::RDS::DBClusterParameterGroup",
        "AWS::RDS::DBParameterGroup",
        "AWS::RDS::DBSubnetGroup",
        "AWS::RDS::OptionGroup",
        "AWS::Redshift::ClusterParameterGroup",
        "AWS::Redshift::ClusterSubnetGroup",
    }
)


def protected_stacks(assembly: Assembly) -> Iterator[Stack]:
    """The stacks with termination protection."""
    return (stack for stack in assembly.stacks if stack.has_termination_protection)


class Obstacles:
    """What of an assembly keeps its stacks from being deleted: `rests()`."""

    def __init__(self, standing: Standing, groups: ImplicitGroups) -> None:
        self._standing, self._context = standing, standing.full
        self._closure = Closure(self._context.assembly)
        self._at_the_edge = groups.at_the_edge

    def rests(self) -> Iterator[Rest]:
        """Each with what it costs as long as it stands."""
        questions: tuple[Callable[[Resource], Iterator[Found]], ...] = (
            protections,
            self._must_be_empty,
            self._replicated,
        )
        for resource in self._context.assembly.resources:
            if policy_of(resource) == RETAIN:
                yield from self._in_use(resource)
                continue
            for question in questions:
                yield from or_unknown(resource, partial(self._found, resource, question))

    def _found(self, resource: Resource, question: Callable[[Resource], Iterator[Found]]) -> Iterator[Rest]:
        for why, remedy in question(resource):
            lines, not_priced = self._standing.lines(resource)
            yield Rest(resource, "", why, remedy, lines, not_priced)

    def _must_be_empty(self, resource: Resource) -> Iterator[Found]:
        if resource.type not in _HOLDS:
            return
        held, actions, cdk, remedy = _HOLDS[resource.type]
        lock = (resource.properties.get("ObjectLockConfiguration") or {}).get("Rule") or {}
        if lock.get("DefaultRetention"):
            yield (
                "Object Lock keeps each object for its retention",
                "wait until the retention of each is over",
            )
        elif not _is_on(resource.properties.get("EmptyOnDelete")) and not self._is_emptied(
            resource, actions, cdk
        ):
            yield f"it is deleted without {held} only, and nothing in the template empties it", remedy

    def _is_emptied(self, resource: Resource, actions: tuple[str, ...], cdk: str) -> bool:
        """Whether a custom resource that names it may delete what it holds, by the role of its function."""
        for step in self._steps[id(resource)]:
            function = self._closure.target(step, step.properties.get("ServiceToken"))
            role = self._closure.role_of(function) if function is not None else None
            if step.type == cdk or all(self._closure.allowed(role, action, resource) for action in actions):
                return True
        return False

    @cached_property
    def _steps(self) -> Mapping[int, list[Resource]]:
        """The custom resources that name a resource, by the identity of that."""
        found: dict[int, list[Resource]] = defaultdict(list)
        for each in self._closure.resources:
            if each.type.startswith("Custom::") or each.type == "AWS::CloudFormation::CustomResource":
                said = {**(each.raw.get("Properties") or {}), "ServiceToken": None}
                for named in self._closure.links.mentions(each, said):
                    found[id(named)].append(each)
        return found

    def _replicated(self, resource: Resource) -> Iterator[Found]:
        if id(resource) in self._at_the_edge:
            yield (
                "CloudFront runs it, and it can't be deleted before its copies are",
                "delete the stack again some hours later",
            )

    def _in_use(self, resource: Resource) -> Iterator[Rest]:
        if resource.type not in _STANDS_IN_A_NETWORK:
            return
        used = [
            each
            for each in self._context.links.mentions(resource, resource.raw.get("Properties"))
            if each.type in _NOT_DELETED_IN_USE and policy_of(each) == DELETE
        ]
        if used:
            names = ", ".join(self._context.name_of(each) for each in used)
            why = f"it is kept, and AWS doesn't delete what it uses: {names}"
            yield Rest(resource, "", why, "delete it first, or keep what it uses")


def _is_on(value: Any) -> bool:
    return str(value).lower() == "true"
