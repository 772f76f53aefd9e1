"""Schedules: each invocation pays. A `rate(…)` or a `cron(…)` says how many there are; one that is off fires never.

Facts: https://aws.amazon.com/eventbridge/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import schedules
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only
from workbench.workload import Figure


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine(
        "Invocations (schedule)", "invocations", _invocations(resource, context), "eventbridge.scheduler"
    )


def _invocations(resource: Resource, context: Context) -> Figure:
    if "invocations_per_month" in resource.workload:
        return context.derive(resource, "invocations_per_month")
    if resource.properties.get("State") == "DISABLED":
        return constant(0, "State is DISABLED")
    told = schedules.runs(str(resource.properties.get("ScheduleExpression", "")))
    return context.derive(resource, "invocations_per_month") if told is None else told


def _limits_of_account(context: Context) -> Iterator[Limit]:
    found = context.all_of("AWS::Scheduler::Schedule")
    rate = declared_only(context.derive(each, "peak_invocations_per_second") for each in found)
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
