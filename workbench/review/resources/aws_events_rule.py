"""Rules: schedules and events of AWS services are free; custom events on the default bus are counted here.

A custom event on a bus of the template is that bus's line. What a rule sends to a bus of another account or region is
paid as custom events, by the sender. Facts: https://aws.amazon.com/eventbridge/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if "custom_events_per_month" in resource.workload or _matches_custom_events(resource):
        events = context.derive(resource, "custom_events_per_month")
        yield CostLine("Custom events (default bus)", "events", events, "eventbridge.custom_events")
    if _sends_to_a_bus_elsewhere(resource, context):
        sent = context.derive(resource, "forwarded_events_per_month")
        yield CostLine("Events sent (another bus)", "events", sent, "eventbridge.custom_events")


def _sends_to_a_bus_elsewhere(resource: Resource, context: Context) -> bool:
    """Whether a target is a bus in no stack here, or in another account or region; one beside it has its own line."""
    for target in resource.properties.get("Targets") or []:
        if ":event-bus/" in str(target.get("Arn")):
            bus = context.target(resource, target["Arn"])
            if bus is None or _place(bus) != _place(resource):
                return True
    return False


def _place(resource: Resource) -> tuple[str | None, str]:
    return resource.stack.account, resource.stack.region


def _matches_custom_events(resource: Resource) -> bool:
    properties = resource.properties
    pattern = properties.get("EventPattern")
    if not isinstance(pattern, dict) or properties.get("EventBusName") not in (None, "default"):
        return False
    sources = pattern.get("source") or []
    return not all(str(source).startswith("aws.") for source in sources) or not sources


def _limits_of_account(context: Context) -> Iterator[Limit]:
    rules = context.all_of("AWS::Events::Rule")
    rate = declared_only(context.derive(each, "peak_invocations_per_second") for each in rules)
    if rate is not None:
        limit = "EventBridge invocations a second"
        yield context.against("eventbridge.invocations_per_second", "account", limit, rate)


ROOM = Room(
    type="AWS::Events::Rule",
    classification="usage",
    usage={
        "custom_events_per_month": Usage("events", "events of your own that it matches on the default bus"),
        "forwarded_events_per_month": Usage(
            "events", "events that it sends to buses of other accounts or regions"
        ),
        "peak_invocations_per_second": Usage(
            "invocations/s", "events that it matches in the busiest second, each times its targets"
        ),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
)
