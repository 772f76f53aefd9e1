"""Messaging platform: the declaration that the catalogue reads. No `aws_cdk` until it is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.messaging_platform.workload import DELIVERY, TRANSPORT, WORKLOAD
from workbench.blueprint import Blueprint, Stage
from workbench.workload import Load

if TYPE_CHECKING:
    from aws_cdk import App


def place(app: App, load: Load, stage: Stage) -> None:
    """Add the stack of this blueprint to `app`, and one that delivers it, where that is chosen."""
    from stacks.messaging_platform.delivery import Delivery
    from stacks.messaging_platform.stack import MessagingPlatform

    MessagingPlatform(app, load=load, stage=stage)
    if DELIVERY.taken(app.node.try_get_context(DELIVERY.key)) == "pipeline":
        Delivery(app, load=load, stage=stage)


BLUEPRINT = Blueprint(
    name="messaging_platform",
    title="Messaging platform",
    group="Course projects",
    seed="000_4e365307ef8bbba5.txt",
    passage="Weeks 2–3, Messaging Platform (WhatsApp-Style)",
    promise=(
        "Every sent message arrives at every device of the receiver, exactly once in the reader's view, in order per "
        "chat, also after the device was offline; it survives duplicate delivery, a dropped socket and a consumer "
        "crash between store and push."
    ),
    services=(
        "API Gateway (WebSocket, HTTP)",
        "Lambda",
        "DynamoDB",
        "MSK",
        "ElastiCache",
        "EKS",
        "RDS (PostgreSQL)",
        "S3",
        "CloudFront",
        "SQS",
        "SNS",
        "EventBridge Scheduler",
        "Cognito",
        "KMS",
        "Route 53",
        "VPC",
        "ECR",
        "CloudWatch",
    ),
    workload=WORKLOAD,
    place=place,
    choices=(TRANSPORT, DELIVERY),
)
