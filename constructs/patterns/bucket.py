"""A private bucket, protected as its stage asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.deployment_step import DeploymentStep
from patterns.encryption_key import allow_through
from patterns.traffic import BucketTraffic, declare
from workbench.workload import Figure

# What an action on an object asks of its key ("Using server-side encryption with AWS KMS keys", and of uploads in
# parts "Multipart upload and permissions", both S3 User Guide); every other asks nothing.
_OF_THE_KEY = {"GetObject": ("Decrypt",), "PutObject": ("Decrypt", "GenerateDataKey")}

BROKEN_UPLOAD_DAYS = 7
# A class's name in a template, and in the usage keys of the review.
_CLASSES = {"STANDARD_IA": "standard_ia", "GLACIER_IR": "glacier_instant"}


@dataclass(frozen=True)
class Colder:
    """A move of what is `after_days` old to a class that costs less to hold and more to read, at once all the same.

    `stored_gb` is what the class holds, `moved` the objects that come to it in a month, `retrieved_gb` what is read
    of it in a month. S3 moves nothing below 128 KB, which would be paid as that ("Transitioning objects using Amazon
    S3 Lifecycle", S3 User Guide).
    """

    after_days: int
    storage_class: Literal["STANDARD_IA", "GLACIER_IR"]
    stored_gb: Figure
    moved: Figure
    retrieved_gb: Figure


class Bucket(s3.Bucket):
    """Nobody's but its owner's, by TLS only, encrypted with S3's own key or `key`, versioned in production.

    Whoever may read or write objects may then use `key` through S3, which asks for it seldom (bucket keys).
    An old version is kept for `old_versions_days`, an upload that nobody finishes for a week. What is in it is
    kept for ever, or expires `expires_after_days`, and grows `colder` by steps. A sandbox's
    bucket is emptied when its stack is destroyed, by a function of ours: CDK's own
    runs in Node.js with a role and a log that belong to no stack.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        traffic: BucketTraffic,
        old_versions_days: int = 30,
        expires_after_days: int | None = None,
        colder: Sequence[Colder] = (),
        versioned: bool | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        stack = BlueprintStack.around(scope)
        has_versions = stack.is_production if versioned is None else versioned
        super().__init__(
            scope,
            id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=True if key else None,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=has_versions,
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=Duration.days(
                        min(BROKEN_UPLOAD_DAYS, expires_after_days or BROKEN_UPLOAD_DAYS)
                    ),
                    expiration=Duration.days(expires_after_days) if expires_after_days else None,
                    noncurrent_version_expiration=(
                        Duration.days(old_versions_days) if has_versions else None
                    ),
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass(step.storage_class),
                            transition_after=Duration.days(step.after_days),
                        )
                        for step in colder
                    ]
                    or None,
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
        for step in colder:
            kind = _CLASSES[step.storage_class]
            figures = {
                f"stored_gb_{kind}": step.stored_gb,
                f"transitions_to_{kind}_per_month": step.moved,
                f"retrieved_gb_{kind}_per_month": step.retrieved_gb,
            }
            declare(self, again=False, **figures)
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
        grant = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=[f"s3:{action}" for action in actions],
            resource_arns=[self.arn_for_objects(f"{prefix}*")],
        )
        asked = sorted({each for action in actions for each in _OF_THE_KEY.get(action, ())})
        if self.encryption_key is None or not asked:
            return grant
        return grant.combine(allow_through(self.encryption_key, "s3", grantee, *asked))

    def allow_listing(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let `grantee` see which objects there are: one that is not there is then 404 to it, and not 403."""
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["s3:ListBucket"], resource_arns=[self.bucket_arn]
        )

    def tell(self, queue: sqs.Queue, *events: str) -> None:
        """Send `events` ("s3:ObjectCreated:CompleteMultipartUpload") to `queue`; S3 checks first that it may.

        CDK's own way is a function of its own, with a role and a log that belong to no stack. The queue lets in S3
        for any bucket of this account: naming the bucket, each of the two would have to be there before the other.
        """
        allowed = queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        bucket = cast(s3.CfnBucket, self.node.default_child)
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(event=event, queue=queue.queue_arn)
                for event in events
            ]
        )
        assert allowed.policy_dependable is not None
        bucket.node.add_dependency(allowed.policy_dependable)

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
