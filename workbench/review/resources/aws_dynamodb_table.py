"""DynamoDB tables, on demand and provisioned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import dynamodb
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, number, one_of, refuse
from workbench.workload import Figure, total


def _mode(resource: Resource) -> str:
    declared = resource.properties.get("BillingMode", "PROVISIONED")
    return one_of(resource, declared, "BillingMode", ("PROVISIONED", "PAY_PER_REQUEST"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    dynamodb.refuse_extras(resource, properties)
    suffix = dynamodb.suffix_of(resource, properties.get("TableClass"))
    if _mode(resource) == "PAY_PER_REQUEST":
        yield from dynamodb.request_lines(resource, context, suffix)
    else:
        for kind, key in (("Write", "wcu"), ("Read", "rcu")):
            hours = _provisioned(resource, kind) * constant(730, "730 h")
            yield CostLine(
                f"{kind} capacity (provisioned)", "unit-hours", hours, f"dynamodb.provisioned.{key}{suffix}"
            )
    yield from dynamodb.storage_lines(resource, context, suffix, properties)


def _provisioned(resource: Resource, kind: str) -> Figure:
    """Capacity units of the table and of its global indexes."""
    parts = [_units(resource, resource.properties, kind, "table")]
    indexes = resource.properties.get("GlobalSecondaryIndexes") or []
    parts += [_units(resource, index, kind, f"index {index.get('IndexName')}") for index in indexes]
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
            quota = _provisioned(resource, kind)
            limit, unit = f"Provisioned {kind.lower()} units", f"{kind.lower()} units/s"
            yield Limit(context.name_of(resource), limit, unit, quota, load, True, source)
    yield from dynamodb.partition_limits(resource, context)


ROOM = Room(
    type="AWS::DynamoDB::Table",
    classification="mixed",
    usage=dynamodb.USAGE,
    lines=_lines,
    limits=_limits,
)
