"""Says why a rule of cdk-nag does not hold for a resource. The gate checks that each matched a finding."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

PACKS = {"AwsSolutions": "AwsSolutions::AwsSolutions-", "Serverless": "Serverless::Serverless-"}


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge `rule` ("AwsSolutions-IAM5[Resource::*]") on `construct` and what stands in it."""
    pack, _, name = rule.partition("-")
    Validations.of(construct).acknowledge(Acknowledgment(id=PACKS[pack] + name, reason=reason))
