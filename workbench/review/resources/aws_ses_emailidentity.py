"""Identities that emails are sent from: the emails and their attachments."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.review import ses
from workbench.review.numbers import constant
from workbench.review.room import Context, Limit, Room, declared_only, sum_declared
from workbench.workload import HOURS_PER_MONTH


def _limits_of_account(context: Context) -> Iterator[Limit]:
    senders = list(ses.senders(context))
    if senders:
        rates = [context.derive(each, "peak_emails_per_second") for each in senders]
        yield context.against("ses.send_per_second", "account", "SES emails a second", sum_declared(rates))
    sent = declared_only(context.derive(each, "emails_per_month") for each in senders)
    if sent is not None:
        a_day = sent * constant(24, "24 h/day") / constant(HOURS_PER_MONTH, "730 h")
        yield context.against("ses.send_per_day", "account", "SES emails a day", a_day)


ROOM = Room(
    type=ses.IDENTITY,
    classification="usage",
    usage=ses.USAGE,
    lines=ses.lines,
    limits_of_account=_limits_of_account,
)
