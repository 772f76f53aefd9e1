"""What `AWS::DynamoDB::Table` and `AWS::DynamoDB::GlobalTable` have in common: usage keys, prices, limits.

Units are declared as they are billed: a write of up to 1 KB is one write unit in the table and one in each
index that it touches, an eventually consistent read of 4 KB is half a read unit. What indexes are written is a line
of its own; where nobody declared it, every write of the table is taken to touch every index. Deletes by time to live
are free, and so are reads of the table's stream by Lambda. A key of the account (`SSESpecification`) is asked every
five minutes for each principal; those calls are the table's line, and not the key's. Imports and warm throughput are
paid once, and not counted. Facts: https://aws.amazon.com/dynamodb/pricing/on-demand/ ,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html , for the rules of
Contributor Insights https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/contributorinsights_HowItWorks.html
and the page of partitions, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import kms
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Usage, is_declared, one_of, refuse
from workbench.workload import SECONDS_PER_MONTH, Figure

# The utilisation that scaling aims at where nobody says: the default of the console and of the CDK. AWS advises it.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
TARGET_PERCENT = 70

USAGE = {
    "write_units_per_month": Usage("write units", "write request units of the table itself"),
    "index_write_units_per_month": Usage(
        "write units", "write request units of its indexes; as many in each as in the table, if not declared"
    ),
    "read_units_per_month": Usage("read units", "read request units"),
    "peak_write_units_per_second": Usage(
        "write units/s", "write units in the busiest second, those of indexes included"
    ),
    "peak_read_units_per_second": Usage("read units/s", "read units in the busiest second"),
    "stored_gb": Usage("GB", "data held, indexes included"),
    "backup_gb": Usage("GB", "backups made on demand, those in a vault of AWS Backup aside"),
    "stream_reads_per_month": Usage("reads", "reads of the table's stream by others than Lambda"),
    "captured_units_per_month": Usage(
        "change units", "with a Kinesis stream: changes that are sent to it, in steps of 1 KB"
    ),
    "principals": kms.principals("use a table whose key is in the account"),
    "largest_item_kb": Usage("KB", "the largest item, names of attributes included", scales=False),
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


def refuse_extras(resource: Resource) -> None:
    """Refuse the settings that add lines which nothing counts."""
    if resource.properties.get("VectorIndexes"):
        raise refuse(resource, "VectorIndexes have a price of their own")


def request_lines(
    resource: Resource, context: Context, suffix: str, *, replicas: int = 1
) -> Iterator[CostLine]:
    """Reads and writes on demand; a write is paid in every region that holds a replica."""
    copies = constant(replicas, f"{replicas} replicas")
    kind, where = ("replicated_write", ", replicated") if replicas > 1 else ("write", "")
    key = f"dynamodb.ondemand.{kind}{suffix}"
    writes = context.derive(resource, "write_units_per_month")
    parts = [("Writes", writes)]
    if indexes(resource):
        parts.append(("Index writes", index_writes(resource, context)))
    for component, units in parts:
        paid = units * copies if replicas > 1 and is_declared(units) else units
        yield CostLine(f"{component} (on demand{where}{_WORDS[suffix]})", "write units", paid, key)
    reads = context.derive(resource, "read_units_per_month")
    yield CostLine(
        f"Reads (on demand{_WORDS[suffix]})", "read units", reads, f"dynamodb.ondemand.read{suffix}"
    )


def indexes(resource: Resource) -> list[dict[str, Any]]:
    """The global secondary indexes, whose writes are paid beside the table's."""
    return list(resource.properties.get("GlobalSecondaryIndexes") or [])


def index_writes(resource: Resource, context: Context) -> Figure:
    """The write units of all its indexes."""
    if "index_write_units_per_month" in resource.workload:
        return context.derive(resource, "index_write_units_per_month")
    count = len(indexes(resource))
    each = constant(count, f"{count} {'index' if count == 1 else 'indexes'}, every write in each")
    return context.derive(resource, "write_units_per_month", by=lambda units: units * each)


def storage_lines(
    resource: Resource, context: Context, suffix: str, settings: Mapping[str, Any], where: str = ""
) -> Iterator[CostLine]:
    """Data held, and its continuous backup; `settings` are those of the table or of one replica."""
    words = where + _WORDS[suffix]
    label = f" ({words.removeprefix(', ')})" if words else ""
    stored = context.derive(resource, "stored_gb")
    yield CostLine(f"Stored data{label}", "GB-months", stored, f"dynamodb.storage{suffix}")
    label = f" ({where.removeprefix(', ')})" if where else ""
    recovery = settings.get("PointInTimeRecoverySpecification") or {}
    if is_true(recovery.get("PointInTimeRecoveryEnabled")):
        yield CostLine(f"Point-in-time recovery{label}", "GB-months", stored, "dynamodb.backup.pitr")
    rules = _insight_rules(resource, settings)
    if rules:
        count = constant(rules, f"{rules} rules of Contributor Insights")
        yield CostLine(f"Insight rules{label}", "rules", count, "cloudwatch.contributor_insights.rule")


def _insight_rules(resource: Resource, settings: Mapping[str, Any]) -> int:
    """Two rules of the busiest keys, one of them of throttled ones, and as many again with a sort key."""
    keys = resource.properties.get("KeySchema") or []
    found = _rules_of(settings, keys)
    own = {each.get("IndexName"): each for each in indexes(resource)}
    for index in settings.get("GlobalSecondaryIndexes") or []:
        found += _rules_of(index, own.get(index.get("IndexName"), index).get("KeySchema") or [])
    return found


def _rules_of(settings: Mapping[str, Any], keys: list[Any]) -> int:
    insights = settings.get("ContributorInsightsSpecification") or {}
    if not is_true(insights.get("Enabled")):
        return 0
    a_key = 1 if insights.get("Mode") == "THROTTLED_KEYS" else 2
    return a_key * max(1, len(keys))


def side_lines(
    resource: Resource, context: Context, captures: int, encryption: Mapping[str, Any]
) -> Iterator[CostLine]:
    """Backups, readers of the stream, changes sent to `captures` Kinesis streams, and calls of KMS."""
    if "backup_gb" in resource.workload:
        held = context.derive(resource, "backup_gb")
        yield CostLine("Backups (on demand)", "GB-months", held, "dynamodb.backup.ondemand")
    if "stream_reads_per_month" in resource.workload or _is_read_by_nobody_known(resource, context):
        reads = context.derive(resource, "stream_reads_per_month")
        yield CostLine("Stream reads", "reads", reads, "dynamodb.streams.reads")
    if captures:
        streams = constant(captures, f"{captures} {'stream' if captures == 1 else 'streams'}")
        units = context.derive(resource, "captured_units_per_month", by=lambda units: units * streams)
        yield CostLine("Changes captured (Kinesis)", "change units", units, "dynamodb.kinesis_cdc")
    if is_true(encryption.get("SSEEnabled")):
        asked = context.derive(
            resource, "write_units_per_month", "read_units_per_month", by=lambda one, other: one + other
        )
        each = kms.declared_or_one(context, resource, "principals", "principal")
        yield from kms.lines(kms.by_data_keys(asked, kms.FIVE_MINUTES, each))


def _is_read_by_nobody_known(resource: Resource, context: Context) -> bool:
    """Whether it has a stream that no function of the assembly reads, so that somebody else does."""
    # A global table of several regions has one for its own copies.
    if (
        not resource.properties.get("StreamSpecification")
        or len(resource.properties.get("Replicas") or []) > 1
    ):
        return False
    return not context.pointing_at(resource, "AWS::Lambda::EventSourceMapping", "EventSourceArn")


def average_capacity(resource: Resource, context: Context, kind: str, percent: Decimal) -> Figure:
    """The capacity units (`kind` is `Write` or `Read`) of the average load at a target utilisation in percent."""
    units = context.derive(resource, f"{kind.lower()}_units_per_month")
    if not is_declared(units):
        return units
    if kind == "Write" and indexes(resource):
        units = units + index_writes(resource, context)
    share = constant(percent / 100, f"{shown(percent)} % utilisation")
    return units / constant(SECONDS_PER_MONTH, "2,628,000 s") / share


def break_even_warnings(resource: Resource, context: Context, suffix: str) -> Iterator[str]:
    """Where the same reads and writes cost less with capacity provisioned for the peak, at 70 % utilisation."""
    figures = {
        key: context.declared(resource, key)
        for key in (
            "write_units_per_month",
            "read_units_per_month",
            "peak_write_units_per_second",
            "peak_read_units_per_second",
        )
    }
    if None in figures.values():
        return
    writes, reads, peak_writes, peak_reads = (each.value for each in figures.values() if each is not None)
    if indexes(resource):
        writes += index_writes(resource, context).value
    book = PriceBook.load()
    on_demand = book[f"dynamodb.ondemand.write{suffix}"].cost(writes) + book[
        f"dynamodb.ondemand.read{suffix}"
    ].cost(reads)
    capacity = [_provisioned_for(peak) for peak in (peak_writes, peak_reads)]
    provisioned = sum(
        (
            book[f"dynamodb.provisioned.{key}{suffix}"].cost(units * HOURS.value)
            for key, units in zip(("wcu", "rcu"), capacity, strict=True)
        ),
        Decimal(0),
    )
    if on_demand > provisioned:
        yield (
            f"{context.name_of(resource)}: on demand its reads and writes cost {dollars(on_demand)} a month; "
            f"provisioned for the peak at 70 % utilisation ({shown(capacity[0])} WCU and {shown(capacity[1])} RCU) "
            f"{dollars(provisioned)}, {dollars(on_demand - provisioned)} less"
        )


def _provisioned_for(peak: Decimal) -> Decimal:
    """Whole units, one at least."""
    return max(Decimal(1), (peak * 100 / TARGET_PERCENT).to_integral_value("ROUND_CEILING"))


def not_priced(resource: Resource, context: Context, parts: list[Mapping[str, Any]]) -> Iterator[str]:
    """What is switched on, and pays by something that no price is known of."""
    name = context.name_of(resource)
    if any(_insight_rules(resource, each) for each in parts):
        yield f"{name}: Contributor Insights pays by the event too, which is not priced"
    if resource.properties.get("WarmThroughput"):
        yield f"{name}: WarmThroughput above what a table has anyway is paid once, which is not priced"


def on_demand_limits(resource: Resource, context: Context) -> Iterator[Limit]:
    """The default ceilings of a table on demand."""
    for kind in ("read", "write"):
        load = context.derive(resource, f"peak_{kind}_units_per_second")
        yield context.against(f"dynamodb.table_{kind}", resource, f"Table {kind} units a second", load)


def partition_limits(resource: Resource, context: Context) -> Iterator[Limit]:
    """The ceilings of one partition, against the busiest key, which no partition shares out; and of one item."""
    for kind in ("read", "write"):
        load = context.derive(resource, f"peak_{kind}_units_per_second", "hottest_key_share", by=_on_hottest)
        yield context.against(
            f"dynamodb.partition_{kind}", resource, f"Busiest key, {kind} units a second", load
        )
    if "largest_item_kb" in resource.workload:
        size = context.derive(resource, "largest_item_kb")
        yield context.against("dynamodb.item_kb", resource, "Largest item", size)


def _on_hottest(rate: Figure, share: Figure) -> Figure:
    return rate * share
