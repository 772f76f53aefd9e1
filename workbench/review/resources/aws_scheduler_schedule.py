"""Schedules: each invocation pays. A `rate(…)` says how many there are; a `cron(…)` must declare it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage
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


ROOM = Room(
    type="AWS::Scheduler::Schedule",
    classification="usage",
    usage={"invocations_per_month": Usage("invocations", "times it fires", scales=False)},
    lines=_lines,
)
