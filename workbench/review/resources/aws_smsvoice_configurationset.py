"""Configuration sets of End User Messaging: they carry the text messages, which are paid by the part.

Priced for phones in the United States, without the fee of the carrier; a message of more than 160 characters has
several parts. Facts: https://aws.amazon.com/end-user-messaging/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    sent = context.derive(resource, "messages_per_month")
    yield CostLine("Text messages (US, without carrier fees)", "parts", sent, "sms.us.outbound")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: the fees of carriers, and of phones outside the US, are not priced"


ROOM = Room(
    type="AWS::SMSVOICE::ConfigurationSet",
    classification="usage",
    usage={"messages_per_month": Usage("parts", "parts of text messages sent")},
    lines=_lines,
    warnings=_warnings,
)
