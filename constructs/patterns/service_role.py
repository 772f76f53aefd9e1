"""A role that a service of AWS takes, with the policies that AWS writes for it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.acknowledge import acknowledge


class ServiceRole(iam.Role):
    """For `service` ("eks.amazonaws.com") alone, with AWS's own `policies`; `reason` says why they are not ours."""

    def __init__(
        self, scope: Construct, id: str, *, service: str, policies: Sequence[str], reason: str
    ) -> None:
        super().__init__(
            scope,
            id,
            assumed_by=iam.ServicePrincipal(service),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in policies],
        )
        for name in policies:
            rule = f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]"
            acknowledge(self, rule, reason)
