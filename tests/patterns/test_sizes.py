"""The ladders: each rung is what the review takes as its limit, and has a price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from patterns import sizes
from tests.assemblies import resource
from tests.bills import limit
from workbench.review.prices import PriceBook
from workbench.workload import Figure

pytestmark = pytest.mark.fast


def _figure(value: str) -> Figure:
    return Figure(Decimal(value), value)


@pytest.mark.parametrize(("name", "connections"), sizes.DATABASES)
def test_a_database_holds_as_many_connections_as_the_review_says(name: str, connections: int) -> None:
    properties = {"DBInstanceClass": name, "AllocatedStorage": "20"}
    instance = resource("AWS::RDS::DBInstance", properties, peak_connections=1, stored_gb=1)
    assert limit({"Database": instance}, "Connections").quota == connections
    assert f"rds.postgresql.single_az.{name}" in PriceBook.load().prices


@pytest.mark.parametrize(("name", "gigabytes"), sizes.CACHES)
def test_a_node_holds_as_much_as_the_review_says(name: str, gigabytes: Decimal) -> None:
    properties = {"CacheNodeType": name, "Engine": "valkey", "NumCacheClusters": 3}
    group = resource("AWS::ElastiCache::ReplicationGroup", properties, stored_gb=1)
    assert gigabytes <= limit({"Cache": group}, "Memory").quota < gigabytes + Decimal("0.001")
    assert f"elasticache.valkey.{name}" in PriceBook.load().prices


@pytest.mark.parametrize(("name", "partitions", "megabytes"), sizes.BROKERS)
def test_a_broker_bears_as_much_as_the_review_says(name: str, partitions: int, megabytes: Decimal) -> None:
    node = {
        "InstanceType": name,
        "ClientSubnets": ["a", "b", "c"],
        "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 10}},
    }
    cluster = resource(
        "AWS::MSK::Cluster",
        {"NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": node},
        partitions=1,
        peak_produced_mb_per_second=1,
    )
    assert limit({"Kafka": cluster}, "Partitions on the brokers").quota == 3 * partitions
    assert limit({"Kafka": cluster}, "Bytes produced a second").quota == megabytes
    assert f"msk.broker.{name}" in PriceBook.load().prices


def test_the_smallest_that_bears_the_peak_and_half_as_much_again_is_chosen() -> None:
    chosen = [sizes.database_class(_figure(each)) for each in ("1", "74", "75", "3333", "9999")]
    assert chosen == ["db.t4g.micro", "db.t4g.micro", "db.t4g.small", "db.r7g.2xlarge", "db.r7g.2xlarge"]
    assert [sizes.cache_node(_figure(each)) for each in ("0.1", "0.5", "1000")] == [
        "cache.t4g.micro",
        "cache.t4g.small",
        "cache.r7g.8xlarge",
    ]


def test_a_broker_is_chosen_by_whichever_is_scarcer() -> None:
    assert sizes.broker_type(_figure("6"), _figure("0.1")) == "kafka.t3.small"
    assert sizes.broker_type(_figure("250"), _figure("1")) == "kafka.m7g.large"
    assert sizes.broker_type(_figure("1"), _figure("100")) == "kafka.m7g.xlarge"
