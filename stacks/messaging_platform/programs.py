"""What lives long, on Kubernetes: fan-out, inspection, and with the fleet the gateways."""

from __future__ import annotations

from constructs import Construct

from lambdas.messaging_platform.settings import FanOutSettings, InspectSettings
from patterns.acknowledge import acknowledge
from patterns.image_repository import ImageRepository
from patterns.kubernetes_workers import KubernetesWorkers
from patterns.network import Network
from patterns.operations import Operations
from stacks.messaging_platform.media import Media
from stacks.messaging_platform.notifications import Notifications
from stacks.messaging_platform.pace import Pace
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic

PROGRAM = "services/messaging_platform"
MODULE = PROGRAM.replace("/", ".")
FINDS_BROKERS = "the action that finds Kafka's brokers takes no resource; what it tells are names"
FAN_OUT = "fanout"  # the group that it consumes as
FEWEST = 2  # also in a sandbox: a consumer may die at any time


class Programs(Construct):
    """One image, told apart by their arguments, each under a role of its own.

    Attributes: `workers`, `images`, `fan_out`, `inspection`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        stores: Stores,
        media: Media,
        notifications: Notifications,
        management_url: str,
        gateway_secret_arn: str,
        pace: Pace,
        traffic: Traffic,
        image_tag: str,
    ) -> None:
        super().__init__(scope, id)
        self._kafka, self._topic, self._behind = stores.kafka, stores.messages_topic, traffic.events_a_minute
        self.images = ImageRepository(self, "Images", program=PROGRAM, stored_gb=traffic.images_gb)
        self.workers = KubernetesWorkers(
            self,
            "Kubernetes",
            network=network,
            images=self.images,
            image_tag=image_tag,
            namespace="messaging",
        )
        self.fan_out = self.workers.run(
            "fan-out",
            arguments=[f"{MODULE}.fanout"],
            environment=stores.environment(
                FanOutSettings,
                push_queue_url=notifications.queue.queue.queue_url,
                management_url=management_url,
                gateway_secret_arn=gateway_secret_arn,
                grace_seconds=pace.grace_seconds,
                alive_seconds=pace.alive_seconds,
            ),
            pods=traffic.fan_out_pods,
            fewest=FEWEST,
            memory_mb=384,
            cpu_milli=250,
        )
        for topic in (stores.messages_topic, stores.receipts_topic, stores.presence_topic):
            stores.kafka.allow_consuming(self.fan_out, topic, group=FAN_OUT)
        stores.kafka.allow_writing(self.fan_out, stores.presence_topic, idempotently=True)
        acknowledge(self.fan_out.role, "AwsSolutions-IAM5[Resource::*]", FINDS_BROKERS)
        stores.cache.allow(self.fan_out)
        stores.messages.allow(self.fan_out, "Query")
        stores.chats.allow(self.fan_out, "Query")
        stores.people.allow(self.fan_out, "BatchGetItem", "GetItem", "Query", "UpdateItem")
        stores.presence.allow(self.fan_out, "BatchGetItem")
        stores.inboxes.allow(self.fan_out, "BatchWriteItem", "Query")
        notifications.queue.allow_sending(self.fan_out)
        stores.parked.allow_sending(self.fan_out)

        self.inspection = self.workers.run(
            "inspection",
            arguments=[f"{MODULE}.inspection"],
            environment=stores.environment(
                InspectSettings,
                uploads_queue_url=media.queue.queue.queue_url,
                uploads_bucket=media.uploads.bucket_name,
                media_bucket=media.inspected.bucket_name,
            ),
            pods=traffic.inspection_pods,
            memory_mb=512,
            cpu_milli=250,
        )
        stores.media.allow(self.inspection, "GetItem", "UpdateItem")
        media.uploads.allow(self.inspection, "GetObject", "DeleteObject")
        media.uploads.allow_listing(self.inspection)  # what has expired is not there, rather than not allowed
        media.inspected.allow(self.inspection, "PutObject")
        media.queue.allow_receiving(self.inspection)

    def watch(self, operations: Operations) -> None:
        """Have somebody told when fan-out is behind by a busy minute: none of its own metrics is in CloudWatch."""
        operations.watch_consumers(self._kafka, self._topic, group=FAN_OUT, most=self._behind)
