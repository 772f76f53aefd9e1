"""What holds for the bill of every type of a network, a cluster, a database or a broker, at any load."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.assemblies import assembly, resource
from workbench.review.capacity import limits
from workbench.review.cost import price
from workbench.review.floor import above, grown
from workbench.review.numbers import constant
from workbench.review.registry import rooms
from workbench.review.room import Context

pytestmark = pytest.mark.fast

# Each line is rounded to 10⁻¹² dollar, and each figure to twelve digits.
ROUNDING = Decimal("1e-4")

RULE = {"TargetBackupVault": {"Ref": "Vault"}}
LAUNCH = {"InstanceType": "t4g.small", "Monitoring": {"Enabled": True}}
BROKERS = {
    "InstanceType": "kafka.t3.small",
    "ClientSubnets": ["a", "b", "c"],
    "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 10}},
}

# One small system of each kind; its usage is filled in with every key that its rooms know.
SYSTEMS: dict[str, dict[str, dict[str, Any]]] = {
    "nat": {"It": resource("AWS::EC2::NatGateway"), "Address": resource("AWS::EC2::EIP")},
    "vpc": {"It": resource("AWS::EC2::VPC")},
    "endpoint": {
        "It": resource("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]})
    },
    "flow log": {"It": resource("AWS::EC2::FlowLog", {"LogDestinationType": "s3"})},
    "group": {
        "It": resource(
            "AWS::AutoScaling::AutoScalingGroup",
            {"MinSize": "2", "MaxSize": "20", "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}},
        ),
        "Template": resource("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": LAUNCH}),
    },
    "balancer": {
        "It": resource("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Subnets": ["a", "b", "c"]}),
    },
    "nodes": {"It": resource("AWS::EKS::Nodegroup", {"ScalingConfig": {"MinSize": 2, "MaxSize": 20}})},
    "cluster": {
        "It": resource(
            "AWS::EKS::Cluster", {"KubernetesNetworkConfig": {"ElasticLoadBalancing": {"Enabled": True}}}
        )
    },
    "database": {
        "It": resource(
            "AWS::RDS::DBInstance",
            {
                "Engine": "postgres",
                "DBInstanceClass": "db.t4g.micro",
                "StorageType": "gp3",
                "AllocatedStorage": "20",
                "MaxAllocatedStorage": 500,
                "MultiAZ": True,
            },
        )
    },
    "serverless database": {
        "It": resource(
            "AWS::RDS::DBCluster",
            {
                "Engine": "aurora-postgresql",
                "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 64},
            },
        ),
        "Writer": resource(
            "AWS::RDS::DBInstance",
            {"DBInstanceClass": "db.serverless", "DBClusterIdentifier": {"Ref": "It"}},
        ),
        "Proxy": resource("AWS::RDS::DBProxy"),
        "Targets": resource(
            "AWS::RDS::DBProxyTargetGroup",
            {"DBProxyName": {"Ref": "Proxy"}, "DBClusterIdentifiers": [{"Ref": "It"}]},
        ),
    },
    "cache": {
        "It": resource(
            "AWS::ElastiCache::ReplicationGroup",
            {"Engine": "valkey", "CacheNodeType": "cache.t4g.micro", "SnapshotRetentionLimit": 1},
        )
    },
    "serverless cache": {
        "It": resource("AWS::ElastiCache::ServerlessCache", {"Engine": "valkey", "SnapshotRetentionLimit": 1})
    },
    "kafka": {
        "It": resource("AWS::MSK::Cluster", {"NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": BROKERS})
    },
    "express kafka": {
        "It": resource(
            "AWS::MSK::Cluster",
            {
                "NumberOfBrokerNodes": 3,
                "BrokerNodeGroupInfo": {**BROKERS, "InstanceType": "express.m7g.large"},
            },
        )
    },
    "serverless kafka": {"It": resource("AWS::MSK::ServerlessCluster")},
    "images": {"It": resource("AWS::ECR::Repository")},
    "vault": {
        "It": resource("AWS::Backup::BackupVault"),
        "Plan": resource("AWS::Backup::BackupPlan", {"BackupPlan": {"BackupPlanRule": [RULE]}}),
    },
    "service": {
        "It": resource("AWS::ECS::Service", {"LaunchType": "FARGATE", "TaskDefinition": {"Ref": "Task"}}),
        "Task": resource("AWS::ECS::TaskDefinition", {"Cpu": "256", "Memory": "512"}),
        "Scaling": resource(
            "AWS::ApplicationAutoScaling::ScalableTarget",
            {
                "MinCapacity": 1,
                "MaxCapacity": 9,
                "ScalableDimension": "ecs:service:DesiredCount",
                "ResourceId": {"Fn::Sub": "service/x/${It.Name}"},
            },
        ),
    },
    "files": {"It": resource("AWS::EFS::FileSystem", {"ThroughputMode": "elastic"})},
    "hose": {
        "It": resource("AWS::KinesisFirehose::DeliveryStream", {"ExtendedS3DestinationConfiguration": {}})
    },
    "record": {"It": resource("AWS::Route53::RecordSet", {"Region": "us-east-1"})},
}


def _with(system: str, usage: dict[str, Decimal]) -> Any:
    """The assembly of a system whose first resource declares every key: `usage`, and 1 for the others."""
    made = deepcopy(SYSTEMS[system])
    keys = rooms()[made["It"]["Type"]].usage
    values = {key: usage.get(key, Decimal(1)) for key in keys}
    made["It"]["Metadata"] = {
        "Workload": {key: {"value": f"{value:f}", "formula": key} for key, value in values.items()}
    }
    return assembly(made)


def _pairs() -> Iterator[tuple[str, str]]:
    for system, resources in SYSTEMS.items():
        for key in rooms()[resources["It"]["Type"]].usage:
            yield system, key


amounts = st.decimals(min_value=0, max_value=10**7, places=2)
scales = st.decimals(min_value=0, max_value=1_000, places=2)


@pytest.mark.parametrize(("system", "key"), list(_pairs()))
@settings(max_examples=12)
@given(values=st.tuples(amounts, amounts))
def test_more_of_any_usage_never_costs_less(system: str, key: str, values: tuple[Decimal, Decimal]) -> None:
    less, more = sorted(values)
    before, after = (price(_with(system, {key: value})).monthly_usd for value in (less, more))
    assert before <= after + ROUNDING


@pytest.mark.parametrize("system", sorted(SYSTEMS))
@settings(max_examples=15)
@given(value=amounts, some=scales, other=scales)
def test_more_traffic_never_costs_less_and_none_is_the_idle_bill(
    system: str, value: Decimal, some: Decimal, other: Decimal
) -> None:
    keys = rooms()[SYSTEMS[system]["It"]["Type"]].usage
    built = _with(system, {key: value for key, usage in keys.items() if usage.scales})
    less, more = (price(built, traffic=traffic) for traffic in sorted([some, other]))
    assert less.monthly_usd <= more.monthly_usd + ROUNDING
    assert less.idle_usd == more.idle_usd == price(built, traffic=Decimal(0)).monthly_usd
    assert less.idle_usd <= less.monthly_usd + ROUNDING


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_the_idle_bill_needs_no_declared_usage(system: str) -> None:
    without = price(assembly(SYSTEMS[system]))
    still = {key: Decimal(0) for key in rooms()[SYSTEMS[system]["It"]["Type"]].usage}
    assert without.monthly_usd == without.idle_usd == price(_with(system, still)).monthly_usd


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_every_line_says_how_it_was_made_and_at_what_grade(system: str) -> None:
    for line in price(_with(system, {})).lines:
        assert "$" in line.formula
        assert line.grade in "ABCD"


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_every_limit_names_a_page_of_aws_and_grows_with_traffic(system: str) -> None:
    built = _with(system, {})
    ten = {each.limit: each for each in limits(built, Decimal(10))}
    for each in limits(built):
        assert each.source.startswith("https://docs.aws.amazon.com/")
        assert each.load <= ten[each.limit].load
        assert each.quota == ten[each.limit].quota


@given(floor=amounts, wanted=amounts, most=amounts)
def test_a_floor_and_what_is_above_it_are_the_whole(floor: Decimal, wanted: Decimal, most: Decimal) -> None:
    low, want, high = (constant(value, str(value)) for value in (floor, wanted, max(floor, most)))
    assert low.value + above(low, want, high).value == max(floor, min(wanted, high.value))


def test_a_fleet_that_cannot_grow_has_no_second_line() -> None:
    built = assembly({"It": resource("AWS::EC2::VPC")})
    [vpc] = built.resources
    context = Context(built, rooms(), Decimal(1))
    two = constant(2, "2")
    assert grown(context, vpc, "egress_gb_per_month", two, two).more is None
    assert grown(context, vpc, "egress_gb_per_month", two).more is not None
