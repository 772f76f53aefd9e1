"""The presence service: who is connected, who types, and who was last seen when."""

from __future__ import annotations

from aws_cdk import Duration
from constructs import Construct

from lambdas.messaging_platform.settings import PresenceSettings
from patterns.network import Client, Network
from patterns.operations import Operations
from patterns.python_function import PythonFunction
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
        traffic: Traffic,
        alive_seconds: int,
    ) -> None:
        super().__init__(scope, id)
        self.function = PythonFunction(
            self,
            "Connections",
            handler="lambdas.messaging_platform.presence.socket.handler",
            environment=PresenceSettings(
                people_table=stores.people.table_name,
                chats_table=stores.chats.table_name,
                presence_table=stores.presence.table_name,
                kafka_cluster_arn=stores.kafka.cluster_arn,
                presence_topic=stores.presence_topic,
                cache_host=stores.cache.endpoint,
                cache_port=stores.cache.port,
                cache_token_secret_arn=stores.cache.token.secret_arn,
                alive_seconds=alive_seconds,
            ).as_environment(),
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
