"""A DynamoDB table, protected as its stage asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Literal, Unpack

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.dead_letters import DeadLetters
from patterns.encryption_key import allow_through
from patterns.python_function import PythonFunction
from patterns.stream_feed import Feeding, StreamFeed
from patterns.traffic import TableTraffic, declare
from workbench.workload import SECONDS_PER_MONTH, Figure, Rate

USED_PERCENT = 70
_IMAGES = {
    "new": dynamodb.StreamViewType.NEW_IMAGE,
    "both": dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
}


class Table(dynamodb.Table):
    """A table of string keys, priced and limited by its declared traffic; on demand, or `provisioned`.

    Provisioned capacity follows use between what the mean and what the busiest second ask for, at 70 % of it used. It
    costs less where traffic is even, and needs a minute or two to follow a peak: till then it throttles.

    It is encrypted with a key of AWS's own, which is free; or with `key`, which is paid by the request. Whoever uses
    the table may then use the key through DynamoDB: it decrypts the table's own key in the caller's name, and does
    the rest in its own ("DynamoDB encryption at rest usage notes", DynamoDB Developer Guide).

    With `stream` its changes can be delivered (`feed`), with the item as it is after ("new"), or before and after
    ("both").

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
        provisioned: bool = False,
        stream: Literal["new", "both"] | None = None,
        key: kms.IKey | None = None,
        traffic: TableTraffic,
    ) -> None:
        stack = BlueprintStack.around(scope)
        writes, reads = _Capacity.of(traffic.writes), _Capacity.of(traffic.reads)
        super().__init__(
            scope,
            id,
            partition_key=_string(partition_key),
            sort_key=_string(sort_key) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PROVISIONED
            if provisioned
            else dynamodb.BillingMode.PAY_PER_REQUEST,
            write_capacity=writes.least if provisioned else None,
            read_capacity=reads.least if provisioned else None,
            time_to_live_attribute=expires_with,
            stream=_IMAGES[stream] if stream else None,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else None,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=stack.is_production and expires_with is None
            ),
            deletion_protection=stack.is_production,
            removal_policy=stack.removal_policy,
        )
        self._key, self._users = key, set[str]()
        self._changes = written = traffic.writes
        if traffic.index_writes is not None:
            written = traffic.writes + traffic.index_writes
            declare(self, index_write_units_per_month=traffic.index_writes.per_month)
        declare(
            self,
            write_units_per_month=traffic.writes.per_month,
            read_units_per_month=traffic.reads.per_month,
            peak_write_units_per_second=written.peak_per_second,
            peak_read_units_per_second=traffic.reads.peak_per_second,
            stored_gb=traffic.stored_gb,
            hottest_key_share=traffic.hottest_key_share,
        )

        self._is_provisioned = provisioned
        if provisioned:
            for scaling in (
                self.auto_scale_write_capacity(min_capacity=writes.least, max_capacity=writes.most),
                self.auto_scale_read_capacity(min_capacity=reads.least, max_capacity=reads.most),
            ):
                scaling.scale_on_utilization(target_utilization_percent=USED_PERCENT)

        if stack.is_production and expires_with is not None:
            acknowledge(
                self, "AwsSolutions-DDB3", "what is in here expires by itself, and can be lost without harm"
            )

    def add_index(self, name: str, *, partition_key: str, sort_key: str, attributes: Sequence[str]) -> None:
        """A global secondary index of the keys and `attributes`, of a table on demand.

        Raises `ValueError` where the table is provisioned: an index would need a capacity of its own.
        """
        if self._is_provisioned:
            raise ValueError(f"{self.node.path}: an index of a provisioned table needs a capacity of its own")
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

    def feed(self, consumer: PythonFunction, *, parked: DeadLetters, **how: Unpack[Feeding]) -> StreamFeed:
        """Deliver the table's changes to `consumer`: see `StreamFeed`. Raises `ValueError` without a `stream`."""
        feed = StreamFeed(
            self,
            f"To{consumer.node.id}",
            table=self,
            consumer=consumer,
            changes=self._changes,
            parked=parked,
            key=self._key,
            **how,
        )
        self._count(consumer)
        return feed

    def _allow(self, grantee: iam.IGrantable, actions: Sequence[str], arn: str) -> iam.Grant:
        grant = iam.Grant.add_to_principal(
            grantee=grantee, actions=[f"dynamodb:{action}" for action in actions], resource_arns=[arn]
        )
        if self._key is None:
            return grant
        self._count(grantee)
        return grant.combine(allow_through(self._key, "dynamodb", grantee, "Decrypt"))

    def _count(self, user: iam.IGrantable) -> None:
        """Declare how many use the table's key by now: DynamoDB asks for it again for each."""
        if self._key is None:
            return
        principal = user.grant_principal
        assert isinstance(principal, iam.Role)
        self._users.add(principal.node.path)
        count = len(self._users)
        declare(self, again=True, principals=Figure(Decimal(count), f"{count} roles that use it"))


@dataclass(frozen=True)
class _Capacity:
    """Units a second that are there when nobody comes, and those that the busiest second can have."""

    least: int
    most: int

    @classmethod
    def of(cls, rate: Rate) -> _Capacity:
        mean = rate.per_month.value / SECONDS_PER_MONTH
        least, most = (
            max(1, ceil(units * 100 / USED_PERCENT)) for units in (mean, rate.peak_per_second.value)
        )
        return cls(least, max(least, most))


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
