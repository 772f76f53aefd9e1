"""What the stack tells the service and the function, and the names that both sides must agree on.

Three tables, all keys strings:

    entries  author, entry ("<at>#<id>")       the service's: the latest entries of each author
    authors  author                            how many entries each author has written
    counted  entry_id                          time to live: expires_at

The service is written in JavaScript: services/aws_foundations/src/settings.js reads what `ServiceSettings`
writes, and a test holds the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.shared.settings import EnvironmentSettings

TOPIC = "entries"
TOPIC_PARTITIONS = 6


@dataclass(frozen=True)
class ServiceSettings(EnvironmentSettings):
    """The environment of the service, on virtual machines and in pods alike."""

    aws_region: str
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    table_name: str
    bucket_name: str
    kafka_cluster_arn: str
    kafka_topic: str
    cache_host: str
    cache_port: str  # a number that only the deployment knows
    cache_token_secret_arn: str


@dataclass(frozen=True)
class Settings(EnvironmentSettings):
    """The environment of the function that counts entries."""

    authors_table: str
    counted_table: str
    parked_queue_url: str
