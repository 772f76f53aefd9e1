"""Rules of IoT topics: each message that triggers one, and each action that it then takes, in steps of 5 KB.

The message itself is a line of the devices' policy. Facts: https://aws.amazon.com/iot-core/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import is_true
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    payload = resource.properties.get("TopicRulePayload") or {}
    if is_true(payload.get("RuleDisabled")):
        return
    triggered = context.derive(resource, "messages_per_month")
    yield CostLine("Rules triggered", "triggers", triggered, "iot.rules.triggered")
    count = len(payload.get("Actions") or ())
    actions = constant(count, f"{count} action{'' if count == 1 else 's'}")
    taken = context.derive(resource, "messages_per_month", by=lambda messages: messages * actions)
    yield CostLine("Actions taken", "actions", taken, "iot.rules.action")


ROOM = Room(
    type="AWS::IoT::TopicRule",
    classification="usage",
    usage={"messages_per_month": Usage("messages", "messages that match the rule, in steps of 5 KB")},
    lines=_lines,
)
