"""SNS subscriptions: deliveries to queues and functions are free, others pay by the message; filters on its body.

Facts: https://aws.amazon.com/sns/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import sns
from workbench.review.by_use import is_true
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    yield from sns.deliveries(
        resource, context, properties.get("Protocol"), is_fifo=_is_of_fifo_topic(resource, context)
    )
    if properties.get("FilterPolicyScope") == "MessageBody":
        filtered = context.derive(resource, "filtered_gb_per_month")
        yield CostLine("Bytes filtered (message body)", "GB", filtered, "sns.payload_filtering")
    region = properties.get("Region")
    if isinstance(region, str) and region != resource.stack.region:
        moved = context.derive(resource, "delivered_gb_per_month")
        yield CostLine("Data out (other region)", "GB", moved, "transfer.inter_region")


def _is_of_fifo_topic(resource: Resource, context: Context) -> bool:
    named = resource.properties.get("TopicArn")
    topic = context.target(resource, named)
    if topic is None:
        return str(named).endswith(".fifo")
    return is_true(topic.properties.get("FifoTopic"))


ROOM = Room(
    type="AWS::SNS::Subscription",
    classification="usage",
    usage={
        **sns.USAGE,
        "filtered_gb_per_month": Usage("GB", "bytes that a filter on the message body looks at"),
    },
    lines=_lines,
)
