"""SNS subscriptions: deliveries to queues and functions are free, others pay by the message."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse

_PRICES = {
    "sqs": None,
    "lambda": None,
    "http": "sns.delivery.http",
    "https": "sns.delivery.http",
    "email": "sns.delivery.email",
    "email-json": "sns.delivery.email",
    "firehose": "sns.delivery.firehose",
}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("FilterPolicyScope") == "MessageBody":
        raise refuse(resource, "FilterPolicyScope is MessageBody, which pays by the byte")
    protocol = one_of(resource, properties.get("Protocol"), "Protocol", tuple(_PRICES))
    price_key = _PRICES[protocol]
    if price_key is not None:
        deliveries = context.derive(resource, "deliveries_per_month")
        yield CostLine(f"Deliveries ({protocol})", "notifications", deliveries, price_key)


ROOM = Room(
    type="AWS::SNS::Subscription",
    classification="usage",
    usage={
        "deliveries_per_month": Usage("notifications", "messages delivered, for e-mail, HTTP and Firehose")
    },
    lines=_lines,
)
