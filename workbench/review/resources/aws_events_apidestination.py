"""API destinations: calls of an HTTP endpoint outside AWS, in steps of 64 KB.

The secret of their connection is paid by EventBridge:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection.html Facts:
https://aws.amazon.com/eventbridge/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, setting


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    calls = context.derive(resource, "invocations_per_month")
    yield CostLine("Invocations (API destination)", "invocations", calls, "eventbridge.api_destinations")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    load = context.derive(resource, "peak_invocations_per_second")
    limit, key = "Invocations of the destination a second", "eventbridge.api_destination_per_second"
    written = resource.properties.get("InvocationRateLimitPerSecond")
    if written is None:
        yield context.against(key, resource, limit, load)
        return
    rate = number(resource, written, "InvocationRateLimitPerSecond")
    quota = constant(rate, f"{shown(rate)} invocations/s in the template")
    name, source = context.name_of(resource), context.quota(key).source
    advice = setting(name, "InvocationRateLimitPerSecond")
    yield Limit(name, limit, "invocations/s", quota, load, True, source, advice)


ROOM = Room(
    type="AWS::Events::ApiDestination",
    classification="usage",
    usage={
        "invocations_per_month": Usage("invocations", "calls of the endpoint, in steps of 64 KB"),
        "peak_invocations_per_second": Usage("invocations/s", "calls in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
)
