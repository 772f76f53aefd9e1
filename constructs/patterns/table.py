"""A DynamoDB table on demand, protected as its stage asks."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import TableTraffic, declare


class Table(dynamodb.Table):
    """An on-demand table of string keys, priced and limited by its declared traffic.

    It is encrypted with a key of AWS's own, which is free; one in the account would be paid by the request.

    In production its data outlives the stack: deletion protection and point-in-time recovery, the latter
    but for a table whose items expire, each at the epoch second in its attribute `expires_with`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        partition_key: str,
        sort_key: str | None = None,
        expires_with: str | None = None,
        traffic: TableTraffic,
    ) -> None:
        stack = BlueprintStack.around(scope)
        super().__init__(
            scope,
            id,
            partition_key=_string(partition_key),
            sort_key=_string(sort_key) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=expires_with,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=stack.is_production and expires_with is None
            ),
            deletion_protection=stack.is_production,
            removal_policy=stack.removal_policy,
        )
        declare(
            self,
            write_units_per_month=traffic.writes.per_month,
            read_units_per_month=traffic.reads.per_month,
            peak_write_units_per_second=traffic.writes.peak_per_second,
            peak_read_units_per_second=traffic.reads.peak_per_second,
            stored_gb=traffic.stored_gb,
            hottest_key_share=traffic.hottest_key_share,
        )

        if stack.is_production and expires_with is not None:
            acknowledge(
                self, "AwsSolutions-DDB3", "what is in here expires by itself, and can be lost without harm"
            )

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
