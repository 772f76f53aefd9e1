"""A queue with its dead letters, and the wiring of its consumer."""

from __future__ import annotations

from math import ceil

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.dead_letters import DeadLetters
from patterns.python_function import PythonFunction
from patterns.traffic import declare
from workbench.workload import Figure, Rate

FEWEST_AT_ONCE, MOST_AT_ONCE = 2, 1_000  # what an event source mapping takes as its maximum concurrency


class WorkQueue(Construct):
    """A standard queue; a message that fails `attempts` times is parked for 14 days.

    Attributes: `queue`, `dead_letters`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        messages: Rate,
        requests_per_message: Figure,
        consumer_timeout: Duration,
        attempts: int = 5,
        retention: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self._messages = messages
        self.dead_letters = DeadLetters(self, "DeadLetters", behind_queue=True)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=retention or Duration.days(4),
            # AWS asks for six times the function's timeout, so that a throttled retry is not a second delivery.
            visibility_timeout=Duration.seconds(6 * consumer_timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=attempts),
            removal_policy=stack.removal_policy,
        )
        declare(
            self.queue,
            requests_per_month=messages.per_month * requests_per_message,
            peak_messages_per_second=messages.peak_per_second,
        )

    def allow_sending(self, sender: iam.IGrantable) -> iam.Grant:
        """Let `sender` put messages into the queue, and nothing else."""
        return iam.Grant.add_to_principal(
            grantee=sender, actions=["sqs:SendMessage"], resource_arns=[self.queue.queue_arn]
        )

    def allow_receiving(self, consumer: iam.IGrantable) -> iam.Grant:
        """Let a program take messages out of the queue, keep those that it works on for longer, and delete them."""
        return iam.Grant.add_to_principal(
            grantee=consumer,
            actions=["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"],
            resource_arns=[self.queue.queue_arn],
        )

    def feed(
        self, consumer: PythonFunction, *, batch_size: int, batching_window: Duration, headroom: int = 2
    ) -> None:
        """Deliver to `consumer`, which answers with the messages that failed (partial batches).

        As many run at once as the busiest second needs, times `headroom`: what is more waits in the queue,
        and never takes the account's concurrency from those who answer people. Its permissions are granted on
        its own role, on this queue alone.
        """
        mapping = lambda_.EventSourceMapping(
            self,
            "Delivery",
            target=consumer.entry,
            event_source_arn=self.queue.queue_arn,
            batch_size=batch_size,
            max_batching_window=batching_window,
            max_concurrency=min(
                MOST_AT_ONCE, max(FEWEST_AT_ONCE, ceil(consumer.busy_at_peak.value * headroom))
            ),
            report_batch_item_failures=True,
        )
        mapping.node.add_dependency(self.queue.grant_consume_messages(consumer))
        acknowledge(
            mapping,
            "Serverless-LambdaEventSourceMappingDestination",
            "the source is a queue, and its redrive policy keeps what fails",
        )
        declare(mapping, peak_messages_per_second=self._messages.peak_per_second)
