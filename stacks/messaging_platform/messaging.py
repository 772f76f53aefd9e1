"""The messaging service: behind the socket, behind HTTP, and the relay that tells Kafka what was stored."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambdas.messaging_platform.settings import BY_USER, AuthorizeSettings, MessagingSettings, RelaySettings
from patterns.network import Network
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from stacks.messaging_platform.pace import Pace
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic

HANDLERS = "lambdas.messaging_platform"


class Messaging(Construct):
    """Attributes: `api`, `relay`. What a socket asks goes to `SocketHandlers`, or to the gateways of the fleet."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        stores: Stores,
        pace: Pace,
        traffic: Traffic,
    ) -> None:
        super().__init__(scope, id)
        self.api = PythonFunction(
            self,
            "MessagingApi",
            handler=f"{HANDLERS}.messaging.api.handler",
            environment=stores.environment(MessagingSettings, messages_a_minute=pace.messages_a_minute),
            timeout=Duration.seconds(20),
            canary=True,
            traffic=traffic.fallback,
        )
        allow_acting(stores, self.api)
        stores.chats.allow_on_index(self.api, BY_USER, "Query")
        stores.chats.allow(self.api, "BatchGetItem")
        stores.messages.allow(self.api, "Query")

        self.relay = PythonFunction(
            self,
            "Relay",
            handler=f"{HANDLERS}.messaging.relay.handler",
            environment=stores.environment(RelaySettings),
            libraries=True,
            network=network,
            timeout=Duration.seconds(30),
            canary=True,
            traffic=traffic.relay,
        )
        stores.messages.feed(self.relay, parked=stores.parked)
        stores.chats.feed(self.relay, parked=stores.parked)
        topics = (stores.messages_topic, stores.receipts_topic)
        stores.kafka.allow_writing(self.relay, *topics, idempotently=True)

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        operations.watch_function(self.api, p99=Duration.seconds(2))
        operations.watch_function(self.relay, p99=Duration.seconds(10))
        operations.watch_stream(self.relay, oldest=Duration.minutes(1))


class SocketHandlers(Construct):
    """Who may open a socket, and what is done with its frames: by API Gateway's leave.

    Attributes: `authorize` (tickets), `act`.
    """

    def __init__(self, scope: Construct, id: str, *, stores: Stores, pace: Pace, traffic: Traffic) -> None:
        super().__init__(scope, id)
        self.authorize = PythonFunction(
            self,
            "Authorize",
            handler=f"{HANDLERS}.sign_in.authorize.handler",
            environment=stores.environment(AuthorizeSettings),
            canary=True,
            traffic=traffic.authorize,
        )
        stores.tickets.allow(self.authorize, "DeleteItem")
        self.act = PythonFunction(
            self,
            "Act",
            handler=f"{HANDLERS}.messaging.socket.handler",
            environment=stores.environment(MessagingSettings, messages_a_minute=pace.messages_a_minute),
            timeout=Duration.seconds(20),
            canary=True,
            traffic=traffic.act,
        )
        allow_acting(stores, self.act)

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        operations.watch_function(self.authorize, p99=Duration.seconds(1))
        operations.watch_function(self.act, p99=Duration.seconds(2))


def allow_acting(stores: Stores, actor: iam.IGrantable) -> None:
    """Let `actor` do what the messaging logic does, for functions and the gateway alike."""
    stores.messages.allow(actor, "GetItem", "PutItem", "UpdateItem")
    stores.sent.allow(actor, "GetItem", "PutItem")
    stores.chats.allow(actor, "GetItem", "Query", "UpdateItem")
    stores.people.allow(actor, "GetItem")
    stores.inboxes.allow(actor, "Query", "BatchWriteItem")
    stores.media.allow(actor, "GetItem", "UpdateItem")
    stores.limits.allow(actor, "UpdateItem")
