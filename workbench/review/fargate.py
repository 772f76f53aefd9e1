"""What a task on Fargate is made of, and how many of it a service runs. Fargate Spot is counted as on demand.

Facts: https://aws.amazon.com/fargate/pricing/ ; 20 GB of storage belong to each task.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, number, one_of, refuse
from workbench.workload import HOURS_PER_MONTH, Figure

STORAGE_INCLUDED_GB = 20

_ARCHITECTURES = {"X86_64": "x86", "ARM64": "arm"}
_UNITS_A_CPU, _MIB_A_GB = 1024, 1024


@dataclass(frozen=True)
class Task:
    """One task: `architecture` is `x86` or `arm`; `extra_gb` is storage beyond what is included."""

    architecture: str
    processors: Decimal
    memory_gb: Decimal
    extra_gb: Decimal


def task(service: Resource, context: Context) -> Task:
    """The task that `service` runs. Raises `NotPriced` where it is defined elsewhere, or not Linux."""
    definition = context.target(service, service.properties.get("TaskDefinition"))
    if definition is None or definition.type != "AWS::ECS::TaskDefinition":
        raise refuse(service, "its task definition is not in this assembly")
    return defined(definition)


def defined(definition: Resource) -> Task:
    """The task of an `AWS::ECS::TaskDefinition`. Raises `NotPriced` where it is not Linux, or has no size."""
    properties = definition.properties
    platform = properties.get("RuntimePlatform") or {}
    one_of(definition, platform.get("OperatingSystemFamily", "LINUX"), "OperatingSystemFamily", ("LINUX",))
    named = platform.get("CpuArchitecture", "X86_64")
    storage = (properties.get("EphemeralStorage") or {}).get("SizeInGiB")
    size = number(definition, storage, "SizeInGiB", STORAGE_INCLUDED_GB)
    return Task(
        _ARCHITECTURES[one_of(definition, named, "CpuArchitecture", tuple(_ARCHITECTURES))],
        number(definition, properties.get("Cpu"), "Cpu") / _UNITS_A_CPU,
        number(definition, properties.get("Memory"), "Memory") / _MIB_A_GB,
        max(Decimal(0), size - STORAGE_INCLUDED_GB),
    )


def is_fargate(service: Resource, context: Context) -> bool:
    """Whether Fargate runs it, rather than instances, which pay by themselves."""
    on_fargate = _providers(service, context) & {"FARGATE", "FARGATE_SPOT"}
    return bool(on_fargate) or service.properties.get("LaunchType") == "FARGATE"


def uses_spot(service: Resource, context: Context) -> bool:
    """Whether some of its tasks are on Fargate Spot, whose price moves below that on demand."""
    return "FARGATE_SPOT" in _providers(service, context)


def is_all_spot(service: Resource, context: Context) -> bool:
    """Whether all of its tasks are on Fargate Spot."""
    return _providers(service, context) == {"FARGATE_SPOT"}


def _providers(service: Resource, context: Context) -> set[str]:
    """What runs its tasks; that of its cluster where it names neither providers nor a launch type."""
    strategy = service.properties.get("CapacityProviderStrategy")
    if not strategy and service.properties.get("LaunchType") is None:
        strategy = _default_of(context.target(service, service.properties.get("Cluster")), context)
    return {str(each.get("CapacityProvider")) for each in strategy or []}


def _default_of(cluster: Resource | None, context: Context) -> list[dict[str, Any]]:
    """The strategy of a cluster, in itself or beside it; empty where no cluster of the assembly has one."""
    if cluster is None:
        return []
    kind, name = "AWS::ECS::ClusterCapacityProviderAssociations", "DefaultCapacityProviderStrategy"
    holders = [cluster, *context.pointing_at(cluster, kind, "Cluster")]
    return [each for holder in holders for each in holder.properties.get(name) or []]


def graviton_saving(task: Task) -> Decimal:
    """Dollars a month that one task that always runs costs less on Graviton; zero where it is there already."""
    book = PriceBook.load()
    parts = (("vcpu", task.processors), ("memory", task.memory_gb))
    an_hour = {
        arch: sum((book[f"fargate.{part}.{arch}"].cost(size) for part, size in parts), Decimal(0))
        for arch in (task.architecture, "arm")
    }
    return (an_hour[task.architecture] - an_hour["arm"]) * HOURS_PER_MONTH


def bounds(service: Resource, context: Context) -> tuple[Figure, Figure]:
    """The least and the most tasks: those of its scaling, or DesiredCount where it doesn't scale."""
    for target in context.mentioning(service, "AWS::ApplicationAutoScaling::ScalableTarget", "ResourceId"):
        settings = target.properties
        if settings.get("ScalableDimension") == "ecs:service:DesiredCount":
            least = number(target, settings.get("MinCapacity"), "MinCapacity")
            most = number(target, settings.get("MaxCapacity"), "MaxCapacity")
            return (
                constant(least, f"{shown(least)} (MinCapacity)"),
                constant(most, f"{shown(most)} (MaxCapacity)"),
            )
    count = number(service, service.properties.get("DesiredCount"), "DesiredCount", default=1)
    fixed = constant(count, f"{shown(count)} (DesiredCount)")
    return fixed, fixed
