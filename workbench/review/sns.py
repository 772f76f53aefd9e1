"""What SNS asks for a delivery, by protocol.

Deliveries to queues and functions are free, but those of a FIFO topic. The price of a text message is that of one to
the United States, without what its carriers add; to an endpoint on the internet the bytes are paid too. Facts:
https://aws.amazon.com/sns/pricing/ and https://aws.amazon.com/sns/sms-pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Usage, one_of

USAGE = {
    "deliveries_per_month": Usage("notifications", "messages delivered, by each protocol that is paid"),
    "delivered_gb_per_month": Usage(
        "GB", "bytes delivered: of FIFO topics, to HTTP endpoints, and to other regions"
    ),
}

_PRICES = {
    "sqs": None,
    "lambda": None,
    "http": "sns.delivery.http",
    "https": "sns.delivery.http",
    "email": "sns.delivery.email",
    "email-json": "sns.delivery.email",
    "firehose": "sns.delivery.firehose",
    "application": "sns.delivery.mobile_push",
    "sms": "sns.sms.us",
}
_WORDS = {"application": "mobile push", "sms": "text messages to the US"}
_ON_THE_INTERNET = ("http", "https")


def deliveries(resource: Resource, context: Context, protocol: Any, *, is_fifo: bool) -> Iterator[CostLine]:
    """What a subscription by `protocol` costs; its usage is declared on `resource`."""
    kind = one_of(resource, protocol, "Protocol", tuple(_PRICES))
    sent = context.derive(resource, "deliveries_per_month")
    moved = context.derive(resource, "delivered_gb_per_month")
    if is_fifo:
        yield CostLine(f"Deliveries (fifo, {kind})", "messages", sent, "sns.fifo.delivery")
        yield CostLine(f"Bytes delivered (fifo, {kind})", "GB", moved, "sns.fifo.delivery_payload")
        return
    price_key = _PRICES[kind]
    if price_key is not None:
        yield CostLine(f"Deliveries ({_WORDS.get(kind, kind)})", "notifications", sent, price_key)
    if kind in _ON_THE_INTERNET:
        yield CostLine("Data out (internet)", "GB", moved, "transfer.internet_out")
