"""What the stack tells each program. How the keys of the tables look: keys.py."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.shared.settings import EnvironmentSettings

MESSAGES_TOPIC, RECEIPTS_TOPIC, PRESENCE_TOPIC = "messages", "receipts", "presence"
DATABASE_NAME = "directory"
BY_USER = "by_user"  # the index of `chats`: user, chat
BY_USER_ATTRIBUTES = ("entry", "since", "until", "delivered", "read", "role")


@dataclass(frozen=True)
class AuthorizeSettings(EnvironmentSettings):
    """The authorizer of `$connect`: a ticket is good once."""

    tickets_table: str


@dataclass(frozen=True, kw_only=True)
class MessagingSettings(EnvironmentSettings):
    """The messaging service, behind the socket and behind HTTP."""

    messages_table: str
    sent_table: str
    chats_table: str
    people_table: str
    inboxes_table: str
    media_table: str
    limits_table: str
    messages_a_minute: int = 60


@dataclass(frozen=True)
class RelaySettings(EnvironmentSettings):
    """What takes changes of the tables to Kafka."""

    kafka_cluster_arn: str
    messages_topic: str
    receipts_topic: str
    parked_queue_url: str


@dataclass(frozen=True, kw_only=True)
class PresenceSettings(EnvironmentSettings):
    """`$connect`, `$disconnect`, heartbeats and typing."""

    people_table: str
    chats_table: str
    presence_table: str
    kafka_cluster_arn: str
    presence_topic: str
    cache_host: str
    cache_port: str  # a number that only the deployment knows
    cache_token_secret_arn: str
    alive_seconds: int = 45


@dataclass(frozen=True)
class DirectorySettings(EnvironmentSettings):
    """Accounts, contacts, blocks, groups, devices and tickets. `socket_url` is where a client connects."""

    aws_region: str
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    people_table: str
    chats_table: str
    messages_table: str
    sent_table: str
    tickets_table: str
    socket_url: str = ""
    largest_group: int = 1000


@dataclass(frozen=True)
class MediaSettings(EnvironmentSettings):
    """Uploads in parts, and signed addresses."""

    media_table: str
    chats_table: str
    uploads_bucket: str
    edge_host: str
    key_pair_id: str
    private_key_secret_arn: str
    url_seconds: int = 300


@dataclass(frozen=True)
class NotifySettings(EnvironmentSettings):
    """Pushes for devices that are away. `schedule_role_arn` is whose name the scheduler sends in what had to wait."""

    people_table: str
    chats_table: str
    inboxes_table: str
    pushes_table: str
    push_topic_arn: str
    push_queue_arn: str
    schedule_group: str
    schedule_role_arn: str


@dataclass(frozen=True, kw_only=True)
class FanOutSettings(PresenceSettings):
    """The program that takes events from Kafka to inboxes and sockets, and expires presence.

    `management_url` is API Gateway's, of the sockets.
    """

    messages_table: str
    inboxes_table: str
    messages_topic: str
    receipts_topic: str
    push_queue_url: str
    parked_queue_url: str
    management_url: str = ""
    gateway_secret_arn: str = ""
    grace_seconds: int = 10
    inbox_days: int = 30


@dataclass(frozen=True)
class InspectSettings(EnvironmentSettings):
    """The program that looks at what was uploaded, and publishes what is sound."""

    media_table: str
    uploads_queue_url: str
    uploads_bucket: str
    media_bucket: str


@dataclass(frozen=True, kw_only=True)
class GatewaySettings(MessagingSettings, PresenceSettings):
    """The gateway of the fleet: what API Gateway and the functions behind it do otherwise."""

    tickets_table: str
    gateway_secret_arn: str
    origin_secret_arn: str
