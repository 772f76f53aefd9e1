"""What is sent by SES: the identity that it is sent from carries it, or the configuration set it is sent with.

An email to three people is three. Facts: https://aws.amazon.com/ses/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Usage

IDENTITY, SET = "AWS::SES::EmailIdentity", "AWS::SES::ConfigurationSet"
USAGE = {
    "emails_per_month": Usage("recipients", "emails sent, each recipient counted"),
    "attachments_gb_per_month": Usage("GB", "attachments sent, each recipient counted"),
    "peak_emails_per_second": Usage("recipients/s", "emails sent in the busiest second"),
}


def lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """Emails and their attachments."""
    emails = context.derive(resource, "emails_per_month")
    yield CostLine("Emails sent", "recipients", emails, "ses.email")
    attachments = context.derive(resource, "attachments_gb_per_month")
    yield CostLine("Attachments", "GB", attachments, "ses.attachments")


def senders(context: Context) -> Iterator[Resource]:
    """Whatever carries emails: the identities, and the configuration sets that declare some themselves."""
    identities = list(context.all_of(IDENTITY))
    yield from identities
    for each in context.all_of(SET):
        if is_sender(each, context):
            yield each


def is_sender(configuration_set: Resource, context: Context) -> bool:
    """Whether a configuration set carries emails: where it says so, or where there is no identity to do it."""
    if any(key in configuration_set.workload for key in USAGE):
        return True
    return next(context.all_of(IDENTITY), None) is None
