"""A DynamoDB table on demand, protected as its stage asks."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import declare
from workbench.workload import Figure, Rate


class Table(dynamodb.Table):
    """An on-demand table of string keys, encrypted, priced and limited by its declared traffic.

    In production its data outlives the stack: deletion protection and point-in-time recovery, the latter
    only where `holds_truth` (counters that can be rebuilt and records that expire need none).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        partition_key: str,
        sort_key: str | None = None,
        time_to_live: str | None = None,
        holds_truth: bool = True,
        write_units: Rate,
        read_units: Rate,
        stored_gb: Figure,
        hottest_key_share: Figure | None = None,
    ) -> None:
        stack = BlueprintStack.around(scope)
        super().__init__(
            scope,
            id,
            partition_key=_string(partition_key),
            sort_key=_string(sort_key) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            time_to_live_attribute=time_to_live,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=stack.is_production and holds_truth
            ),
            deletion_protection=stack.is_production,
            removal_policy=stack.removal_policy,
        )
        declare(
            self,
            write_units_per_month=write_units.per_month,
            read_units_per_month=read_units.per_month,
            peak_write_units_per_second=write_units.peak_per_second,
            peak_read_units_per_second=read_units.peak_per_second,
            stored_gb=stored_gb,
        )
        if hottest_key_share is not None:
            declare(self, hottest_key_share=hottest_key_share)

        if stack.is_production and not holds_truth:
            acknowledge(self, "AwsSolutions-DDB3", "what is in here expires by itself, and can be lost without harm")

    def add_index(self, name: str, *, partition_key: str, sort_key: str, attributes: Sequence[str]) -> None:
        """A global secondary index of the keys and `attributes`; its writes count in the table's declared units."""
        self.add_global_secondary_index(
            index_name=name,
            partition_key=_string(partition_key),
            sort_key=_string(sort_key),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=list(attributes),
        )

    def allow(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        """Let `grantee` do these actions ("GetItem") on the table itself, and nothing else."""
        return self._allow(grantee, actions, self.table_arn)

    def allow_on_index(self, grantee: iam.IGrantable, index: str, *actions: str) -> iam.Grant:
        """Let `grantee` do these actions ("Query") on one index, and not on the table."""
        return self._allow(grantee, actions, f"{self.table_arn}/index/{index}")

    def _allow(self, grantee: iam.IGrantable, actions: Sequence[str], arn: str) -> iam.Grant:
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=[f"dynamodb:{action}" for action in actions], resource_arns=[arn]
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
