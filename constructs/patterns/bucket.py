"""A private bucket, protected as its stage asks."""

from __future__ import annotations

from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.deployment_step import DeploymentStep
from patterns.traffic import BucketTraffic, declare


class Bucket(s3.Bucket):
    """Nobody's but its owner's, by TLS only, encrypted with S3's own key, versioned in production.

    An old version is kept for `old_versions_days`, an upload that nobody finishes for a week. A sandbox's
    bucket is emptied when its stack is destroyed, by a function of ours: CDK's own
    runs in Node.js with a role and a log that belong to no stack.
    """

    def __init__(
        self, scope: Construct, id: str, *, traffic: BucketTraffic, old_versions_days: int = 30
    ) -> None:
        stack = BlueprintStack.around(scope)
        super().__init__(
            scope,
            id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=stack.is_production,
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                    noncurrent_version_expiration=(
                        Duration.days(old_versions_days) if stack.is_production else None
                    ),
                )
            ],
            removal_policy=stack.removal_policy,
        )
        declare(
            self,
            stored_gb=traffic.stored_gb,
            put_requests_per_month=traffic.puts.per_month,
            get_requests_per_month=traffic.gets.per_month,
            egress_gb_per_month=traffic.egress_gb,
        )
        if not stack.is_production:
            self._empty_at_the_end(scope, id)
        acknowledge(
            self,
            "AwsSolutions-S1",
            "only the system's own roles read or write; CloudTrail's data events tell more than access logs",
        )

    def allow(self, grantee: iam.IGrantable, *actions: str, prefix: str = "") -> iam.Grant:
        """Let `grantee` do these actions ("GetObject") on the objects under `prefix`, and nothing else."""
        self._acknowledge_objects(grantee.grant_principal, f"{prefix}*")
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=[f"s3:{action}" for action in actions],
            resource_arns=[self.arn_for_objects(f"{prefix}*")],
        )

    def allow_listing(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let `grantee` see which objects there are: one that is not there is then 404 to it, and not 403."""
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["s3:ListBucket"], resource_arns=[self.bucket_arn]
        )

    def _acknowledge_objects(self, principal: iam.IPrincipal, pattern: str) -> None:
        """An object has no ARN before it is there: the pattern is the narrowest that there is."""
        resource = Stack.of(self).get_logical_id(cast(s3.CfnBucket, self.node.default_child))
        assert isinstance(principal, iam.Role)
        acknowledge(
            principal,
            f"AwsSolutions-IAM5[Resource::<{resource}.Arn>/{pattern}]",
            "objects have no ARNs before they are there",
        )

    def _empty_at_the_end(self, scope: Construct, id: str) -> None:
        step = DeploymentStep(
            scope,
            f"{id}Emptying",
            handler="lambdas.shared.empty_bucket.handler",
            properties={"Bucket": self.bucket_name},
        )
        for actions, resource in (
            (["s3:ListBucketVersions"], self.bucket_arn),
            (["s3:DeleteObject", "s3:DeleteObjectVersion"], self.arn_for_objects("*")),
        ):
            grant = iam.Grant.add_to_principal(grantee=step, actions=actions, resource_arns=[resource])
            step.after(grant)
        self._acknowledge_objects(step.grant_principal, "*")
