"""Keyspaces tables: requests on demand, or capacity units by the hour; data held; continuous backups.

Scaling adds to MinimumUnits by the usage keys. Rows that expire, streams, replicas and warm throughput pay by things
that nothing counts, and are refused. Facts: https://aws.amazon.com/keyspaces/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS, Grown, grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse

_ON_DEMAND = ("read_requests_per_month", "write_requests_per_month")
_PROVISIONED = ("average_read_units", "average_write_units")
_EXTRAS = ("DefaultTimeToLive", "ReplicaSpecifications", "WarmThroughput")


def _mode(resource: Resource) -> str:
    mode = (resource.properties.get("BillingMode") or {}).get("Mode", "ON_DEMAND")
    return one_of(resource, mode, "BillingMode.Mode", ("ON_DEMAND", "PROVISIONED"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_extras(resource, context)
    if _mode(resource) == "ON_DEMAND":
        by_use.refuse_keys(resource, "BillingMode is ON_DEMAND", *_PROVISIONED)
        yield from by_use.lines(
            resource,
            context,
            ("Reads (on demand)", "RRUs", "read_requests_per_month", "keyspaces.ondemand.read"),
            ("Writes (on demand)", "WRUs", "write_requests_per_month", "keyspaces.ondemand.write"),
        )
    else:
        by_use.refuse_keys(resource, "BillingMode is PROVISIONED", *_ON_DEMAND)
        for what in ("Read", "Write"):
            yield from _provisioned(resource, context, what)
    yield from by_use.lines(resource, context, ("Stored data", "GB-months", "stored_gb", "keyspaces.storage"))
    if by_use.is_true(resource.properties.get("PointInTimeRecoveryEnabled")):
        row = ("Continuous backups", "GB-months", "stored_gb", "keyspaces.pitr")
        yield from by_use.lines(resource, context, row)


def _provisioned(resource: Resource, context: Context, what: str) -> Iterator[CostLine]:
    """The hours of the units of `what`, Read or Write, and of those that scaling adds."""
    throughput = resource.properties["BillingMode"].get("ProvisionedThroughput") or {}
    scaling: dict[str, Any] = (resource.properties.get("AutoScalingSpecifications") or {}).get(
        f"{what}CapacityAutoScaling"
    ) or {}
    unit = f"{what[0]}CU"
    price_key, words = f"keyspaces.provisioned.{unit.lower()}", "provisioned"
    usage = f"average_{what.lower()}_units"
    if not scaling or by_use.is_true(scaling.get("AutoScalingDisabled")):
        by_use.refuse_keys(resource, f"{what}CapacityAutoScaling is off", usage)
        name = f"{what}CapacityUnits"
        count = number(resource, throughput.get(name), name)
        fleet = Grown(constant(count, f"{shown(count)} {unit}"))
    else:
        least, most = (number(resource, scaling.get(name), name) for name in ("MinimumUnits", "MaximumUnits"))
        fleet = grown(
            context,
            resource,
            usage,
            constant(least, f"{shown(least)} {unit} (MinimumUnits)"),
            constant(most, f"{shown(most)} {unit} (MaximumUnits)"),
        )
    yield from fleet.lines(f"{what} capacity", words, f"{unit}-hours", HOURS, price_key)


def _refuse_extras(resource: Resource, context: Context) -> None:
    properties = resource.properties
    for extra in _EXTRAS:
        if properties.get(extra):
            raise refuse(resource, f"{extra} is set")
    if (properties.get("CdcSpecification") or {}).get("Status") == "ENABLED":
        raise refuse(resource, "CdcSpecification is on, whose readers pay")
    keyspace = context.target(resource, properties.get("KeyspaceName"))
    replication = (keyspace.properties if keyspace else {}).get("ReplicationSpecification") or {}
    strategy = replication.get("ReplicationStrategy", "SINGLE_REGION")
    one_of(resource, strategy, "the keyspace's ReplicationStrategy", ("SINGLE_REGION",))


ROOM = Room(
    type="AWS::Cassandra::Table",
    classification="mixed",
    usage={
        "read_requests_per_month": Usage(
            "RRUs", "on demand: reads of 4 KB at LOCAL_QUORUM; at LOCAL_ONE half of one"
        ),
        "write_requests_per_month": Usage("WRUs", "on demand: writes of 1 KB"),
        "average_read_units": Usage("RCUs", "provisioned: units averaged over the month, where it scales"),
        "average_write_units": Usage("WCUs", "provisioned: units averaged over the month, where it scales"),
        "stored_gb": Usage("GB", "data held, counted once"),
    },
    lines=_lines,
)
