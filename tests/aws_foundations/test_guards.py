"""Take one guard away, and a test is red: those of the network, of the machines and of the stores.

The condition that counts an entry once is taken away in test_handlers.py, the service's own guards in its own
tests (services/aws_foundations/tests/guards.test.js).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import test_every_blueprint as contract
from tests.assemblies import changed
from tests.conftest import Synthesized
from tests.guards import Guard, assert_missed, for_each, of_type, remove
from tests.templates import Template
from workbench.assembly import Assembly
from workbench.review.reachability import INTERNET, Reachability, Way

ANYBODY = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "0.0.0.0/0"}


def _only(template: Template, kind: str) -> dict[str, Any]:
    [found] = of_type(template, kind)
    return dict(found["Properties"])


def _public_subnets(template: Template) -> list[dict[str, str]]:
    return [
        {"Ref": name}
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::EC2::Subnet" and "PublicSubnet" in name
    ]


def _with_the_machines_outside(template: Template) -> None:
    _only(template, "AWS::AutoScaling::AutoScalingGroup")["VPCZoneIdentifier"][:] = _public_subnets(template)


def _with_another_port_open(template: Template) -> None:
    for group in of_type(template, "AWS::EC2::SecurityGroup"):
        for rule in group["Properties"].get("SecurityGroupIngress", []):
            if rule.get("CidrIp") == "0.0.0.0/0":
                rule.update({"FromPort": 22, "ToPort": 22})


def _without_flow_logs(template: Template) -> None:
    remove(template, lambda each: each["Type"] == "AWS::EC2::FlowLog")


def _without_free_endpoints(template: Template) -> None:
    remove(template, lambda each: each["Type"] == "AWS::EC2::VPCEndpoint")


def _with_a_key_pair(template: Template) -> None:
    _only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["KeyName"] = "mine"


def _with_metadata_for_anybody(template: Template) -> None:
    data = _only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    data["MetadataOptions"]["HttpTokens"] = "optional"


def _without_leave_to_read_the_topic(template: Template) -> None:
    for policy in of_type(template, "AWS::IAM::Policy"):
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        statements[:] = [each for each in statements if "kafka-cluster:ReadData" not in each["Action"]]


GUARDS: list[Guard] = [
    (_with_the_machines_outside, contract.test_the_internet_reaches_load_balancers_and_nothing_else),
    (_with_another_port_open, contract.test_the_internet_reaches_load_balancers_and_nothing_else),
    (_without_flow_logs, contract.test_a_network_is_logged_and_has_its_free_endpoints),
    (_without_free_endpoints, contract.test_a_network_is_logged_and_has_its_free_endpoints),
    (_with_a_key_pair, contract.test_a_machine_has_no_key_and_its_metadata_needs_a_token),
    (_with_metadata_for_anybody, contract.test_a_machine_has_no_key_and_its_metadata_needs_a_token),
    (_without_leave_to_read_the_topic, contract.test_what_is_wired_is_also_granted),
]


@for_each(GUARDS)
def test_a_guard_of_the_template_taken_away_turns_its_test_red(
    guard: Guard, synthesized: Synthesized, tmp_path: Path
) -> None:
    assert_missed(guard, synthesized("aws_foundations", 1_000, "production"), tmp_path)


def test_a_private_subnet_has_no_route_in_from_outside(synthesized: Synthesized) -> None:
    reachability = Reachability(synthesized("aws_foundations", 1_000, "production"))
    assert _standings(reachability) == [
        *[("IsolatedSubnet", "isolated")] * 3,
        *[("PrivateSubnet", "private")] * 3,
        *[("PublicSubnet", "public")] * 3,
    ]
    assert reachability.from_outside() == [Way(INTERNET, "Web/Balancer", "80")]


def test_a_private_subnet_whose_way_out_is_the_internets_own_would_be_public(
    synthesized: Synthesized, tmp_path: Path
) -> None:
    def open_one(template: Template) -> None:
        for name, route in template["Resources"].items():
            if route["Type"] == "AWS::EC2::Route" and "PrivateSubnet1" in name:
                del route["Properties"]["NatGatewayId"]
                [gateway] = [
                    name
                    for name, each in template["Resources"].items()
                    if each["Type"] == "AWS::EC2::InternetGateway"
                ]
                route["Properties"]["GatewayId"] = {"Ref": gateway}

    opened = Assembly.load(changed(synthesized("aws_foundations", 1_000, "production"), tmp_path, open_one))
    assert ("PrivateSubnet", "public") in _standings(Reachability(opened))


def _standings(reachability: Reachability) -> list[tuple[str, str]]:
    """Each subnet's kind by its name, and what its routes make of it."""
    return sorted(
        (name.split("/")[2].rstrip("123"), standing) for name, standing in reachability.subnets().items()
    )


def test_with_its_database_open_and_outside_it_would_have_one(
    synthesized: Synthesized, tmp_path: Path
) -> None:
    def open_it(template: Template) -> None:
        for group in of_type(template, "AWS::EC2::SecurityGroup"):
            if "the database" in group["Properties"]["GroupDescription"]:
                group["Properties"]["SecurityGroupIngress"] = [ANYBODY]
        _only(template, "AWS::RDS::DBSubnetGroup")["SubnetIds"][:] = _public_subnets(template)

    whole = synthesized("aws_foundations", 1_000, "production")
    reachability = Reachability(Assembly.load(changed(whole, tmp_path, open_it)))
    assert Way(INTERNET, "Database/Instance", "5432") in reachability.from_outside()


def test_every_zone_has_what_the_service_needs(synthesized: Synthesized) -> None:
    """A subnet of each kind, a NAT gateway, a machine, a node and a broker in each of three zones."""
    assembly = synthesized("aws_foundations", 1_000, "production")
    found = {kind: [each for each in assembly.resources if each.type == kind] for kind in (
        "AWS::EC2::NatGateway", "AWS::AutoScaling::AutoScalingGroup", "AWS::EKS::Nodegroup", "AWS::MSK::Cluster"
    )}  # fmt: skip
    assert len(found["AWS::EC2::NatGateway"]) == 3
    [group], [nodes], [kafka] = (found[kind] for kind in list(found)[1:])
    assert (group.properties["MinSize"], len(group.properties["VPCZoneIdentifier"])) == ("3", 3)
    assert (nodes.properties["ScalingConfig"]["MinSize"], len(nodes.properties["Subnets"])) == (3, 3)
    assert kafka.properties["NumberOfBrokerNodes"] == 3
    assert len(kafka.properties["BrokerNodeGroupInfo"]["ClientSubnets"]) == 3
