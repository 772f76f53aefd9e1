"""What `AWS::DynamoDB::Table` and `AWS::DynamoDB::GlobalTable` have in common: usage keys, prices, limits.

Units are declared as they are billed: a write of up to 1 KB is one write unit in the table and one in each
index that it touches, an eventually consistent read of 4 KB is half a read unit. Deletes by time to live
are free. Facts: https://aws.amazon.com/dynamodb/pricing/on-demand/ and the page of quotas and of
partitions, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Usage, one_of, refuse
from workbench.workload import Figure

USAGE = {
    "write_units_per_month": Usage("write units", "write request units, those of indexes included"),
    "read_units_per_month": Usage("read units", "read request units"),
    "peak_write_units_per_second": Usage("write units/s", "write units in the busiest second"),
    "peak_read_units_per_second": Usage("read units/s", "read units in the busiest second"),
    "stored_gb": Usage("GB", "data held, indexes included"),
    "hottest_key_share": Usage(
        "share",
        "the part of peak reads and writes that falls on the busiest partition key, 0 to 1",
        scales=False,
    ),
}

_SUFFIXES = {"STANDARD": "", "STANDARD_INFREQUENT_ACCESS": "_ia"}
_WORDS = {"": "", "_ia": ", infrequent access"}


def suffix_of(resource: Resource, table_class: Any) -> str:
    """The end of the price keys of a table class: nothing, or `_ia`."""
    return _SUFFIXES[one_of(resource, table_class or "STANDARD", "TableClass", tuple(_SUFFIXES))]


def request_lines(
    resource: Resource, context: Context, suffix: str, *, replicas: int = 1
) -> Iterator[CostLine]:
    """Reads and writes on demand; a write is paid in every region that holds a replica."""
    words = _WORDS[suffix]
    writes = context.derive(resource, "write_units_per_month")
    if replicas > 1:
        copies = constant(replicas, f"{replicas} replicas")
        writes = context.derive(resource, "write_units_per_month", by=lambda units: units * copies)
        key = f"dynamodb.ondemand.replicated_write{suffix}"
        yield CostLine(f"Writes (on demand, replicated{words})", "write units", writes, key)
    else:
        yield CostLine(
            f"Writes (on demand{words})", "write units", writes, f"dynamodb.ondemand.write{suffix}"
        )
    reads = context.derive(resource, "read_units_per_month")
    yield CostLine(f"Reads (on demand{words})", "read units", reads, f"dynamodb.ondemand.read{suffix}")


def storage_lines(
    resource: Resource, context: Context, suffix: str, settings: Mapping[str, Any], where: str = ""
) -> Iterator[CostLine]:
    """Data held, and its continuous backup; `settings` are those of the table or of one replica."""
    words = where + _WORDS[suffix]
    label = f" ({words.removeprefix(', ')})" if words else ""
    stored = context.derive(resource, "stored_gb")
    yield CostLine(f"Stored data{label}", "GB-months", stored, f"dynamodb.storage{suffix}")
    recovery = settings.get("PointInTimeRecoverySpecification") or {}
    if recovery.get("PointInTimeRecoveryEnabled"):
        label = f" ({where.removeprefix(', ')})" if where else ""
        yield CostLine(f"Point-in-time recovery{label}", "GB-months", stored, "dynamodb.backup.pitr")


def refuse_extras(resource: Resource, settings: Mapping[str, Any]) -> None:
    """Refuse settings that add lines which no usage key counts."""
    if settings.get("KinesisStreamSpecification"):
        raise refuse(resource, "KinesisStreamSpecification pays by the changed item")
    if (settings.get("ContributorInsightsSpecification") or {}).get("Enabled"):
        raise refuse(resource, "ContributorInsightsSpecification pays by the event")


def on_demand_limits(resource: Resource, context: Context) -> Iterator[Limit]:
    """The default ceilings of a table on demand."""
    for kind in ("read", "write"):
        load = context.derive(resource, f"peak_{kind}_units_per_second")
        yield context.against(f"dynamodb.table_{kind}", resource, f"Table {kind} units a second", load)


def partition_limits(resource: Resource, context: Context) -> Iterator[Limit]:
    """The ceilings of one partition, against the busiest key, which no partition shares out."""
    for kind in ("read", "write"):
        load = context.derive(resource, f"peak_{kind}_units_per_second", "hottest_key_share", by=_on_hottest)
        yield context.against(
            f"dynamodb.partition_{kind}", resource, f"Busiest key, {kind} units a second", load
        )


def _on_hottest(rate: Figure, share: Figure) -> Figure:
    return rate * share
