"""Identities that emails are sent from: the emails and their attachments."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.review import ses
from workbench.review.room import Context, Limit, Room, sum_declared


def _limits_of_account(context: Context) -> Iterator[Limit]:
    senders = list(ses.senders(context))
    if senders:
        rates = [context.derive(each, "peak_emails_per_second") for each in senders]
        yield context.against("ses.send_per_second", "account", "SES emails a second", sum_declared(rates))


ROOM = Room(
    type=ses.IDENTITY,
    classification="usage",
    usage=ses.USAGE,
    lines=ses.lines,
    limits_of_account=_limits_of_account,
)
