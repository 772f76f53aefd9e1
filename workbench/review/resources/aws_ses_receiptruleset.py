"""Sets of rules for incoming email: each email received pays.

So does each 256 KB of it that comes on top, of which the book has no price. Facts: https://aws.amazon.com/ses/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    received = context.derive(resource, "received_emails_per_month")
    yield CostLine("Emails received", "emails", received, "ses.received")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: the chunks of 256 KB of incoming email are not priced"


ROOM = Room(
    type="AWS::SES::ReceiptRuleSet",
    classification="usage",
    usage={"received_emails_per_month": Usage("emails", "emails that come in")},
    lines=_lines,
    warnings=_warnings,
)
