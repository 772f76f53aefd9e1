"""The changes of a table, delivered to a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from patterns.dead_letters import DeadLetters
from patterns.encryption_key import allow_through
from patterns.python_function import PythonFunction
from patterns.traffic import declare
from workbench.workload import Rate


class Feeding(TypedDict, total=False):
    """How changes are delivered: 100 at a time, at once, and for as long as the stream has them, if nothing is said.

    A batch waits up to `window` to be full. What fails is tried `retries` times more, until it is older than
    `oldest`. `parallel` batches of a shard go at once; order then holds for an item, and no longer for a partition
    key. `filters` are patterns of which one must match ("Control which events Lambda sends to your function", Lambda
    Developer Guide).
    """

    batch_size: int
    window: Duration
    parallel: int
    retries: int
    oldest: Duration
    filters: Sequence[Mapping[str, Any]]


class StreamFeed(Construct):
    """Delivers from the first change on, in batches, each shard's one after the other, to `consumer`.

    It answers with the changes that failed (partial batches), and is given the batch again from the first of them,
    in halves, so that one bad change is alone in the end. Of what is given up `parked` is told where it stood in the
    stream, not what it was. Its permissions are on the consumer's own role, and on this stream. Attribute: `mapping`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.Table,
        consumer: PythonFunction,
        changes: Rate,
        parked: DeadLetters,
        key: kms.IKey | None = None,
        **how: Unpack[Feeding],
    ) -> None:
        super().__init__(scope, id)
        if table.table_stream_arn is None:
            raise ValueError(f"{table.node.path} has no stream: say which images it has, with `stream`")
        self.mapping = lambda_.EventSourceMapping(
            self,
            "Delivery",
            target=consumer.entry,
            event_source_arn=table.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=how.get("batch_size", 100),
            max_batching_window=how.get("window"),
            parallelization_factor=how.get("parallel", 1),
            retry_attempts=how.get("retries"),
            max_record_age=how.get("oldest"),
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            filters=[lambda_.FilterCriteria.filter(dict(each)) for each in how.get("filters", ())] or None,
        )
        resource = self.mapping.node.default_child
        assert isinstance(resource, lambda_.CfnEventSourceMapping)
        # CDK's own destination grants more than sending.
        resource.destination_config = lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=parked.queue_arn)
        )
        for grant in self._grants(table.table_stream_arn, consumer, parked, key):
            self.mapping.node.add_dependency(grant)
        declare(self.mapping, peak_messages_per_second=changes.peak_per_second)

    def _grants(
        self, stream_arn: str, consumer: PythonFunction, parked: DeadLetters, key: kms.IKey | None
    ) -> list[iam.Grant]:
        """What Lambda does in the consumer's name ("Using AWS Lambda with Amazon DynamoDB")."""
        actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        grants = [
            iam.Grant.add_to_principal(grantee=consumer, actions=actions, resource_arns=[stream_arn]),
            # It takes no resource ("Actions, resources, and condition keys for Amazon DynamoDB").
            iam.Grant.add_to_principal(
                grantee=consumer, actions=["dynamodb:ListStreams"], resource_arns=["*"]
            ),
            parked.allow_sending(consumer),
        ]
        return [*grants, allow_through(key, "dynamodb", consumer, "Decrypt")] if key else grants
