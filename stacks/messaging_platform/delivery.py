"""How this system comes to its users: a pipeline of its own, in a stack beside both stages."""

from __future__ import annotations

from aws_cdk import App, Aws, CfnOutput

from patterns.blueprint_stack import BlueprintStack
from patterns.delivery_pipeline import BUILDS, IMAGE_BUILDS, DeliveryPipeline, Operation, Program
from stacks.messaging_platform.workload import TRANSPORT
from workbench.blueprint import Stage
from workbench.workload import Load

SYSTEM = "messaging_platform"
SANDBOX = "messaging-platform-sandbox"
NOBODYS = "owner/name"  # until somebody says whose it is: no such connection reads anything
DOMAIN = ("domain", "zone", "zone_id")  # production's alone: two stages cannot have one name
ZONES = "zones"  # both stages': it is the account that knows which of its zones have all services
TAGGED = {"aws:ResourceTag/blueprint": SYSTEM, "aws:ResourceTag/stage": "sandbox"}
_NAMED = "CloudFormation makes the name of the stack's, the construct's, and of chance"
# What the scenario does with AWS beside HTTP and sockets, and with the faults that only the offline AWS can make left
# out: stacks/messaging_platform/scenario.py, its clients, and `World.sign_in`.
OPERATIONS = (
    Operation(
        "cognito-idp",
        ("AdminCreateUser", "AdminInitiateAuth", "AdminSetUserPassword"),
        "userpool/*",
        "a pool's id says nothing of its stack: its tags do",
        {"StringEquals": TAGGED},
    ),
    Operation("dynamodb", ("BatchGetItem", "Query"), f"table/{SANDBOX}-StoresInboxes*", _NAMED),
    Operation("dynamodb", ("BatchWriteItem",), f"table/{SANDBOX}-StoresChats*", _NAMED),
    Operation("dynamodb", ("BatchWriteItem",), f"table/{SANDBOX}-StoresPeople*", _NAMED),
    Operation("dynamodb", ("GetItem",), f"table/{SANDBOX}-StoresPeople*", _NAMED),
    Operation("dynamodb", ("PutItem",), f"table/{SANDBOX}-StoresMessages*", _NAMED),
    Operation(
        "kms",
        ("Decrypt",),
        "key/*",
        "a key's id says nothing of its stack: its tags do; and these services alone may use it",
        {
            "StringEquals": {
                **TAGGED,
                "kms:ViaService": [
                    f"{service}.{Aws.REGION}.amazonaws.com" for service in ("dynamodb", "sqs")
                ],
            }
        },
    ),
    Operation(
        "lambda",
        ("DeleteFunctionConcurrency", "GetFunction", "PutFunctionConcurrency"),
        f"function:{SANDBOX}-NotificationsPush*",
        _NAMED,
    ),
    Operation("sqs", ("GetQueueAttributes",), f"{SANDBOX}-Notifications*", _NAMED),
    Operation("sqs", ("ReceiveMessage",), f"{SANDBOX}-StoresParked*", _NAMED),
    Operation(
        "sqs",
        (
            "CreateQueue",
            "DeleteMessage",
            "DeleteQueue",
            "GetQueueAttributes",
            "ReceiveMessage",
            "SetQueueAttributes",
        ),
        "pushes-*",
        "a queue of the play's own, to hear pushes with; it is called after the run",
    ),
    Operation("sns", ("Subscribe",), f"{SANDBOX}-NotificationsChannel*", _NAMED),
    Operation("sns", ("Unsubscribe",), "*", "it takes no resource"),
)


class Delivery(BlueprintStack):
    """`cdk deploy -c delivery=pipeline -c repository=owner/name messaging-platform-delivery-production`.

    One pipeline serves both stages; that of a sandbox differs in that it leaves nothing behind. Then confirm the
    connection in the console, and subscribe to the topic of its output `NoticesTopicArn`. What the pipeline deploys
    has the context that it was itself deployed with: transport, domain, zones, users.
    """

    def __init__(self, app: App, *, load: Load, stage: Stage) -> None:
        super().__init__(
            app,
            f"{SYSTEM}_delivery",
            load=load,
            stage=stage,
            description="Messaging platform: from a commit to production",
        )
        of = load.quantity
        given = {name: str(self.node.try_get_context(name) or "") for name in (*DOMAIN, ZONES)}
        delivery = DeliveryPipeline(
            self,
            "Delivery",
            system=SYSTEM,
            repository=str(self.node.try_get_context("repository") or NOBODYS),
            users=load.users,
            program=Program(f"services/{SYSTEM}/Dockerfile"),
            operations=OPERATIONS,
            context={
                TRANSPORT.key: self.chosen(TRANSPORT),
                **({ZONES: given[ZONES]} if given[ZONES] else {}),
            },
            production_context={name: given[name] for name in DOMAIN if given[name]},
            runs=of("deliveries"),
            minutes={name: of(f"{name.lower()}_minutes") for name in (*BUILDS, *IMAGE_BUILDS)},
            log_bytes=of("delivery_log_bytes"),
            artifact_bytes=of("artifact_bytes"),
        )
        for name, value in {
            "PipelineName": delivery.pipeline.ref,
            "ConnectionArn": delivery.connection.attr_connection_arn,
            "NoticesTopicArn": delivery.notices.topic_arn,
        }.items():
            CfnOutput(self, name, value=value)
