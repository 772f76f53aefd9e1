"""Writes declared traffic on the resources that carry it, as `Metadata.Workload`, for the review to read."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from aws_cdk import CfnResource
from constructs import IConstruct

from workbench.workload import Figure, Rate, gigabytes

KEY = "Workload"


@dataclass(frozen=True)
class TableTraffic:
    """What a DynamoDB table is asked: units of writing and reading, and the part of one key in the peak.

    `index_writes` are what its indexes are written beside the table itself; None where it has no index.
    """

    writes: Rate
    reads: Rate
    stored_gb: Figure
    hottest_key_share: Figure
    index_writes: Rate | None = None


@dataclass(frozen=True)
class FunctionTraffic:
    """What a function is asked: its calls, what one takes and logs, and how many metrics it sends."""

    calls: Rate
    duration_ms: Figure
    log_bytes: Figure
    custom_metrics: Figure


@dataclass(frozen=True)
class SocketTraffic:
    """What a WebSocket API is asked. A message of more than 32 KB counts as several.

    `connects` are connections opened; `received` are messages from clients, `answered` those to which the function's
    answer goes back on the socket, `posted` what programs send to connections by themselves. `connection_minutes`
    are of a month, all clients' together; `peak_connections` are open at once at the busiest time.
    """

    connects: Rate
    received: Rate
    answered: Rate
    posted: Rate
    connection_minutes: Figure
    peak_connections: Figure
    sent_bytes: Figure  # of a message to a client
    largest_kb: Figure  # of a message either way


@dataclass(frozen=True)
class BucketTraffic:
    """What a bucket is asked: requests that write and list, those that read, what it holds, and what leaves AWS."""

    puts: Rate
    gets: Rate
    stored_gb: Figure
    egress_gb: Figure


@dataclass(frozen=True)
class DatabaseTraffic:
    """What a relational database is asked: what it holds, connections at the peak, and backups beyond its size."""

    stored_gb: Figure
    peak_connections: Figure
    backup_gb: Figure


@dataclass(frozen=True)
class CacheTraffic:
    """What a cache is asked: commands in the busiest second, and what it holds."""

    peak_commands_per_second: Figure
    stored_gb: Figure


@dataclass(frozen=True)
class KafkaTraffic:
    """What a Kafka cluster is asked, before copies: what is written, held, and in how many partitions."""

    produced_gb: Figure
    peak_produced_mb_per_second: Figure
    stored_gb: Figure
    partitions: Figure


@dataclass(frozen=True)
class NetworkTraffic:
    """What crosses a network's borders in a month, in gigabytes, and the connections through its NAT at the peak.

    `outbound_gb` goes out through the NAT, to AWS's APIs (but for what `Network.reach` is told of) or the internet,
    of which `internet_gb` to the latter without passing an edge; `cross_zone_gb` goes from one zone to another.
    `peak_outbound_mb_per_second` is what goes out in the busiest second, for the bandwidth of the gateways.
    """

    outbound_gb: Figure
    internet_gb: Figure
    outbound_connections: Figure
    cross_zone_gb: Figure
    flow_log_gb: Figure
    peak_outbound_mb_per_second: Figure | None = None


@dataclass(frozen=True)
class EdgeTraffic:
    """What a distribution is asked: requests and the bytes of an answer, uploads and the bytes of one."""

    requests: Rate
    response_bytes: Figure
    uploads: Rate
    upload_bytes: Figure

    def declare_on(self, distribution: IConstruct) -> None:
        """Write it on the distribution."""
        declare(
            distribution,
            requests_per_month=self.requests.per_month,
            peak_requests_per_second=self.requests.peak_per_second,
            egress_gb_per_month=gigabytes(self.requests.per_month, self.response_bytes),
            uploaded_gb_per_month=gigabytes(self.uploads.per_month, self.upload_bytes),
        )


@dataclass(frozen=True)
class WebTraffic:
    """What a web tier is asked: requests, their bytes both ways, and how many one instance serves a second."""

    requests: Rate
    exchanged_gb: Figure
    requests_per_second_per_instance: Figure
    log_gb: Figure


def declare(construct: IConstruct, *, again: bool = False, **figures: Figure) -> None:
    """Add usage figures, by usage key, to the CloudFormation resource of `construct`; `again` replaces them.

    Raises `ValueError` when a key is declared twice on one resource without that.
    """
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):
        raise ValueError(
            f"{construct.node.path} has no CloudFormation resource of its own to declare traffic on"
        )
    declared = dict(resource.get_metadata(KEY) or {})
    for key, figure in figures.items():
        if key in declared and not again:
            raise ValueError(f"{construct.node.path}: {key} is declared twice")
        declared[key] = {"value": f"{figure.value:f}", "formula": figure.formula}
    resource.add_metadata(KEY, declared)


def at_least(floor: int, figure: Figure) -> Figure:
    """`figure`, but never below `floor`: what stands there when nobody comes."""
    if figure.value >= floor:
        return figure
    return Figure(Decimal(floor), f"{floor}, the fewest there are; the load needs {figure.formula}")
