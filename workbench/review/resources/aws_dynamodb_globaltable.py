"""DynamoDB global tables, which CDK's `TableV2` makes even for one region. On demand only.

Writes are paid in each region that holds a replica; so are storage and backup. Reads are declared over all
of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import dynamodb
from workbench.review.room import Context, CostLine, Limit, Room, refuse


def _replicas(resource: Resource) -> list[dict[str, Any]]:
    replicas = resource.properties.get("Replicas")
    if not isinstance(replicas, list) or not replicas:
        raise refuse(resource, "Replicas are not a list in the template")
    return replicas


def _check(resource: Resource) -> None:
    mode = resource.properties.get("BillingMode", "PROVISIONED")
    if mode != "PAY_PER_REQUEST":
        raise refuse(resource, f"BillingMode is {mode}: its capacity moves by itself; use PAY_PER_REQUEST")
    if resource.properties.get("MultiRegionConsistency", "EVENTUAL") != "EVENTUAL":
        raise refuse(resource, "MultiRegionConsistency is STRONG")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _check(resource)
    replicas = _replicas(resource)
    classes = {dynamodb.suffix_of(resource, each.get("TableClass")) for each in replicas}
    if len(classes) > 1:
        raise refuse(resource, "its replicas are of several table classes")
    suffix = classes.pop()
    yield from dynamodb.request_lines(resource, context, suffix, replicas=len(replicas))
    for replica in replicas:
        dynamodb.refuse_extras(resource, replica)
        where = f", {replica.get('Region')}" if len(replicas) > 1 else ""
        yield from dynamodb.storage_lines(resource, context, suffix, replica, where)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    yield from dynamodb.on_demand_limits(resource, context)
    yield from dynamodb.partition_limits(resource, context)


ROOM = Room(
    type="AWS::DynamoDB::GlobalTable",
    classification="usage",
    usage=dynamodb.USAGE,
    lines=_lines,
    limits=_limits,
)
