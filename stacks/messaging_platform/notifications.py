"""The notification service: a push for a device that is away, after a grace time, one per chat."""

from __future__ import annotations

from aws_cdk import Duration
from constructs import Construct

from lambdas.messaging_platform.settings import NotifySettings
from patterns.operations import Operations
from patterns.push_channel import PushChannel
from patterns.python_function import PythonFunction
from patterns.table import Table
from patterns.work_queue import WorkQueue
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic
from workbench.workload import Figure


class Notifications(Construct):
    """Attributes: `queue` (what fan-out puts there waits for the grace time), `channel`, `function`."""

    def __init__(
        self, scope: Construct, id: str, *, stores: Stores, traffic: Traffic, requests_per_push: Figure
    ) -> None:
        super().__init__(scope, id)
        self.queue = WorkQueue(
            self,
            "Pushes",
            messages=traffic.away,
            requests_per_message=requests_per_push,
            consumer_timeout=Duration.seconds(30),
        )
        claims = Table(
            self,
            "Claims",
            partition_key="device",
            sort_key="chat",
            expires_with="expires_at",
            traffic=traffic.push_claims,
        )
        self.channel = PushChannel(self, "Channel", queue=self.queue, pushes=traffic.pushes)
        self.function = PythonFunction(
            self,
            "Push",
            handler="lambdas.messaging_platform.notifications.push.handler",
            environment=stores.environment(
                NotifySettings,
                pushes_table=claims.table_name,
                push_topic_arn=self.channel.topic.topic_arn,
                push_queue_arn=self.queue.queue.queue_arn,
                schedule_group=self.channel.group_name,
                schedule_role_arn=self.channel.role.role_arn,
            ),
            timeout=Duration.seconds(30),
            canary=True,
            traffic=traffic.notify,
        )
        self.queue.feed(self.function, batch_size=10, batching_window=Duration.seconds(0))
        for table in (stores.people, stores.chats, stores.inboxes):
            table.allow(self.function, "BatchGetItem")
        stores.inboxes.allow(self.function, "Query")
        claims.allow(self.function, "PutItem", "UpdateItem")
        self.channel.allow(self.function)

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        operations.watch_function(self.function, p99=Duration.seconds(10))
        operations.watch_queue(self.queue, oldest=Duration.minutes(10))
