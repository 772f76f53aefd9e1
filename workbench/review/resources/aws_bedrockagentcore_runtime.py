"""Runtimes of AgentCore: processor time that is really used, and memory, by the second.

The tokens of models are not here: an application inference profile carries them. Facts:
https://aws.amazon.com/bedrock/agentcore/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("CapacityProviderConfiguration"):
        raise refuse(resource, "CapacityProviderConfiguration runs it on capacity with a price of its own")
    processors = context.derive(resource, "vcpu_hours_per_month")
    yield CostLine("Processors (agents)", "vCPU-hours", processors, "agentcore.runtime.vcpu")
    memory = context.derive(resource, "memory_gb_hours_per_month")
    yield CostLine("Memory (agents)", "GB-hours", memory, "agentcore.runtime.memory")


ROOM = Room(
    type="AWS::BedrockAgentCore::Runtime",
    classification="usage",
    usage={
        "vcpu_hours_per_month": Usage("vCPU-hours", "processor time of sessions, without their waiting"),
        "memory_gb_hours_per_month": Usage("GB-hours", "memory of sessions × their time, waiting included"),
    },
    lines=_lines,
)
