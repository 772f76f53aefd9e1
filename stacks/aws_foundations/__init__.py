"""AWS foundations: the declaration that the catalogue reads. No `aws_cdk` until it is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.aws_foundations.workload import LOGS_THROUGH, WORKLOAD
from workbench.blueprint import Blueprint, Stage
from workbench.workload import Load

if TYPE_CHECKING:
    from aws_cdk import App


def place(app: App, load: Load, stage: Stage) -> None:
    """Add the one stack of this blueprint to `app`."""
    from stacks.aws_foundations.stack import AwsFoundations

    AwsFoundations(app, load=load, stage=stage)


BLUEPRINT = Blueprint(
    name="aws_foundations",
    title="AWS and platform foundations",
    group="Course projects",
    seed="000_4e365307ef8bbba5.txt",
    passage="Week 1, AWS & Platform Foundations",
    promise=(
        "A Node.js service answers through the load balancer and writes to RDS, DynamoDB, S3 and Kafka; a private "
        "subnet has no route in from outside; one zone lost leaves the service up."
    ),
    services=(
        "VPC",
        "EC2",
        "EKS",
        "RDS (PostgreSQL)",
        "DynamoDB",
        "S3",
        "CloudFront",
        "Route 53",
        "MSK",
        "ElastiCache",
        "ECR",
        "Lambda",
        "Backup",
        "CloudWatch",
    ),
    workload=WORKLOAD,
    place=place,
    choices=(LOGS_THROUGH,),
)
