"""The topics of a Kafka cluster: who holds and who leads their partitions.

Replicas are a table and no copies: every replica that is up has everything.
"""

from __future__ import annotations

from dataclasses import dataclass

NO_BROKER = -1  # who leads a partition without a replica that is up


@dataclass
class Partition:
    """Who holds it, and who leads it: brokers by number, `NO_BROKER` when no replica is up."""

    replicas: tuple[int, ...]
    leader: int = NO_BROKER


@dataclass
class Topic:
    """A topic, with the settings of its own."""

    partitions: list[Partition]
    settings: dict[str, str]


class TopicRefused(Exception):
    """A topic cannot be made or removed; `code` is Kafka's for it, the text says why."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
