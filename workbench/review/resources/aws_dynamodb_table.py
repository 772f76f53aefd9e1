"""DynamoDB tables, on demand and provisioned, with auto scaling where the template has it.

Capacity that scales is paid at its least, and above that for the average load at the target utilisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import dynamodb
from workbench.review.floor import HOURS, Grown, above
from workbench.review.numbers import constant, shown
from workbench.review.resources import aws_dynamodb_globaltable
from workbench.review.room import Context, CostLine, Limit, Room, number, one_of, refuse, setting
from workbench.workload import Figure, total


def _mode(resource: Resource) -> str:
    declared = resource.properties.get("BillingMode", "PROVISIONED")
    return one_of(resource, declared, "BillingMode", ("PROVISIONED", "PAY_PER_REQUEST"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    dynamodb.refuse_extras(resource)
    properties = resource.properties
    suffix = dynamodb.suffix_of(resource, properties.get("TableClass"))
    if _mode(resource) == "PAY_PER_REQUEST":
        yield from dynamodb.request_lines(resource, context, suffix)
    else:
        for kind, key in (("Write", "wcu"), ("Read", "rcu")):
            capacity = _capacity(resource, context, kind)
            price_key = f"dynamodb.provisioned.{key}{suffix}"
            yield from capacity.lines(f"{kind} capacity", "provisioned", "unit-hours", HOURS, price_key)
    yield from dynamodb.storage_lines(resource, context, suffix, properties)
    captures = 1 if properties.get("KinesisStreamSpecification") else 0
    encryption = properties.get("SSESpecification") or {}
    yield from dynamodb.side_lines(resource, context, captures, encryption)


def _capacity(resource: Resource, context: Context, kind: str) -> Grown:
    """Capacity units of the table and of its global indexes: the least, and what scaling adds to it."""
    parts = [_units(resource, resource.properties, kind, "table")]
    parts += [_units(resource, each, kind, _index(each)) for each in dynamodb.indexes(resource)]
    targets = _scaling(resource, context, kind)
    if not targets:
        return Grown(total(*parts))
    fixed = total(*parts)
    least, most = fixed.value, fixed.value
    for target, part in _pairs(resource, targets, parts):
        low = number(target, target.properties.get("MinCapacity"), "MinCapacity")
        high = number(target, target.properties.get("MaxCapacity"), "MaxCapacity")
        least, most = least + low - part.value, most + high - part.value
    floor = constant(least, f"{shown(least)} {kind.lower()} units (MinCapacity)")
    end = constant(most, f"{shown(most)} (MaxCapacity)")
    percent = _target_percent(context, targets[0])
    wanted = dynamodb.average_capacity(resource, context, kind, percent)
    return Grown(floor, above(floor, wanted, end))


def _scaling(resource: Resource, context: Context, kind: str) -> list[Resource]:
    """The targets of Application Auto Scaling that change its capacity, or that of its indexes."""
    targets = context.mentioning(resource, "AWS::ApplicationAutoScaling::ScalableTarget", "ResourceId")
    return [each for each in targets if _scales(each, kind)]


def _scales(target: Resource, kind: str) -> bool:
    dimension = str(target.properties.get("ScalableDimension"))
    return dimension.startswith("dynamodb:") and dimension.endswith(f":{kind}CapacityUnits")


def _pairs(resource: Resource, targets: list[Resource], parts: list[Figure]) -> list[tuple[Resource, Figure]]:
    """Each target with the capacity of the template that it takes the place of."""
    names = [str(each.get("IndexName")) for each in dynamodb.indexes(resource)]
    pairs = []
    for target in targets:
        named = str(target.properties.get("ResourceId")).rpartition("/index/")[2]
        index = names.index(named) + 1 if named in names else 0
        pairs.append((target, parts[index]))
    return pairs


def _target_percent(context: Context, target: Resource) -> Decimal:
    for policy in context.pointing_at(
        target, "AWS::ApplicationAutoScaling::ScalingPolicy", "ScalingTargetId"
    ):
        config = policy.properties.get("TargetTrackingScalingPolicyConfiguration") or {}
        return number(policy, config.get("TargetValue"), "TargetValue", default=dynamodb.TARGET_PERCENT)
    return Decimal(dynamodb.TARGET_PERCENT)


def _index(settings: dict[str, Any]) -> str:
    return f"index {settings.get('IndexName')}"


def _provisioned(resource: Resource, kind: str) -> Figure:
    """Capacity units of the table and of its global indexes."""
    parts = [_units(resource, resource.properties, kind, "table")]
    parts += [_units(resource, each, kind, _index(each)) for each in dynamodb.indexes(resource)]
    return total(*parts)


def _units(resource: Resource, holder: dict[str, Any], kind: str, words: str) -> Figure:
    throughput = holder.get("ProvisionedThroughput")
    if not isinstance(throughput, dict):
        raise refuse(resource, f"BillingMode is PROVISIONED, and the {words} has no ProvisionedThroughput")
    units = number(resource, throughput.get(f"{kind}CapacityUnits"), f"{kind}CapacityUnits of the {words}")
    return constant(units, f"{shown(units)} {kind.lower()} units ({words})")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if _mode(resource) == "PAY_PER_REQUEST":
        yield from dynamodb.on_demand_limits(resource, context)
    else:
        source = context.quota("dynamodb.table_write").source
        for kind in ("Read", "Write"):
            load = context.derive(resource, f"peak_{kind.lower()}_units_per_second")
            quota = _ceiling(resource, context, kind)
            limit, unit = f"Provisioned {kind.lower()} units", f"{kind.lower()} units/s"
            name = context.name_of(resource)
            scales = bool(_scaling(resource, context, kind))
            what = "MaxCapacity of the scaling" if scales else f"{kind}CapacityUnits of ProvisionedThroughput"
            advice = f"{setting(name, what)}, or take PAY_PER_REQUEST"
            yield Limit(name, limit, unit, quota, load, True, source, advice)
            largest, limit = _largest(resource, context, kind), f"Table {kind.lower()} units provisioned"
            yield context.against(f"dynamodb.table_{kind.lower()}", resource, limit, largest)
    yield from dynamodb.partition_limits(resource, context)


def _largest(resource: Resource, context: Context, kind: str) -> Figure:
    """The most capacity units that the table, or that one of its indexes, may have."""
    parts = [_units(resource, resource.properties, kind, "table")]
    parts += [_units(resource, each, kind, _index(each)) for each in dynamodb.indexes(resource)]
    most = {id(part): part for part in parts}
    for target, part in _pairs(resource, _scaling(resource, context, kind), parts):
        units = number(target, target.properties.get("MaxCapacity"), "MaxCapacity")
        most[id(part)] = constant(units, f"{shown(units)} {kind.lower()} units (MaxCapacity)")
    return max(most.values(), key=lambda part: part.value)


def _ceiling(resource: Resource, context: Context, kind: str) -> Figure:
    """The most capacity units of the table and of its global indexes, which scaling may reach."""
    fixed, targets = _provisioned(resource, kind), _scaling(resource, context, kind)
    if not targets:
        return fixed
    most = fixed.value
    for target in targets:
        most += number(target, target.properties.get("MaxCapacity"), "MaxCapacity")
    parts = [_units(resource, resource.properties, kind, "table")]
    parts += [_units(resource, each, kind, _index(each)) for each in dynamodb.indexes(resource)]
    most -= sum((part.value for _, part in _pairs(resource, targets, parts)), Decimal(0))
    return constant(most, f"{shown(most)} {kind.lower()} units (MaxCapacity)")


def _limits_of_account(context: Context) -> Iterator[Limit]:
    """What all tables of the region have provisioned, the global ones with their part of it."""
    tables = [each for each in context.all_of("AWS::DynamoDB::Table") if _mode(each) == "PROVISIONED"]
    global_tables = context.all_of("AWS::DynamoDB::GlobalTable")
    spread = list(filter(aws_dynamodb_globaltable.is_provisioned, global_tables))
    for kind in ("Read", "Write") if tables or spread else ():
        held = [_at_peak(each, context, kind) for each in tables]
        held += [aws_dynamodb_globaltable.at_peak(each, context, kind) for each in spread]
        limit = f"DynamoDB {kind.lower()} units provisioned"
        yield context.against(f"dynamodb.account_{kind.lower()}", "account", limit, total(*held))


def _at_peak(resource: Resource, context: Context, kind: str) -> Figure:
    """The units that are provisioned in the busiest time; the most, where it scales and nobody says by how much."""
    most, peak = _ceiling(resource, context, kind), f"peak_{kind.lower()}_units_per_second"
    wanted, targets = context.declared(resource, peak), _scaling(resource, context, kind)
    if wanted is None or not targets:
        return most
    percent, least = _target_percent(context, targets[0]), _capacity(resource, context, kind).least
    held = min(most.value, max(least.value, wanted.value * 100 / percent))
    return constant(held, f"{shown(held)} {kind.lower()} units of {resource.name} at the peak")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _mode(resource) == "PAY_PER_REQUEST":
        suffix = dynamodb.suffix_of(resource, resource.properties.get("TableClass"))
        yield from dynamodb.break_even_warnings(resource, context, suffix)
    yield from dynamodb.not_priced(resource, context, [resource.properties])


ROOM = Room(
    type="AWS::DynamoDB::Table",
    classification="mixed",
    usage=dynamodb.USAGE,
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
