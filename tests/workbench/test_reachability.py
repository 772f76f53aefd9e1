"""Who can reach whom, computed from small templates whose answer anybody can see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.assemblies import assembly, resource
from workbench.review.reachability import INTERNET, Reachability, Way, table

pytestmark = pytest.mark.fast

Resources = dict[str, dict[str, Any]]


def _ref(name: str, attribute: str | None = None) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}


def _group(*ingress: dict[str, Any], egress: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return resource(
        "AWS::EC2::SecurityGroup",
        {"SecurityGroupIngress": list(ingress), "SecurityGroupEgress": egress or []},
    )


def _tcp(port: int, **peer: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}


def _subnet(name: str, **route: Any) -> Resources:
    routes = {"DestinationCidrBlock": "0.0.0.0/0", "RouteTableId": _ref(f"{name}Table"), **route}
    found = {
        name: resource("AWS::EC2::Subnet"),
        f"{name}Table": resource("AWS::EC2::RouteTable"),
        f"{name}In": resource(
            "AWS::EC2::SubnetRouteTableAssociation",
            {"SubnetId": _ref(name), "RouteTableId": _ref(f"{name}Table")},
        ),
    }
    return found | ({f"{name}Out": resource("AWS::EC2::Route", routes)} if route else {})


def _network() -> Resources:
    """A balancer in a public subnet, an application in a private one, a database in an isolated one."""
    to_app = _tcp(8080, DestinationSecurityGroupId=_ref("AppGroup", "GroupId"))
    to_data = _tcp(5432, DestinationSecurityGroupId=_ref("DataGroup", "GroupId"))
    return {
        **_subnet("Public", GatewayId=_ref("Internet")),
        **_subnet("Private", NatGatewayId=_ref("Nat")),
        **_subnet("Isolated"),
        "FrontGroup": _group(_tcp(80, CidrIp="0.0.0.0/0"), egress=[to_app]),
        "AppGroup": _group(_tcp(8080, SourceSecurityGroupId=_ref("FrontGroup", "GroupId")), egress=[to_data]),
        "DataGroup": _group(_tcp(5432, SourceSecurityGroupId=_ref("AppGroup", "GroupId"))),
        "Front": resource(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            {"SecurityGroups": [_ref("FrontGroup", "GroupId")], "Subnets": [_ref("Public")]},
        ),
        "App": resource(
            "AWS::EC2::Instance",
            {"SecurityGroupIds": [_ref("AppGroup", "GroupId")], "SubnetId": _ref("Private")},
        ),
        "Subnets": resource("AWS::RDS::DBSubnetGroup", {"SubnetIds": [_ref("Isolated")]}),
        "Data": resource(
            "AWS::RDS::DBInstance",
            {"VPCSecurityGroups": [_ref("DataGroup", "GroupId")], "DBSubnetGroupName": _ref("Subnets")},
        ),
    }


def _of(resources: Resources) -> Reachability:
    return Reachability(assembly(resources))


def test_a_subnet_is_public_private_or_isolated_by_its_routes() -> None:
    assert _of(_network()).subnets() == {"Public": "public", "Private": "private", "Isolated": "isolated"}


def test_a_way_is_open_where_one_side_lets_out_and_the_other_lets_in() -> None:
    assert _of(_network()).ways() == [
        Way("App", "Data", "5432"),
        Way("Front", "App", "8080"),
        Way(INTERNET, "Front", "80"),
    ]


def test_without_the_rule_that_lets_out_there_is_no_way() -> None:
    network = _network()
    network["AppGroup"]["Properties"]["SecurityGroupEgress"] = []
    assert Way("App", "Data", "5432") not in _of(network).ways()


def test_a_port_that_is_let_out_is_not_the_one_that_is_let_in() -> None:
    network = _network()
    network["AppGroup"]["Properties"]["SecurityGroupEgress"][0].update({"FromPort": 1, "ToPort": 5431})
    assert Way("App", "Data", "5432") not in _of(network).ways()


def test_rules_beside_their_group_count_as_those_in_it() -> None:
    network = _network()
    moved = network["DataGroup"]["Properties"].pop("SecurityGroupIngress")[0]
    network["Beside"] = resource(
        "AWS::EC2::SecurityGroupIngress", {**moved, "GroupId": _ref("DataGroup", "GroupId")}
    )
    assert Way("App", "Data", "5432") in _of(network).ways()


def test_the_internet_reaches_what_is_open_and_public_and_nothing_else() -> None:
    network = _network()
    assert _of(network).from_outside() == [Way(INTERNET, "Front", "80")]
    network["DataGroup"]["Properties"]["SecurityGroupIngress"].append(_tcp(5432, CidrIp="0.0.0.0/0"))
    assert _of(network).from_outside() == [Way(INTERNET, "Front", "80")], "an isolated subnet has no route in"
    network["Subnets"]["Properties"]["SubnetIds"] = [_ref("Public")]
    assert Way(INTERNET, "Data", "5432") in _of(network).from_outside()


def test_the_group_that_a_cluster_makes_is_that_of_its_nodes() -> None:
    network = _network()
    cluster_group = _ref("Cluster", "ClusterSecurityGroupId")
    network["Cluster"] = resource(
        "AWS::EKS::Cluster", {"ResourcesVpcConfig": {"SubnetIds": [_ref("Private")]}}
    )
    network["Nodes"] = resource(
        "AWS::EKS::Nodegroup", {"ClusterName": _ref("Cluster"), "Subnets": [_ref("Private")]}
    )
    network["FromPods"] = resource(
        "AWS::EC2::SecurityGroupIngress",
        {**_tcp(5432, SourceSecurityGroupId=cluster_group), "GroupId": _ref("DataGroup", "GroupId")},
    )
    assert Way("Nodes", "Data", "5432") in _of(network).ways()


def test_the_machines_of_a_group_stand_behind_their_launch_templates_rules() -> None:
    network = _network()
    network["Template"] = resource(
        "AWS::EC2::LaunchTemplate",
        {"LaunchTemplateData": {"SecurityGroupIds": [_ref("AppGroup", "GroupId")]}},
    )
    network["Fleet"] = resource(
        "AWS::AutoScaling::AutoScalingGroup",
        {"LaunchTemplate": {"LaunchTemplateId": _ref("Template")}, "VPCZoneIdentifier": [_ref("Private")]},
    )
    reachability = _of(network)
    assert Way("Front", "Fleet", "8080") in reachability.ways()
    assert reachability.members()["Fleet"] == {"private"}


def test_a_port_that_only_deployment_knows_is_a_way_all_the_same() -> None:
    """As CDK writes the rules before a database: its port is an attribute."""
    network = _network()
    port = _ref("Data", "Endpoint.Port")
    late = {"FromPort": port, "ToPort": port}
    network["AppGroup"]["Properties"]["SecurityGroupEgress"][0].update(late)
    network["DataGroup"]["Properties"]["SecurityGroupIngress"][0].update(late)
    assert Way("App", "Data", "a port known only at deployment") in _of(network).ways()


def test_rules_that_only_deployment_knows_are_no_way() -> None:
    network = _network()
    perhaps = {"Fn::If": ["Perhaps", _tcp(1, CidrIp="0.0.0.0/0"), {"Ref": "AWS::NoValue"}]}
    network["FrontGroup"]["Properties"]["SecurityGroupIngress"].append(perhaps)
    network["AppGroup"]["Properties"]["SecurityGroupIngress"] = perhaps
    assert _of(network).ways() == [Way("App", "Data", "5432"), Way(INTERNET, "Front", "80")]


def test_a_protocol_without_ports_is_let_in_whole() -> None:
    network = _network()
    network["FrontGroup"]["Properties"]["SecurityGroupIngress"] = [
        {"IpProtocol": "50", "CidrIp": "0.0.0.0/0"}
    ]
    assert Way(INTERNET, "Front", "all") in _of(network).ways()


def test_the_table_has_a_row_a_way() -> None:
    lines = table(_of(_network())).splitlines()
    assert lines[2:] == [
        "| App | Data | 5432 | isolated |",
        "| Front | App | 8080 | private |",
        "| the internet | Front | 80 | public |",
    ]
