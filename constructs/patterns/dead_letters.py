"""Where what could not be done is parked, for people to look at."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.encryption_key import allow_through
from patterns.traffic import declare
from workbench.workload import NEVER


class DeadLetters(sqs.Queue):
    """A standard queue that keeps a message for 14 days, the longest that SQS does.

    `behind_queue`: another queue's redrive policy fills it; otherwise a program does (`allow_sending`). It is
    encrypted with a key of SQS's own, or with `key`, which senders may then use through SQS, and whoever reads must.
    """

    def __init__(
        self, scope: Construct, id: str, *, behind_queue: bool = False, key: kms.IKey | None = None
    ) -> None:
        super().__init__(
            scope,
            id,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=BlueprintStack.around(scope).removal_policy,
        )
        self._key = key
        acknowledge(
            self,
            "Serverless-SQSRedrivePolicy",
            "it is the dead-letter queue itself; people redrive from it",
        )
        if not behind_queue:
            acknowledge(self, "AwsSolutions-SQS3", "a program parks here what it cannot read")
        declare(
            self,
            requests_per_month=NEVER.per_month,
            peak_messages_per_second=NEVER.peak_per_second,
        )

    def allow_sending(self, sender: iam.IGrantable) -> iam.Grant:
        """Let `sender` park messages, and nothing else."""
        grant = iam.Grant.add_to_principal(
            grantee=sender, actions=["sqs:SendMessage"], resource_arns=[self.queue_arn]
        )
        if self._key is None:
            return grant
        # "Key management" in SQS's guide: a producer needs both, the second to check the first.
        return grant.combine(allow_through(self._key, "sqs", sender, "GenerateDataKey", "Decrypt"))
