"""Schedules: each invocation pays. A `rate(…)` says how many there are; a `cron(…)` must declare it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only
from workbench.workload import HOURS_PER_MONTH, Figure

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_HOURS = {"minute": Decimal(1) / 60, "hour": Decimal(1), "day": Decimal(24)}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine(
        "Invocations (schedule)", "invocations", _invocations(resource, context), "eventbridge.scheduler"
    )


def _invocations(resource: Resource, context: Context) -> Figure:
    rate = _RATE.fullmatch(str(resource.properties.get("ScheduleExpression", "")))
    if rate is None or "invocations_per_month" in resource.workload:
        return context.derive(resource, "invocations_per_month")
    every = int(rate[1]) * _HOURS[rate[2]]
    return constant(HOURS_PER_MONTH / every, f"{shown(HOURS_PER_MONTH)} h ÷ {rate[0]}")


def _limits_of_account(context: Context) -> Iterator[Limit]:
    schedules = context.all_of("AWS::Scheduler::Schedule")
    rate = declared_only(context.derive(each, "peak_invocations_per_second") for each in schedules)
    if rate is not None:
        limit = "Schedules that fire in a second"
        yield context.against("scheduler.invocations_per_second", "account", limit, rate)


ROOM = Room(
    type="AWS::Scheduler::Schedule",
    classification="usage",
    usage={
        "invocations_per_month": Usage("invocations", "times it fires", scales=False),
        "peak_invocations_per_second": Usage(
            "invocations/s", "times that it and those made like it at run time fire in the busiest second"
        ),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
)
