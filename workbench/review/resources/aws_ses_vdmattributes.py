"""The Virtual Deliverability Manager of an account and region: paid for every email that it sends."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ses
from workbench.review.room import Context, CostLine, Room, Usage, sum_declared
from workbench.workload import Figure


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    emails = _emails(resource, context)
    yield CostLine("Emails watched (deliverability)", "emails", emails, "ses.virtual_deliverability_manager")


def _emails(resource: Resource, context: Context) -> Figure:
    own = (resource.stack.account, resource.stack.region)
    senders = [each for each in ses.senders(context) if (each.stack.account, each.stack.region) == own]
    if "emails_per_month" in resource.workload or not senders:
        return context.derive(resource, "emails_per_month")
    return sum_declared([context.derive(each, "emails_per_month") for each in senders])


ROOM = Room(
    type="AWS::SES::VdmAttributes",
    classification="usage",
    usage={
        "emails_per_month": Usage(
            "emails", "emails sent from the account; those of the template's identities when not declared"
        )
    },
    lines=_lines,
)
