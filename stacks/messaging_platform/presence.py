"""The presence service: who is connected, who types, and who was last seen when."""

from __future__ import annotations

from aws_cdk import Duration
from constructs import Construct

from lambdas.messaging_platform.settings import PresenceSettings
from patterns.network import Client, Network
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from stacks.messaging_platform.pace import Pace
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic


class Presence(Construct):
    """Attribute: `function`."""

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
        self.function = PythonFunction(
            self,
            "Connections",
            handler="lambdas.messaging_platform.presence.socket.handler",
            environment=stores.environment(PresenceSettings, alive_seconds=pace.alive_seconds),
            libraries=True,
            network=network,
            timeout=Duration.seconds(10),
            canary=True,
            traffic=traffic.presence_function,
        )
        allow_presence(stores, self.function)

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        operations.watch_function(self.function, p99=Duration.seconds(1))


def allow_presence(stores: Stores, client: Client) -> None:
    """Let `client` do what the presence logic does, for the function and the gateway alike."""
    stores.cache.allow(client)
    stores.kafka.allow_writing(client, stores.presence_topic, idempotently=True)
    stores.people.allow(client, "BatchGetItem", "GetItem", "UpdateItem")
    stores.chats.allow(client, "BatchGetItem", "Query")
    stores.presence.allow(client, "DeleteItem", "PutItem", "Query")
