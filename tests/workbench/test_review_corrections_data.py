"""What a second reading of the rooms of data, compute and queues found: dollars by hand, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from tests.bills import dollars, sum_of, undeclared, warnings
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review.cost import price

pytestmark = pytest.mark.fast

Properties = dict[str, Any]
Resources = dict[str, Any]

MILLION = 1_000_000


def refused(resources: Resources, word: str) -> None:
    """It names the property that it can't price."""
    with pytest.raises(NotPriced, match=word):
        sum_of(resources)


def to(logical_id: str, attribute: str = "Arn") -> Properties:
    return {"Fn::GetAtt": [logical_id, attribute]}


# ECS


TASK = resource(
    "AWS::ECS::TaskDefinition",
    {"Cpu": "1024", "Memory": "2048", "RuntimePlatform": {"CpuArchitecture": "ARM64"}},
)
SPOT = [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]


def service(**properties: Any) -> Properties:
    return resource(
        "AWS::ECS::Service", {"Cluster": {"Ref": "Cluster"}, "TaskDefinition": {"Ref": "Task"}, **properties}
    )


@pytest.mark.parametrize(
    "others",
    [
        {"Cluster": resource("AWS::ECS::Cluster", {"DefaultCapacityProviderStrategy": SPOT})},
        {
            "Cluster": resource("AWS::ECS::Cluster"),
            "Beside": resource(
                "AWS::ECS::ClusterCapacityProviderAssociations",
                {"Cluster": {"Ref": "Cluster"}, "DefaultCapacityProviderStrategy": SPOT},
            ),
        },
    ],
)
def test_a_service_that_names_no_launch_type_runs_as_its_cluster_says(others: Resources) -> None:
    found = {"Task": TASK, "It": service(), **others}
    # 730 h × ($0.03238 + 2 GB × $0.00356)
    assert sum_of(found) == Decimal("28.835")
    assert any("Fargate Spot" in each for each in warnings(found))
    assert sum_of({**found, "It": service(LaunchType="EC2")}) == 0


def test_a_volume_of_each_task_is_paid_on_instances_too() -> None:
    managed = {"ManagedEBSVolume": {"SizeInGiB": 100, "VolumeType": "gp3", "RoleArn": "x"}, "Name": "data"}
    made = service(LaunchType="EC2", DesiredCount=3, VolumeConfigurations=[managed])
    found = {"Task": TASK, "Cluster": resource("AWS::ECS::Cluster"), "It": made}
    assert dollars(found) == {"Volumes (gp3)": Decimal(24)}  # 3 × 100 GB × $0.08


# RDS, Aurora, DocumentDB, Neptune


def database(**properties: Any) -> Properties:
    made = {"Engine": "postgres", "DBInstanceClass": "db.t4g.medium", "AllocatedStorage": "100", **properties}
    return resource("AWS::RDS::DBInstance", made, backup_gb=0)


def aurora(properties: Properties | None = None, **usage: Any) -> Properties:
    still = {"stored_gb": 0, "io_requests_per_month": 0, "backup_gb": 0, **usage}
    return resource("AWS::RDS::DBCluster", {"Engine": "aurora-postgresql", **(properties or {})}, **still)


def member(**properties: Any) -> Properties:
    made = {"DBClusterIdentifier": {"Ref": "C"}, "DBInstanceClass": "db.t4g.medium", **properties}
    return resource("AWS::RDS::DBInstance", {"Engine": "aurora-postgresql", **made})


@pytest.mark.parametrize("said", [True, "true"])
@pytest.mark.parametrize(
    "others",
    [
        {"It": database()},
        {"C": aurora(), "It": member()},
        {
            "C": resource("AWS::Neptune::DBCluster"),
            "It": resource(
                "AWS::Neptune::DBInstance",
                {"DBClusterIdentifier": {"Ref": "C"}, "DBInstanceClass": "db.t4g.medium"},
            ),
        },
    ],
)
def test_a_database_that_the_internet_reaches_pays_for_its_address(others: Resources, said: Any) -> None:
    assert "Public addresses (IPv4)" not in dollars(others)
    others = {
        **others,
        "It": {**others["It"], "Properties": {**others["It"]["Properties"], "PubliclyAccessible": said}},
    }
    assert dollars(others)["Public addresses (IPv4)"] == Decimal("3.65")  # 730 h × $0.005


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (database(AutomaticBackupReplicationRegion="us-west-2"), "AutomaticBackupReplicationRegion"),
        (database(BackupTarget="outposts"), "BackupTarget"),
        (aurora({"EngineMode": "serverless"}), "EngineMode"),
        (aurora({"ClusterScalabilityType": "limitless"}), "ClusterScalabilityType"),
    ],
)
def test_a_database_of_another_price_is_refused(made: Properties, word: str) -> None:
    refused({"It": made}, word)


def test_credits_of_aurora_have_a_price_that_the_book_has_not() -> None:
    made = {**member(), "Metadata": resource("x", surplus_vcpu_hours_per_month=1)["Metadata"]}
    refused({"C": aurora(), "It": made}, "surplus_vcpu_hours_per_month")


def test_storage_of_no_kind_is_gp3_and_no_gp2_to_warn_of() -> None:
    assert dollars({"It": database()})["Storage (gp3)"] == Decimal("11.5")  # 100 GB × $0.115
    assert not any("gp2" in each for each in warnings({"It": database()}))
    assert any("gp2" in each for each in warnings({"It": database(StorageType="gp2")}))


EXPORTS = {"EnableCloudwatchLogsExports": ["postgresql"]}


def test_exported_logs_are_kept_and_the_line_of_a_group_that_the_template_has() -> None:
    made = resource(
        "AWS::RDS::DBInstance", {**database()["Properties"], **EXPORTS}, backup_gb=0, log_gb_per_month=10
    )
    found = dollars({"It": made})
    assert found["Logs written (RDS, log group not in the template)"] == Decimal(5)  # 10 GB × $0.50
    # 10 GB × 12 months × 15 % × $0.03
    assert found["Logs kept (RDS, log group not in the template)"] == Decimal("0.54")


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({}, {"Fn::Join": ["", ["/aws/rds/instance/", {"Ref": "It"}, "/postgresql"]]}),
        ({"DBInstanceIdentifier": "Shop"}, "/aws/rds/instance/shop/postgresql"),
    ],
)
def test_logs_of_a_group_in_the_template_are_counted_once(properties: Properties, name: Any) -> None:
    group = resource("AWS::Logs::LogGroup", {"LogGroupName": name, "RetentionInDays": 30})
    made = {"It": database(**EXPORTS, **properties)}
    assert sum("Logs" in each for each in undeclared(made)) == 2
    assert undeclared({**made, "Group": group}) == ["Logs written (standard)", "Logs kept"]


def test_enhanced_monitoring_writes_logs_that_stay_for_thirty_days() -> None:
    on = {**database()["Properties"], "MonitoringInterval": 60}
    made = resource("AWS::RDS::DBInstance", on, backup_gb=0, monitoring_gb_per_month=10)
    found = dollars({"It": made})
    assert found["Logs written (Enhanced Monitoring)"] == Decimal(5)
    # 10 GB × 30 ÷ 30.4167 × 15 % × $0.03
    assert found["Logs kept (Enhanced Monitoring)"].quantize(Decimal("0.0001")) == Decimal("0.0444")
    assert not any("Monitoring" in each for each in undeclared({"It": database(MonitoringInterval=0)}))


@pytest.mark.parametrize(("kind", "words"), [("DocDB", "DocumentDB"), ("Neptune", "Neptune")])
def test_logs_of_documents_and_graphs_are_hidden_lines_too(kind: str, words: str) -> None:
    made = resource(
        f"AWS::{kind}::DBCluster", {"EnableCloudwatchLogsExports": ["audit"], "DBClusterIdentifier": "x"}
    )
    line = f"Logs written ({words}, log group not in the template)"
    assert line in undeclared({"C": made})
    group = resource(
        "AWS::Logs::LogGroup", {"LogGroupName": f"/aws/{kind.lower()}/x/audit", "RetentionInDays": 7}
    )
    assert line not in undeclared({"C": made, "Group": group})


def test_a_documentdb_instance_pays_for_surplus_credits_of_its_own_price() -> None:
    def of(kind: str) -> Resources:
        properties = {"DBClusterIdentifier": {"Ref": "C"}, "DBInstanceClass": kind}
        made = resource("AWS::DocDB::DBInstance", properties, surplus_vcpu_hours_per_month=10)
        return {"C": resource("AWS::DocDB::DBCluster"), "It": made}

    assert dollars(of("db.t4g.medium"))["CPU credits (unlimited)"] == Decimal("0.9")  # 10 × $0.09
    refused(of("db.r6g.large"), "no CPU credits")


WORLD: dict[str, Any] = {"replicated_writes_per_month": 10 * MILLION, "replicated_gb_per_month": 100}


@pytest.mark.parametrize("named", [{"Ref": "World"}, "world"])
def test_what_a_global_database_replicates_is_its_own_line_and_not_that_of_a_cluster(named: Any) -> None:
    world = resource("AWS::RDS::GlobalCluster", {"GlobalClusterIdentifier": "world"}, **WORLD)
    both = {"World": world, "It": aurora({"GlobalClusterIdentifier": named})}
    # 10 M × $0.2/M + 100 GB × $0.02
    assert sum_of(both) == Decimal(4)
    assert undeclared(both) == []
    refused({**both, "It": aurora({"GlobalClusterIdentifier": named}, **WORLD)}, "GlobalCluster pays")


@pytest.mark.parametrize("kind", ["DocDB", "Neptune"])
def test_a_global_cluster_without_a_price_is_named_and_does_not_refuse_its_members(kind: str) -> None:
    made = resource(f"AWS::{kind}::DBCluster", {"GlobalClusterIdentifier": {"Ref": "World"}})
    bill = price(assembly({"World": resource(f"AWS::{kind}::GlobalCluster"), "It": made}))
    assert [each.resource for each in bill.unpriced] == ["World"]
    refused({"It": resource(f"AWS::{kind}::DBCluster", {"GlobalClusterIdentifier": "elsewhere"})}, "Global")


def test_the_logs_of_one_cluster_are_not_those_of_another() -> None:
    logging = {"Logging": {"ClusterLogging": {"EnabledTypes": [{"Type": "api"}]}}, "Version": "1.35"}
    found = {
        "Own": resource("AWS::EKS::Cluster", logging),
        "Other": resource("AWS::EKS::Cluster", {**logging, "Name": "other"}),
        "Group": resource(
            "AWS::Logs::LogGroup", {"LogGroupName": "/aws/eks/other/cluster", "RetentionInDays": 1}
        ),
    }
    told = [line.resource for line in price(assembly(found)).lines if "control plane" in line.component]
    assert told == ["Own", "Own"]


# Functions, schedules, streams, tables


@pytest.mark.parametrize(
    ("source", "others"),
    [
        ({"EventSourceArn": {"Ref": "Source"}}, {"Source": resource("AWS::DocDB::DBCluster")}),
        ({"EventSourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b"}, {}),
        ({"EventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/c/x"}, {}),
        ({"SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["x:9092"]}}}, {}),
    ],
)
def test_polling_a_broker_or_the_changes_of_documents_is_free(source: Properties, others: Resources) -> None:
    feed = resource("AWS::Lambda::EventSourceMapping", {"FunctionName": "f", **source})
    assert [line for line in price(assembly({"Feed": feed, **others})).lines if line.resource == "Feed"] == []


def test_polls_of_a_fifo_queue_elsewhere_have_its_price() -> None:
    arn = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"
    feed = resource("AWS::Lambda::EventSourceMapping", {"FunctionName": "f", "EventSourceArn": arn})
    # 2,628,000 s ÷ 20 s × 5 pollers × $0.5/M
    assert dollars({"Feed": feed}) == {"Idle polls (fifo queue)": Decimal("0.3285")}


def test_what_is_written_as_text_is_on_too() -> None:
    queue = resource("AWS::SQS::Queue", {"FifoQueue": "true"}, requests_per_month=MILLION)
    assert dollars({"Q": queue}) == {"Requests (fifo)": Decimal("0.5")}
    off = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": "false"}}
    table = resource("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST", **off}, stored_gb=10)
    assert "Point-in-time recovery" not in dollars({"T": table})


def schedule(expression: str, **properties: Any) -> Resources:
    return {"It": resource("AWS::Scheduler::Schedule", {"ScheduleExpression": expression, **properties})}


@pytest.mark.parametrize(
    ("made", "fired"),
    [
        (schedule("rate(1 hour)"), "730"),
        (schedule("cron(0 8 * * ? *)"), "30.4166666667"),  # once on each of 730 ÷ 24 days
        (schedule("rate(1 hour)", State="DISABLED"), "0"),
    ],
)
def test_a_schedule_says_itself_how_often_it_fires(made: Resources, fired: str) -> None:
    [line] = price(assembly(made)).lines
    assert line.declared
    assert line.quantity == Decimal(fired)


def test_a_schedule_of_one_time_depends_on_usage() -> None:
    assert undeclared(schedule("at(2027-01-01T00:00:00)")) == ["Invocations (schedule)"]


def test_shards_on_demand_send_metrics_too() -> None:
    properties = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}, "DesiredShardLevelMetrics": ["ALL"]}
    assert "Metrics (shards)" in undeclared({"It": resource("AWS::Kinesis::Stream", properties)})
    made = resource("AWS::Kinesis::Stream", properties, open_shards=4)
    assert dollars({"It": made})["Metrics (shards)"] == Decimal("8.4")  # 4 × 7 × $0.30


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (
            resource(
                "AWS::Kinesis::Stream",
                {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}, "WarmThroughputMiBps": 100},
            ),
            "WarmThroughputMiBps",
        ),
        (
            resource("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST", "VectorIndexes": [{}]}),
            "Vector",
        ),
        (
            resource(
                "AWS::DynamoDB::GlobalTable",
                {
                    "BillingMode": "PAY_PER_REQUEST",
                    "Replicas": [{"Region": "us-east-1"}],
                    "GlobalTableSourceArn": "arn:aws:dynamodb:eu-west-1:000000000000:table/t",
                },
            ),
            "GlobalTableSourceArn",
        ),
        (
            resource(
                "AWS::ElastiCache::ReplicationGroup",
                {"CacheNodeType": "cache.t4g.micro", "Engine": "valkey", "Durability": "sync"},
            ),
            "Durability is sync",
        ),
        (
            resource(
                "AWS::EC2::VPCEndpoint",
                {"VpcEndpointType": "Interface", "SubnetIds": ["a"], "ServiceRegion": "eu-west-1"},
            ),
            "ServiceRegion",
        ),
        (resource("AWS::EC2::Instance", {"InstanceType": "t4g.nano", "HostId": "h-1"}), "HostId"),
        (
            resource(
                "AWS::EKS::Nodegroup",
                {"InstanceTypes": ["t4g.small"], "WarmPoolConfig": {"Enabled": True, "MinSize": 1}},
            ),
            "WarmPoolConfig",
        ),
        (resource("AWS::EKS::Cluster", {"OutpostConfig": {"OutpostArns": ["x"]}}), "OutpostConfig"),
    ],
)
def test_what_changes_the_price_unseen_is_refused(made: Properties, word: str) -> None:
    refused({"It": made}, word)


# Networks


def balancer(kind: str, target: str, **usage: Any) -> Resources:
    forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Target"}}]
    protocol = {"application": "HTTP", "network": "TCP"}.get(kind)
    return {
        "It": resource(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            {"Type": kind, "Scheme": "internal", "Subnets": ["a", "b"]},
            new_connections_per_second=0,
            **usage,
        ),
        "Listener": resource(
            "AWS::ElasticLoadBalancingV2::Listener",
            {"LoadBalancerArn": {"Ref": "It"}, "DefaultActions": forward, "Protocol": protocol},
        ),
        "Target": resource("AWS::ElasticLoadBalancingV2::TargetGroup", {"TargetType": target}),
    }


@pytest.mark.parametrize(("target", "paid"), [("ip", "0.8"), ("lambda", "2")])
def test_a_unit_holds_fewer_bytes_of_functions(target: str, paid: str) -> None:
    found = dollars(balancer("application", target, processed_gb_per_month=100))
    # 100 GB ÷ 1 GB, or 0.4 GB, × $0.008
    assert found["Capacity units (application)"] == Decimal(paid)


def test_a_gateway_load_balancer_across_zones_pays_for_what_crosses() -> None:
    crossing = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    made = resource(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {"Type": "gateway", "Subnets": ["a"], "LoadBalancerAttributes": crossing},
        cross_zone_gb_per_month=100,
    )
    assert dollars({"It": made})["Data between zones"] == Decimal(2)  # 100 GB × 2 sides × $0.01
    made["Metadata"] = {}
    assert "Data between zones" in undeclared({"It": made})


def test_a_single_route_that_is_measured_in_detail_pays_for_its_metrics() -> None:
    routes = {"GET /a": {"DetailedMetricsEnabled": True}, "GET /b": {"DetailedMetricsEnabled": False}}
    made = {"It": resource("AWS::ApiGatewayV2::Stage", {"ApiId": "x", "RouteSettings": routes})}
    assert dollars(made) == {"Detailed metrics": Decimal("1.8")}  # 6 × $0.30
    assert sum_of(made, traffic=0) == 0


# Logs that services write to groups of their own making


REDIS = {"Engine": "redis", "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1}
BROKER = {"EngineType": "RABBITMQ", "DeploymentMode": "SINGLE_INSTANCE", "HostInstanceType": "mq.m5.xlarge"}
AUTO_GROUP = {"awslogs-group": "/app", "awslogs-create-group": "true"}
FARGATE_JOBS = {"Type": "MANAGED", "ComputeResources": {"Type": "FARGATE", "MaxvCpus": 4, "Subnets": ["a"]}}
SMALL = {"VariantName": "a", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}


@pytest.mark.parametrize(
    ("writer", "made"),
    [
        (
            "Airflow",
            resource("AWS::MWAA::Environment", {"LoggingConfiguration": {"TaskLogs": {"Enabled": True}}}),
        ),
        ("Amazon MQ", resource("AWS::AmazonMQ::Broker", {**BROKER, "Logs": {"General": True}})),
        ("App Runner", resource("AWS::AppRunner::Service", {"SourceConfiguration": {}})),
        ("Batch", resource("AWS::Batch::ComputeEnvironment", FARGATE_JOBS)),
        (
            "Container Insights",
            resource(
                "AWS::ECS::Cluster", {"ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}]}
            ),
        ),
        (
            "containers",
            resource(
                "AWS::ECS::TaskDefinition",
                {"ContainerDefinitions": [{"LogConfiguration": {"Options": AUTO_GROUP}}]},
            ),
        ),
        (
            "EMR",
            resource(
                "AWS::EMRServerless::Application",
                {"MonitoringConfiguration": {"CloudWatchLoggingConfiguration": {"Enabled": True}}},
            ),
        ),
        ("Glue", resource("AWS::Glue::Job", {"Command": {"Name": "glueetl"}})),
        ("SageMaker", resource("AWS::SageMaker::Endpoint", {"EndpointConfigName": {"Ref": "Config"}})),
        (
            "Transfer Family",
            resource("AWS::Transfer::Server", {"LoggingRole": "arn:aws:iam::000000000000:role/r"}),
        ),
        ("delivery status", resource("AWS::SNS::Topic", {"DeliveryStatusLogging": [{"Protocol": "sqs"}]})),
        (
            "RDS Proxy",
            resource("AWS::RDS::DBProxy", {"DebugLogging": True, "DBProxyName": "p"}),
        ),
    ],
)
def test_a_service_with_a_log_group_of_its_own_shows_what_it_writes_and_keeps(
    writer: str, made: Properties
) -> None:
    behind = {"DBProxyName": {"Ref": "It"}, "DBInstanceIdentifiers": [{"Ref": "Db"}]}
    others = {
        "Config": resource("AWS::SageMaker::EndpointConfig", {"ProductionVariants": [SMALL]}),
        **(
            {"Db": database(), "Group": resource("AWS::RDS::DBProxyTargetGroup", behind)}
            if "Proxy" in writer
            else {}
        ),
    }
    words = f"({writer}, log group not in the template)"
    found = [each for each in undeclared({"It": made, **others}) if each.endswith(words)]
    assert found == [f"Logs written {words}", f"Logs kept {words}"]


def test_the_group_of_a_container_that_the_template_has_too_is_counted_once() -> None:
    definition = {"ContainerDefinitions": [{"LogConfiguration": {"Options": AUTO_GROUP}}]}
    made = {
        "It": resource("AWS::ECS::TaskDefinition", definition),
        "Group": resource("AWS::Logs::LogGroup", {"LogGroupName": "/app", "RetentionInDays": 7}),
    }
    assert undeclared(made) == ["Logs written (standard)", "Logs kept"]


DELIVERY = {"DestinationType": "cloudwatch-logs", "LogType": "slow-log", "LogFormat": "json"}


@pytest.mark.parametrize("group", ["/elsewhere", {"Ref": "Group"}])
def test_logs_of_a_cache_go_to_a_group_that_pays_here_or_elsewhere(group: Any) -> None:
    details = {"CloudWatchLogsDetails": {"LogGroup": group}}
    sent = {"LogDeliveryConfigurations": [{**DELIVERY, "DestinationDetails": details}]}
    found = undeclared(
        {
            "It": resource("AWS::ElastiCache::CacheCluster", {**REDIS, **sent}),
            "Group": resource("AWS::Logs::LogGroup", {"RetentionInDays": 7}),
        }
    )
    assert ("Logs delivered (to a log group elsewhere)" in found) is isinstance(group, str)
    assert ("Logs written (vended)" in found) is not isinstance(group, str)


def test_broker_logs_to_a_group_elsewhere_are_a_line_of_the_cluster() -> None:
    logs = {"BrokerLogs": {"CloudWatchLogs": {"Enabled": True, "LogGroup": "/elsewhere"}}}
    brokers = {
        "InstanceType": "kafka.t3.small",
        "ClientSubnets": ["a", "b"],
        "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 10}},
    }
    properties = {"NumberOfBrokerNodes": 2, "BrokerNodeGroupInfo": brokers, "LoggingInfo": logs}
    made = resource("AWS::MSK::Cluster", properties, delivered_logs_gb_per_month=10)
    assert dollars({"It": made})["Logs delivered (to a log group elsewhere)"] == Decimal(5)  # 10 GB × $0.50


# Warnings, and what is paid at least


def test_of_several_nodes_all_are_in_the_dollars_that_another_type_saves() -> None:
    old = {"Engine": "memcached", "CacheNodeType": "cache.m5.large", "NumCacheNodes": 3}
    [found] = warnings({"It": resource("AWS::ElastiCache::CacheCluster", old)})
    # 3 × 730 h × ($0.156 − $0.149)
    assert found.endswith("$15.33 a month less for 3")


def test_the_dollars_that_valkey_saves_are_said_of_a_single_node_too() -> None:
    found = warnings({"It": resource("AWS::ElastiCache::CacheCluster", REDIS)})
    # 730 h × ($0.016 − $0.0128)
    assert any(each.endswith("costs $2.34 a month less") for each in found)


def test_the_least_of_a_compute_environment_is_whole_instances() -> None:
    resources = {
        "Type": "EC2",
        "MaxvCpus": 8,
        "MinvCpus": 5,
        "InstanceTypes": ["m7g.xlarge"],
        "Subnets": ["a"],
    }
    made = {
        "It": resource("AWS::Batch::ComputeEnvironment", {"Type": "MANAGED", "ComputeResources": resources})
    }
    # 5 ÷ 4 vCPUs = 2 instances × 730 h × $0.1632, and 2 × 30 GB × $0.08
    assert sum_of(made) == Decimal("243.072")


def test_jobs_on_x86_are_told_of_graviton() -> None:
    resources = {"Type": "EC2", "MaxvCpus": 8, "InstanceTypes": ["m5.large"], "Subnets": ["a"]}
    made = {
        "It": resource("AWS::Batch::ComputeEnvironment", {"Type": "MANAGED", "ComputeResources": resources})
    }
    assert any("Graviton" in each for each in warnings(made))
    assert any(
        "Graviton" in each
        for each in warnings({"It": resource("AWS::Batch::ComputeEnvironment", FARGATE_JOBS)})
    )


def test_an_object_in_the_archive_pays_for_being_asked_for() -> None:
    made = resource("AWS::S3::Bucket", restores_glacier_flexible_per_month=1_000)
    assert dollars({"It": made}) == {
        "Restores (Glacier Flexible Retrieval)": Decimal("0.05")
    }  # 1,000 × $50/M


def test_infrequent_access_in_one_zone_is_said_to_be_counted_too_high() -> None:
    moved = {"LifecyclePolicies": [{"TransitionToIA": "AFTER_30_DAYS"}]}
    here = resource("AWS::EFS::FileSystem", {**moved, "AvailabilityZoneName": "us-east-1a"})
    assert any("One Zone" in each for each in warnings({"It": here}))
    assert not any("One Zone" in each for each in warnings({"It": resource("AWS::EFS::FileSystem", moved)}))


@pytest.mark.parametrize(("more", "paid"), [({}, "3.65"), ({"ElasticIp": "1.2.3.4"}, None)])
def test_a_warehouse_that_the_internet_reaches_pays_for_its_address(
    more: Properties, paid: str | None
) -> None:
    properties = {"NodeType": "ra3.large", "ClusterType": "single-node", "PubliclyAccessible": True, **more}
    found = dollars({"It": resource("AWS::Redshift::Cluster", properties)})
    assert found.get("Public addresses (IPv4)") == (None if paid is None else Decimal(paid))


def test_graviton_saves_what_the_storage_of_the_cluster_asks_for_instances() -> None:
    optimized = aurora({"StorageType": "aurora-iopt1"})
    optimized["Metadata"] = {}
    found = warnings({"C": optimized, "It": member(DBInstanceClass="db.r5.large")})
    # 730 h × ($0.377 − $0.338), and not the $0.29 − $0.26 of standard storage
    assert any(each.endswith("$28.47 a month less") for each in found)


@pytest.mark.parametrize(("kind", "saved"), [("DocDB", "$10.11"), ("Neptune", "$14.09")])
def test_documents_and_graphs_on_x86_are_told_what_graviton_saves(kind: str, saved: str) -> None:
    properties = {"DBClusterIdentifier": {"Ref": "C"}, "DBInstanceClass": "db.r5.large"}
    found = {"C": resource(f"AWS::{kind}::DBCluster"), "It": resource(f"AWS::{kind}::DBInstance", properties)}
    # 730 h × ($0.277 − $0.26315), 730 h × ($0.348 − $0.3287)
    assert any(each.endswith(f"{saved} a month less") for each in warnings(found))


@pytest.mark.parametrize(("account", "lines"), [("000000000000", 0), ("123456789012", 1)])
def test_events_for_a_bus_of_another_account_are_paid_by_the_sender(account: str, lines: int) -> None:
    arn = {"Fn::ImportValue": "BusArn"}
    exported = {
        "Bus": {
            "Value": {"Fn::Sub": "arn:aws:events:us-east-1:0:event-bus/${Bus}"},
            "Export": {"Name": "BusArn"},
        }
    }
    sender = stack({"It": resource("AWS::Events::Rule", {"Targets": [{"Id": "a", "Arn": arn}]})}, name="Here")
    receiver = stack(
        {"Bus": resource("AWS::Events::EventBus", events_per_month=0)}, name="There", Outputs=exported
    )
    both = (replace(receiver, account=account), replace(sender, account="000000000000"))
    told = [
        line.component for line in price(Assembly(Path(), both)).lines if line.type == "AWS::Events::Rule"
    ]
    assert told == ["Events sent (another bus)"] * lines
