"""The types that MiniStack's CloudFormation lacks: made by its API, told by its describe calls, and gone again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.offline import ACCOUNT, create_stack, delete_stack, deployed, update_stack
from tests.templates import allow, get_att, policy, ref, resource, template
from workbench.dryrun.emulator import Emulator
from workbench.offline.stand_ins import compute, network, records

PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFkZ0n2Z1kM0nq1vXq6v1mF8Yq5rX
-----END PUBLIC KEY-----
"""
NOT_HERE = {
    "AWS::EC2::Instance",  # tests/workbench/test_programs.py runs one
    "AWS::ApiGatewayV2::RouteResponse",  # test_sockets.py
    # tests/patterns/test_delivery_offline.py
    "AWS::CodeConnections::Connection",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::CodePipeline::Pipeline",
}
STACK = "one-of-each"
Outputs = dict[str, str]


@pytest.fixture(scope="module")
def made(emulator: Emulator) -> Outputs:
    """A stack with one of each: what `Ref` answers for each of its resources."""
    resources = _resources()
    outputs = {name: ref(name) for name in resources} | {
        "Allocation": get_att("Address", "AllocationId"),
        "RuleId": get_att("Incoming", "Id"),
        "SetArn": get_att("Addresses", "Arn"),
        "Range": get_att("Vpc", "CidrBlock"),
    }
    return create_stack(emulator.endpoint, STACK, template(resources, outputs))


def test_each_type_that_has_a_stand_in_is_deployed_here() -> None:
    deployed = {each["Type"] for each in _resources().values()}
    ours = {each.type for room in (network, compute, records) for each in room.STAND_INS}
    assert ours - NOT_HERE <= deployed


def test_a_vpc_tells_its_addresses(made: Outputs) -> None:
    assert made["Range"] == "10.1.0.0/16"


def test_a_private_subnets_way_out_is_the_nat_gateway(made: Outputs, emulator: Emulator) -> None:
    ec2 = emulator.endpoint.client("ec2")
    [gateway] = ec2.describe_nat_gateways(NatGatewayIds=[made["Nat"]])["NatGateways"]
    assert (gateway["SubnetId"], gateway["State"]) == (made["Subnet"], "available")
    assert gateway["Tags"] == [{"Key": "Name", "Value": "out"}]
    [table] = ec2.describe_route_tables(RouteTableIds=[made["Table"]])["RouteTables"]
    assert ("0.0.0.0/0", made["Nat"]) in [
        (each.get("DestinationCidrBlock"), each.get("NatGatewayId")) for each in table["Routes"]
    ]
    [address] = ec2.describe_addresses(AllocationIds=[made["Allocation"]])["Addresses"]
    assert address["PublicIp"] == made["Address"]


def test_rules_are_in_their_security_groups(made: Outputs, emulator: Emulator) -> None:
    ec2 = emulator.endpoint.client("ec2")
    [group] = ec2.describe_security_groups(GroupIds=[made["Group"]])["SecurityGroups"]
    [incoming] = [each for each in group["IpPermissions"] if each.get("FromPort") == 8080]
    assert [each["GroupId"] for each in incoming["UserIdGroupPairs"]] == [made["Group"]]
    assert any(each.get("FromPort") == 5432 for each in group["IpPermissionsEgress"])
    assert made["Incoming"] == made["RuleId"]
    assert made["Incoming"].startswith("sgr-")


def test_a_network_acl_has_its_entry_and_its_subnet(made: Outputs, emulator: Emulator) -> None:
    ec2 = emulator.endpoint.client("ec2")
    [acl] = ec2.describe_network_acls(NetworkAclIds=[made["Acl"]])["NetworkAcls"]
    assert [(each["RuleNumber"], each["RuleAction"]) for each in acl["Entries"]] == [(100, "allow")]
    assert [each["SubnetId"] for each in acl["Associations"]] == [made["Subnet"]]


def test_what_surrounds_the_network_is_described(made: Outputs, emulator: Emulator) -> None:
    ec2 = emulator.endpoint.client("ec2")
    [log] = ec2.describe_flow_logs(FlowLogIds=[made["FlowLog"]])["FlowLogs"]
    assert (log["ResourceId"], log["TrafficType"]) == (made["Vpc"], "REJECT")
    [peering] = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[made["Peering"]])[
        "VpcPeeringConnections"
    ]
    assert peering["Status"]["Code"] == "active"
    [vpc] = ec2.describe_vpcs(VpcIds=[made["Vpc"]])["Vpcs"]
    assert vpc["DhcpOptionsId"] == made["Options"]
    entries = ec2.get_managed_prefix_list_entries(PrefixListId=made["Prefixes"])["Entries"]
    assert [each["Cidr"] for each in entries] == ["192.0.2.0/24"]
    [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[made["Interface"]])[
        "NetworkInterfaces"
    ]
    assert interface["SubnetId"] == made["Subnet"]
    assert [each["KeyName"] for each in ec2.describe_key_pairs(KeyNames=["door"])["KeyPairs"]] == ["door"]


def test_what_other_services_keep_is_found_there(made: Outputs, emulator: Emulator) -> None:
    client = emulator.endpoint.client
    [selection] = client("backup").list_backup_selections(BackupPlanId=made["Plan"])["BackupSelectionsList"]
    assert selection["SelectionId"] == made["Selection"]
    assert client("route53").get_health_check(HealthCheckId=made["HealthCheck"])["HealthCheck"]["Id"]
    [listed] = client("wafv2").list_ip_sets(Scope="REGIONAL")["IPSets"]
    assert (listed["ARN"], made["Addresses"]) == (made["SetArn"], f"addresses|{listed['Id']}|REGIONAL")
    assert client("events").describe_archive(ArchiveName=made["Archive"])["ArchiveName"] == made["Archive"]
    assert [each["Name"] for each in client("events").list_connections()["Connections"]] == [
        made["Connection"]
    ]
    assert client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == [
        {"Arn": made["Provider"]}
    ]
    policy = client("sqs").get_queue_attributes(QueueUrl=made["Queue"], AttributeNames=["Policy"])
    assert json.loads(policy["Attributes"]["Policy"])["Statement"][0]["Sid"] == "One"
    [alarm] = client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert alarm["AlarmName"] == made["Composite"]


def test_public_parameters_answer_as_template_parameters_too(emulator: Emulator) -> None:
    image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
    layer = "/aws/service/powertools/python/arm64/python3.13/latest"
    wanted = {
        "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": image},
        "Layer": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": layer},
    }
    nothing = {"Wait": resource("CloudFormation::WaitConditionHandle")}
    asked = template(nothing, {name: ref(name) for name in wanted}) | {"Parameters": wanted}
    found, ssm = create_stack(emulator.endpoint, "parameters", asked), emulator.endpoint.client("ssm")
    assert ssm.get_parameter(Name=image)["Parameter"]["Value"] == found["Image"]
    [known] = emulator.endpoint.client("ec2").describe_images(ImageIds=[found["Image"]])["Images"]
    assert known["ImageId"] == found["Image"]
    layers = emulator.endpoint.client("lambda").get_layer_version_by_arn(Arn=found["Layer"])
    assert layers["LayerVersionArn"] == found["Layer"]
    elsewhere = emulator.endpoint.client("ssm", "eu-west-1").get_parameter(Name=image)["Parameter"]
    assert elsewhere["Value"].startswith("ami-")
    assert elsewhere["Value"] != found["Image"]


@pytest.mark.parametrize(
    "name",
    [
        "/aws/service/eks/optimized-ami/1.34/amazon-linux-2023/arm64/standard/recommended/image_id",
        "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
    ],
)
def test_the_images_of_nodes_are_public_parameters(emulator: Emulator, name: str) -> None:
    value = emulator.endpoint.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    assert value.startswith("ami-")


def test_a_parameter_that_nobody_has_put_is_still_not_there(emulator: Emulator) -> None:
    ssm = emulator.endpoint.client("ssm")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/aws/service/nothing-of-this-kind")


def test_deleting_the_stack_takes_it_all_away(made: Outputs, emulator: Emulator) -> None:
    delete_stack(emulator.endpoint, STACK)
    client = emulator.endpoint.client
    ec2 = client("ec2")
    assert made["Address"] not in [each["PublicIp"] for each in ec2.describe_addresses()["Addresses"]]
    gateways = ec2.describe_nat_gateways(NatGatewayIds=[made["Nat"]])["NatGateways"]
    assert {each["State"] for each in gateways} <= {"deleted"}
    assert ec2.describe_flow_logs()["FlowLogs"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert made["Acl"] not in [each["NetworkAclId"] for each in ec2.describe_network_acls()["NetworkAcls"]]
    own = [each for each in ec2.describe_managed_prefix_lists()["PrefixLists"] if each["OwnerId"] != "AWS"]
    assert own == []
    assert client("wafv2").list_ip_sets(Scope="REGIONAL")["IPSets"] == []
    assert client("events").list_archives()["Archives"] == []
    assert client("events").list_connections()["Connections"] == []
    assert client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []
    assert client("cloudtrail").describe_trails()["trailList"] == []
    assert client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert client("resource-groups").list_groups()["GroupIdentifiers"] == []
    assert client("route53").list_health_checks()["HealthChecks"] == []


# Each with a property that CloudFormation changes in place.
CHANGED: dict[str, dict[str, Any]] = {
    "AclEntry": {"RuleAction": "deny"},
    "Addresses": {"Addresses": ["198.51.100.0/24"]},
    "Patterns": {"RegularExpressionList": ["^/secret"]},
    "Trail": {"IsMultiRegionTrail": True},
    "Budget": {
        "Budget": {
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": 20, "Unit": "USD"},
        }
    },
    "Archive": {"EventPattern": {"source": ["b"]}},
    "Connection": {"Description": "another"},
    "Belonging": {"Description": "another"},
    "Door": {"Tags": [{"Key": "Name", "Value": "another"}]},
    "Capacity": {"Tags": [{"Key": "Name", "Value": "another"}]},
    "Keys": {
        "KeyGroupConfig": {"Name": "keys-of-another-stack", "Items": [ref("Key")], "Comment": "another"}
    },
    "Provider": {"ClientIdList": ["another"]},
}


def _others(*names: str) -> dict[str, Any]:
    """Some of the resources, under names that no other stack has."""
    found = {name: each for name, each in _resources().items() if name in names}
    for each in found.values():
        properties = each["Properties"]
        for key in ("Name", "KeyName", "BucketName", "Url", "PrefixListName"):
            if key in properties:
                properties[key] += "-of-another-stack"
        if "KeyGroupConfig" in properties:
            properties["KeyGroupConfig"] = {"Name": "keys-of-another-stack", "Items": [ref("Key")]}
        if "PublicKeyConfig" in properties:
            properties["PublicKeyConfig"] |= {"Name": "key-of-another-stack", "CallerReference": "2"}
    return found


def _with(resources: dict[str, Any], changed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        name: {**each, "Properties": each["Properties"] | changed.get(name, {})}
        for name, each in resources.items()
    }


def test_what_can_be_changed_in_place_is(emulator: Emulator) -> None:
    before = _others("Vpc", "Acl", "TrailBucket", "Bus", "Key", *CHANGED)
    outputs = {name: ref(name) for name in before}
    client = emulator.endpoint.client
    with deployed(emulator.endpoint, "changing", template(before, outputs)) as made:
        after = template(_with(before, CHANGED), outputs)
        assert update_stack(emulator.endpoint, "changing", after) == made
        [acl] = client("ec2").describe_network_acls(NetworkAclIds=[made["Acl"]])["NetworkAcls"]
        assert [(each["RuleNumber"], each["RuleAction"]) for each in acl["Entries"]] == [(100, "deny")]
        [budget] = [
            each
            for each in client("budgets").describe_budgets(AccountId=ACCOUNT)["Budgets"]
            if each["BudgetName"] == made["Budget"]
        ]
        assert float(budget["BudgetLimit"]["Amount"]) == 20
        addresses = client("wafv2").get_ip_set(**_waf(made["Addresses"]))["IPSet"]
        assert addresses["Addresses"] == ["198.51.100.0/24"]
        patterns = client("wafv2").get_regex_pattern_set(**_waf(made["Patterns"]))["RegexPatternSet"]
        assert patterns["RegularExpressionList"] == [{"RegexString": "^/secret"}]
        trail = client("cloudtrail").get_trail(Name=made["Trail"])["Trail"]
        assert trail["IsMultiRegionTrail"] is True
        archive = client("events").describe_archive(ArchiveName=made["Archive"])
        assert json.loads(archive["EventPattern"]) == {"source": ["b"]}
        assert client("events").describe_connection(Name=made["Connection"])["Description"] == "another"
        group = client("resource-groups").get_group(GroupName=made["Belonging"])["Group"]
        assert group["Description"] == "another"
        [door] = client("ec2").describe_key_pairs(KeyNames=[made["Door"]])["KeyPairs"]
        tags = client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [door["KeyPairId"]]}])
        assert [each["Value"] for each in tags["Tags"]] == ["another"]
        providers = client("ecs").describe_capacity_providers(
            capacityProviders=[made["Capacity"]], include=["TAGS"]
        )["capacityProviders"]
        assert [each["tags"] for each in providers] == [[{"key": "Name", "value": "another"}]]
        keys = client("cloudfront").get_key_group(Id=made["Keys"])["KeyGroup"]["KeyGroupConfig"]
        assert keys["Comment"] == "another"
        provider = client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=made["Provider"])
        assert provider["ClientIDList"] == ["another"]


def _waf(physical_id: str) -> dict[str, str]:
    return dict(zip(("Name", "Id", "Scope"), physical_id.split("|"), strict=True))


def test_what_is_renamed_is_there_as_it_was_after_a_rollback(emulator: Emulator) -> None:
    before = _others("Vpc", "Acl", "AclEntry", "Addresses", "Door")
    renamed: dict[str, dict[str, Any]] = {
        "AclEntry": {"RuleNumber": 200},
        "Addresses": {"Name": "renamed"},
        "Door": {"KeyName": "renamed"},
    }
    rule = {"GroupId": "sg-of-nobody", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "0.0.0.0/0"}
    refused = resource("EC2::SecurityGroupIngress", **rule) | {"DependsOn": list(renamed)}
    after = _with(before, renamed) | {"Refused": refused}
    outputs = {name: ref(name) for name in before}
    client = emulator.endpoint.client
    with deployed(emulator.endpoint, "renaming", template(before, outputs)) as made:
        with pytest.raises(AssertionError, match="sg-of-nobody"):
            update_stack(emulator.endpoint, "renaming", template(after, outputs))
        [acl] = client("ec2").describe_network_acls(NetworkAclIds=[made["Acl"]])["NetworkAcls"]
        assert [each["RuleNumber"] for each in acl["Entries"]] == [100]
        assert client("wafv2").get_ip_set(**_waf(made["Addresses"]))["IPSet"]["Addresses"]
        assert made["Door"] in [each["KeyName"] for each in client("ec2").describe_key_pairs()["KeyPairs"]]


def test_what_is_associated_anew_stays_so(emulator: Emulator) -> None:
    """A new association takes the place of the old one, which the stack takes away after that."""
    before = _others(
        "Vpc", "Subnet", "Acl", "AclSubnet", "Options", "OptionsOfVpc", "Firewall", "Balancer", "Guarded"
    )
    second = _others("Acl", "Options", "Firewall")
    second["Firewall"]["Properties"]["Name"] += "-the-second"
    before |= {f"{name}2": each for name, each in second.items()}
    switched: dict[str, dict[str, Any]] = {
        "AclSubnet": {"NetworkAclId": ref("Acl2")},
        "OptionsOfVpc": {"DhcpOptionsId": ref("Options2")},
        "Guarded": {"WebACLArn": get_att("Firewall2", "Arn")},
    }
    outputs = {name: ref(name) for name in before} | {"Second": get_att("Firewall2", "Arn")}
    client = emulator.endpoint.client
    with deployed(emulator.endpoint, "switching", template(before, outputs)) as made:
        update_stack(emulator.endpoint, "switching", template(_with(before, switched), outputs))
        [acl] = client("ec2").describe_network_acls(NetworkAclIds=[made["Acl2"]])["NetworkAcls"]
        assert [each["SubnetId"] for each in acl["Associations"]] == [made["Subnet"]]
        [vpc] = client("ec2").describe_vpcs(VpcIds=[made["Vpc"]])["Vpcs"]
        assert vpc["DhcpOptionsId"] == made["Options2"]
        guarding = client("wafv2").get_web_acl_for_resource(ResourceArn=made["Balancer"])["WebACL"]
        assert guarding["ARN"] == made["Second"]


def _resources() -> dict[str, Any]:
    anyone = allow("*", Sid="One", Principal="*", Resource="*")
    open_to_all = policy(anyone)
    made: dict[str, tuple[str, dict[str, Any]]] = {
        "Vpc": ("EC2::VPC", {"CidrBlock": "10.1.0.0/16"}),
        "Other": ("EC2::VPC", {"CidrBlock": "10.2.0.0/16"}),
        "Subnet": ("EC2::Subnet", {"VpcId": ref("Vpc"), "CidrBlock": "10.1.0.0/24"}),
        "Address": ("EC2::EIP", {"Domain": "vpc"}),
        "Nat": (
            "EC2::NatGateway",
            {
                "SubnetId": ref("Subnet"),
                "AllocationId": get_att("Address", "AllocationId"),
                "Tags": [{"Key": "Name", "Value": "out"}],
            },
        ),
        "Table": ("EC2::RouteTable", {"VpcId": ref("Vpc")}),
        "Way": (
            "EC2::Route",
            {
                "RouteTableId": ref("Table"),
                "DestinationCidrBlock": "0.0.0.0/0",
                "NatGatewayId": ref("Nat"),
            },
        ),
        "Group": ("EC2::SecurityGroup", {"GroupDescription": "some", "VpcId": ref("Vpc")}),
        "Incoming": (
            "EC2::SecurityGroupIngress",
            {
                "GroupId": ref("Group"),
                "IpProtocol": "tcp",
                "FromPort": "8080",
                "ToPort": "8080",
                "SourceSecurityGroupId": ref("Group"),
            },
        ),
        "Outgoing": (
            "EC2::SecurityGroupEgress",
            {
                "GroupId": ref("Group"),
                "IpProtocol": "tcp",
                "FromPort": 5432,
                "ToPort": 5432,
                "CidrIp": "10.1.0.0/16",
            },
        ),
        "FlowLog": (
            "EC2::FlowLog",
            {
                "ResourceId": ref("Vpc"),
                "ResourceType": "VPC",
                "TrafficType": "REJECT",
                "LogGroupName": "flows",
                "DeliverLogsPermissionArn": "arn:aws:iam::000000000000:role/flows",
            },
        ),
        "Acl": ("EC2::NetworkAcl", {"VpcId": ref("Vpc")}),
        "AclEntry": (
            "EC2::NetworkAclEntry",
            {
                "NetworkAclId": ref("Acl"),
                "RuleNumber": 100,
                "Protocol": 6,
                "RuleAction": "allow",
                "CidrBlock": "0.0.0.0/0",
                "PortRange": {"From": 443, "To": 443},
            },
        ),
        "AclSubnet": (
            "EC2::SubnetNetworkAclAssociation",
            {"SubnetId": ref("Subnet"), "NetworkAclId": ref("Acl")},
        ),
        "Peering": ("EC2::VPCPeeringConnection", {"VpcId": ref("Vpc"), "PeerVpcId": ref("Other")}),
        "Options": ("EC2::DHCPOptions", {"DomainName": "inside.test"}),
        "OptionsOfVpc": (
            "EC2::VPCDHCPOptionsAssociation",
            {"VpcId": ref("Vpc"), "DhcpOptionsId": ref("Options")},
        ),
        "Prefixes": (
            "EC2::PrefixList",
            {
                "PrefixListName": "known",
                "AddressFamily": "IPv4",
                "MaxEntries": 3,
                "Entries": [{"Cidr": "192.0.2.0/24"}],
            },
        ),
        "Interface": ("EC2::NetworkInterface", {"SubnetId": ref("Subnet"), "GroupSet": [ref("Group")]}),
        "Second": ("EC2::VPCCidrBlock", {"VpcId": ref("Vpc"), "CidrBlock": "10.3.0.0/16"}),
        "OnlyOut": ("EC2::EgressOnlyInternetGateway", {"VpcId": ref("Vpc")}),
        "Fixed": ("EC2::EIP", {"Domain": "vpc"}),
        "Attached": (
            "EC2::EIPAssociation",
            {"AllocationId": get_att("Fixed", "AllocationId"), "NetworkInterfaceId": ref("Interface")},
        ),
        "Door": ("EC2::KeyPair", {"KeyName": "door"}),
        "Cluster": ("ECS::Cluster", {}),
        "Providers": (
            "ECS::ClusterCapacityProviderAssociations",
            {
                "Cluster": ref("Cluster"),
                "CapacityProviders": ["FARGATE"],
                "DefaultCapacityProviderStrategy": [{"CapacityProvider": "FARGATE", "Weight": 1}],
            },
        ),
        "Capacity": (
            "ECS::CapacityProvider",
            {
                "AutoScalingGroupProvider": {
                    "AutoScalingGroupArn": "arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:1"
                }
            },
        ),
        "Linked": ("IAM::ServiceLinkedRole", {"AWSServiceName": "autoscaling.amazonaws.com"}),
        "Scalable": (
            "ApplicationAutoScaling::ScalableTarget",
            {
                "ResourceId": "service/a/b",
                "ScalableDimension": "ecs:service:DesiredCount",
                "ServiceNamespace": "ecs",
                "MinCapacity": 1,
                "MaxCapacity": 2,
            },
        ),
        "Scaling": (
            "ApplicationAutoScaling::ScalingPolicy",
            {
                "PolicyName": "p",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": ref("Scalable"),
            },
        ),
        "Vault": ("Backup::BackupVault", {"BackupVaultName": "vault"}),
        "Plan": (
            "Backup::BackupPlan",
            {
                "BackupPlan": {
                    "BackupPlanName": "plan",
                    "BackupPlanRule": [{"RuleName": "daily", "TargetBackupVault": ref("Vault")}],
                }
            },
        ),
        "Selection": (
            "Backup::BackupSelection",
            {
                "BackupPlanId": ref("Plan"),
                "BackupSelection": {
                    "SelectionName": "all",
                    "IamRoleArn": "arn:aws:iam::000000000000:role/backups",
                    "Resources": ["*"],
                },
            },
        ),
        "HealthCheck": (
            "Route53::HealthCheck",
            {
                "HealthCheckConfig": {
                    "Type": "HTTPS",
                    "FullyQualifiedDomainName": "example.com",
                    "ResourcePath": "/health",
                    "RequestInterval": "30",
                }
            },
        ),
        "Firewall": (
            "WAFv2::WebACL",
            {
                "Name": "firewall",
                "Scope": "REGIONAL",
                "DefaultAction": {"Allow": {}},
                "VisibilityConfig": {
                    "MetricName": "m",
                    "CloudWatchMetricsEnabled": False,
                    "SampledRequestsEnabled": False,
                },
            },
        ),
        "Balancer": ("ElasticLoadBalancingV2::LoadBalancer", {"Subnets": [ref("Subnet")]}),
        "Guarded": (
            "WAFv2::WebACLAssociation",
            {"ResourceArn": ref("Balancer"), "WebACLArn": get_att("Firewall", "Arn")},
        ),
        "FirewallLog": (
            "WAFv2::LoggingConfiguration",
            {"ResourceArn": get_att("Firewall", "Arn"), "LogDestinationConfigs": []},
        ),
        "Addresses": (
            "WAFv2::IPSet",
            {
                "Name": "addresses",
                "Scope": "REGIONAL",
                "IPAddressVersion": "IPV4",
                "Addresses": ["192.0.2.0/24"],
            },
        ),
        "Patterns": (
            "WAFv2::RegexPatternSet",
            {"Name": "patterns", "Scope": "REGIONAL", "RegularExpressionList": ["^/admin"]},
        ),
        "Document": ("SSM::Document", {"Name": "steps", "Content": {}}),
        "Association": ("SSM::Association", {"Name": ref("Document")}),
        "Composite": ("CloudWatch::CompositeAlarm", {"AlarmRule": "FALSE"}),
        "TrailBucket": ("S3::Bucket", {"BucketName": "trail-of-one-of-each"}),
        "Trail": ("CloudTrail::Trail", {"S3BucketName": ref("TrailBucket"), "IsLogging": True}),
        "Budget": (
            "Budgets::Budget",
            {
                "Budget": {
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": {"Amount": 10, "Unit": "USD"},
                }
            },
        ),
        "Bus": ("Events::EventBus", {"Name": "bus"}),
        "Archive": (
            "Events::Archive",
            {"SourceArn": get_att("Bus", "Arn"), "EventPattern": {"source": ["a"]}},
        ),
        "Connection": (
            "Events::Connection",
            {
                "AuthorizationType": "API_KEY",
                "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "k", "ApiKeyValue": "v"}},
            },
        ),
        "Destination": (
            "Events::ApiDestination",
            {
                "ConnectionArn": get_att("Connection", "Arn"),
                "HttpMethod": "POST",
                "InvocationEndpoint": "https://example.com/",
            },
        ),
        "Belonging": (
            "ResourceGroups::Group",
            {
                "Name": "belonging",
                "ResourceQuery": {"Type": "TAG_FILTERS_1_0", "Query": "{}"},
            },
        ),
        "Stream": ("Kinesis::Stream", {"ShardCount": 1}),
        "EdgeLog": (
            "CloudFront::RealtimeLogConfig",
            {
                "Name": "edge",
                "SamplingRate": 100,
                "Fields": ["timestamp"],
                "EndPoints": [
                    {
                        "StreamType": "Kinesis",
                        "KinesisStreamConfig": {
                            "RoleArn": "arn:aws:iam::000000000000:role/edge",
                            "StreamArn": get_att("Stream", "Arn"),
                        },
                    }
                ],
            },
        ),
        "Key": (
            "CloudFront::PublicKey",
            {"PublicKeyConfig": {"Name": "key", "CallerReference": "1", "EncodedKey": PEM}},
        ),
        "Keys": ("CloudFront::KeyGroup", {"KeyGroupConfig": {"Name": "keys", "Items": [ref("Key")]}}),
        "RegistryPolicy": ("ECR::RegistryPolicy", {"PolicyText": open_to_all}),
        "Replication": ("ECR::ReplicationConfiguration", {"ReplicationConfiguration": {"Rules": []}}),
        "Scanning": ("ECR::RegistryScanningConfiguration", {"ScanType": "BASIC", "Rules": []}),
        "Through": ("ECR::PullThroughCacheRule", {"EcrRepositoryPrefix": "public"}),
        "Topic": ("SNS::Topic", {}),
        "TopicPolicy": ("SNS::TopicInlinePolicy", {"TopicArn": ref("Topic"), "PolicyDocument": open_to_all}),
        "Queue": ("SQS::Queue", {}),
        "QueuePolicy": ("SQS::QueueInlinePolicy", {"Queue": ref("Queue"), "PolicyDocument": open_to_all}),
        "Provider": (
            "IAM::OIDCProvider",
            {
                "Url": "https://token.example.com",
                "ClientIdList": ["sts.amazonaws.com"],
                "ThumbprintList": ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"],
            },
        ),
    }
    return {name: resource(kind, **properties) for name, (kind, properties) in made.items()}
