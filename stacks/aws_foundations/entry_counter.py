"""The function that counts what the service wrote: each entry once, however often its record comes."""

from __future__ import annotations

from constructs import Construct

from lambdas.aws_foundations.settings import Settings
from patterns.dead_letters import DeadLetters
from patterns.kafka_cluster import KafkaCluster
from patterns.python_function import PythonFunction
from patterns.table import Table
from stacks.aws_foundations.traffic import Traffic


class EntryCounter(Construct):
    """A function fed from `topic`, with the tables and the queue that nothing else writes to.

    Attributes: `function`, `authors` (how many entries each has written), `parked` (what is no entry).
    """

    def __init__(
        self, scope: Construct, id: str, *, kafka: KafkaCluster, topic: str, traffic: Traffic
    ) -> None:
        super().__init__(scope, id)
        self.authors = Table(self, "Authors", partition_key="author", traffic=traffic.authors)
        counted = Table(
            self, "Counted", partition_key="entry_id", expires_with="expires_at", traffic=traffic.counted
        )
        self.parked = DeadLetters(self, "Parked")
        self.function = PythonFunction(
            self,
            "Count",
            handler="lambdas.aws_foundations.count_entries.handler",
            environment=Settings(
                authors_table=self.authors.table_name,
                counted_table=counted.table_name,
                parked_queue_url=self.parked.queue_url,
            ).as_environment(),
            traffic=traffic.count,
        )
        kafka.feed(self.function, topic=topic, records=traffic.written)
        self.authors.allow(self.function, "UpdateItem")
        counted.allow(self.function, "PutItem")
        self.parked.allow_sending(self.function)
