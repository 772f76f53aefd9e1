"""Fleets whose instances EC2 chooses: Spot at its ceiling, the price on demand, and of several types the dearest.

    yield from fleet_lines(resource, context, wanted, launches)

A fleet's capacity is in units, of which a launch specification or override gives its `WeightedCapacity`; one by
default. AWS never asks more for Spot than on demand: https://aws.amazon.com/ec2/spot/pricing/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import ec2, zones
from workbench.review.floor import Grown
from workbench.review.numbers import constant, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, number, refuse

_EGRESS = "transfer.internet_out"
USAGE = {**zones.EGRESS, **ec2.CREDITS}


@dataclass(frozen=True)
class Launch:
    """One way to fill a fleet: its machine, and the units of capacity that one of it is."""

    machine: ec2.Machine
    weight: Decimal

    def count(self, units: Decimal) -> Decimal:
        """How many it takes to hold `units`."""
        return (units / self.weight).to_integral_value(rounding="ROUND_CEILING")


def capacity(
    resource: Resource, settings: Mapping[str, Any], total_key: str, default: str
) -> dict[str, Decimal]:
    """The units of `settings` on demand and of Spot: `{"on demand": 1, "Spot": 4}`.

    `default` is which of them those are that `settings` don't say of.
    """
    if settings.get("TargetCapacityUnitType", "units") != "units":
        raise refuse(resource, f"TargetCapacityUnitType is {settings['TargetCapacityUnitType']}")
    total = number(resource, settings.get(total_key), total_key)
    on_demand = number(resource, settings.get("OnDemandTargetCapacity"), "OnDemandTargetCapacity", 0)
    spot = number(resource, settings.get("SpotTargetCapacity"), "SpotTargetCapacity", 0)
    rest = max(Decimal(0), total - on_demand - spot)
    if default == "Spot":
        return {"on demand": on_demand, "Spot": spot + rest}
    return {"on demand": on_demand + rest, "Spot": spot}


def launches(resource: Resource, context: Context, configs: Iterable[Mapping[str, Any]]) -> Iterator[Launch]:
    """Each launch template of `LaunchTemplateConfigs`, with each of its overrides."""
    for config in configs:
        template, settings = ec2.launch_template(resource, context, config.get("LaunchTemplateSpecification"))
        for override in config.get("Overrides") or [{}]:
            yield launch(template, {**settings, **override})


def launch(holder: Resource, settings: Mapping[str, Any]) -> Launch:
    """One launch specification, or launch template with an override, written in `holder`."""
    weight = number(holder, settings.get("WeightedCapacity"), "WeightedCapacity", 1)
    machine = ec2.machine(holder, settings)
    subnets = [settings["SubnetId"]] if settings.get("SubnetId") else []
    return Launch(replace(machine, subnets=(*machine.subnets, *subnets)), weight)


def fleet_lines(
    resource: Resource, context: Context, wanted: Mapping[str, Decimal], ways: Iterable[Launch]
) -> Iterator[CostLine]:
    """What `wanted` units cost at most, filled in the dearest of `ways`."""
    every = list(ways)
    if not every:
        raise refuse(resource, "it has neither launch specifications nor launch templates")
    once: dict[str, CostLine] = {}
    for market, units in wanted.items():
        if units:
            yield from _of_market(resource, context, market, units, every, once)
    if "egress_gb_per_month" in resource.workload and _EGRESS not in once:
        raise refuse(resource, "egress_gb_per_month is declared, and its instances get no public address")
    yield from once.values()


def _of_market(
    resource: Resource,
    context: Context,
    market: str,
    units: Decimal,
    ways: list[Launch],
    once: dict[str, CostLine],
) -> Iterator[CostLine]:
    """What the units of one market cost; `once` gets what the whole fleet has one figure of."""
    book = PriceBook.load()
    dearest = max(
        ways, key=lambda way: way.count(units) * book[f"ec2.linux.{way.machine.type}"].tiers[0].price
    )
    words = f"{shown(dearest.count(units))} instances ({market})"
    fleet = Grown(constant(dearest.count(units), words))
    hours, *others = ec2.machine_lines(fleet, dearest.machine)
    kind = "Spot at most" if market == "Spot" else market
    yield replace(hours, component=f"Instances ({dearest.machine.type}, {kind})")
    yield from others
    for line in ec2.address_lines(resource, context, fleet, dearest.machine):
        if line.price_key == _EGRESS:
            once[line.price_key] = line
        else:
            yield line
    for line in ec2.credit_lines(resource, context, dearest.machine):
        once[line.price_key] = line


def fleet_warnings(
    resource: Resource, context: Context, wanted: Mapping[str, Decimal], ways: Iterable[Launch]
) -> Iterator[str]:
    """That the price is a ceiling, and where the same machine costs less."""
    every = list(ways)
    name = context.name_of(resource)
    if wanted["Spot"]:
        yield f"{name}: the price of Spot moves; on demand, which is counted, is its ceiling"
    if len({way.machine.type for way in every}) > 1:
        yield f"{name}: EC2 chooses among instance types; the dearest is counted"
    units = sum(wanted.values(), Decimal(0))
    for way in every:
        yield from ec2.machine_warnings(resource, context, way.machine, way.count(units))
