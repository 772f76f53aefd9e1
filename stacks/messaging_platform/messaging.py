"""The messaging service: behind the socket, behind HTTP, and the relay that tells Kafka what was stored."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambdas.messaging_platform.keys import BY_USER
from lambdas.messaging_platform.settings import AuthorizeSettings, MessagingSettings, RelaySettings
from patterns.network import Network
from patterns.python_function import PythonFunction
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic

HANDLERS = "lambdas.messaging_platform"


class Messaging(Construct):
    """Attributes: `authorize` (tickets), `socket` and `api` (the same actions by two ways in), `relay`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        stores: Stores,
        messages_a_minute: int,
        traffic: Traffic,
    ) -> None:
        super().__init__(scope, id)
        self.authorize = PythonFunction(
            self,
            "Authorize",
            handler=f"{HANDLERS}.sign_in.authorize.handler",
            environment=AuthorizeSettings(tickets_table=stores.tickets.table_name).as_environment(),
            traffic=traffic.authorize,
        )
        stores.tickets.allow(self.authorize, "DeleteItem")

        environment = MessagingSettings(
            messages_table=stores.messages.table_name,
            sent_table=stores.sent.table_name,
            chats_table=stores.chats.table_name,
            people_table=stores.people.table_name,
            inboxes_table=stores.inboxes.table_name,
            media_table=stores.media.table_name,
            limits_table=stores.limits.table_name,
            messages_a_minute=messages_a_minute,
        ).as_environment()
        self.socket = PythonFunction(
            self,
            "Socket",
            handler=f"{HANDLERS}.messaging.socket.handler",
            environment=environment,
            timeout=Duration.seconds(20),
            traffic=traffic.act,
        )
        self.api = PythonFunction(
            self,
            "MessagingApi",
            handler=f"{HANDLERS}.messaging.api.handler",
            environment=environment,
            timeout=Duration.seconds(20),
            traffic=traffic.fallback,
        )
        for function in (self.socket, self.api):
            allow_acting(stores, function)
        stores.chats.allow_on_index(self.api, BY_USER, "Query")
        stores.chats.allow(self.api, "BatchGetItem")

        self.relay = PythonFunction(
            self,
            "Relay",
            handler=f"{HANDLERS}.messaging.relay.handler",
            environment=RelaySettings(
                kafka_cluster_arn=stores.kafka.cluster_arn,
                messages_topic=stores.messages_topic,
                receipts_topic=stores.receipts_topic,
                parked_queue_url=stores.parked.queue_url,
            ).as_environment(),
            libraries=True,
            network=network,
            timeout=Duration.seconds(30),
            traffic=traffic.relay,
        )
        stores.messages.feed(self.relay, parked=stores.parked)
        stores.chats.feed(self.relay, parked=stores.parked)
        topics = (stores.messages_topic, stores.receipts_topic)
        stores.kafka.allow_writing(self.relay, *topics, idempotently=True)


def allow_acting(stores: Stores, actor: iam.IGrantable) -> None:
    """Let `actor` do what the messaging logic does, for functions and the gateway alike."""
    stores.messages.allow(actor, "GetItem", "PutItem", "Query", "UpdateItem")
    stores.sent.allow(actor, "GetItem", "PutItem")
    stores.chats.allow(actor, "GetItem", "Query", "UpdateItem")
    stores.people.allow(actor, "GetItem")
    stores.inboxes.allow(actor, "Query", "BatchWriteItem")
    stores.media.allow(actor, "GetItem")
    stores.limits.allow(actor, "UpdateItem")
