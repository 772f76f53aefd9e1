"""What an endpoint of SageMaker runs: its variants, on instances that may scale, or without any.

Facts: https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, number, refuse, text
from workbench.workload import Figure

_SCALED = "sagemaker:variant:DesiredInstanceCount"


@dataclass(frozen=True)
class Variant:
    """One variant: from `least` to `most` instances of `type`, each with a volume of `volume_gb`."""

    type: str
    least: Figure
    most: Figure
    volume_gb: Decimal


@dataclass(frozen=True)
class Serverless:
    """One variant without instances, of `memory_gb`."""

    memory_gb: Decimal


def variants(endpoint: Resource, context: Context) -> Iterator[Variant | Serverless]:
    """All variants of `endpoint`, shadows too. Raises `NotPriced` where its configuration is elsewhere."""
    config = context.target(endpoint, endpoint.properties.get("EndpointConfigName"))
    if config is None or config.type != "AWS::SageMaker::EndpointConfig":
        raise refuse(endpoint, "its endpoint configuration is not in this assembly")
    properties = config.properties
    every = [
        *(properties.get("ProductionVariants") or []),
        *(properties.get("ShadowProductionVariants") or []),
    ]
    for settings in every:
        serverless = settings.get("ServerlessConfig")
        if serverless:
            yield _serverless(config, serverless)
        else:
            yield _on_instances(endpoint, config, settings, context)


def _serverless(config: Resource, settings: dict[str, Any]) -> Serverless:
    if settings.get("ProvisionedConcurrency"):
        raise refuse(config, "ProvisionedConcurrency has a price of its own")
    return Serverless(number(config, settings.get("MemorySizeInMB"), "MemorySizeInMB") / 1024)


def _on_instances(
    endpoint: Resource, config: Resource, settings: dict[str, Any], context: Context
) -> Variant:
    if settings.get("InstancePools"):
        raise refuse(config, "InstancePools let SageMaker choose among types")
    count = number(config, settings.get("InitialInstanceCount"), "InitialInstanceCount", default=1)
    fixed = constant(count, f"{shown(count)} instances (InitialInstanceCount)")
    least, most = _bounds(endpoint, settings, context) or (fixed, fixed)
    volume = number(config, settings.get("VolumeSizeInGB"), "VolumeSizeInGB", default=0)
    return Variant(text(config, settings.get("InstanceType"), "InstanceType"), least, most, volume)


def _bounds(endpoint: Resource, settings: dict[str, Any], context: Context) -> tuple[Figure, Figure] | None:
    """The least and the most instances that a variant scales to; None where it doesn't."""
    managed = settings.get("ManagedInstanceScaling") or {}
    if managed.get("Status") == "ENABLED":
        return _pair(endpoint, managed, "MinInstanceCount", "MaxInstanceCount")
    for target in context.mentioning(endpoint, "AWS::ApplicationAutoScaling::ScalableTarget", "ResourceId"):
        variant = f"variant/{settings.get('VariantName')}"
        scaled = str(target.properties.get("ResourceId")).endswith(variant)
        if scaled and target.properties.get("ScalableDimension") == _SCALED:
            return _pair(target, target.properties, "MinCapacity", "MaxCapacity")
    return None


def _pair(holder: Resource, settings: dict[str, Any], least: str, most: str) -> tuple[Figure, Figure]:
    low, high = number(holder, settings.get(least), least), number(holder, settings.get(most), most)
    return constant(low, f"{shown(low)} instances ({least})"), constant(
        high, f"{shown(high)} instances ({most})"
    )
