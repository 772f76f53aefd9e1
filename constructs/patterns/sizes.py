"""Ladders of sizes: the smallest machine that bears a load, for constructs that choose by it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from workbench.workload import Figure

# What the rooms of the review take as each one's limit (tests hold them equal), and only sizes that are in the
# price book. Each ladder goes up to where one machine ends.

# Class → max_connections of RDS for PostgreSQL: LEAST(memory / 9,531,392 bytes, 5,000).
DATABASES = (
    ("db.t4g.micro", 112),
    ("db.t4g.small", 225),
    ("db.t4g.medium", 450),
    ("db.m7g.large", 901),
    ("db.m7g.xlarge", 1_802),
    ("db.m7g.2xlarge", 3_604),
    ("db.r7g.2xlarge", 5_000),
)
# Node → gigabytes for data, a quarter of maxmemory set aside.
CACHES = (
    ("cache.t4g.micro", Decimal("0.402")),
    ("cache.t4g.small", Decimal("1.103")),
    ("cache.t4g.medium", Decimal("2.488")),
    ("cache.m7g.large", Decimal("5.140")),
    ("cache.r7g.large", Decimal("10.527")),
    ("cache.r7g.xlarge", Decimal("21.196")),
    ("cache.r7g.2xlarge", Decimal("42.533")),
    ("cache.r7g.4xlarge", Decimal("85.207")),
    ("cache.r7g.8xlarge", Decimal("168.750")),
)
# Broker → partitions with their copies, and MB/s to its volume (250 without provisioned throughput).
BROKERS = (
    ("kafka.t3.small", 300, Decimal("21.75")),
    ("kafka.m7g.large", 1_000, Decimal("78.75")),
    ("kafka.m7g.xlarge", 1_000, Decimal("156.25")),
    ("kafka.m7g.2xlarge", 2_000, Decimal("250")),
    ("kafka.m7g.4xlarge", 4_000, Decimal("250")),
)
HEADROOM = Decimal("1.5")  # a peak is a guess: half as much again must fit


def database_class(peak_connections: Figure) -> str:
    """The smallest class whose connections hold the peak; the largest where none does."""
    return _smallest([(name, (Decimal(most),)) for name, most in DATABASES], peak_connections.value)


def cache_node(stored_gb: Figure) -> str:
    """The smallest node whose memory holds `stored_gb`; the largest where none does."""
    return _smallest([(name, (most,)) for name, most in CACHES], stored_gb.value)


def broker_type(partitions_of_a_broker: Figure, written_mb_per_second_of_a_broker: Figure) -> str:
    """The smallest type that bears a broker's share, copies counted in both; the largest where none does."""
    return _smallest(
        [(name, (Decimal(partitions), rate)) for name, partitions, rate in BROKERS],
        partitions_of_a_broker.value,
        written_mb_per_second_of_a_broker.value,
    )


def _smallest(ladder: Sequence[tuple[str, tuple[Decimal, ...]]], *loads: Decimal) -> str:
    for name, capacities in ladder:
        if all(load * HEADROOM <= most for load, most in zip(loads, capacities, strict=True)):
            return name
    return ladder[-1][0]
