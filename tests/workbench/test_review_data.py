"""Databases, caches, brokers, files and streams: dollars worked out by hand, and how much they hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.assemblies import resource
from tests.bills import dollars, limit, sum_of, undeclared, warnings
from workbench.errors import NotPriced

pytestmark = pytest.mark.fast

MILLION = 1_000_000


# PostgreSQL on RDS


def database(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    made = {
        "Engine": "postgres",
        "EngineVersion": "17.6",
        "DBInstanceClass": "db.t4g.medium",
        "AllocatedStorage": "100",
        "StorageType": "gp3",
        **(properties or {}),
    }
    return resource("AWS::RDS::DBInstance", made, **usage)


def test_an_instance_pays_for_hours_storage_and_backups_beyond_its_size() -> None:
    assert dollars({"Db": database(backup_gb=50)}) == {
        "Instances (db.t4g.medium)": Decimal("47.45"),  # 730 h × $0.065
        "Storage (gp3)": Decimal("11.5"),  # 100 GB × $0.115
        "Backups": Decimal("4.75"),  # 50 GB × $0.095
    }


def test_a_standby_doubles_hours_and_storage() -> None:
    found = dollars({"Db": database({"MultiAZ": True}, backup_gb=0)})
    assert found["Instances (db.t4g.medium, with a standby)"] == Decimal("94.17")  # 730 h × $0.129
    assert found["Storage (gp3)"] == Decimal(23)  # 100 GB × $0.23
    # A class whose pair has no price of its own
    other = database({"MultiAZ": True, "DBInstanceClass": "db.r6i.large"}, backup_gb=0)
    assert dollars({"Db": other})["Instances (db.r6i.large)"] == Decimal(365)  # 2 × 730 h × $0.25


def test_storage_that_grows_by_itself_is_paid_up_to_its_most() -> None:
    growing = {"MaxAllocatedStorage": 200}
    found = dollars({"Db": database(growing, stored_gb=150, backup_gb=0)})
    assert found["Storage (gp3)"] == Decimal("11.5")
    assert found["Storage (gp3, as data grows)"] == Decimal("5.75")  # 50 GB × $0.115
    full = dollars({"Db": database(growing, stored_gb=900, backup_gb=0)})
    assert full["Storage (gp3, as data grows)"] == Decimal("11.5")
    assert "Storage (gp3, as data grows)" not in dollars({"Db": database(stored_gb=150, backup_gb=0)})


@pytest.mark.parametrize(
    ("storage", "paid"),
    [
        ({"Iops": 4_000}, "20"),  # 1,000 above 3,000 × $0.02
        ({"Iops": 4_000, "MultiAZ": True}, "40"),
        ({"AllocatedStorage": "400", "Iops": 12_000}, "0"),
        ({"AllocatedStorage": "400", "Iops": 13_000}, "20"),
        ({"StorageThroughput": 225}, "8"),  # 100 MiB/s above 125 × $0.08
        ({"StorageThroughput": 225, "MultiAZ": True}, "16"),
        ({"StorageType": "io1", "Iops": 1_000}, "100"),  # 1,000 × $0.10
        ({"StorageType": "io1", "Iops": 1_000, "MultiAZ": True}, "200"),
    ],
)
def test_iops_and_throughput_are_paid_beyond_what_is_included(storage: dict[str, Any], paid: str) -> None:
    found = dollars({"Db": database(storage, backup_gb=0)})
    beyond = [
        found.get(f"{what} ({kind})", Decimal(0))
        for what in ("IOPS", "Throughput")
        for kind in ("gp3", "io1")
    ]
    assert sum(beyond) == Decimal(paid)


@pytest.mark.parametrize(
    ("version", "component", "paid"),
    [
        ("14.9", None, "0"),
        ("13.20", "Extended support (years 1 and 2)", "146"),  # 2 vCPUs × 730 h × $0.10
        ("12.22", "Extended support (years 1 and 2)", "146"),
        ("11.22", "Extended support (year 3)", "292"),  # 2 vCPUs × 730 h × $0.20
    ],
)
def test_old_versions_pay_for_extended_support(version: str, component: str | None, paid: str) -> None:
    found = dollars({"Db": database({"EngineVersion": version}, backup_gb=0)})
    support = {name: value for name, value in found.items() if "Extended" in name}
    assert support == ({component: Decimal(paid)} if component else {})
    in_time = {
        "EngineVersion": version,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    }
    assert not [name for name in dollars({"Db": database(in_time)}) if "Extended" in name]


def test_a_standby_pays_for_extended_support_too() -> None:
    old = database({"EngineVersion": "13.20", "MultiAZ": True}, backup_gb=0)
    assert dollars({"Db": old})["Extended support (years 1 and 2)"] == Decimal(292)


def test_the_secret_that_rds_makes_is_a_line_that_no_template_shows() -> None:
    assert dollars({"Db": database({"ManageMasterUserPassword": True})})[
        "Secrets (master password)"
    ] == Decimal("0.4")


def test_a_replica_has_the_storage_of_its_source_and_no_backups() -> None:
    replica = {
        "DBInstanceClass": "db.t4g.medium",
        "SourceDBInstanceIdentifier": {"Ref": "Db"},
        "StorageType": "gp3",
    }
    resources = {"Db": database(backup_gb=0), "Replica": resource("AWS::RDS::DBInstance", replica)}
    assert dollars(resources)["Storage (gp3)"] == Decimal(23)
    assert undeclared(resources) == []


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"Engine": "oracle-ee"}, "oracle-ee"),
        ({"StorageType": "io2", "Iops": 1_000}, "io2"),
        ({"EngineVersion": "10.23"}, "past its extended support"),
        ({"EngineVersion": {"Fn::ImportValue": "x"}}, "known only at deployment"),
        ({"Engine": "mariadb"}, "mariadb"),
        ({"DedicatedLogVolume": True}, "DedicatedLogVolume"),
        ({"AllocatedStorage": None}, "AllocatedStorage"),
        ({"DBInstanceClass": None}, "DBInstanceClass"),
        ({"DBInstanceClass": "db.x2g.large"}, "no price"),
    ],
)
def test_an_instance_of_another_price_is_refused(properties: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Db": database(properties)})


@pytest.mark.parametrize(
    ("kind", "most"),
    [("db.t4g.micro", 112), ("db.t4g.medium", 450), ("db.m6g.large", 901), ("db.r6g.4xlarge", 5_000)],
)
def test_memory_bounds_the_connections(kind: str, most: int) -> None:
    # ⌊GiB × 2³⁰ ÷ 9,531,392⌋, at most 5,000
    checked = limit({"Db": database({"DBInstanceClass": kind}, peak_connections=500)}, "Connections")
    assert (checked.quota, checked.load) == (Decimal(most), Decimal(500))


def test_a_parameter_group_sets_the_connections() -> None:
    resources = {
        "Db": database({"DBParameterGroupName": {"Ref": "Settings"}}, peak_connections=500),
        "Settings": resource("AWS::RDS::DBParameterGroup", {"Parameters": {"max_connections": "300"}}),
    }
    checked = limit(resources, "Connections")
    assert (checked.quota, checked.breaks) == (Decimal(300), True)


def test_storage_is_full_where_it_may_grow_no_more() -> None:
    assert limit({"Db": database(stored_gb=150)}, "Storage").quota == Decimal(100)
    assert limit(
        {"Db": database({"MaxAllocatedStorage": 200}, stored_gb=150)}, "Storage"
    ).headroom == Decimal("0.25")


def test_what_costs_less_is_said() -> None:
    found = warnings(
        {"Db": database({"DBInstanceClass": "db.m6i.large", "StorageType": "gp2", "MonitoringInterval": 60})}
    )
    assert found == (
        "Db: gp2 costs what gp3 does, which is faster",
        # 730 h × ($0.178 − $0.159)
        "Db: db.m6i.large is x86 and costs $0.178 an hour; db.m6g.large, on Graviton, costs $0.159: "
        "$13.87 a month less",
    )


# Aurora


def aurora(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::RDS::DBCluster", {"Engine": "aurora-postgresql", **(properties or {})}, **usage)


def member(kind: str) -> dict[str, Any]:
    properties = {
        "Engine": "aurora-postgresql",
        "DBInstanceClass": kind,
        "DBClusterIdentifier": {"Ref": "Cluster"},
    }
    return resource("AWS::RDS::DBInstance", properties)


USAGE: dict[str, Any] = {"stored_gb": 100, "io_requests_per_month": 10 * MILLION, "backup_gb": 20}
SERVERLESS = {"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8}}


def test_an_aurora_cluster_pays_for_data_and_io_and_its_members_for_hours() -> None:
    resources = {
        "Cluster": aurora(**USAGE),
        "Writer": member("db.r7g.large"),
        "Reader": member("db.r7g.large"),
    }
    assert dollars(resources) == {
        "Stored data (standard)": Decimal(10),  # 100 GB × $0.10
        "Input and output": Decimal(2),  # 10 M × $0.20/M
        "Backups": Decimal("0.42"),  # 20 GB × $0.021
        "Instances (db.r7g.large)": Decimal("402.96"),  # 2 × 730 h × $0.276
    }


def test_io_optimized_pays_more_for_hours_and_data_and_nothing_for_io() -> None:
    cluster = aurora({"StorageType": "aurora-iopt1"}, stored_gb=100, backup_gb=0)
    assert dollars({"Cluster": cluster, "Writer": member("db.r7g.large")}) == {
        "Stored data (io-optimized)": Decimal("22.5"),  # 100 GB × $0.225
        "Instances (db.r7g.large)": Decimal("262.07"),  # 730 h × $0.359
    }


def test_serverless_members_pay_for_their_least_when_nobody_comes() -> None:
    resources = {
        "Cluster": aurora(SERVERLESS, average_acus=3, **USAGE),
        "Writer": member("db.serverless"),
        "Reader": member("db.serverless"),
    }
    found = dollars(resources)
    assert found["Capacity (serverless)"] == Decimal("87.6")  # 2 × 0.5 ACU × 730 h × $0.12
    assert found["Capacity (serverless, as load grows)"] == Decimal("175.2")  # 2 ACU more
    assert sum_of(resources, traffic=0) == Decimal("87.6")
    most = dollars(resources, traffic=1_000)
    assert most["Capacity (serverless, as load grows)"] == Decimal("1314")  # 15 ACU more, the most


def test_a_cluster_that_pauses_costs_nothing_at_no_traffic() -> None:
    pausing = {"ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 8}}
    resources = {"Cluster": aurora(pausing, average_acus=1, **USAGE), "Writer": member("db.serverless")}
    assert sum_of(resources, traffic=0) == 0
    assert dollars(resources)["Capacity (serverless, as load grows)"] == Decimal("87.6")


def test_members_of_an_old_cluster_pay_for_extended_support() -> None:
    resources = {"Cluster": aurora({"EngineVersion": "13.20"}, **USAGE), "Writer": member("db.r6g.large")}
    assert dollars(resources)["Extended support (years 1 and 2)"] == Decimal(146)  # 2 vCPUs × 730 h × $0.10


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        ({"Cluster": aurora({"Engine": "aurora-mysql"})}, "aurora-mysql"),
        (
            {"Cluster": aurora({**SERVERLESS, "EngineVersion": "13.20"}), "Writer": member("db.serverless")},
            "extended support of serverless",
        ),
        ({"Cluster": aurora(), "Writer": member("db.serverless")}, "MinCapacity"),
        (
            {
                "Writer": resource(
                    "AWS::RDS::DBInstance",
                    {"DBInstanceClass": "db.r7g.large", "DBClusterIdentifier": "elsewhere"},
                )
            },
            "not in this assembly",
        ),
    ],
)
def test_a_cluster_of_another_price_is_refused(resources: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of(resources)


def test_a_cluster_holds_128_tebibytes() -> None:
    assert limit({"Cluster": aurora(stored_gb=131_072)}, "Storage of the cluster").headroom == 0


# The proxy


def targets(**properties: Any) -> dict[str, Any]:
    return resource("AWS::RDS::DBProxyTargetGroup", {"DBProxyName": {"Ref": "Proxy"}, **properties})


def test_a_proxy_pays_for_the_vcpus_behind_it() -> None:
    large = database({"DBInstanceClass": "db.m6g.xlarge"}, backup_gb=0)
    resources = {
        "Proxy": resource("AWS::RDS::DBProxy"),
        "Targets": targets(DBInstanceIdentifiers=[{"Ref": "Db"}]),
        "Db": large,
    }
    assert dollars(resources)["Proxies (provisioned)"] == Decimal("43.8")  # 4 vCPUs × 730 h × $0.015


def test_a_proxy_before_a_serverless_cluster_pays_for_eight_units_at_least() -> None:
    resources = {
        "Proxy": resource("AWS::RDS::DBProxy"),
        "Targets": targets(DBClusterIdentifiers=[{"Ref": "Cluster"}]),
        "Cluster": aurora(
            {"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 32}}, average_acus=10
        ),
        "Writer": member("db.serverless"),
    }
    found = dollars(resources)
    assert found["Proxies (serverless)"] == Decimal("87.6")  # 8 ACU × 730 h × $0.015
    assert found["Proxies (serverless, as load grows)"] == Decimal("21.9")  # 2 ACU more


def test_a_proxy_before_nothing_is_refused() -> None:
    with pytest.raises(NotPriced, match="what is behind it"):
        sum_of({"Proxy": resource("AWS::RDS::DBProxy")})


# Caches


def cache(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    made = {
        "Engine": "valkey",
        "CacheNodeType": "cache.t4g.micro",
        "NumCacheClusters": 3,
        **(properties or {}),
    }
    return resource("AWS::ElastiCache::ReplicationGroup", made, **usage)


@pytest.mark.parametrize(
    ("properties", "paid"),
    [
        ({}, "28.032"),  # 3 × 730 h × $0.0128
        ({"Engine": "redis"}, "35.04"),  # 3 × 730 h × $0.016
        # 2 shards × (1 + 2 replicas) × 730 h × $0.1752
        (
            {
                "NumCacheClusters": None,
                "NumNodeGroups": 2,
                "ReplicasPerNodeGroup": 2,
                "CacheNodeType": "cache.r7g.large",
            },
            "767.376",
        ),
    ],
)
def test_a_replication_group_pays_for_every_node(properties: dict[str, Any], paid: str) -> None:
    assert (
        sum_of({"Cache": cache(properties)})
        == sum_of({"Cache": cache(properties)}, traffic=0)
        == Decimal(paid)
    )


def test_backups_of_a_cache_are_paid_where_it_keeps_any() -> None:
    kept = cache({"SnapshotRetentionLimit": 7}, backup_gb=10)
    assert dollars({"Cache": kept})["Backups"] == Decimal("0.85")  # 10 GB × $0.085
    assert undeclared({"Cache": cache({"SnapshotRetentionLimit": 7})}) == ["Backups"]
    assert undeclared({"Cache": cache()}) == []


def test_a_cache_holds_three_quarters_of_the_memory_of_each_shard() -> None:
    # 536,870,912 bytes × 75 % = 0.402653184 GB
    assert limit({"Cache": cache(stored_gb=1)}, "Memory").quota == Decimal("0.402653184")
    sharded = {"NumCacheClusters": None, "NumNodeGroups": 2, "CacheNodeType": "cache.r6g.large"}
    # 2 × 14,037,181,030 bytes × 75 %
    assert limit({"Cache": cache(sharded, stored_gb=1)}, "Memory").quota == Decimal("21.055771545")


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"Engine": "memcached"}, "memcached"),
        ({"Engine": "redis", "EngineVersion": "5.0.6"}, "extended support"),
        ({"CacheNodeType": "cache.c9g.large"}, "no price"),
    ],
)
def test_a_cache_of_another_price_is_refused(properties: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Cache": cache(properties)})


def test_valkey_and_graviton_are_recommended() -> None:
    assert warnings({"Cache": cache({"Engine": "redis", "CacheNodeType": "cache.t3.micro"})}) == (
        # 3 × 730 h × $0.001, and 3 × 730 h × ($0.017 − $0.0136)
        "Cache: cache.t3.micro is x86 and costs $0.017 an hour; cache.t4g.micro, on Graviton, costs $0.016: "
        "$2.19 a month less for 3",
        "Cache: Valkey, which speaks the same protocol, costs $7.45 a month less",
    )
    assert warnings({"Cache": cache()}) == ()


def serverless(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::ElastiCache::ServerlessCache", {"Engine": "valkey", **(properties or {})}, **usage)


def test_a_serverless_cache_pays_for_a_tenth_of_a_gigabyte_at_least() -> None:
    used = {"Cache": serverless(stored_gb="1.1", ecpus_per_month=1_000 * MILLION)}
    assert dollars(used) == {
        "Stored data (valkey)": Decimal("6.132"),  # 0.1 GB × 730 h × $0.084
        "Stored data (valkey, as data grows)": Decimal("61.32"),  # 1 GB more
        "Processing (valkey, as load grows)": Decimal("2.3"),  # 10⁹ × $0.0023/M
    }
    assert sum_of(used, traffic=0) == Decimal("6.132")
    redis = {"Cache": serverless({"Engine": "redis"})}
    assert sum_of(redis) == Decimal("91.25")  # 1 GB × 730 h × $0.125


def test_what_a_serverless_cache_is_told_to_keep_ready_is_its_floor() -> None:
    limits = {"DataStorage": {"Minimum": 2, "Maximum": 10}, "ECPUPerSecond": {"Minimum": 1_000}}
    made = {"Cache": serverless({"CacheUsageLimits": limits}, stored_gb=20, ecpus_per_month=0)}
    # 2 GB × 730 h × $0.084 + 1,000 × 2,628,000 s × $0.0023/M
    assert sum_of(made, traffic=0) == Decimal("122.64") + Decimal("6.0444")
    assert limit(made, "Data of the cache").headroom == -1
    assert limit({"Cache": serverless(stored_gb=20)}, "Data of the cache").quota == Decimal(5_000)


# Kafka


def kafka(
    properties: dict[str, Any] | None = None, group: dict[str, Any] | None = None, **usage: Any
) -> dict[str, Any]:
    brokers = {
        "InstanceType": "kafka.m7g.large",
        "ClientSubnets": ["a", "b", "c"],
        "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 100}},
        **(group or {}),
    }
    made = {"NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": brokers, **(properties or {})}
    return resource("AWS::MSK::Cluster", made, **usage)


def test_brokers_pay_by_the_hour_and_for_their_volumes_and_nothing_for_what_comes_in() -> None:
    assert dollars({"Kafka": kafka(produced_gb_per_month=1_000)}) == {
        "Brokers (kafka.m7g.large)": Decimal("446.76"),  # 3 × 730 h × $0.204
        "Volumes (brokers)": Decimal(30),  # 3 × 100 GB × $0.10
    }


def test_provisioned_throughput_and_metrics_of_brokers_are_lines() -> None:
    volume = {"VolumeSize": 100, "ProvisionedThroughput": {"Enabled": True, "VolumeThroughput": 300}}
    group = {"InstanceType": "kafka.m7g.2xlarge", "StorageInfo": {"EBSStorageInfo": volume}}
    found = dollars({"Kafka": kafka({"EnhancedMonitoring": "PER_BROKER"}, group)})
    assert found["Throughput (provisioned)"] == Decimal(72)  # 3 × 300 MiB/s × $0.08
    assert found["Metrics (PER_BROKER)"] == Decimal("44.1")  # 3 × 49 × $0.30


def test_express_brokers_pay_for_bytes_in_and_held() -> None:
    express = kafka({}, {"InstanceType": "express.m7g.large"}, produced_gb_per_month=1_000, stored_gb=500)
    assert dollars({"Kafka": express}) == {
        "Brokers (express.m7g.large)": Decimal("893.52"),  # 3 × 730 h × $0.408
        "Stored data (express)": Decimal(50),  # 500 GB × $0.10
        "Data in (express)": Decimal(10),  # 1,000 GB × $0.01
    }


def test_brokers_bear_partitions_bytes_and_what_fits_on_their_volumes() -> None:
    resources = {"Kafka": kafka(partitions=3_300, peak_produced_mb_per_second=63, stored_gb=150)}
    partitions = limit(resources, "Partitions on the brokers")
    assert (partitions.quota, partitions.breaks) == (Decimal(3_000), True)
    produced = limit(resources, "Bytes produced a second")
    assert produced.quota == Decimal("78.75")  # 3 brokers × 78.75 MB/s ÷ 3 copies
    assert limit(resources, "Volumes of the brokers").headroom == Decimal("0.5")


def test_two_zones_hold_two_copies_and_a_plain_volume_bears_250() -> None:
    group = {"InstanceType": "kafka.m7g.4xlarge", "ClientSubnets": ["a", "b"]}
    resources = {"Kafka": kafka({"NumberOfBrokerNodes": 2}, group, peak_produced_mb_per_second=1)}
    assert limit(resources, "Bytes produced a second").quota == Decimal(250)  # 2 × 250 ÷ 2
    express = {"Kafka": kafka({}, {"InstanceType": "express.m7g.large"}, peak_produced_mb_per_second=1)}
    assert limit(express, "Bytes produced a second").quota == Decimal("46.8")  # 3 × 15.6


@pytest.mark.parametrize(
    ("properties", "group", "word"),
    [
        ({}, {"InstanceType": "kafka.m9.large"}, "m9"),
        ({"EnhancedMonitoring": "PER_RECORD"}, {}, "PER_RECORD"),
        ({"StorageMode": "SKY"}, {}, "SKY"),
        ({}, {"StorageInfo": {}}, "VolumeSize"),
    ],
)
def test_a_kafka_cluster_of_another_price_is_refused(
    properties: dict[str, Any], group: dict[str, Any], word: str
) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Kafka": kafka(properties, group)})


def test_graviton_brokers_are_recommended() -> None:
    assert warnings({"Kafka": kafka({}, {"InstanceType": "kafka.m5.large"})}) == (
        # 3 × 730 h × $0.006
        "Kafka: kafka.m5.large is x86 and costs $0.21 an hour; kafka.m7g.large, on Graviton, costs $0.204: "
        "$13.14 a month less for 3",
    )


def test_a_serverless_kafka_cluster_pays_for_its_partitions_all_the_time() -> None:
    made = resource(
        "AWS::MSK::ServerlessCluster",
        partitions=10,
        produced_gb_per_month=100,
        consumed_gb_per_month=200,
        stored_gb=50,
        peak_produced_mb_per_second=50,
    )
    assert dollars({"Kafka": made}) == {
        "Clusters (serverless)": Decimal("547.5"),  # 730 h × $0.75
        "Partitions": Decimal("10.95"),  # 10 × 730 h × $0.0015
        "Data in": Decimal(10),
        "Data out": Decimal(10),
        "Stored data": Decimal(5),
    }
    assert sum_of({"Kafka": made}, traffic=0) == Decimal("558.45")
    assert limit({"Kafka": made}, "Bytes produced a second").headroom == Decimal("0.75")
    assert limit({"Kafka": made}, "Partitions of the cluster").quota == Decimal(2_400)


def test_a_function_reads_kafka_for_nothing() -> None:
    feed = {"EventSourceArn": {"Ref": "Kafka"}, "FunctionName": {"Ref": "Work"}}
    resources = {
        "Kafka": kafka(),
        "Work": resource("AWS::Lambda::Function", invocations_per_month=0, duration_ms=1),
        "Feed": resource("AWS::Lambda::EventSourceMapping", feed),
    }
    assert sum_of(resources) == sum_of({"Kafka": kafka()})


# Files, streams, backups


@pytest.mark.parametrize(
    ("properties", "usage", "paid"),
    [
        ({}, {"stored_gb": 100}, "30"),
        ({"AvailabilityZoneName": "us-east-1a"}, {"stored_gb": 100}, "16"),
        # 100 × $0.30 + 10 × $0.03 + 10 × $0.06
        (
            {"ThroughputMode": "elastic"},
            {"stored_gb": 100, "read_gb_per_month": 10, "written_gb_per_month": 10},
            "30.9",
        ),
        ({"ThroughputMode": "provisioned", "ProvisionedThroughputInMibps": 10}, {"stored_gb": 0}, "60"),
    ],
)
def test_a_file_system_pays_for_data_and_for_how_it_moves(
    properties: dict[str, Any], usage: dict[str, Any], paid: str
) -> None:
    assert sum_of({"Files": resource("AWS::EFS::FileSystem", properties, **usage)}) == Decimal(paid)


def stream(properties: dict[str, Any], **usage: Any) -> dict[str, Any]:
    return resource("AWS::Kinesis::Stream", properties, **usage)


def test_a_provisioned_stream_pays_for_shards_and_units() -> None:
    made = {
        "Stream": stream(
            {"ShardCount": 2, "RetentionPeriodHours": 48}, put_payload_units_per_month=100 * MILLION
        )
    }
    assert dollars(made) == {
        "Shards (provisioned)": Decimal("21.9"),  # 2 × 730 h × $0.015
        "Retention (up to 7 days)": Decimal("29.2"),  # 2 × 730 h × $0.02
        "Records put": Decimal("1.4"),  # 100 M × $0.014/M
    }
    assert sum_of(made, traffic=0) == Decimal("51.1")


def test_a_stream_on_demand_pays_for_bytes() -> None:
    on_demand = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    made = {"Stream": stream(on_demand, ingested_gb_per_month=100, read_gb_per_month=200)}
    assert sum_of(made) == Decimal("29.2") + Decimal(8) + Decimal(8)  # 730 h × $0.04; $0.08 and $0.04 a GB
    with pytest.raises(NotPriced, match="put_payload_units_per_month"):
        sum_of({"Stream": stream(on_demand, put_payload_units_per_month=1)})


def test_a_shard_takes_a_thousand_records_and_a_megabyte_a_second() -> None:
    made = {"Stream": stream({"ShardCount": 2}, peak_records_per_second=1_500, peak_mb_per_second=3)}
    assert limit(made, "Records put a second").headroom == Decimal("0.25")
    assert limit(made, "Bytes put a second").breaks


def test_firehose_pays_for_what_comes_in() -> None:
    to_s3 = {"ExtendedS3DestinationConfiguration": {"BucketARN": "x"}}
    made = resource(
        "AWS::KinesisFirehose::DeliveryStream", to_s3, ingested_gb_per_month=100, peak_mb_per_second=4
    )
    assert sum_of({"Hose": made}) == Decimal("2.9")  # 100 GB × $0.029
    assert limit({"Hose": made}, "Bytes in a second").headroom == Decimal("0.2")


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"SnowflakeDestinationConfiguration": {}}, "SnowflakeDestinationConfiguration"),
        ({"ExtendedS3DestinationConfiguration": {}, "DeliveryStreamType": "MSKAsSource"}, "MSKAsSource"),
    ],
)
def test_firehose_of_another_price_is_refused(properties: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Hose": resource("AWS::KinesisFirehose::DeliveryStream", properties)})


def backups(*named: str, **selection: Any) -> dict[str, Any]:
    chosen = {"Resources": [{"Fn::GetAtt": [each, "Arn"]} for each in named], **selection}
    rule = {"RuleName": "nightly", "TargetBackupVault": {"Ref": "Vault"}}
    return {
        "Vault": resource("AWS::Backup::BackupVault", stored_gb=100),
        "Plan": resource("AWS::Backup::BackupPlan", {"BackupPlan": {"BackupPlanRule": [rule]}}),
        "Selection": resource(
            "AWS::Backup::BackupSelection", {"BackupPlanId": {"Ref": "Plan"}, "BackupSelection": chosen}
        ),
        "Db": database(backup_gb=0),
        "Files": resource("AWS::EFS::FileSystem", stored_gb=0),
    }


def test_a_vault_pays_as_what_it_holds_backups_of() -> None:
    assert dollars(backups("Db"))["Backups (rds, warm)"] == Decimal("9.5")  # 100 GB × $0.095
    assert dollars(backups("Files"))["Backups (efs, warm)"] == Decimal(5)  # 100 GB × $0.05
    assert not [each for each in warnings(backups("Db")) if "Vault" in each]


def test_a_vault_of_several_kinds_pays_as_the_dearest_and_says_so() -> None:
    both = backups("Db", "Files")
    assert dollars(both)["Backups (rds, warm)"] == Decimal("9.5")
    assert "Vault: it may hold backups of efs, rds; all are priced as rds, the dearest" in warnings(both)
    by_tag = backups(ListOfTags=[{"ConditionKey": "backup"}])
    assert dollars(by_tag)["Backups (dynamodb, warm)"] == Decimal(10)  # 100 GB × $0.10
