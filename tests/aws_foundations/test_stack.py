"""What the stack becomes as it grows: the sizes, and what pays only at one."""

from __future__ import annotations

from tests.conftest import Synthesized
from workbench.assembly import Assembly, Resource

NAME = "aws_foundations"


def _only(assembly: Assembly, kind: str) -> Resource:
    [found] = [each for each in assembly.resources if each.type == kind]
    return found


def test_an_endpoint_for_logs_is_made_when_it_is_cheaper_than_the_nat(synthesized: Synthesized) -> None:
    """626 GB a month in three zones: the page says how that is reckoned."""
    endpoints = {
        users: [
            each
            for each in synthesized(NAME, users, "production").resources
            if each.type == "AWS::EC2::VPCEndpoint" and each.properties["VpcEndpointType"] == "Interface"
        ]
        for users in (10_000_000, 20_000_000)
    }
    assert [len(found) for found in endpoints.values()] == [0, 1]
    [made] = endpoints[20_000_000]
    assert str(made.properties["ServiceName"]).endswith(".logs")
    assert made.workload["processed_gb_per_month"].value > 626


def test_machines_nodes_and_stores_follow_the_load(synthesized: Synthesized) -> None:
    small, large = (synthesized(NAME, users, "production") for users in (1_000, 10_000_000))
    for kind, path in (
        ("AWS::AutoScaling::AutoScalingGroup", ("MaxSize",)),
        ("AWS::EKS::Nodegroup", ("ScalingConfig", "MinSize")),
        ("AWS::RDS::DBInstance", ("AllocatedStorage",)),
        ("AWS::MSK::Cluster", ("BrokerNodeGroupInfo", "StorageInfo", "EBSStorageInfo", "VolumeSize")),
    ):
        before, after = (_at(_only(assembly, kind), path) for assembly in (small, large))
        assert after > before, kind
    classes = [_only(each, "AWS::RDS::DBInstance").properties["DBInstanceClass"] for each in (small, large)]
    assert classes[0] != classes[1]


def test_a_sandbox_has_one_small_nat_machine_and_production_a_gateway_in_every_zone(
    synthesized: Synthesized,
) -> None:
    kinds = {
        stage: [each.type for each in synthesized(NAME, 1_000, stage).resources]
        for stage in ("sandbox", "production")
    }
    assert [kinds[stage].count("AWS::EC2::NatGateway") for stage in kinds] == [0, 3]
    assert [kinds[stage].count("AWS::EC2::Instance") for stage in kinds] == [1, 0]


def _at(resource: Resource, path: tuple[str, ...]) -> int:
    found = resource.properties
    for part in path:
        found = found[part]
    return int(str(found))
