"""What joins networks, guards them and stands at their edge: dollars worked out by hand, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import resource, stack
from tests.bills import dollars, sum_of, undeclared, warnings
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review.cost import price

pytestmark = pytest.mark.fast

MILLION = 1_000_000
SUBNETS = ["subnet-a", "subnet-b"]


def refused(made: dict[str, Any], word: str, **others: dict[str, Any]) -> None:
    with pytest.raises(NotPriced, match=rf"Demo/It .*{word}"):
        sum_of({"It": made, **others})


# Between networks


def vpn(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::EC2::VPNConnection", {"Type": "ipsec.1", **(properties or {})}, **usage)


def test_an_attachment_pays_by_the_hour_and_for_what_it_sends_in_and_the_gateway_is_free() -> None:
    resources = {
        "Hub": resource("AWS::EC2::TransitGateway"),
        "Routes": resource("AWS::EC2::TransitGatewayRouteTable"),
        "Shop": resource("AWS::EC2::TransitGatewayVpcAttachment", processed_gb_per_month=500),
        "Bank": resource("AWS::EC2::TransitGatewayAttachment", processed_gb_per_month=0),
    }
    assert dollars(resources) == {
        "Transit gateway attachments": Decimal(73),  # 2 × 730 h × $0.05
        "Data into the transit gateway": Decimal(10),  # 500 GB × $0.02
    }
    assert sum_of(resources, traffic=0) == Decimal(73)


@pytest.mark.parametrize(("region", "paid"), [("eu-west-1", "2"), ("us-east-2", "1")])
def test_peering_pays_for_bytes_by_the_region_they_go_to(region: str, paid: str) -> None:
    made = resource(
        "AWS::EC2::TransitGatewayPeeringAttachment", {"PeerRegion": region}, sent_gb_per_month=100
    )
    assert dollars({"It": made}) == {
        "Peering attachments": Decimal("36.5"),
        f"Data to {region}": Decimal(paid),
    }
    assert "the other side" in warnings({"It": made})[0]


def test_peering_within_a_region_pays_the_hour_alone_and_refuses_bytes() -> None:
    kind, inside = "AWS::EC2::TransitGatewayPeeringAttachment", {"PeerRegion": "us-east-1"}
    assert sum_of({"It": resource(kind, inside)}) == Decimal("36.5")
    refused(resource(kind, inside, sent_gb_per_month=1), "nothing is paid within a region")
    refused(resource(kind, {"PeerRegion": "ap-southeast-7"}), "PeerRegion is ap-southeast-7")
    refused(
        resource(kind, {"PeerRegion": {"Fn::ImportValue": "x"}}), "PeerRegion is .*known only at deployment"
    )


def test_a_vpn_pays_for_the_addresses_of_both_tunnels_and_on_a_transit_gateway_for_its_attachment() -> None:
    to_vpc = vpn({"VpnGatewayId": "vgw-1"}, egress_gb_per_month=100)
    to_hub = vpn({"TransitGatewayId": "tgw-1"}, egress_gb_per_month=0, processed_gb_per_month=100)
    assert dollars({"ToVpc": to_vpc}) == {
        "VPN connections": Decimal("36.5"),  # 730 h × $0.05
        "Public addresses (IPv4)": Decimal("7.3"),  # 2 × 730 h × $0.005
        "Data out (internet)": Decimal(9),  # 100 GB × $0.09
    }
    assert sum_of({"ToHub": to_hub}) == Decimal("82.3")  # 36.5 + 7.3 + 730 h × $0.05 + 100 GB × $0.02


def test_a_private_vpn_has_neither_public_addresses_nor_bytes_to_the_internet() -> None:
    private = {"TransitGatewayId": "tgw-1", "OutsideIpAddressType": "PrivateIpv4"}
    assert sum_of({"It": vpn(private)}) == Decimal(73)  # 730 h × ($0.05 + $0.05)
    assert undeclared({"It": vpn(private)}) == ["Data into the transit gateway"]
    refused(vpn(private, egress_gb_per_month=1), "Direct Connect")


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"EnableAcceleration": True}, "EnableAcceleration"),
        ({"VpnConcentratorId": "x"}, "VpnConcentratorId"),
        ({"TunnelBandwidth": "large"}, "TunnelBandwidth is large"),
        ({"PreSharedKeyStorage": "SecretsManager"}, "PreSharedKeyStorage is SecretsManager"),
        ({"OutsideIpAddressType": "Pigeon"}, "OutsideIpAddressType is Pigeon"),
    ],
)
def test_a_vpn_of_another_price_is_refused(properties: dict[str, Any], word: str) -> None:
    refused(vpn(properties), word)


def test_bytes_through_a_transit_gateway_that_a_vpn_is_not_on_are_refused() -> None:
    refused(vpn({"VpnGatewayId": "vgw-1"}, processed_gb_per_month=1), "on no transit gateway")


def test_a_client_vpn_pays_for_each_subnet_and_each_hour_of_each_client() -> None:
    association = resource("AWS::EC2::ClientVpnTargetNetworkAssociation", {"SubnetId": "subnet-a"})
    resources = {
        # 20 people, 8 hours on 20 days
        "Endpoint": resource(
            "AWS::EC2::ClientVpnEndpoint", connection_hours_per_month=3_200, egress_gb_per_month=0
        ),
        "One": association,
        "Two": association,
        "Route": resource("AWS::EC2::ClientVpnRoute"),
    }
    assert dollars(resources) == {
        "Client connections": Decimal(160),  # 3,200 h × $0.05
        "Client VPN associations": Decimal(146),  # 2 × 730 h × $0.10
    }
    refused(
        resource("AWS::EC2::ClientVpnEndpoint", {"TransitGatewayConfiguration": {"TransitGatewayId": "x"}}),
        "TransitGatewayConfiguration",
    )


def test_each_mirrored_interface_pays_by_the_hour() -> None:
    kinds = ("Session", "Filter", "FilterRule", "Target")
    made = {kind: resource(f"AWS::EC2::TrafficMirror{kind}") for kind in kinds}
    assert sum_of(made) == Decimal("10.95")  # 730 h × $0.015


def test_the_free_tier_of_an_address_manager_is_free_and_the_advanced_one_the_default() -> None:
    assert sum_of({"It": resource("AWS::EC2::IPAM", active_addresses=100)}) == Decimal("19.71")  # × $0.00027
    assert undeclared({"It": resource("AWS::EC2::IPAM")}) == ["Active addresses"]
    assert undeclared({"It": resource("AWS::EC2::IPAM", {"Tier": "free"})}) == []
    refused(resource("AWS::EC2::IPAM", {"Tier": "free"}, active_addresses=1), "Tier is free")


# Machines that are kept ready, or that EC2 chooses


def template(kind: str, **more: Any) -> dict[str, Any]:
    return resource("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"InstanceType": kind, **more}})


def reservation(**more: Any) -> dict[str, Any]:
    properties = {"InstancePlatform": "Linux/UNIX", "InstanceType": "m7g.large", "InstanceCount": 3}
    return resource("AWS::EC2::CapacityReservation", {**properties, **more})


def test_a_reservation_pays_as_what_it_holds_and_what_runs_in_it_pays_once() -> None:
    assert sum_of({"It": reservation()}) == Decimal("178.704")  # 3 × 730 h × $0.0816
    target = {"CapacityReservationTarget": {"CapacityReservationId": {"Ref": "It"}}}
    resources = {
        "It": reservation(InstanceMatchCriteria="targeted"),
        "Template": template("m7g.large", CapacityReservationSpecification=target),
        "Group": resource(
            "AWS::AutoScaling::AutoScalingGroup",
            {"MinSize": "2", "MaxSize": "2", "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}},
        ),
    }
    assert dollars(resources)["Reserved instances (m7g.large)"] == Decimal(
        "59.568"
    )  # one is left: 730 × $0.0816
    assert warnings(resources) == ()
    assert "it is open" in warnings({"It": reservation()})[0]


def test_more_than_is_reserved_leaves_nothing_to_pay_for_the_reservation() -> None:
    target = {"CapacityReservationTarget": {"CapacityReservationId": {"Ref": "It"}}}
    server = resource("AWS::EC2::Instance", {"LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}})
    resources = {
        "It": reservation(InstanceCount=1),
        "Template": template("m7g.large", CapacityReservationSpecification=target),
        "One": server,
        "Two": server,
    }
    assert "Reserved instances (m7g.large)" not in dollars(resources)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"InstancePlatform": "Windows"}, "InstancePlatform is Windows"),
        ({"Tenancy": "dedicated"}, "Tenancy is dedicated"),
        ({"EndDate": "2027-01-01T00:00:00Z"}, "EndDate"),
        ({"InstanceCount": {"Ref": "AWS::Partition"}}, "InstanceCount"),
    ],
)
def test_a_reservation_of_another_price_is_refused(more: dict[str, Any], word: str) -> None:
    refused(reservation(**more), word)


def spot_fleet(**config: Any) -> dict[str, Any]:
    return resource("AWS::EC2::SpotFleet", {"SpotFleetRequestConfigData": config})


def of(name: str) -> dict[str, Any]:
    return {"LaunchTemplateId": {"Ref": name}, "Version": "1"}


def test_spot_is_counted_at_its_ceiling_the_price_on_demand_of_the_dearest_way_to_fill_the_fleet() -> None:
    overrides = [
        {"InstanceType": "m7g.large", "WeightedCapacity": 1},  # 5 × $0.0816 = $0.408
        {"InstanceType": "m7g.xlarge", "WeightedCapacity": 2},  # 3 × $0.1632 = $0.4896: 5 ÷ 2, rounded up
    ]
    resources = {
        "Template": template("t4g.small"),
        "It": spot_fleet(
            TargetCapacity=5,
            LaunchTemplateConfigs=[{"LaunchTemplateSpecification": of("Template"), "Overrides": overrides}],
        ),
    }
    assert dollars(resources) == {
        "Instances (m7g.xlarge, Spot at most)": Decimal("357.408"),  # 730 h × $0.4896
        "Volumes (gp3)": Decimal("1.92"),  # 3 × 8 GB × $0.08
    }
    said = warnings(resources)
    assert "the price of Spot moves; on demand, which is counted, is its ceiling" in said[0]
    assert "the dearest is counted" in said[1]


def test_the_units_of_a_fleet_that_nobody_says_the_market_of_are_its_defaults() -> None:
    config = [{"LaunchTemplateSpecification": of("Template")}]

    def fleet(**capacity: Any) -> dict[str, Decimal]:
        settings = {"TargetCapacitySpecification": capacity, "LaunchTemplateConfigs": config}
        return dollars({"Template": template("t4g.small"), "It": resource("AWS::EC2::EC2Fleet", settings)})

    on_demand, spot = "Instances (t4g.small, on demand)", "Instances (t4g.small, Spot at most)"
    each = Decimal("12.264")  # 730 h × $0.0168
    assert fleet(TotalTargetCapacity=2)[on_demand] == 2 * each
    mixed = fleet(TotalTargetCapacity=5, OnDemandTargetCapacity=1, DefaultTargetCapacityType="spot")
    assert (mixed[on_demand], mixed[spot]) == (each, 4 * each)


def test_a_launch_specification_has_its_subnet_and_its_monitoring_paid() -> None:
    resources = {
        "Public": resource("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": True}),
        "It": spot_fleet(
            TargetCapacity=2,
            LaunchSpecifications=[
                {
                    "InstanceType": "c7g.large",
                    "SubnetId": {"Ref": "Public"},
                    "Monitoring": {"Enabled": True},
                }
            ],
        ),
    }
    paid = dollars(resources)
    assert paid["Public addresses (IPv4)"] == Decimal("7.3")  # 2 × 730 h × $0.005
    assert paid["Detailed monitoring (metrics)"] == Decimal("4.2")  # 2 × 7 × $0.30


def test_what_a_fleet_sends_and_its_credits_are_one_line_whatever_the_market() -> None:
    public = template("t4g.small", NetworkInterfaces=[{"AssociatePublicIpAddress": True}])
    capacity = {"TotalTargetCapacity": 2, "SpotTargetCapacity": 1}
    config = [{"LaunchTemplateSpecification": of("Template")}]
    made = resource(
        "AWS::EC2::EC2Fleet",
        {"TargetCapacitySpecification": capacity, "LaunchTemplateConfigs": config},
        egress_gb_per_month=100,
        surplus_vcpu_hours_per_month=10,
    )
    paid = dollars({"Template": public, "It": made})
    assert paid["Data out (internet)"] == 9  # 100 GB × $0.09
    assert paid["CPU credits (unlimited)"] == Decimal("0.5")  # 10 × $0.05
    assert paid["Public addresses (IPv4)"] == Decimal("7.3")  # 2 × 730 h × $0.005


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (spot_fleet(TargetCapacity=1), "neither launch specifications nor launch templates"),
        (spot_fleet(TargetCapacity=1, TargetCapacityUnitType="vcpu"), "TargetCapacityUnitType is vcpu"),
        (spot_fleet(LaunchSpecifications=[{"InstanceType": "c7g.large"}]), "TargetCapacity is None"),
        (
            spot_fleet(TargetCapacity=1, LaunchSpecifications=[{"InstanceRequirements": {"MemoryMiB": {}}}]),
            "InstanceRequirements",
        ),
        (
            resource(
                "AWS::EC2::EC2Fleet",
                {"TargetCapacitySpecification": {"DefaultTargetCapacityType": "capacity-block"}},
            ),
            "DefaultTargetCapacityType is capacity-block",
        ),
        (resource("AWS::EC2::EC2Fleet", {"ReservedCapacityOptions": {"x": 1}}), "ReservedCapacityOptions"),
    ],
)
def test_a_fleet_that_cannot_be_priced_is_refused(made: dict[str, Any], word: str) -> None:
    refused(made, word)


# Ways in


def test_an_accelerator_pays_its_hour_two_addresses_and_a_premium() -> None:
    made = resource("AWS::GlobalAccelerator::Accelerator", {"Name": "front"}, processed_gb_per_month=1_000)
    assert dollars({"It": made}) == {
        "Accelerators": Decimal("18.25"),  # 730 h × $0.025
        "Public addresses (IPv4)": Decimal("7.3"),  # 2 × 730 h × $0.005
        "Premium (North America, Europe)": Decimal(15),  # 1,000 GB × $0.015
    }
    assert sum_of({"It": made}, traffic=0) == Decimal("25.55")


def test_addresses_that_one_brings_to_an_accelerator_cost_nothing() -> None:
    both = {"Name": "front", "IpAddresses": ["192.0.2.1", "192.0.2.2"]}
    accelerator = resource("AWS::GlobalAccelerator::Accelerator", both)
    assert "Public addresses (IPv4)" not in dollars({"It": accelerator})


def test_the_premium_of_another_continent_is_refused() -> None:
    kind = "AWS::GlobalAccelerator::"
    refused(
        resource(f"{kind}Accelerator", {"Name": "front"}),
        "ap-south-1",
        Listener=resource(f"{kind}Listener", {"AcceleratorArn": {"Ref": "It"}}),
        Group=resource(
            f"{kind}EndpointGroup",
            {"ListenerArn": {"Ref": "Listener"}, "EndpointGroupRegion": "ap-south-1"},
        ),
    )


def test_a_classic_load_balancer_pays_for_an_address_in_each_zone_and_is_warned_of() -> None:
    made = resource(
        "AWS::ElasticLoadBalancing::LoadBalancer", {"Subnets": SUBNETS}, processed_gb_per_month=100
    )
    assert dollars({"It": made}) == {
        "Load balancers (classic)": Decimal("18.25"),  # 730 h × $0.025
        "Data through load balancers (classic)": Decimal("0.8"),  # 100 GB × $0.008
        "Public addresses (IPv4)": Decimal("7.3"),  # 2 × 730 h × $0.005
    }
    assert "$0.0225" in warnings({"It": made})[0]
    kind = "AWS::ElasticLoadBalancing::LoadBalancer"
    assert sum_of({"It": resource(kind, {"Scheme": "internal"})}) == Decimal("18.25")
    refused(
        resource(kind, {"AvailabilityZones": {"Fn::ImportValue": "x"}}), "AvailabilityZones is .*not a list"
    )


def test_verified_access_pays_by_application_and_refuses_tcp() -> None:
    def endpoint(kind: str, options: str, protocol: str, **usage: Any) -> dict[str, Any]:
        properties = {"EndpointType": kind, options: {"Protocol": protocol}}
        return resource("AWS::EC2::VerifiedAccessEndpoint", properties, **usage)

    wiki = endpoint("load-balancer", "LoadBalancerOptions", "https", processed_gb_per_month=10)
    assert sum_of({"It": wiki}) == Decimal("197.3")  # 730 h × $0.27 + 10 GB × $0.02
    refused(endpoint("network-interface", "NetworkInterfaceOptions", "tcp"), "Protocol is tcp")
    refused(endpoint("rds", "RdsOptions", "tcp"), "EndpointType is rds")


def test_a_lattice_service_pays_for_all_its_requests() -> None:
    made = resource("AWS::VpcLattice::Service", processed_gb_per_month=100, requests_per_month=10 * MILLION)
    # 730 h × $0.025 + 100 GB × $0.025 + 10 M × $0.0000001
    assert sum_of({"It": made}) == Decimal("18.25") + Decimal("2.5") + 1
    [line] = [each for each in price(_alone(made)).lines if each.component == "Requests"]
    assert "300,000 of each hour that are free" in line.formula


def _alone(made: dict[str, Any]) -> Assembly:
    return Assembly(Path(), (stack({"It": made}),))


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (
            resource(
                "AWS::ElasticLoadBalancing::LoadBalancer", {"Scheme": "internal"}, egress_gb_per_month=1
            ),
            "its Scheme is internal",
        ),
        (
            resource("AWS::GlobalAccelerator::Accelerator", {"Name": "x"}, delivered_gb_per_month=1),
            "FlowLogsEnabled is not set",
        ),
        (
            resource(
                "AWS::EC2::SpotFleet",
                {
                    "SpotFleetRequestConfigData": {
                        "TargetCapacity": 1,
                        "LaunchSpecifications": [{"InstanceType": "c7g.large"}],
                    }
                },
                egress_gb_per_month=1,
            ),
            "get no public address",
        ),
    ],
)
def test_usage_that_no_line_would_count_is_refused(made: dict[str, Any], word: str) -> None:
    refused(made, word)


# Guards


def firewall(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    mappings = {"SubnetMappings": [{"SubnetId": each} for each in SUBNETS]}
    return resource("AWS::NetworkFirewall::Firewall", {**mappings, **(properties or {})}, **usage)


def test_a_firewall_pays_in_every_zone_and_for_every_byte() -> None:
    assert dollars({"It": firewall(processed_gb_per_month=100)}) == {
        "Firewall endpoints (zonal)": Decimal("576.7"),  # 2 × 730 h × $0.395
        "Data inspected": Decimal("6.5"),  # 100 GB × $0.065
    }
    assert warnings({"It": firewall()}) == ()
    assert "takes off an hour" in warnings({"It": firewall(), "Nat": resource("AWS::EC2::NatGateway")})[0]


@pytest.mark.parametrize("name", ["TransitGatewayId", "VpcEndpoint", "NatGatewayMappings", "ProxySettings"])
def test_a_firewall_of_another_price_is_refused(name: str) -> None:
    refused(firewall({name: "x"}), name)


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        ({"TLSInspectionConfigurationArn": "arn"}, "inspects TLS"),
        (
            {"StatefulRuleGroupReferences": [{"ResourceArn": "arn:x/AttackInfrastructureStrictOrder"}]},
            "AttackInfrastructureStrictOrder",
        ),
    ],
)
def test_a_firewall_whose_policy_pays_more_is_refused(policy: dict[str, Any], word: str) -> None:
    made = resource("AWS::NetworkFirewall::FirewallPolicy", {"FirewallPolicy": policy})
    refused(firewall({"FirewallPolicyArn": {"Ref": "Policy"}}), word, Policy=made)


def subscription(destination: Any, **usage: Any) -> dict[str, Any]:
    return resource("AWS::VpcLattice::AccessLogSubscription", {"DestinationArn": destination}, **usage)


def test_logs_to_a_group_of_the_assembly_are_its_line_and_elsewhere_pay_by_their_delivery() -> None:
    here = {
        "Group": resource("AWS::Logs::LogGroup", {"RetentionInDays": 1}, ingested_gb_per_month=0),
        "It": subscription({"Fn::GetAtt": ["Group", "Arn"]}),
    }
    assert sum_of(here) == 0
    assert undeclared(here) == []
    counted_there = subscription({"Fn::GetAtt": ["Group", "Arn"]}, delivered_gb_per_month=1)
    refused(counted_there, "its log group is in this assembly", Group=here["Group"])
    elsewhere = subscription("arn:aws:logs:us-east-1::log-group:x", delivered_gb_per_month=100)
    assert dollars({"It": elsewhere}) == {"Logs delivered (to a log group elsewhere)": Decimal(50)}  # × $0.50
    bucket = subscription("arn:aws:s3:::x", delivered_gb_per_month=20_480)
    # 10,240 GB × $0.25 + 10,240 GB × $0.15
    assert dollars({"It": bucket}) == {"Logs delivered (to S3)": Decimal(4_096)}
    refused(subscription("arn:aws:firehose:us-east-1::deliverystream/x"), "firehose")


def test_logs_to_a_bucket_of_the_assembly_pay_for_their_delivery() -> None:
    resources = {
        "Bucket": resource("AWS::S3::Bucket"),
        "It": subscription({"Fn::GetAtt": ["Bucket", "Arn"]}, delivered_gb_per_month=4),
    }
    assert dollars(resources) == {"Logs delivered (to S3)": Decimal(1)}


def logging(*destinations: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    configs = [{"LogDestinationType": kind, "LogDestination": where} for kind, where in destinations]
    properties = {"LoggingConfiguration": {"LogDestinationConfigs": configs}, **more}
    return resource("AWS::NetworkFirewall::LoggingConfiguration", properties)


def test_logs_of_a_firewall_to_a_group_of_the_assembly_are_its_line() -> None:
    resources = {
        "Group": resource("AWS::Logs::LogGroup", {"RetentionInDays": 1}, ingested_gb_per_month=0),
        "It": logging(("CloudWatchLogs", {"logGroup": {"Ref": "Group"}})),
    }
    assert sum_of(resources) == 0
    assert undeclared(resources) == []


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (logging(("KinesisDataFirehose", {})), "LogDestinationType is KinesisDataFirehose"),
        (
            logging(("S3", {"bucketName": "x"}), ("CloudWatchLogs", {"logGroup": "x"})),
            "one figure can't be of both",
        ),
        (logging(EnableMonitoringDashboard=True), "EnableMonitoringDashboard"),
    ],
)
def test_logs_of_a_firewall_that_cannot_be_priced_are_refused(made: dict[str, Any], word: str) -> None:
    refused(made, word)


def test_the_rules_of_a_group_pay_and_so_does_what_they_ask_of_people() -> None:
    def group(*actions: str, **usage: Any) -> dict[str, Any]:
        rules = [{"Name": action, "Action": {action: {}}} for action in actions]
        return resource("AWS::WAFv2::RuleGroup", {"Rules": rules}, **usage)

    assert sum_of({"It": group("Block", "Count", "Allow")}) == 3  # × $1
    assert sum_of({"It": group()}) == 0
    asking = group("Captcha", "Challenge", captchas_per_month=10_000, challenges_per_month=MILLION)
    # 2 rules × $1, 10,000 × $0.0004, 1 M × $0.0000004
    assert dollars({"It": asking}) == {"Rules": 2, "Captchas": 4, "Challenges": Decimal("0.4")}
    assert undeclared({"It": group("Captcha")}) == ["Captchas"]
    refused(group("Block", captchas_per_month=1), "none of its rules answers with a Captcha")
    refused(resource("AWS::WAFv2::RuleGroup", {"MonetizationConfig": {"x": 1}}), "MonetizationConfig")


def test_a_subscription_to_shield_is_paid_once_however_much_it_protects() -> None:
    zone = resource("AWS::Route53::HostedZone", queries_per_month=0)
    protection = resource("AWS::Shield::Protection", {"ResourceArn": {"Ref": "Zone"}})
    resources = {"Zone": zone, "One": protection, "Two": protection}
    assert dollars(resources) == {"Subscriptions": Decimal(3_000), "Hosted zones": Decimal("0.5")}
    assert len(warnings(resources)) == 1


def test_what_leaves_a_protected_load_balancer_pays_by_tiers_and_of_the_rest_no_price_is_known() -> None:
    kind = "AWS::Shield::Protection"
    balancer = resource(
        "AWS::ElasticLoadBalancingV2::LoadBalancer", {"Scheme": "internal", "Subnets": SUBNETS}
    )
    made = resource(kind, {"ResourceArn": {"Ref": "Front"}}, egress_gb_per_month=204_800)
    # 102,400 GB × $0.05 + 102,400 GB × $0.04
    assert dollars({"Front": balancer, "It": made})["Data out (protected)"] == Decimal(9_216)
    address = resource(kind, {"ResourceArn": {"Ref": "Address"}})
    refused(address, "it protects AWS::EC2::EIP", Address=resource("AWS::EC2::EIP"))
    refused(resource(kind, {"ResourceArn": "arn:aws:x"}), "it protects arn:aws:x")
    zone = resource("AWS::Route53::HostedZone")
    refused(
        resource(kind, {"ResourceArn": {"Ref": "Zone"}}, egress_gb_per_month=1), "sends nothing", Zone=zone
    )


# Names


def test_a_resolver_endpoint_pays_for_each_of_its_addresses() -> None:
    def endpoint(**more: Any) -> dict[str, Any]:
        properties = {"IpAddresses": [{"SubnetId": each} for each in SUBNETS], **more}
        return resource("AWS::Route53Resolver::ResolverEndpoint", properties, queries_per_month=MILLION)

    assert dollars({"It": endpoint()}) == {
        "Resolver endpoints (interfaces)": Decimal("182.5"),  # 2 × 730 h × $0.125
        "Queries (resolver endpoint)": Decimal("0.4"),
    }
    for name in ("OutpostArn", "RniEnhancedMetricsEnabled", "TargetNameServerMetricsEnabled"):
        refused(endpoint(**{name: True}), name)


def test_the_dns_firewall_pays_by_the_domain_and_by_the_query() -> None:
    kind = "AWS::Route53Resolver::Firewall"
    resources = {
        "List": resource(f"{kind}DomainList", {"Domains": ["a.example", "b.example"]}),
        "Rules": resource(f"{kind}RuleGroup", {"FirewallRules": [{"Action": "BLOCK"}]}),
        "AtVpc": resource(
            f"{kind}RuleGroupAssociation",
            {"FirewallRuleGroupId": {"Ref": "Rules"}},
            queries_per_month=2_000 * MILLION,
        ),
    }
    assert dollars(resources) == {
        "Domains (DNS firewall)": Decimal("0.001"),  # 2 × $0.0005
        "Queries (DNS firewall)": Decimal(1_000),  # 1,000 M × $0.60 + 1,000 M × $0.40 a million
    }
    refused(resource(f"{kind}DomainList", {"Domains": ["a"]}, domains=2), "Domains are in the template")
    refused(resource(f"{kind}DomainList", {}), "Domains is None")
    threats = resource(f"{kind}RuleGroup", {"FirewallRules": [{"DnsThreatProtection": "DGA"}]})
    refused(
        resource(f"{kind}RuleGroupAssociation", {"FirewallRuleGroupId": {"Ref": "Rules"}}),
        "DnsThreatProtection",
        Rules=threats,
    )


def records(*every: dict[str, Any], **usage: Any) -> dict[str, Any]:
    return resource("AWS::Route53::RecordSetGroup", {"RecordSets": list(every)}, **usage)


def test_a_group_of_records_pays_as_its_records_do_and_refuses_two_prices() -> None:
    near, there = {"Region": "us-east-1"}, {"GeoLocation": {"CountryCode": "DE"}}
    assert dollars({"It": records(near, near, queries_per_month=MILLION)}) == {
        "Queries (latency)": Decimal("0.6")
    }
    assert dollars({"It": records(there, {}, queries_per_month=MILLION)}) == {
        "Queries (place)": Decimal("0.7")
    }
    assert undeclared({"It": records({"AliasTarget": {"x": "y"}, **near}, {})}) == []
    refused(records(near, there), "at two prices")
    refused(records({}, queries_per_month=1), "aliases or plain")
    refused(records({"CidrRoutingConfig": {"x": "y"}}), "CidrRoutingConfig")


def test_signing_a_zone_is_free_and_its_policy_records_are_not_priced() -> None:
    resources = {
        "Signing": resource("AWS::Route53::DNSSEC"),
        "Key": resource("AWS::Route53::KeySigningKey"),
        "Record": resource("AWS::Route53::TrafficPolicyInstance"),
    }
    [unpriced] = price(Assembly(Path(), (stack(resources),))).unpriced
    assert (unpriced.resource, "by the month" in unpriced.why) == ("Record", True)


# Keys, certificates, directories, the edge


def test_a_private_ca_pays_by_the_month_and_its_certificates_by_tiers() -> None:
    def authority(**more: Any) -> dict[str, Any]:
        return resource("AWS::ACMPCA::CertificateAuthority", more)

    kind = "AWS::ACMPCA::CertificateAuthority"
    # 1,000 × $0.75 + 500 × $0.35
    paid = dollars({"It": resource(kind, certificates_per_month=1_500)})
    assert paid == {"Private CAs (general purpose)": Decimal(400), "Private certificates": Decimal(925)}
    short = {"UsageMode": "SHORT_LIVED_CERTIFICATE"}
    assert sum_of({"It": authority(**short)}) == 50
    assert "they are not counted" in warnings({"It": authority(**short)})[0]
    refused(resource(kind, short, certificates_per_month=1), "no price of a short-lived certificate")
    ocsp = {"OcspConfiguration": {"Enabled": True}}
    refused(authority(RevocationConfiguration=ocsp), "OcspConfiguration")


@pytest.mark.parametrize(
    ("spec", "paid"),
    [("SYMMETRIC_DEFAULT", 3), ("RSA_2048", 3), ("HMAC_256", 3), ("ECC_NIST_P256", 15)],
)
def test_a_replica_of_a_key_pays_as_the_key_it_is_of(spec: str, paid: int) -> None:
    resources = {
        "Key": resource("AWS::KMS::Key", {"KeySpec": spec, "MultiRegion": True}, requests_per_month=0),
        "It": resource(
            "AWS::KMS::ReplicaKey",
            {"PrimaryKeyArn": {"Fn::GetAtt": ["Key", "Arn"]}},
            requests_per_month=MILLION,
        ),
    }
    assert sum_of(resources) == 2 + paid  # two keys, and a million requests


def test_a_directory_is_two_controllers_of_the_dearer_edition_by_default() -> None:
    kind = "AWS::DirectoryService::MicrosoftAD"
    assert sum_of({"It": resource(kind)}) == 292  # 2 × 730 h × $0.20
    assert sum_of({"It": resource(kind, {"Edition": "Standard"})}) == Decimal("87.6")  # 2 × 730 h × $0.06
    refused(resource(kind, {"Edition": "Hybrid"}), "Edition is Hybrid")


def test_hsms_are_made_outside_the_template_and_declared() -> None:
    assert sum_of({"It": resource("AWS::CloudHSM::Cluster", hsms=2)}) == 2_336  # 2 × 730 h × $1.60
    assert undeclared({"It": resource("AWS::CloudHSM::Cluster")}) == ["HSMs"]


def test_extra_metrics_of_a_distribution_are_eight() -> None:
    def monitoring(status: Any) -> dict[str, Any]:
        config = {"RealtimeMetricsSubscriptionConfig": {"RealtimeMetricsSubscriptionStatus": status}}
        return resource("AWS::CloudFront::MonitoringSubscription", {"MonitoringSubscription": config})

    assert sum_of({"It": monitoring("Enabled")}) == Decimal("2.4")  # 8 × $0.30
    assert sum_of({"It": monitoring("Disabled")}) == 0
    refused(monitoring({"Ref": "AWS::Partition"}), "RealtimeMetricsSubscriptionStatus")


# Free for one value of a property, and not for another


@pytest.mark.parametrize(
    ("kind", "harmless", "paid"),
    [
        ("AWS::ECR::RegistryScanningConfiguration", {"ScanType": "BASIC"}, {"ScanType": "ENHANCED"}),
        (
            "AWS::Signer::SigningProfile",
            {"PlatformId": "AWSLambda-SHA384-ECDSA"},
            {"PlatformId": "AmazonFreeRTOS-Default"},
        ),
    ],
)
def test_what_is_free_is_refused_where_a_property_makes_it_pay(
    kind: str, harmless: dict[str, Any], paid: dict[str, Any]
) -> None:
    assert sum_of({"It": resource(kind, harmless)}) == 0
    refused(resource(kind, paid), "it is free unless")
