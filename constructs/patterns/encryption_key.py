"""A key of the account, to encrypt what stands still; and who may use it, through which service."""

from __future__ import annotations

from typing import Literal

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import declare
from workbench.workload import NEVER, Figure, Rate

Service = Literal["dynamodb", "s3", "sqs"]


class EncryptionKey(kms.Key):
    """A symmetric key, renewed each year, without an alias: what encrypts with it names it itself.

    In production it outlives the stack, for what it encrypted can be read with nothing else. A sandbox's waits
    seven days for its end, the fewest that KMS has. `requests` are what programs ask of it themselves. What services
    ask of it is in the bill of each table and bucket; of a database, a cluster or a queue of dead letters, which ask
    when they start or once in minutes, it is in none. `busiest` is all of it in the busiest second.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        description: str,
        requests: Rate = NEVER,
        busiest: Figure | None = None,
    ) -> None:
        stack = BlueprintStack.around(scope)
        super().__init__(
            scope,
            id,
            description=description,
            enable_key_rotation=True,
            pending_window=Duration.days(30 if stack.is_production else 7),
            removal_policy=stack.removal_policy,
        )
        declare(self, requests_per_month=requests.per_month)
        if busiest is not None:
            declare(self, peak_requests_per_second=busiest)


def allow_through(key: kms.IKey, service: Service, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
    """Let `service` do these actions ("Decrypt") with `key` in the name of `grantee`, who may not by itself."""
    return iam.Grant.add_to_principal(
        grantee=grantee,
        actions=[f"kms:{action}" for action in actions],
        resource_arns=[key.key_arn],
        conditions={"StringEquals": {"kms:ViaService": f"{service}.{Aws.REGION}.amazonaws.com"}},
    )
