"""DynamoDB global tables, which CDK's `TableV2` makes even for one region.

Writes are paid in each region that holds a replica; so are storage and backup, and the way of each write to another
region. Reads are declared over all of them. Capacity that scales is paid at its least, and above that for the average
load at the target utilisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import dynamodb
from workbench.review.floor import HOURS, Grown, above, times
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse, setting
from workbench.workload import Figure


def _replicas(resource: Resource) -> list[dict[str, Any]]:
    replicas = resource.properties.get("Replicas")
    if not isinstance(replicas, list) or not replicas:
        raise refuse(resource, "Replicas are not a list in the template")
    return replicas


def _mode(resource: Resource) -> str:
    declared = resource.properties.get("BillingMode", "PROVISIONED")
    return one_of(resource, declared, "BillingMode", ("PROVISIONED", "PAY_PER_REQUEST"))


def _class(resource: Resource) -> str:
    classes = {dynamodb.suffix_of(resource, each.get("TableClass")) for each in _replicas(resource)}
    if len(classes) > 1:
        raise refuse(resource, "its replicas are of several table classes")
    return classes.pop()


def _check(resource: Resource) -> None:
    if resource.properties.get("MultiRegionConsistency", "EVENTUAL") != "EVENTUAL":
        raise refuse(resource, "MultiRegionConsistency is STRONG")
    if resource.properties.get("GlobalTableSourceArn"):
        raise refuse(
            resource, "GlobalTableSourceArn makes it a replica of a table that is not in this assembly"
        )
    dynamodb.refuse_extras(resource)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _check(resource)
    replicas, suffix = _replicas(resource), _class(resource)
    if _mode(resource) == "PAY_PER_REQUEST":
        yield from dynamodb.request_lines(resource, context, suffix, replicas=len(replicas))
    else:
        yield from _provisioned_lines(resource, context, suffix)
    for replica in replicas:
        where = f", {replica.get('Region')}" if len(replicas) > 1 else ""
        yield from dynamodb.storage_lines(resource, context, suffix, replica, where)
    captures = sum(1 for replica in replicas if replica.get("KinesisStreamSpecification"))
    encryption = resource.properties.get("SSESpecification") or {}
    yield from dynamodb.side_lines(resource, context, captures, encryption)
    if len(replicas) > 1:
        others = constant(len(replicas) - 1, f"{len(replicas) - 1} other regions")
        sent = context.derive(resource, "replicated_gb_per_month", by=lambda gb: gb * others)
        yield CostLine("Data replicated (other regions)", "GB", sent, "transfer.inter_region")


def _provisioned_lines(resource: Resource, context: Context, suffix: str) -> Iterator[CostLine]:
    """Capacity of writing, which every replica has, and of reading, which each has of its own."""
    replicas = _replicas(resource)
    several = len(replicas) > 1
    if several and suffix:
        raise refuse(resource, "replicated capacity of an infrequent access table has no price")
    sides = _all_sides(resource)
    yield from _grown(resource, context, "Write", sides["Write"], len(replicas)).lines(
        "Write capacity",
        "provisioned, replicated" if several else "provisioned",
        "unit-hours",
        HOURS,
        "dynamodb.provisioned.rwcu" if several else f"dynamodb.provisioned.wcu{suffix}",
    )
    yield from _grown(resource, context, "Read", sides["Read"], 1).lines(
        "Read capacity", "provisioned", "unit-hours", HOURS, f"dynamodb.provisioned.rcu{suffix}"
    )


def _all_sides(resource: Resource) -> dict[str, list[dict[str, Any]]]:
    """The settings of capacity for each kind: of writing once, of reading for each replica."""
    reads = [side for replica in _replicas(resource) for side in _sides(resource, replica, "Read")]
    return {"Write": _sides(resource, resource.properties, "Write"), "Read": reads}


def _sides(resource: Resource, holder: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The settings of capacity of a table or replica, and of its indexes."""
    name = f"{kind}ProvisionedThroughputSettings"
    found = [holder, *(holder.get("GlobalSecondaryIndexes") or [])]
    if not isinstance(holder.get(name), dict):
        raise refuse(resource, f"BillingMode is PROVISIONED, and {name} is missing")
    return [each[name] for each in found if each.get(name)]


def _grown(
    resource: Resource, context: Context, kind: str, sides: list[dict[str, Any]], copies: int
) -> Grown:
    """Capacity units in `copies` regions: the least, and what scaling adds for the average load."""
    least = sum(_bound(resource, side, kind, "MinCapacity") for side in sides) * copies
    most = sum(_bound(resource, side, kind, "MaxCapacity") for side in sides) * copies
    words = f"{kind.lower()} units" + (f" in {copies} regions" if copies > 1 else "")
    floor = constant(least, f"{shown(Decimal(least))} {words}")
    if most <= least:
        return Grown(floor)
    wanted = _wanted(resource, context, kind, sides, copies)
    return Grown(floor, above(floor, wanted, constant(most, f"{shown(Decimal(most))} {words}")))


def _bound(resource: Resource, side: dict[str, Any], kind: str, end: str) -> Decimal:
    scaling = side.get(f"{kind}CapacityAutoScalingSettings")
    if scaling:
        return number(resource, scaling.get(end), end)
    name = f"{kind}CapacityUnits"
    return number(resource, side.get(name), name)


def _wanted(
    resource: Resource, context: Context, kind: str, sides: list[dict[str, Any]], copies: int
) -> Figure:
    percent = _target_percent(resource, sides, kind)
    average = dynamodb.average_capacity(resource, context, kind, percent)
    return times(average, constant(copies, f"{copies} regions")) if copies > 1 else average


def _target_percent(resource: Resource, sides: list[dict[str, Any]], kind: str) -> Decimal:
    scaling = sides[0].get(f"{kind}CapacityAutoScalingSettings") or {}
    config = scaling.get("TargetTrackingScalingPolicyConfiguration") or {}
    return number(resource, config.get("TargetValue"), "TargetValue", dynamodb.TARGET_PERCENT)


def is_provisioned(resource: Resource) -> bool:
    """Whether it pays for capacity, and not by the request."""
    return _mode(resource) == "PROVISIONED"


def at_peak(resource: Resource, context: Context, kind: str) -> Figure:
    """The units that are provisioned in its own region in the busiest time; the most, where nobody says."""
    own = [each for each in _replicas(resource) if each.get("Region") == resource.stack.region]
    holder = resource.properties if kind == "Write" else (own or _replicas(resource))[0]
    sides = _sides(resource, holder, kind)
    least, most = (
        sum((_bound(resource, side, kind, end) for side in sides), Decimal(0))
        for end in ("MinCapacity", "MaxCapacity")
    )
    wanted = context.declared(resource, f"peak_{kind.lower()}_units_per_second")
    percent = _target_percent(resource, sides, kind)
    held = most if wanted is None else min(most, max(least, wanted.value * 100 / percent))
    return constant(held, f"{shown(held)} {kind.lower()} units of {resource.name} at the peak")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if _mode(resource) == "PAY_PER_REQUEST":
        yield from dynamodb.on_demand_limits(resource, context)
    else:
        yield from _provisioned_limits(resource, context)
    yield from dynamodb.partition_limits(resource, context)


def _provisioned_limits(resource: Resource, context: Context) -> Iterator[Limit]:
    """The peak against the most capacity: of writing in every region, of reading in all of them together."""
    name = context.name_of(resource)
    for kind, sides in _all_sides(resource).items():
        most = sum((_bound(resource, side, kind, "MaxCapacity") for side in sides), Decimal(0))
        limit, unit = f"Provisioned {kind.lower()} units", f"{kind.lower()} units/s"
        quota = constant(most, f"{shown(most)} {unit} (MaxCapacity)")
        load = context.derive(resource, f"peak_{kind.lower()}_units_per_second")
        source = context.quota(f"dynamodb.table_{kind.lower()}").source
        advice = (
            f"{setting(name, f'MaxCapacity of {kind}ProvisionedThroughputSettings')}, or take PAY_PER_REQUEST"
        )
        yield Limit(name, limit, unit, quota, load, True, source, advice)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _mode(resource) == "PAY_PER_REQUEST" and len(_replicas(resource)) == 1:
        yield from dynamodb.break_even_warnings(resource, context, _class(resource))
    yield from dynamodb.not_priced(resource, context, [resource.properties, *_replicas(resource)])


ROOM = Room(
    type="AWS::DynamoDB::GlobalTable",
    classification="mixed",
    usage={
        **dynamodb.USAGE,
        "replicated_gb_per_month": Usage("GB", "bytes written, which go to every other region"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
