"""Limits against loads, and the search for the size that breaks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assemblies import assembly, resource, stack
from workbench import pages
from workbench.assembly import Assembly
from workbench.errors import Misuse, NotPriced
from workbench.review.capacity import (
    MOST_USERS,
    Break,
    Checked,
    Waiting,
    capacity_of_fixed,
    default_advice,
    first_to_break,
    limits,
    prerequisites,
    queues,
    tightest,
    undeclared,
)
from workbench.review.numbers import constant
from workbench.review.queueing import erlang_c
from workbench.review.quotas import by_size
from workbench.review.room import Limit

pytestmark = pytest.mark.fast

PAGE = "https://docs.aws.amazon.com/"
RSA, ECC = "KMS requests a second (RSA)", "KMS requests a second (ECC)"


def found(resources: dict[str, Any], limit: str) -> Checked:
    [checked] = [each for each in limits(assembly(resources)) if each.limit == limit]
    return checked


def function(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::Lambda::Function", properties, **usage)


def test_concurrency_is_summed_over_the_functions_of_the_account() -> None:
    resources = {
        "One": function(peak_invocations_per_second=100, duration_ms=500),
        "Two": function(peak_invocations_per_second=50, duration_ms=3000),
    }
    checked = found(resources, "Lambda concurrent executions")
    assert (checked.resource, checked.load, checked.quota) == ("account", Decimal(200), Decimal(1000))
    assert checked.headroom == Decimal("0.8")
    assert checked.adjustable


def test_reserved_concurrency_is_a_limit_of_its_own_and_comes_off_the_pool() -> None:
    resources = {
        "One": function(
            {"ReservedConcurrentExecutions": 300}, peak_invocations_per_second=100, duration_ms=500
        ),
        "Two": function(peak_invocations_per_second=100, duration_ms=1000),
    }
    own = found(resources, "Reserved concurrency")
    assert (own.resource, own.load, own.quota) == ("One", Decimal(50), Decimal(300))
    assert found(resources, "Lambda concurrent executions").load == Decimal(400)


def test_short_calls_run_into_requests_a_second_before_concurrency() -> None:
    resources = {"One": function(peak_invocations_per_second=12_000, duration_ms=5)}
    assert not found(resources, "Lambda concurrent executions").breaks
    assert found(resources, "Lambda requests a second").breaks


def test_a_stage_throttles_at_the_rate_in_the_template() -> None:
    resources = {
        "Api": resource("AWS::ApiGatewayV2::Api", peak_requests_per_second=150),
        "Stage": resource(
            "AWS::ApiGatewayV2::Stage",
            {"ApiId": {"Ref": "Api"}, "DefaultRouteSettings": {"ThrottlingRateLimit": 100}},
        ),
    }
    checked = found(resources, "Throttling rate of the stage")
    assert (checked.resource, checked.load, checked.quota) == ("Stage", Decimal(150), Decimal(100))
    assert checked.headroom == Decimal("-0.5")
    assert checked.breaks
    assert found(resources, "API Gateway requests a second").quota == Decimal(10_000)


def test_the_busiest_key_meets_the_ceiling_of_one_partition() -> None:
    links = resource(
        "AWS::DynamoDB::Table",
        {"BillingMode": "PAY_PER_REQUEST"},
        peak_read_units_per_second=8_000,
        peak_write_units_per_second=2_000,
        hottest_key_share="0.5",
    )
    reads = found({"Links": links}, "Busiest key, read units a second")
    assert (reads.load, reads.quota, reads.breaks) == (Decimal(4_000), Decimal(3_000), True)
    writes = found({"Links": links}, "Busiest key, write units a second")
    assert (writes.load, writes.quota, writes.breaks) == (Decimal(1_000), Decimal(1_000), False)
    assert not writes.adjustable
    assert found({"Links": links}, "Table read units a second").quota == Decimal(40_000)


def test_provisioned_capacity_is_the_limit_of_its_table() -> None:
    links = resource(
        "AWS::DynamoDB::Table",
        {"ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20}},
        peak_read_units_per_second=8,
        peak_write_units_per_second=25,
    )
    assert found({"Links": links}, "Provisioned read units").headroom == Decimal("0.2")
    assert found({"Links": links}, "Provisioned write units").breaks


def queue_with_consumer(mapping: dict[str, Any], queue: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "Jobs": resource("AWS::SQS::Queue", queue, peak_messages_per_second=1_000),
        "Work": function(peak_invocations_per_second=100, duration_ms=200),
        "Feed": resource(
            "AWS::Lambda::EventSourceMapping",
            {
                "EventSourceArn": {"Fn::GetAtt": ["Jobs", "Arn"]},
                "FunctionName": {"Fn::GetAtt": ["Work", "Arn"]},
                **mapping,
            },
        ),
    }


@pytest.mark.parametrize(
    ("mapping", "drained"),
    [
        ({"BatchSize": 10, "ScalingConfig": {"MaximumConcurrency": 5}}, "250"),  # 5 × 10 ÷ 0.2 s
        ({"BatchSize": 2, "ScalingConfig": {"MaximumConcurrency": 5}}, "50"),
        ({}, "62500"),  # 1,250 × 10 ÷ 0.2 s
        ({"ProvisionedPollerConfig": {"MaximumPollers": 500}}, "250000"),  # 500 × 10 at once × 10 ÷ 0.2 s
        ({"ProvisionedPollerConfig": {"MinimumPollers": 2}}, "100000"),  # 200 pollers by default
    ],
)
def test_a_queue_is_drained_as_fast_as_batches_are_worked_on(mapping: dict[str, Any], drained: str) -> None:
    checked = found(queue_with_consumer(mapping), "Messages drained a second")
    assert (checked.resource, checked.load, checked.quota) == ("Feed", Decimal(1_000), Decimal(drained))


def test_messages_wait_in_flight_for_their_batch_and_its_work() -> None:
    resources = queue_with_consumer({"MaximumBatchingWindowInSeconds": 2})
    checked = found(resources, "Messages in flight")
    assert (checked.load, checked.quota) == (Decimal(2_200), Decimal(120_000))


def test_a_fifo_queue_takes_300_messages_a_second() -> None:
    checked = found(queue_with_consumer({}, {"FifoQueue": True}), "FIFO messages a second, sent one by one")
    assert (checked.quota, checked.breaks) == (Decimal(300), True)


def test_sign_ins_are_summed_over_the_pools() -> None:
    pool = resource("AWS::Cognito::UserPool", peak_sign_ins_per_second=70)
    checked = found({"One": pool, "Two": pool}, "Cognito sign-ins a second")
    assert (checked.load, checked.quota, checked.breaks) == (Decimal(140), Decimal(120), True)


def test_a_distribution_takes_a_quarter_of_a_million_requests_a_second() -> None:
    edge = resource("AWS::CloudFront::Distribution", peak_requests_per_second=25_000)
    assert found({"Edge": edge}, "Requests a second").headroom == Decimal("0.9")


def test_a_distribution_sends_as_many_gigabits_as_its_mean_answer_makes_of_the_peak() -> None:
    # 30,000 GB ÷ 10⁸ requests = 0.0003 GB each; 500,000 a second × 0.0003 GB × 8 = 1,200 Gbit/s.
    edge = resource(
        "AWS::CloudFront::Distribution",
        peak_requests_per_second=500_000,
        requests_per_month=100_000_000,
        egress_gb_per_month=30_000,
    )
    sent = found({"Edge": edge}, "Data out a second")
    assert (sent.load, sent.quota, sent.breaks) == (Decimal(1_200), Decimal(150), True)
    assert sent.advice == "raise it: a support case"


def test_a_function_grows_by_a_thousand_environments_in_ten_seconds() -> None:
    # 2,628,000 calls a month are 1 a second; at the peak it is 1,001, of 2 s each: 2,000 environments more.
    usage: dict[str, Any] = {
        "invocations_per_month": 2_628_000,
        "peak_invocations_per_second": 1_001,
        "duration_ms": 2_000,
    }
    limit = "Environments to start in 10 s"
    at_once = found({"Work": function(**usage)}, limit)
    assert (at_once.load, at_once.quota, at_once.breaks) == (Decimal(2_000), Decimal(1_000), True)
    assert "all at once" in at_once.load_formula
    assert at_once.advice.startswith("redesign: keep environments ready")
    slowly = found({"Work": function(**usage, ramp_seconds=40)}, limit)
    assert (slowly.load, slowly.headroom) == (Decimal(500), Decimal("0.5"))
    fast = found({"Work": function(**usage, ramp_seconds=3)}, limit)
    assert fast.load == Decimal(2_000)  # the ten seconds are AWS's


@pytest.mark.parametrize(
    ("usage", "limit", "load", "quota"),
    [
        ({"largest_payload_kb": 7_168}, "Largest payload", 7, 6),
        ({"largest_event_kb": 512}, "Largest asynchronous event", 512, 1_024),
    ],
)
def test_a_payload_of_a_function_has_a_limit(
    usage: dict[str, Any], limit: str, load: int, quota: int
) -> None:
    checked = found({"Work": function(**usage)}, limit)
    assert (checked.load, checked.quota) == (Decimal(load), Decimal(quota))
    assert checked.advice.startswith("redesign: pass")


def socket_api(**usage: Any) -> dict[str, Any]:
    return resource("AWS::ApiGatewayV2::Api", {"ProtocolType": "WEBSOCKET"}, **usage)


def test_connections_of_websocket_apis_follow_from_littles_law() -> None:
    resources = {
        "Chat": socket_api(
            peak_requests_per_second=1, peak_new_connections_per_second=400, mean_connection_seconds=3_600
        ),
        "Feed": socket_api(
            peak_requests_per_second=1, peak_new_connections_per_second=200, mean_connection_seconds=600
        ),
    }
    opened = found(resources, "WebSocket connections opened a second")
    assert (opened.load, opened.quota, opened.breaks) == (Decimal(600), Decimal(500), True)
    held = found(resources, "WebSocket connections at once")
    assert (held.load, held.quota) == (Decimal(1_560_000), Decimal(3_600_000))  # 400 × 3,600 + 200 × 600
    assert "400" not in held.quota_formula
    assert held.advice.startswith("raise it: Service Quotas, apigateway L-9ED1E49A")


def test_a_websocket_api_that_says_nothing_of_its_connections_is_listed() -> None:
    assert undeclared(assembly({"Chat": socket_api(peak_requests_per_second=1)})) == [
        "account: WebSocket connections opened a second (peak_new_connections_per_second)",
        "account: WebSocket connections at once (peak_new_connections_per_second, mean_connection_seconds)",
    ]


def test_a_message_of_a_websocket_api_is_smaller_than_a_payload_of_an_http_api() -> None:
    usage: dict[str, Any] = {"peak_requests_per_second": 1, "largest_payload_kb": 256}
    message = found({"Chat": socket_api(**usage)}, "Largest message")
    assert (message.load, message.quota, message.breaks) == (Decimal(256), Decimal(128), True)
    payload = found({"Api": resource("AWS::ApiGatewayV2::Api", **usage)}, "Largest payload")
    assert (payload.load, payload.quota) == (Decimal("0.25"), Decimal(10))


@pytest.mark.parametrize(
    ("kind", "properties", "usage", "limit", "quota"),
    [
        ("AWS::SQS::Queue", {}, {"largest_message_kb": 300}, "Largest message", 1_024),
        ("AWS::SNS::Topic", {}, {"largest_message_kb": 300}, "Largest message", 256),
        (
            "AWS::SNS::Topic",
            {},
            {"peak_publishes_per_second": 300},
            "SNS messages published a second",
            30_000,
        ),
        (
            "AWS::SNS::Topic",
            {"FifoTopic": True},
            {"peak_publishes_per_second": 300},
            "Messages published a second",
            3_000,
        ),
        (
            "AWS::Events::EventBus",
            {},
            {"peak_events_per_second": 300},
            "EventBridge events put a second, one by one",
            10_000,
        ),
        (
            "AWS::Events::Rule",
            {},
            {"peak_invocations_per_second": 300},
            "EventBridge invocations a second",
            18_750,
        ),
        (
            "AWS::Scheduler::Schedule",
            {"ScheduleExpression": "rate(1 hour)"},
            {"peak_invocations_per_second": 300},
            "Schedules that fire in a second",
            1_000,
        ),
        ("AWS::KMS::Key", {}, {"peak_requests_per_second": 300}, "KMS requests a second", 100_000),
        (
            "AWS::SecretsManager::Secret",
            {},
            {"peak_requests_per_second": 300},
            "Secrets read a second",
            10_000,
        ),
    ],
)
def test_a_rate_or_a_size_is_checked_where_it_is_declared(
    kind: str, properties: dict[str, Any], usage: dict[str, Any], limit: str, quota: int
) -> None:
    checked = found({"It": resource(kind, properties, **usage)}, limit)
    assert (checked.load, checked.quota) == (Decimal(300), Decimal(quota))
    silent = assembly({"It": resource(kind, properties)})
    assert limit not in {each.limit for each in limits(silent)}
    assert not [each for each in undeclared(silent) if limit in each]


def test_the_account_publishes_the_sum_of_its_topics() -> None:
    topic = resource("AWS::SNS::Topic", peak_publishes_per_second=20_000)
    published = found({"One": topic, "Two": topic, "Quiet": resource("AWS::SNS::Topic")}, SNS)
    assert (published.resource, published.load, published.breaks) == ("account", Decimal(40_000), True)


SNS = "SNS messages published a second"


def test_a_fifo_topic_whose_groups_scale_has_the_quota_of_the_account_alone() -> None:
    scaled = {"FifoTopic": True, "FifoThroughputScope": "MessageGroup"}
    topic = resource("AWS::SNS::Topic", scaled, peak_publishes_per_second=5_000)
    assert [each.limit for each in limits(assembly({"It": topic}))] == [SNS]


def test_an_item_of_a_table_is_four_hundred_kilobytes_at_the_most() -> None:
    table = resource("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST"}, largest_item_kb=500)
    item = found({"Links": table}, "Largest item")
    assert (item.load, item.quota, item.breaks, item.adjustable) == (Decimal(500), Decimal(400), True, False)


def test_what_all_tables_have_provisioned_is_bounded_for_the_account() -> None:
    table = resource(
        "AWS::DynamoDB::Table",
        {"ProvisionedThroughput": {"ReadCapacityUnits": 50_000, "WriteCapacityUnits": 10}},
    )
    reads = found({"One": table, "Two": table}, "DynamoDB read units provisioned")
    assert (reads.load, reads.quota, reads.is_prerequisite) == (Decimal(100_000), Decimal(80_000), True)


def test_the_busiest_prefix_of_a_bucket_has_rates_of_its_own() -> None:
    bucket = resource(
        "AWS::S3::Bucket",
        peak_put_requests_per_second=5_000,
        peak_get_requests_per_second=10_000,
        hottest_prefix_share="0.5",
    )
    writes = found({"Objects": bucket}, "Busiest prefix, writes a second")
    assert (writes.load, writes.quota) == (Decimal(2_500), Decimal(3_500))
    reads = found({"Objects": bucket}, "Busiest prefix, reads a second")
    assert (reads.load, reads.quota) == (Decimal(5_000), Decimal(5_500))


def test_a_gateway_passes_a_hundred_gigabits() -> None:
    nat = resource("AWS::EC2::NatGateway", peak_connections=1, peak_mb_per_second=12_500)
    passed = found({"Nat": nat}, "Bandwidth")
    assert (passed.load, passed.quota, passed.breaks) == (Decimal(100), Decimal(100), False)


def stream_with_consumers(readers: int, shards: int = 4, **mapping: Any) -> dict[str, Any]:
    """A stream of 400 records and 4 MB a second, which functions of 0.5 s a batch read in 20 batches a second."""
    work = function(peak_invocations_per_second=20, duration_ms=500)
    feed = resource(
        "AWS::Lambda::EventSourceMapping",
        {"EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]}, "FunctionName": {"Ref": "Work"}, **mapping},
    )
    stream = resource(
        "AWS::Kinesis::Stream", {"ShardCount": shards}, peak_records_per_second=400, peak_mb_per_second=4
    )
    return {"Stream": stream, "Work": work, **{f"Feed{index}": feed for index in range(readers)}}


def test_those_who_read_a_stream_share_two_megabytes_of_each_shard() -> None:
    read = found(stream_with_consumers(3), "Bytes read a second")
    assert (read.load, read.quota, read.breaks) == (Decimal(12), Decimal(8), True)
    assert read.advice.startswith("redesign: give each consumer its own throughput")
    assert "Bytes read a second" not in {each.limit for each in limits(assembly(stream_with_consumers(0)))}


@pytest.mark.parametrize(("factor", "done"), [(1, 8), (10, 80)])
def test_a_shard_is_worked_on_one_batch_after_the_other(factor: int, done: int) -> None:
    mapping = {"ParallelizationFactor": factor}
    checked = found(stream_with_consumers(1, **mapping), "Batches worked on a second")
    assert (checked.resource, checked.load, checked.quota) == ("Feed0", Decimal(20), Decimal(done))
    assert checked.advice == (
        "raise ParallelizationFactor of Feed0 in the template (up to 10), or ShardCount of Stream"
    )


def kafka(version: str = "3.9.x.kraft", **usage: Any) -> dict[str, Any]:
    return resource(
        "AWS::MSK::Cluster",
        {
            "KafkaVersion": version,
            "NumberOfBrokerNodes": 6,
            "BrokerNodeGroupInfo": {
                "InstanceType": "kafka.m7g.large",
                "ClientSubnets": ["a", "b", "c"],
                "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 10}},
            },
            "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
        },
        **usage,
    )


def test_a_partition_is_worked_on_one_batch_after_the_other() -> None:
    # 36 partitions with their copies are 12, of which each takes 2 batches of 0.5 s a second.
    mapping = {"EventSourceArn": {"Ref": "Kafka"}, "FunctionName": {"Ref": "Work"}}
    resources = {
        "Kafka": kafka(partitions=36),
        "Work": function(peak_invocations_per_second=18, duration_ms=500),
        "Feed": resource("AWS::Lambda::EventSourceMapping", mapping),
    }
    checked = found(resources, "Batches worked on a second")
    assert (checked.load, checked.quota) == (Decimal(18), Decimal(24))


@pytest.mark.parametrize(("version", "most"), [("3.9.x.kraft", 60), ("4.1.x", 60), ("3.8.x", 30)])
def test_a_cluster_and_an_account_have_so_many_brokers(version: str, most: int) -> None:
    resources = {"Kafka": kafka(version, partitions=1)}
    cluster = found(resources, "Brokers of the cluster")
    assert (cluster.load, cluster.quota) == (Decimal(6), Decimal(most))
    account = found({**resources, "Other": kafka(version)}, "MSK brokers")
    assert (account.resource, account.load, account.quota) == ("account", Decimal(12), Decimal(90))


def test_connections_by_iam_are_bounded_for_each_broker() -> None:
    checked = found({"Kafka": kafka(peak_connections=20_000)}, "Connections (IAM)")
    assert (checked.load, checked.quota, checked.breaks) == (Decimal(20_000), Decimal(18_000), True)
    by_certificate = kafka(peak_connections=20_000)
    by_certificate["Properties"]["ClientAuthentication"] = {"Tls": {"Enabled": True}}
    assert "Connections (IAM)" not in {each.limit for each in limits(assembly({"Kafka": by_certificate}))}


def database(properties: dict[str, Any], **usage: Any) -> dict[str, Any]:
    made = {"Engine": "postgres", "DBInstanceClass": "db.m7g.large", "AllocatedStorage": "100", **properties}
    return resource("AWS::RDS::DBInstance", made, **usage)


@pytest.mark.parametrize(
    ("properties", "most", "words"),
    [
        ({"StorageType": "gp3"}, 3_000, "use gp3 of 400 GB"),
        # A volume of 12,000 behind a class of 3,600
        ({"StorageType": "gp3", "AllocatedStorage": "400"}, 3_600, "take a larger DBInstanceClass"),
        (
            {"StorageType": "gp3", "AllocatedStorage": "400", "DBInstanceClass": "db.r7g.4xlarge"},
            12_000,
            "provision more (Iops",
        ),
        (
            {
                "StorageType": "gp3",
                "AllocatedStorage": "400",
                "Iops": 16_000,
                "DBInstanceClass": "db.r7g.4xlarge",
            },
            16_000,
            "raise Iops of Db in the template",
        ),
        ({"StorageType": "gp2"}, 300, "use gp3"),
        ({"StorageType": "gp2", "AllocatedStorage": "20"}, 100, "use gp3"),
        ({"StorageType": "gp3", "DBInstanceClass": "db.t4g.micro"}, 500, "take a larger DBInstanceClass"),
    ],
)
def test_a_database_does_what_its_volume_and_its_class_do(
    properties: dict[str, Any], most: int, words: str
) -> None:
    checked = found({"Db": database(properties, peak_iops=1_000)}, "I/O operations a second")
    assert (checked.load, checked.quota) == (Decimal(1_000), Decimal(most))
    assert checked.advice.startswith(words)


def test_a_quota_from_memory_is_marked() -> None:
    plain = found({"Db": database({"StorageType": "gp2"}, peak_iops=1)}, "I/O operations a second")
    assert plain.grade == "D"


@pytest.mark.parametrize(
    ("least", "most", "connections"), [(1, 8, 1_669), (1, 9, 1_669), (1, 256, 5_000), ("0.5", 256, 2_000)]
)
def test_a_serverless_member_holds_connections_by_its_most_capacity(
    least: Any, most: int, connections: int
) -> None:
    cluster = resource(
        "AWS::RDS::DBCluster",
        {
            "Engine": "aurora-postgresql",
            "ServerlessV2ScalingConfiguration": {"MinCapacity": least, "MaxCapacity": most},
        },
        peak_acus=4,
    )
    member = resource(
        "AWS::RDS::DBInstance",
        {"DBClusterIdentifier": {"Ref": "Cluster"}, "DBInstanceClass": "db.serverless"},
        peak_connections=100,
    )
    resources = {"Cluster": cluster, "Writer": member}
    held = found(resources, "Connections")
    assert (held.resource, held.load, held.quota) == ("Writer", Decimal(100), Decimal(connections))
    units = found(resources, "Capacity of a member")
    assert (units.load, units.quota) == (Decimal(4), Decimal(most))
    assert units.advice.startswith("raise MaxCapacity" if most < 256 else "move reads to readers")


def test_a_cache_has_a_limit_of_connections_and_the_account_one_of_nodes() -> None:
    cache = resource(
        "AWS::ElastiCache::ReplicationGroup",
        {
            "Engine": "valkey",
            "CacheNodeType": "cache.t4g.micro",
            "NumNodeGroups": 2,
            "ReplicasPerNodeGroup": 2,
        },
        peak_connections=13_000,
    )
    connections = found({"Cache": cache}, "Connections to a node")
    assert connections.headroom == Decimal("0.8")
    nodes = found({"Cache": cache, "Other": cache}, "ElastiCache nodes")
    assert (nodes.resource, nodes.load, nodes.quota) == ("account", Decimal(12), Decimal(300))


def test_a_serverless_cache_processes_what_it_is_allowed_to() -> None:
    allowed = {"CacheUsageLimits": {"ECPUPerSecond": {"Maximum": 5_000}}}
    cache = resource(
        "AWS::ElastiCache::ServerlessCache",
        {"Engine": "valkey", **allowed},
        stored_gb=1,
        peak_ecpus_per_second=6_000,
    )
    checked = found({"Cache": cache}, "Processing of the cache")
    assert (checked.quota, checked.breaks) == (Decimal(5_000), True)
    assert checked.advice == "raise Maximum of ECPUPerSecond of Cache in the template"


def test_the_worst_headroom_comes_first() -> None:
    resources = {
        "Api": resource("AWS::ApiGatewayV2::Api", peak_requests_per_second=5_000),
        "Pool": resource("AWS::Cognito::UserPool", peak_sign_ins_per_second=119),
        "Edge": resource("AWS::CloudFront::Distribution", peak_requests_per_second=1),
    }
    headrooms = [each.headroom for each in limits(assembly(resources))]
    assert headrooms == sorted(headrooms)
    assert limits(assembly(resources))[0].resource == "account"


def test_a_limit_without_declared_load_is_listed_and_not_called_fine() -> None:
    resources = {"Edge": resource("AWS::CloudFront::Distribution")}
    assert limits(assembly(resources)) == []
    assert undeclared(assembly(resources)) == ["Edge: Requests a second (peak_requests_per_second)"]


def test_an_unknown_type_is_refused_here_too() -> None:
    with pytest.raises(NotPriced):
        limits(assembly({"It": resource("AWS::RoboMaker::Fleet")}))


def test_every_limit_names_its_page() -> None:
    for each in limits(assembly(queue_with_consumer({}))):
        assert each.source.startswith("https://docs.aws.amazon.com/")


# The search


def wall(quota: int) -> Any:
    """A system whose load is its number of users; counts how often it is asked."""

    def limits_at(users: int) -> list[Checked]:
        limits_at.asked += 1  # type: ignore[attr-defined]
        headroom = 1 - Decimal(users) / quota
        return [
            Checked(
                "it", "Wall", "users", Decimal(quota), Decimal(users), headroom, False, "", "quota", "users"
            )
        ]

    limits_at.asked = 0  # type: ignore[attr-defined]
    return limits_at


@given(quota=st.integers(min_value=1, max_value=10**10 - 1))
def test_the_search_finds_the_wall_to_one_percent(quota: int) -> None:
    users = first_to_break(wall(quota)).users
    assert users is not None
    assert quota < users <= quota * Decimal("1.0102") + 1


@pytest.mark.parametrize("quota", [1, 2, 9, 10, 37, 60])
def test_small_sizes_are_found_exactly(quota: int) -> None:
    assert first_to_break(wall(quota)).users == quota + 1


@pytest.mark.parametrize("quota", [500, 1_000, 55_000, 9_999_999])
def test_a_coarse_search_needs_few_looks(quota: int) -> None:
    looked = wall(quota)
    users = first_to_break(looked, start=1_000, most=10**8).users
    assert users is not None
    assert quota < users <= quota * Decimal("1.0102") + 1
    assert looked.asked <= 20


def test_a_system_that_never_breaks_says_so() -> None:
    never = first_to_break(wall(MOST_USERS))
    assert (never.users, never.resource, never.limit) == (None, None, None)
    assert never.why == "no limit that is known gives way up to 10,000,000,000 users"


def test_the_search_agrees_with_the_arithmetic_of_a_template() -> None:
    # 1,000 users make 1 call of 500 ms a second, so 0.5 concurrent: 1,000 is reached by 2,000,000 users.
    built = assembly({"Work": function(peak_invocations_per_second=1, duration_ms=500)}, users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    assert broken.users is not None
    assert 2_000_000 < broken.users <= 2_020_200
    assert (broken.resource, broken.limit) == ("account", "Lambda concurrent executions")
    assert broken.why.startswith("account gets 1,0")
    assert "against 1,000: Lambda concurrent executions" in broken.why


def test_traffic_of_nobody_cannot_be_scaled() -> None:
    with pytest.raises(Misuse, match="for how many users"):
        capacity_of_fixed(assembly({}))


# What has to be raised before a deployment


VCPUS = "EC2 vCPUs (Running On-Demand Standard instances)"  # 5


def machine(type: str) -> dict[str, Any]:
    return resource("AWS::EC2::Instance", {"InstanceType": type})


def group(fewest: int, peak: int) -> dict[str, Any]:
    """Instances of two vCPUs, each of which serves one request a second."""
    template = resource("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"InstanceType": "t4g.micro"}})
    scaled = resource(
        "AWS::AutoScaling::AutoScalingGroup",
        {
            "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"},
            "MinSize": str(fewest),
            "MaxSize": "1000000",
        },
        peak_requests_per_second=peak,
        requests_per_second_per_instance=1,
        average_instances=fewest,
    )
    return {"Template": template, "Group": scaled}


def busy_function() -> dict[str, Any]:
    """One concurrent execution for each 1,000 users, so that a million of them meet the quota."""
    return function(peak_invocations_per_second=1, duration_ms=1_000)


def test_machines_that_stand_idle_make_a_prerequisite_and_not_the_break() -> None:
    built = assembly({"Machine": machine("m7g.2xlarge"), "Work": busy_function()}, users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    [raised] = broken.prerequisites
    assert (raised.limit, raised.idle_load, raised.quota) == (VCPUS, Decimal(8), Decimal(5))
    assert broken.limit == "Lambda concurrent executions"
    assert broken.users is not None
    assert 1_000_000 < broken.users <= 1_010_100


def test_a_prerequisite_is_left_out_also_where_its_load_grows() -> None:
    # 6 vCPUs stand idle; at 1,000 users it is 10, and the function gives way long after the group outgrew them.
    built = assembly({**group(fewest=3, peak=5), "Work": busy_function()}, users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    assert [each.idle_load for each in broken.prerequisites] == [Decimal(6)]
    assert broken.limit == "Lambda concurrent executions"


def test_a_quota_that_the_idle_system_keeps_is_where_it_breaks() -> None:
    built = assembly(group(fewest=2, peak=2), users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    assert broken.prerequisites == ()
    assert broken.limit == VCPUS
    assert broken.users is not None
    assert 1_000 < broken.users <= 1_012  # the third instance


def test_what_only_the_traffic_exceeds_is_no_prerequisite_though_the_search_starts_above_it() -> None:
    built = assembly(group(fewest=2, peak=50), users=1_000)
    assert prerequisites(limits(built)) == ()
    broken = first_to_break(capacity_of_fixed(built), start=1_000)
    assert (broken.limit, broken.prerequisites) == (VCPUS, ())
    assert broken.users is not None
    assert 40 < broken.users <= 42  # the third instance


def test_tasks_that_only_the_traffic_asks_for_are_no_prerequisite() -> None:
    definition = resource("AWS::ECS::TaskDefinition", {"Cpu": "1024", "Memory": "2048"})
    service = resource(
        "AWS::ECS::Service",
        {"LaunchType": "FARGATE", "TaskDefinition": {"Ref": "Task"}},
        peak_requests_per_second=100,
        requests_per_second_per_task=100,
        average_tasks=2,
    )
    scaling = resource(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "MinCapacity": 2,
            "MaxCapacity": 20,
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": {"Fn::Join": ["/", ["service", "x", {"Fn::GetAtt": ["Service", "Name"]}]]},
        },
    )
    built = assembly({"Task": definition, "Service": service, "Scaling": scaling}, users=1_000)
    [vcpus] = [each for each in limits(built) if each.limit == "Fargate vCPUs, on demand"]
    assert (vcpus.load, vcpus.idle_load, vcpus.quota) == (Decimal(2), Decimal(2), Decimal(6))
    broken = first_to_break(capacity_of_fixed(built))
    assert (broken.limit, broken.prerequisites) == (vcpus.limit, ())
    assert broken.users is not None
    assert 6_000 < broken.users <= 6_061  # the seventh task, to 1 %


def test_what_the_template_itself_makes_too_small_cannot_be_raised_by_asking() -> None:
    brokers = resource(
        "AWS::MSK::Cluster",
        {
            "NumberOfBrokerNodes": 3,
            "BrokerNodeGroupInfo": {
                "InstanceType": "kafka.t3.small",
                "ClientSubnets": ["a", "b", "c"],
                "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 10}},
            },
        },
        partitions=1_000,
    )
    broken = first_to_break(capacity_of_fixed(assembly({"Brokers": brokers}, users=1_000)))
    assert (broken.users, broken.limit) == (1, "Partitions on the brokers")
    assert broken.prerequisites == ()


def checked(limit: str, idle: int, *, adjustable: bool = True, of_account: bool = True) -> Checked:
    """A load of `idle` against 10."""
    quota, load = Decimal(10), Decimal(idle)
    return Checked(
        "account",
        limit,
        "things",
        quota,
        load,
        1 - load / quota,
        adjustable,
        "https://docs.aws.amazon.com/",
        "10 things",
        "things",
        load,
        of_account,
    )


def test_a_hard_limit_that_the_idle_system_exceeds_is_a_break_at_one_user() -> None:
    broken = first_to_break(lambda _: [checked("Hard", 11, adjustable=False)])
    assert (broken.users, broken.limit, broken.prerequisites) == (1, "Hard", ())


def test_a_quota_is_a_prerequisite_only_above_what_a_new_account_has() -> None:
    found = [
        checked("Kept", 10),
        checked("Exceeded", 11),
        checked("Hard", 11, adjustable=False),
        checked("Of the template", 11, of_account=False),
    ]
    assert [each.limit for each in prerequisites(found)] == ["Exceeded"]


def test_a_quota_that_only_larger_templates_exceed_idle_is_where_they_break() -> None:
    broken = first_to_break(lambda users: [checked("Machines", users // 100)], start=100, most=10**6)
    assert broken.prerequisites == ()
    assert broken.users is not None
    assert 1_100 <= broken.users <= 1_112


def test_what_stands_idle_does_not_depend_on_the_traffic() -> None:
    built = assembly(group(fewest=3, peak=50))
    for traffic in (Decimal(0), Decimal("0.001"), Decimal(1), Decimal(100)):
        [vcpus] = [each for each in limits(built, traffic) if each.limit == VCPUS]
        assert vcpus.idle_load == Decimal(6)


@pytest.mark.parametrize(
    ("properties", "limit", "load", "quota"),
    [
        ({"InstanceType": "g5.xlarge"}, "Running On-Demand G and VT instances", 4, 0),
        ({"InstanceType": "p4d.24xlarge"}, "Running On-Demand P instances", 96, 0),
        (
            {"InstanceType": "m7g.large", "InstanceMarketOptions": {"MarketType": "spot"}},
            "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
            2,
            5,
        ),
    ],
)
def test_other_families_and_spot_have_quotas_of_their_own(
    properties: dict[str, Any], limit: str, load: int, quota: int
) -> None:
    template = resource("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": properties})
    launched = {"LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"}}
    [checked] = limits(assembly({"Template": template, "Machine": resource("AWS::EC2::Instance", launched)}))
    assert checked.limit == f"EC2 vCPUs ({limit})"
    assert (checked.load, checked.quota) == (Decimal(load), Decimal(quota))
    assert checked.is_prerequisite == (quota == 0)


def test_every_region_has_quotas_of_its_own() -> None:
    stacks = (
        stack({"Machine": machine("m7g.2xlarge")}, name="Here"),
        stack({"Machine": machine("m7g.large")}, name="There", region="eu-west-1"),
    )
    [raised] = prerequisites(limits(Assembly(Path(), stacks)))
    assert raised.resource == "account in us-east-1"
    assert raised.increase == (f"{VCPUS} (account in us-east-1): 8 vCPUs needed, a new account has 5")


# The sentences of a page


def test_the_page_says_what_to_raise_and_then_where_it_breaks() -> None:
    built = assembly({"Machine": machine("m7g.2xlarge"), "Work": busy_function()}, users=1_000)
    found = first_to_break(capacity_of_fixed(built))
    first, blank, item, *_, last = pages.capacity_paragraph("demo", found).split("\n")
    assert "before you deploy `demo`" in first
    assert blank == ""
    assert item.startswith(f"- {VCPUS}: 8 vCPUs needed, a new account has 5 ([AWS's page](https://docs.aws.")
    assert f"`demo` breaks at about **{found.users:,} users**: account gets" in last


def test_a_page_without_prerequisites_is_one_sentence() -> None:
    found = Break(2_000, "Work", "Calls", "Work gets too many")
    assert pages.capacity_paragraph("demo", found) == (
        "`demo` breaks at about **2,000 users**: Work gets too many."
    )
    nowhere = Break(None, None, None, "nothing gives way")
    assert pages.capacity_paragraph("demo", nowhere) == (
        "`demo` meets no limit that is known: nothing gives way."
    )


# What to do about it


@pytest.mark.parametrize(
    ("mapping", "reserved", "advice"),
    [
        ({}, None, "raise it: a support case"),
        (
            {"ScalingConfig": {"MaximumConcurrency": 5}},
            None,
            "raise MaximumConcurrency (up to 1,000) or BatchSize of Feed in the template",
        ),
        (
            {"ScalingConfig": {"MaximumConcurrency": 5}},
            3,
            "raise ReservedConcurrentExecutions of Work in the template",
        ),
    ],
)
def test_the_advice_is_of_what_is_least(mapping: dict[str, Any], reserved: int | None, advice: str) -> None:
    resources = queue_with_consumer(mapping)
    if reserved is not None:
        resources["Work"]["Properties"]["ReservedConcurrentExecutions"] = reserved
    assert found(resources, "Messages drained a second").advice == advice


def test_a_ceiling_of_the_template_without_advice_of_its_own_names_what_sets_it() -> None:
    nodes = resource(
        "AWS::EKS::Nodegroup",
        {"InstanceTypes": ["m7g.large"], "ScalingConfig": {"MinSize": 1, "MaxSize": 2}},
        peak_pods=70,
    )
    pods = found({"Nodes": nodes}, "Pods on the nodes")
    assert (
        pods.advice
        == "raise MaxSize of ScalingConfig of Nodes in the template, or take a larger instance type"
    )
    bare = Limit("It", "Things", "things", constant(3, "3 things (Most)"), constant(1, "1"), True, PAGE)
    assert default_advice(bare) == "raise what the template gives It: 3 things (Most)"


def test_the_break_says_what_to_do() -> None:
    built = assembly({"Work": busy_function()}, users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    assert broken.advice.startswith("raise it: Service Quotas, lambda L-B99A9384")
    assert broken.advice in pages.capacity_paragraph("demo", broken)


# Every size


def busy(users: int = 1_000) -> Assembly:
    """Something of most kinds of limit."""
    resources = {
        **stream_with_consumers(2),
        **queue_with_consumer({}, {"FifoQueue": True}),
        "Chat": socket_api(
            peak_requests_per_second=10, peak_new_connections_per_second=1, mean_connection_seconds=100
        ),
        "Kafka": kafka(partitions=18, peak_produced_mb_per_second=1, stored_gb=3, peak_connections=10),
        "Db": database({"StorageType": "gp3"}, peak_iops=10, peak_connections=10, stored_gb=1),
        "Edge": resource(
            "AWS::CloudFront::Distribution",
            peak_requests_per_second=100,
            requests_per_month=1_000_000,
            egress_gb_per_month=10,
        ),
        "Topic": resource("AWS::SNS::Topic", peak_publishes_per_second=1, largest_message_kb=1),
        **group(fewest=1, peak=3),
    }
    return assembly(resources, users=users)


BUSY = busy()


@given(
    sizes=st.lists(st.integers(min_value=1, max_value=10**9), min_size=2, max_size=2),
)
def test_no_load_falls_as_users_grow(sizes: list[int]) -> None:
    limits_at = capacity_of_fixed(BUSY)
    fewer, more = ({(each.resource, each.limit): each for each in limits_at(size)} for size in sorted(sizes))
    assert fewer.keys() == more.keys()
    for name, each in fewer.items():
        assert each.load <= more[name].load, name
        assert each.utilisation <= more[name].utilisation, name
        assert each.quota == more[name].quota, name


@given(users=st.integers(min_value=1, max_value=10**12))
def test_what_is_used_and_what_is_left_make_one(users: int) -> None:
    for each in capacity_of_fixed(BUSY)(users):
        assert each.utilisation + each.headroom == 1
        assert each.breaks == (each.utilisation > 1)
        assert abs(each.utilisation * each.quota - each.load) <= each.quota * Decimal(
            "1e-11"
        ) + each.load * Decimal("1e-11")
        assert each.advice


def test_the_tightest_are_three_and_come_first() -> None:
    checked_limits = limits(BUSY)
    assert tightest(checked_limits) == checked_limits[:3]
    again = tightest(reversed(checked_limits))
    assert [each.headroom for each in again] == [each.headroom for each in checked_limits[:3]]


# Queues


def waiting(resources: dict[str, Any], traffic: int = 1) -> Waiting:
    [only] = queues(assembly(resources), Decimal(traffic))
    return only


def test_batches_of_a_queue_wait_for_a_worker() -> None:
    # The function is called 100 times a second for 0.2 s, and 40 may run: 20 erlangs on 40 servers.
    mapping = {"ScalingConfig": {"MaximumConcurrency": 40}}
    found_one = waiting(queue_with_consumer(mapping))
    assert (found_one.resource, found_one.work, found_one.servers) == ("Feed", "batches", 40)
    assert (found_one.arrivals, found_one.service_seconds) == (Decimal(100), Decimal("0.2"))
    assert (found_one.utilisation, found_one.grows) == (Decimal("0.5"), False)
    assert found_one.chance == pytest.approx(erlang_c(40, Decimal(20)))
    assert found_one.p99_wait == 0  # fewer than one in a hundred waits


def test_a_queue_that_outgrows_its_workers_grows_without_end() -> None:
    over = waiting(queue_with_consumer({"ScalingConfig": {"MaximumConcurrency": 4}}))
    assert (over.utilisation, over.grows, over.chance) == (Decimal(5), True, Decimal(1))
    assert (over.mean_wait, over.p99_wait) == (None, None)
    assert over.growth == Decimal(80)  # 100 a second, of which 4 ÷ 0.2 are done


def test_batches_are_full_where_the_function_serves_others_too() -> None:
    resources = queue_with_consumer({"BatchSize": 10})
    resources["Other"] = resources["Feed"]
    first, second = queues(assembly(resources))
    assert first.arrivals == second.arrivals == Decimal(100)  # 1,000 messages ÷ 10
    of_a_stream, _ = queues(assembly(stream_with_consumers(2, BatchSize=50)))
    assert of_a_stream.arrivals == Decimal(2)  # 400 records ÷ 50 ÷ 4 shards


def test_each_shard_is_a_queue_of_its_own() -> None:
    # 20 batches a second over 4 shards × 2 at a time are 2.5, of 0.5 s each: 1.25 of one server.
    mapping = {"ParallelizationFactor": 2}
    one = waiting(stream_with_consumers(1, **mapping))
    assert (one.work, one.servers, one.arrivals) == ("batches of each shard", 1, Decimal("2.5"))
    assert (one.utilisation, one.growth) == (Decimal("1.25"), Decimal("0.5"))


def test_what_reserved_concurrency_has_no_room_for_is_refused() -> None:
    # 20 calls a second of 0.2 s are 4 erlangs; on 2, 8 ÷ 13 find both busy.
    properties = {"ReservedConcurrentExecutions": 2}
    refused = waiting({"Work": function(properties, peak_invocations_per_second=20, duration_ms=200)})
    assert refused.refuses
    assert refused.chance == pytest.approx(Decimal(8) / 13)
    assert (refused.mean_wait, refused.growth, refused.grows) == (None, Decimal(0), False)


def test_a_fleet_is_as_many_servers_as_it_may_run() -> None:
    # Each of 1,000,000 instances serves one request a second; 3 come.
    fleet = waiting(group(fewest=1, peak=3))
    assert (fleet.servers, fleet.service_seconds, fleet.arrivals) == (1_000_000, Decimal(1), Decimal(3))
    assert fleet.chance == 0


def test_a_transaction_waits_for_a_connection_of_the_pool() -> None:
    db = database({}, peak_connections=10, peak_transactions_per_second=400, transaction_ms=20)
    pool = waiting({"Db": db})
    assert (pool.work, pool.servers, pool.utilisation) == ("transactions", 10, Decimal("0.8"))
    assert pool.mean_wait is not None
    assert pool.mean_wait == pytest.approx(erlang_c(10, Decimal(8)) / 100)  # 10 ÷ 0.02 − 400 = 100 a second


def test_no_queue_is_told_of_whose_rates_are_not_declared() -> None:
    assert queues(assembly({"Work": function({"ReservedConcurrentExecutions": 2})})) == []
    assert queues(assembly({"Db": database({}, peak_connections=10)})) == []


@given(traffic=st.lists(st.integers(min_value=1, max_value=40), min_size=2, max_size=2))
def test_more_traffic_waits_longer(traffic: list[int]) -> None:
    resources = queue_with_consumer({"ScalingConfig": {"MaximumConcurrency": 900}})
    calm, busier = (waiting(resources, each) for each in sorted(traffic))
    assert calm.utilisation <= busier.utilisation
    assert calm.chance <= busier.chance
    assert (calm.mean_wait or 0) <= (busier.mean_wait or 0)


# What an account has once, however many resources share it


@pytest.mark.parametrize(
    ("kind", "properties", "usage", "limit", "load", "quota"),
    [
        (
            "AWS::AppSync::GraphQLApi",
            {},
            {"peak_requests_per_second": 6_000},
            "AppSync request tokens a second",
            12_000,
            10_000,
        ),
        (
            "AWS::MediaConvert::Queue",
            {},
            {"peak_jobs_per_second": 3},
            "MediaConvert jobs created a second",
            6,
            5,
        ),
        (
            "AWS::MediaConvert::JobTemplate",
            {},
            {"peak_concurrent_jobs": 150},
            "MediaConvert jobs at once",
            300,
            2_000,
        ),
        ("AWS::KMS::Key", {"KeySpec": "RSA_2048"}, {"peak_requests_per_second": 600}, RSA, 1_200, 1_000),
        ("AWS::KMS::Key", {"KeySpec": "ECC_NIST_P256"}, {"peak_requests_per_second": 600}, ECC, 1_200, 1_000),
        ("AWS::SES::EmailIdentity", {}, {"emails_per_month": 7_300}, "SES emails a day", 480, 200),
    ],
)
def test_one_quota_holds_for_all_that_share_it(
    kind: str, properties: dict[str, Any], usage: dict[str, Any], limit: str, load: int, quota: int
) -> None:
    one = resource(kind, properties, **usage)
    checked = found({"One": one, "Two": one}, limit)
    assert (checked.resource, checked.load, checked.quota) == ("account", Decimal(load), Decimal(quota))


def test_nodes_of_every_kind_of_cache_count() -> None:
    group_ = {"Engine": "valkey", "CacheNodeType": "cache.t4g.micro", "NumCacheClusters": 200}
    alone = {"Engine": "memcached", "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 120}
    both = {
        "Group": resource("AWS::ElastiCache::ReplicationGroup", group_),
        "Alone": resource("AWS::ElastiCache::CacheCluster", alone),
    }
    nodes = found(both, "ElastiCache nodes")
    assert (nodes.load, nodes.quota, nodes.is_prerequisite) == (Decimal(320), Decimal(300), True)
    assert found({"Alone": both["Alone"]}, "ElastiCache nodes").load == Decimal(120)


def test_fargate_spot_has_a_quota_of_its_own() -> None:
    definition = resource("AWS::ECS::TaskDefinition", {"Cpu": "1024", "Memory": "2048"})

    def service(provider: str) -> dict[str, Any]:
        strategy = [{"CapacityProvider": provider, "Weight": 1}]
        properties = {
            "TaskDefinition": {"Ref": "Task"},
            "DesiredCount": 4,
            "CapacityProviderStrategy": strategy,
        }
        return resource("AWS::ECS::Service", properties)

    resources = {"Task": definition, "Calm": service("FARGATE"), "Cheap": service("FARGATE_SPOT")}
    for limit in ("Fargate vCPUs, on demand", "Fargate vCPUs, Spot"):
        vcpus = found(resources, limit)
        assert (vcpus.load, vcpus.quota, vcpus.is_prerequisite) == (Decimal(4), Decimal(6), False)


def test_environments_kept_ready_are_taken_from_the_account_used_or_not() -> None:
    resources = {
        "Work": function(peak_invocations_per_second=10, duration_ms=100),
        "Live": resource(
            "AWS::Lambda::Alias",
            {
                "FunctionName": {"Ref": "Work"},
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1_200},
            },
        ),
    }
    taken = found(resources, "Lambda concurrent executions")
    assert (taken.load, taken.idle_load, taken.is_prerequisite) == (Decimal(1_200), Decimal(1_200), True)
    resources["Work"] = function(peak_invocations_per_second=20_000, duration_ms=100)
    assert found(resources, "Lambda concurrent executions").load == Decimal(2_000)


def test_a_hundred_executions_of_an_account_stay_unreserved() -> None:
    half = function({"ReservedConcurrentExecutions": 475}, peak_invocations_per_second=1, duration_ms=1)
    reserved = found({"One": half, "Two": half}, "Lambda concurrency reserved")
    assert (reserved.load, reserved.quota, reserved.is_prerequisite) == (Decimal(950), Decimal(900), True)
    names = {each.limit for each in limits(assembly({"Work": function()}))}
    assert "Lambda concurrency reserved" not in names


# What each type of resource bears


def global_table(properties: dict[str, Any], **usage: Any) -> dict[str, Any]:
    return resource("AWS::DynamoDB::GlobalTable", properties, **usage)


def scaled(kind: str, least: int, most: int) -> dict[str, Any]:
    settings = {"MinCapacity": least, "MaxCapacity": most}
    return {f"{kind}ProvisionedThroughputSettings": {f"{kind}CapacityAutoScalingSettings": settings}}


def test_a_provisioned_global_table_gives_what_its_scaling_may_reach() -> None:
    index = {"IndexName": "by_owner", **scaled("Write", 10, 50)}
    table = global_table(
        {
            "BillingMode": "PROVISIONED",
            **scaled("Write", 10, 100),
            "GlobalSecondaryIndexes": [index],
            "Replicas": [
                {"Region": "us-east-1", **scaled("Read", 20, 200)},
                {"Region": "eu-west-1", **scaled("Read", 20, 300)},
            ],
        },
        peak_write_units_per_second=160,
        peak_read_units_per_second=400,
    )
    writes, reads = (found({"It": table}, f"Provisioned {kind} units") for kind in ("write", "read"))
    assert (writes.load, writes.quota, writes.breaks) == (Decimal(160), Decimal(150), True)
    assert (reads.load, reads.quota, reads.breaks) == (Decimal(400), Decimal(500), False)
    assert writes.advice == (
        "raise MaxCapacity of WriteProvisionedThroughputSettings of It in the template, or take PAY_PER_REQUEST"
    )
    assert "Table write units a second" not in {each.limit for each in limits(assembly({"It": table}))}
    # Of the region alone: 160 ÷ 0.7 = 228.6 of 150 at the most, and its own 200 of the reads.
    held = found({"It": table}, "DynamoDB write units provisioned")
    assert (held.resource, held.load, held.idle_load) == ("account", Decimal(150), Decimal(20))
    assert found({"It": table}, "DynamoDB read units provisioned").load == Decimal(200)


@pytest.mark.parametrize("kind", ["read", "write"])
def test_one_table_or_index_provisions_no_more_than_its_quota(kind: str) -> None:
    big = {"ReadCapacityUnits": 45_000, "WriteCapacityUnits": 45_000}
    small = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    index = {"IndexName": "by_owner", "ProvisionedThroughput": big}
    table = resource(
        "AWS::DynamoDB::Table", {"ProvisionedThroughput": small, "GlobalSecondaryIndexes": [index]}
    )
    checked = found({"It": table}, f"Table {kind} units provisioned")
    assert (checked.load, checked.quota) == (Decimal(45_000), Decimal(40_000))


@pytest.mark.parametrize(("pods", "nodes"), [(10, 1), (30, 2), (290, 10), (2_000, 10)])
def test_nodes_stand_there_for_their_pods_and_not_for_the_largest_group(pods: int, nodes: int) -> None:
    # 29 pods on an m7g.large of 2 vCPUs
    group_ = resource(
        "AWS::EKS::Nodegroup",
        {"InstanceTypes": ["m7g.large"], "ScalingConfig": {"MinSize": 1, "MaxSize": 10}},
        peak_pods=pods,
    )
    vcpus = found({"Nodes": group_}, VCPUS)
    assert (vcpus.load, vcpus.idle_load) == (Decimal(nodes * 2), Decimal(2))


def test_the_largest_express_broker_has_limits_too() -> None:
    brokers = {"InstanceType": "express.m7g.16xlarge", "ClientSubnets": ["a", "b", "c"]}
    cluster = resource(
        "AWS::MSK::Cluster", {"NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": brokers}, partitions=60_001
    )
    checked = found({"Kafka": cluster}, "Partitions on the brokers")
    assert (checked.quota, checked.breaks) == (Decimal(60_000), True)


def test_every_size_of_a_broker_has_all_of_its_limits() -> None:
    for family in ("msk.", "msk.express_"):
        assert by_size(f"{family}broker_partitions").keys() == by_size(f"{family}broker_mb_per_second").keys()


def test_a_node_alone_holds_what_one_of_a_group_does() -> None:
    alone = {"Engine": "redis", "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1}
    memory = found({"It": resource("AWS::ElastiCache::CacheCluster", alone, stored_gb="0.2")}, "Memory")
    assert memory.quota == Decimal("0.402653184")  # 536,870,912 bytes, a quarter set aside


def test_small_search_nodes_are_ten_at_the_most() -> None:
    domain = {"ClusterConfig": {"InstanceType": "t3.small.search", "InstanceCount": 12}}
    nodes = found({"It": resource("AWS::OpenSearchService::Domain", domain)}, "Data nodes of the domain")
    assert (nodes.quota, nodes.breaks, nodes.adjustable) == (Decimal(10), True, False)


def test_jobs_of_a_queue_are_those_of_all_its_templates() -> None:
    template = resource(
        "AWS::MediaConvert::JobTemplate", {"Queue": {"Ref": "Queue"}}, peak_concurrent_jobs=40
    )
    queue = resource("AWS::MediaConvert::Queue", {"ConcurrentJobs": 60})
    jobs = found({"Queue": queue, "One": template, "Two": template}, "Jobs of the queue at once")
    assert (jobs.resource, jobs.load, jobs.quota) == ("Queue", Decimal(80), Decimal(60))
    assert jobs.advice == "raise ConcurrentJobs (up to 500) of Queue in the template"


# What feeds a function, however it is named


def test_batches_are_drained_as_large_as_the_calls_say_they_are() -> None:
    # 1,000 messages in 100 calls are 10 a call, though a batch might hold 100: 4 × 10 ÷ 0.2 s
    resources = queue_with_consumer({"BatchSize": 100, "ScalingConfig": {"MaximumConcurrency": 4}})
    drained = found(resources, "Messages drained a second")
    assert (drained.load, drained.quota) == (Decimal(1_000), Decimal(200))
    assert drained.utilisation == waiting(resources).utilisation == Decimal(5)
    resources["Work"] = function(duration_ms=200)  # nobody says how often it is called: batches are full
    assert found(resources, "Messages drained a second").quota == Decimal(2_000)


@pytest.mark.parametrize("kind", ["AWS::Lambda::Alias", "AWS::Lambda::Version"])
def test_a_function_that_is_fed_by_its_alias_has_the_limits_of_its_feed(kind: str) -> None:
    resources = queue_with_consumer({"FunctionName": {"Ref": "Live"}})
    resources["Work"]["Properties"]["ReservedConcurrentExecutions"] = 40
    resources["Live"] = resource(kind, {"FunctionName": {"Ref": "Work"}})
    assert found(resources, "Messages drained a second").quota == Decimal(2_000)
    assert found(resources, "Messages in flight").load == Decimal(200)
    assert not waiting(resources).refuses  # a queue waits: nobody is turned away


def test_a_consumer_with_fan_out_works_on_the_shards_of_its_stream() -> None:
    resources = stream_with_consumers(1)
    resources["Out"] = resource(
        "AWS::Kinesis::StreamConsumer", {"StreamARN": {"Fn::GetAtt": ["Stream", "Arn"]}}
    )
    arn = {"Fn::GetAtt": ["Out", "ConsumerARN"]}
    resources["Feed0"]["Properties"]["EventSourceArn"] = arn
    assert found(resources, "Batches worked on a second").quota == Decimal(8)
    assert "Bytes read a second" not in {each.limit for each in limits(assembly(resources))}


def test_a_call_that_takes_no_time_is_no_ceiling() -> None:
    resources = queue_with_consumer({})
    resources["Work"] = function(peak_invocations_per_second=1, duration_ms=0)
    assert "Messages drained a second" not in {each.limit for each in limits(assembly(resources))}
    assert not [each for each in undeclared(assembly(resources)) if each.startswith("Feed")]


def test_no_more_connections_serve_than_the_database_opens() -> None:
    # A db.t4g.micro opens 112, of which each does 1 ÷ 0.1 s a second.
    usage = {"peak_connections": 400, "peak_transactions_per_second": 2_000, "transaction_ms": 100}
    pool = waiting({"Db": database({"DBInstanceClass": "db.t4g.micro"}, **usage)})
    assert (pool.servers, pool.grows, pool.growth) == (112, True, Decimal(880))
    assert "c = at most 112" in pool.formula


# Steps: what is sized anew at each size may break, and hold again


def stepped(users: int) -> list[Checked]:
    """Over from 3,000 to 9,999 users, sized anew at 10,000, and over for good from 5,000,000 on."""
    broken = 3_000 <= users < 10_000 or users >= 5_000_000
    return [checked("Step", 11 if broken else 1, adjustable=False)]


def test_a_size_that_is_shown_as_over_is_never_below_the_break() -> None:
    late = first_to_break(stepped, start=1_000, most=10**8)
    assert late.users is not None
    assert late.users >= 5_000_000
    early = first_to_break(stepped, start=1_000, most=10**8, also=[50_000, 4_000, 1_000])
    assert early.users is not None
    assert 3_000 <= early.users <= 3_030


def test_of_several_that_give_way_the_worst_is_named_in_whatever_order_they_come() -> None:
    broken = first_to_break(
        lambda _: [checked("Less", 11, adjustable=False), checked("More", 20, adjustable=False)]
    )
    assert broken.limit == "More"
