"""App Runner services: the memory of every instance that is kept ready, and the vCPUs of those that serve.

One instance is kept ready unless the scaling configuration says more. Building from source and deployments by
themselves pay a little more, which is not counted. What it writes goes to log groups that App Runner makes.
Facts: https://aws.amazon.com/apprunner/pricing/ and
https://docs.aws.amazon.com/apprunner/latest/dg/manage-autoscaling.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use, service_logs
from workbench.review.floor import HOURS, Grown, above
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, refuse

_KEY = "average_active_instances"
_WITH_UNIT = re.compile(r"([\d.]+)\s*(vcpu|gb)", re.IGNORECASE)
_UNITS_OF_ONE = 1024
_READY, _MOST = 1, 25


def _size(resource: Resource, name: str, default: str) -> Decimal:
    """`Cpu` in vCPUs or `Memory` in GB, of `1024`, `1 vCPU` or `2 GB`."""
    value = (resource.properties.get("InstanceConfiguration") or {}).get(name, default)
    found = _WITH_UNIT.fullmatch(str(value))
    return Decimal(found[1]) if found else number(resource, value, name) / _UNITS_OF_ONE


def _bounds(resource: Resource, context: Context) -> tuple[Decimal, Decimal]:
    value = resource.properties.get("AutoScalingConfigurationArn")
    if value is None:
        return Decimal(_READY), Decimal(_MOST)
    scaling = context.target(resource, value)
    if scaling is None or scaling.type != "AWS::AppRunner::AutoScalingConfiguration":
        raise refuse(resource, "its scaling configuration is not in this assembly")
    settings: dict[str, Any] = scaling.properties
    return (
        number(scaling, settings.get("MinSize"), "MinSize", _READY),
        number(scaling, settings.get("MaxSize"), "MaxSize", _MOST),
    )


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    low, high = _bounds(resource, context)
    least = constant(low, f"{shown(low)} instances (MinSize)")
    most = constant(high, f"{shown(high)} instances (MaxSize)")
    memory, cpus = _size(resource, "Memory", "2 GB"), _size(resource, "Cpu", "1 vCPU")
    active = context.derive(resource, _KEY)
    ready = Grown(least, above(least, active, most))
    of_memory = constant(memory, f"{shown(memory)} GB") * HOURS
    yield from ready.lines("Memory", "instances kept ready", "GB-hours", of_memory, "apprunner.memory")
    serving = Grown(constant(0, "0"), above(constant(0, "none"), active, most))
    of_cpus = constant(cpus, f"{shown(cpus)} vCPU") * HOURS
    yield from serving.lines(
        "vCPUs", "instances", "vCPU-hours", of_cpus, "apprunner.vcpu", "while they serve"
    )
    yield from service_logs.lines(resource, context, "App Runner")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    source = resource.properties.get("SourceConfiguration") or {}
    if source.get("CodeRepository") or by_use.is_true(source.get("AutoDeploymentsEnabled", True)):
        yield f"{context.name_of(resource)}: builds and automatic deployments pay a little more, which is not counted"


ROOM = Room(
    type="AWS::AppRunner::Service",
    classification="mixed",
    usage={
        _KEY: Usage("instances", "instances that serve requests, averaged over the month"),
        **service_logs.USAGE,
    },
    lines=_lines,
    warnings=_warnings,
)
