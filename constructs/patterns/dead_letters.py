"""Where what could not be done is parked, for people to look at."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import declare
from workbench.workload import NEVER


class DeadLetters(sqs.Queue):
    """A standard queue that keeps a message for 14 days, the longest that SQS does.

    `behind_queue`: another queue's redrive policy fills it; otherwise a program does (`allow_sending`).
    """

    def __init__(self, scope: Construct, id: str, *, behind_queue: bool = False) -> None:
        super().__init__(
            scope,
            id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=BlueprintStack.around(scope).removal_policy,
        )
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
        return iam.Grant.add_to_principal(
            grantee=sender, actions=["sqs:SendMessage"], resource_arns=[self.queue_arn]
        )
