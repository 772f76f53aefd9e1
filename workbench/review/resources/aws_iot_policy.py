"""Policies of IoT devices: they carry the traffic of the devices that connect with them.

A device needs a policy to connect, and often nothing else in the template stands for it. Messages are counted in
steps of 5 KB, both ways; operations of the registry and of shadows in steps of 1 KB. Facts:
https://aws.amazon.com/iot-core/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    minutes = context.derive(resource, "connection_minutes_per_month")
    yield CostLine("Connections (devices)", "connection-minutes", minutes, "iot.connectivity")
    messages = context.derive(resource, "messages_per_month")
    yield CostLine("Messages (devices)", "messages", messages, "iot.messages")
    if "shadow_operations_per_month" in resource.workload:
        operations = context.derive(resource, "shadow_operations_per_month")
        yield CostLine("Shadow and registry operations", "operations", operations, "iot.shadow_registry")


ROOM = Room(
    type="AWS::IoT::Policy",
    classification="usage",
    usage={
        "connection_minutes_per_month": Usage("minutes", "minutes that devices are connected"),
        "messages_per_month": Usage("messages", "messages from and to devices, in steps of 5 KB"),
        "shadow_operations_per_month": Usage(
            "operations", "reads and writes of shadows and of the registry, in steps of 1 KB, if any"
        ),
    },
    lines=_lines,
)
