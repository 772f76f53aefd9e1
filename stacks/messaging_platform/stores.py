"""Where things lie: tables, the database, the cache, the topics, and the key of what is said."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Protocol

from constructs import Construct

from lambdas.messaging_platform.settings import (
    BY_USER,
    BY_USER_ATTRIBUTES,
    DATABASE_NAME,
    MESSAGES_TOPIC,
    PRESENCE_TOPIC,
    RECEIPTS_TOPIC,
)
from patterns.cache import Cache
from patterns.dead_letters import DeadLetters
from patterns.encryption_key import EncryptionKey
from patterns.kafka_cluster import KafkaCluster
from patterns.network import Network
from patterns.operations import Operations
from patterns.postgres import Postgres
from patterns.table import Table
from stacks.messaging_platform.traffic import Traffic

PARTITIONS = 16  # of each topic: as many consumers can share one
RECORDS_KEPT_HOURS = 72


class Settings(Protocol):
    """What the classes of `settings.py` make."""

    def as_environment(self) -> dict[str, str]: ...


class Stores(Construct):
    """What is written by one service and read by others. Tables that nothing else uses stand with their service.

    What people say to one another, and who they are, is encrypted with `key`, a key of the account's: tables, the
    database, the topics, and what is parked. The smaller tables and the cache have AWS's own.
    """

    def __init__(self, scope: Construct, id: str, *, network: Network, traffic: Traffic) -> None:
        super().__init__(scope, id)
        self.key = EncryptionKey(self, "Key", description="What people say to one another")
        self.messages = Table(
            self,
            "Messages",
            partition_key="chat",
            sort_key="entry",
            stream="new",
            key=self.key,
            traffic=traffic.messages,
        )
        self.chats = Table(
            self,
            "Chats",
            partition_key="chat",
            sort_key="entry",
            stream="both",
            key=self.key,
            traffic=traffic.chats,
        )
        self.chats.add_index(BY_USER, partition_key="user", sort_key="chat", attributes=BY_USER_ATTRIBUTES)
        self.people = Table(
            self, "People", partition_key="user", sort_key="entry", key=self.key, traffic=traffic.people
        )
        self.inboxes = Table(
            self,
            "Inboxes",
            partition_key="device",
            sort_key="entry",
            expires_with="expires_at",
            key=self.key,
            traffic=traffic.inboxes,
        )
        self.sent = Table(self, "Sent", partition_key="key", expires_with="expires_at", traffic=traffic.sent)
        self.limits = Table(
            self, "Limits", partition_key="key", expires_with="expires_at", traffic=traffic.limits
        )
        self.tickets = Table(
            self, "Tickets", partition_key="ticket", expires_with="expires_at", traffic=traffic.tickets
        )
        self.presence = Table(
            self,
            "Presence",
            partition_key="user",
            sort_key="device",
            expires_with="expires_at",
            traffic=traffic.presence,
        )
        self.media = Table(self, "Media", partition_key="media", traffic=traffic.media_items)

        self.database = Postgres(
            self,
            "Database",
            network=network,
            database_name=DATABASE_NAME,
            key=self.key,
            traffic=traffic.database,
        )
        self.cache = Cache(self, "Cache", network=network, traffic=traffic.cache)
        self.kafka = KafkaCluster(self, "Kafka", network=network, key=self.key, traffic=traffic.kafka)
        self.messages_topic, self.receipts_topic, self.presence_topic = (
            self.kafka.topic(name.title(), partitions=PARTITIONS, retention_hours=RECORDS_KEPT_HOURS)
            for name in (MESSAGES_TOPIC, RECEIPTS_TOPIC, PRESENCE_TOPIC)
        )
        self.parked = DeadLetters(self, "Parked", key=self.key)

    def environment(self, settings: Callable[..., Settings], **more: str | int) -> dict[str, str]:
        """What a program with these `settings` is told: where things lie here, as far as it asks, and `more`.

        Raises `TypeError` where it asks for anything else.
        """
        here = {
            **{
                f"{each.node.id.lower()}_table": each.table_name
                for each in self.node.children
                if isinstance(each, Table)
            },
            "database_host": self.database.endpoint,
            "database_port": self.database.port,
            "database_name": self.database.database_name,
            "database_user": self.database.user,
            "cache_host": self.cache.endpoint,
            "cache_port": self.cache.port,
            "cache_token_secret_arn": self.cache.token.secret_arn,
            "kafka_cluster_arn": self.kafka.cluster_arn,
            "messages_topic": self.messages_topic,
            "receipts_topic": self.receipts_topic,
            "presence_topic": self.presence_topic,
            "parked_queue_url": self.parked.queue_url,
        }
        asked = signature(settings).parameters
        told = {name: value for name, value in here.items() if name in asked}
        return settings(**told, **more).as_environment()

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        operations.watch_dead_letters(self.parked)
        operations.watch_database(self.database)
        operations.watch_kafka(self.kafka)
        for table in (self.messages, self.chats, self.inboxes):
            operations.watch_table(table)
