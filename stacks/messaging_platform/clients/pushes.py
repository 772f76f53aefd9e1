"""What the push channel was given, as somebody sees it who listens to its topic."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any, cast

from stacks.messaging_platform.clients.device import Device
from workbench.dryrun.world import World


class Pushes:
    """What the push channel was given: a queue of the play's own hears its topic."""

    def __init__(self, world: World, ended: ExitStack) -> None:
        self._world = world
        self._seen: list[dict[str, Any]] = []
        queues, topics = world.client("sqs"), world.client("sns")
        topic = world.outputs["PushTopicArn"]
        self._queue = queues.create_queue(QueueName=f"pushes-{world.run_id}")["QueueUrl"]
        ended.callback(queues.delete_queue, QueueUrl=self._queue)
        arn = queues.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        may = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        queues.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": policy})
        subscription = topics.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        ended.callback(topics.unsubscribe, SubscriptionArn=subscription)

    def next_for(self, device: Device) -> dict[str, Any]:
        """The next push to a device, told to nobody else meanwhile."""
        found = self._world.eventually(lambda: self._take(device), within=150, what=f"a push to {device.id}")
        return cast("dict[str, Any]", found)

    def none_more_for(self, device: Device) -> None:
        """Nothing more was pushed to the device by now."""
        found = self._take(device)
        assert not found, found

    def wait_until_parked(self) -> None:
        """Wait until a push has failed as often as it is tried; a failed one waits for a second only, meanwhile."""
        queue, queues = self._world.outputs["PushQueueUrl"], self._world.client("sqs")
        name = "VisibilityTimeout"
        before = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
        queues.set_queue_attributes(QueueUrl=queue, Attributes={name: "1"})
        try:
            self._world.eventually(self.is_parked, within=60, what="a push is parked")
        finally:
            queues.set_queue_attributes(QueueUrl=queue, Attributes={name: before})

    def are_waiting(self) -> bool:
        """Whether pushes are to be sent, and nobody is at it."""
        return self._count("PushQueueUrl") > 0

    def is_parked(self) -> bool:
        """Whether a push is parked."""
        return self._count("ParkedPushesUrl") > 0

    def _count(self, output: str) -> int:
        name = "ApproximateNumberOfMessages"
        found = self._world.client("sqs").get_queue_attributes(
            QueueUrl=self._world.outputs[output], AttributeNames=[name]
        )
        return int(found["Attributes"][name])

    def _take(self, device: Device) -> dict[str, Any] | None:
        queues = self._world.client("sqs")
        found = queues.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            queues.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            envelope = json.loads(message["Body"])
            attributes = {name: each["Value"] for name, each in envelope["MessageAttributes"].items()}
            self._seen.append({**json.loads(envelope["Message"]), **attributes})
        for place, push in enumerate(self._seen):
            if push["device"] == device.id:
                return self._seen.pop(place)
        return None
