"""Networks, their gateways and load balancers, names: dollars worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from tests.bills import dollars, limit, sum_of, undeclared, warnings
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review.capacity import undeclared as unchecked
from workbench.review.cost import price

pytestmark = pytest.mark.fast

MILLION = 1_000_000
SUBNETS = ["subnet-a", "subnet-b", "subnet-c"]


# NAT, addresses, endpoints


def test_a_nat_gateway_pays_by_the_hour_and_the_gigabyte_and_its_address_is_a_line_of_its_own() -> None:
    resources = {
        "Address": resource("AWS::EC2::EIP"),
        "Gateway": resource("AWS::EC2::NatGateway", processed_gb_per_month=1_000),
    }
    assert dollars(resources) == {
        "Public addresses (IPv4)": Decimal("3.65"),  # 730 h × $0.005
        "NAT gateways": Decimal("32.85"),  # 730 h × $0.045
        "Data through NAT": Decimal(45),  # 1,000 GB × $0.045
    }
    assert sum_of(resources, traffic=0) == Decimal("36.5")


def test_a_regional_nat_gateway_is_refused() -> None:
    with pytest.raises(NotPriced, match="AvailabilityMode is regional"):
        sum_of({"Gateway": resource("AWS::EC2::NatGateway", {"AvailabilityMode": "regional"})})


def test_each_address_of_a_nat_gateway_serves_55_000_connections_to_one_destination() -> None:
    one = resource("AWS::EC2::NatGateway", peak_connections=60_000)
    two = resource("AWS::EC2::NatGateway", {"SecondaryAllocationIds": ["a"]}, peak_connections=60_000)
    name = "Connections at once to one destination"
    assert limit({"Gateway": one}, name).breaks
    assert limit({"Gateway": two}, name).quota == Decimal(110_000)


@pytest.mark.parametrize(
    ("stage", "count", "warned"), [("sandbox", 3, 1), ("sandbox", 1, 0), ("production", 3, 0)]
)
def test_a_nat_gateway_for_each_zone_of_a_sandbox_is_warned_of_once(
    stage: str, count: int, warned: int
) -> None:
    gateways = {f"Gateway{zone}": resource("AWS::EC2::NatGateway") for zone in range(count)}
    built = stack(gateways, Metadata={"Workload": {"blueprint": "demo", "stage": stage}})
    assert len(price(Assembly(Path(), (built,))).warnings) == warned


def test_what_crosses_zones_is_paid_on_both_sides_and_what_leaves_by_tiers() -> None:
    vpc = resource("AWS::EC2::VPC", cross_zone_gb_per_month=100, egress_gb_per_month=20_480)
    assert dollars({"Vpc": vpc}) == {
        "Data between zones": Decimal(2),  # 100 GB × 2 × $0.01
        "Data out (internet)": Decimal("1792"),  # 10,240 GB × $0.09 + 10,240 GB × $0.085
    }
    assert undeclared({"Vpc": resource("AWS::EC2::VPC")}) == ["Data between zones", "Data out (internet)"]


def test_an_interface_endpoint_pays_in_every_zone_and_a_gateway_never() -> None:
    properties = {"VpcEndpointType": "Interface", "SubnetIds": SUBNETS}
    interface = resource("AWS::EC2::VPCEndpoint", properties, processed_gb_per_month=100)
    gateway = resource("AWS::EC2::VPCEndpoint", {"ServiceName": "s3"})
    assert dollars({"Interface": interface, "Gateway": gateway}) == {
        "Endpoints (interface)": Decimal("21.9"),  # 3 zones × 730 h × $0.01
        "Data through endpoints": Decimal(1),  # 100 GB × $0.01
    }


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (
            resource("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "ServiceNetwork"}),
            "ServiceNetwork",
        ),
        (resource("AWS::EC2::VPCEndpoint", processed_gb_per_month=1), "a gateway is free"),
        (
            resource(
                "AWS::EC2::VPCEndpoint",
                {"VpcEndpointType": "Interface", "SubnetIds": {"Fn::ImportValue": "x"}},
            ),
            "not a list",
        ),
    ],
)
def test_an_endpoint_that_cannot_be_priced_is_refused(made: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": made})


def test_flow_logs_pay_for_their_delivery_to_s3_only() -> None:
    to_s3 = resource("AWS::EC2::FlowLog", {"LogDestinationType": "s3"}, delivered_gb_per_month=100)
    to_logs = resource("AWS::EC2::FlowLog", {"LogDestinationType": "cloud-watch-logs"})
    assert sum_of({"ToS3": to_s3, "ToLogs": to_logs}) == Decimal(25)  # 100 GB × $0.25
    with pytest.raises(NotPriced, match="parquet"):
        sum_of(
            {
                "It": resource(
                    "AWS::EC2::FlowLog",
                    {"LogDestinationType": "s3", "DestinationOptions": {"FileFormat": "parquet"}},
                )
            }
        )


def test_the_parts_of_a_network_are_free() -> None:
    kinds = ("Subnet", "RouteTable", "Route", "SecurityGroup", "SecurityGroupIngress", "InternetGateway")
    assert sum_of({kind: resource(f"AWS::EC2::{kind}") for kind in kinds}) == 0


# Load balancers


def balancer(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {"Scheme": "internal", "Subnets": SUBNETS, **(properties or {})},
        **usage,
    )


def test_a_load_balancer_that_faces_the_internet_pays_for_an_address_in_each_subnet() -> None:
    made = balancer({"Scheme": "internet-facing"}, new_connections_per_second=0, processed_gb_per_month=0)
    assert dollars({"Front": made}) == {
        "Load balancers (application)": Decimal("16.425"),  # 730 h × $0.0225
        "Public addresses (IPv4)": Decimal("10.95"),  # 3 × 730 h × $0.005
    }


@pytest.mark.parametrize(
    ("usage", "units"),
    [
        ({"new_connections_per_second": 50, "processed_gb_per_month": 730}, 1460),  # 50 ÷ 25 = 2; 1 GB/h = 1
        ({"new_connections_per_second": 1, "processed_gb_per_month": 7_300}, 7300),  # 10 GB/h
        (
            {
                "new_connections_per_second": 25,
                "processed_gb_per_month": 0,
                "active_connections_per_minute": 9_000,  # 9,000 ÷ 3,000
            },
            2190,
        ),
    ],
)
def test_the_dimension_that_is_used_most_makes_the_capacity_units(usage: dict[str, Any], units: int) -> None:
    paid = dollars({"Front": balancer(**usage)})["Capacity units (application)"]
    assert paid == units * Decimal("0.008")


def test_rules_beyond_ten_are_evaluated_at_a_price() -> None:
    resources: dict[str, Any] = {
        "Front": balancer(
            new_connections_per_second=0, processed_gb_per_month=0, requests_per_month=2_628 * MILLION
        ),
        "Listener": resource("AWS::ElasticLoadBalancingV2::Listener", {"LoadBalancerArn": {"Ref": "Front"}}),
    }
    for rule in range(14):
        resources[f"Rule{rule}"] = resource(
            "AWS::ElasticLoadBalancingV2::ListenerRule", {"ListenerArn": {"Ref": "Listener"}}
        )
    # 1,000 requests/s × 4 rules ÷ 1,000 = 4 units × 730 h × $0.008
    assert dollars(resources)["Capacity units (application)"] == Decimal("23.36")


@pytest.mark.parametrize(("protocol", "new"), [("TCP", 800), ("UDP", 400), ("TLS", 50)])
def test_a_network_load_balancer_bears_as_much_as_its_protocol_lets_it(protocol: str, new: int) -> None:
    resources = {
        "Front": balancer({"Type": "network"}, new_connections_per_second=new, processed_gb_per_month=0),
        "Listener": resource(
            "AWS::ElasticLoadBalancingV2::Listener",
            {"LoadBalancerArn": {"Ref": "Front"}, "Protocol": protocol},
        ),
    }
    # one unit × 730 h × $0.006
    assert dollars(resources)["Capacity units (network)"] == Decimal("4.38")


def test_the_protocol_that_bears_least_sets_the_units_of_all() -> None:
    resources = {
        "Front": balancer({"Type": "network"}, new_connections_per_second=50, processed_gb_per_month=0)
    }
    for protocol in ("TCP", "TLS"):
        resources[protocol] = resource(
            "AWS::ElasticLoadBalancingV2::Listener",
            {"LoadBalancerArn": {"Ref": "Front"}, "Protocol": protocol},
        )
    assert dollars(resources)["Capacity units (network)"] == Decimal("4.38")  # one unit of TLS


def test_elastic_addresses_of_a_network_load_balancer_are_not_paid_twice() -> None:
    mappings = [{"SubnetId": "a", "AllocationId": "x"}, {"SubnetId": "b"}]
    properties = {"Type": "network", "Scheme": "internet-facing", "SubnetMappings": mappings}
    assert dollars({"Front": balancer(properties)})["Public addresses (IPv4)"] == Decimal("3.65")


def test_a_load_balancer_whose_load_nobody_declared_says_so_and_keeps_its_floor() -> None:
    assert undeclared({"Front": balancer()}) == ["Capacity units (application)"]
    assert sum_of({"Front": balancer()}) == Decimal("16.425")


@pytest.mark.parametrize(
    "properties", [{"Type": "classic"}, {"MinimumLoadBalancerCapacity": {"CapacityUnits": 100}}]
)
def test_a_load_balancer_of_another_price_is_refused(properties: dict[str, Any]) -> None:
    with pytest.raises(NotPriced, match=r"Demo/Front .*(classic|MinimumLoadBalancerCapacity)"):
        sum_of({"Front": balancer(properties)})


# Names and their checks


def check(**config: Any) -> dict[str, Any]:
    return resource("AWS::Route53::HealthCheck", {"HealthCheckConfig": config})


@pytest.mark.parametrize(
    ("made", "paid"),
    [
        (check(Type="HTTP", IPAddress="192.0.2.1"), "0.75"),
        (check(Type="HTTP", FullyQualifiedDomainName="x.cloudfront.net"), "0.5"),
        (check(Type="HTTPS", FullyQualifiedDomainName="example.com"), "2.75"),  # 0.75 + 2
        # 0.75 + HTTPS, string matching, latency, fast interval: 4 × $2
        (
            check(
                Type="HTTPS_STR_MATCH",
                FullyQualifiedDomainName="example.com",
                MeasureLatency=True,
                RequestInterval=10,
            ),
            "8.75",
        ),
        (check(Type="CALCULATED"), "0.5"),
        (check(Type="CLOUDWATCH_METRIC"), "0.5"),
    ],
)
def test_a_health_check_pays_for_where_it_asks_and_what_it_looks_at(made: dict[str, Any], paid: str) -> None:
    assert sum_of({"Check": made}) == sum_of({"Check": made}, traffic=0) == Decimal(paid)


def test_an_endpoint_of_the_template_is_on_aws_also_behind_an_alias() -> None:
    resources = {
        "Front": balancer(new_connections_per_second=0, processed_gb_per_month=0),
        "Record": resource(
            "AWS::Route53::RecordSet", {"Name": "www.example.com.", "AliasTarget": {"DNSName": "front"}}
        ),
        "Direct": check(Type="TCP", FullyQualifiedDomainName={"Fn::GetAtt": ["Front", "DNSName"]}),
        "Named": check(Type="HTTP", FullyQualifiedDomainName="www.example.com"),
    }
    assert dollars(resources)["Health checks (on AWS)"] == Decimal(1)


def test_records_answered_by_latency_or_place_pay_by_the_query_and_aliases_never() -> None:
    resources = {
        "Near": resource("AWS::Route53::RecordSet", {"Region": "us-east-1"}, queries_per_month=MILLION),
        "There": resource("AWS::Route53::RecordSet", {"GeoLocation": {"x": "y"}}, queries_per_month=MILLION),
        "Alias": resource("AWS::Route53::RecordSet", {"Region": "us-east-1", "AliasTarget": {"x": "y"}}),
        "Plain": resource("AWS::Route53::RecordSet", {"Type": "A"}),
    }
    assert dollars(resources) == {"Queries (latency)": Decimal("0.6"), "Queries (place)": Decimal("0.7")}
    assert undeclared(resources) == []
    with pytest.raises(NotPriced, match="plain record"):
        sum_of({"It": resource("AWS::Route53::RecordSet", {"Type": "A"}, queries_per_month=1)})


def test_a_limit_that_nobody_declared_a_load_for_is_listed() -> None:
    built = assembly({"Gateway": resource("AWS::EC2::NatGateway")})
    assert unchecked(built) == ["Gateway: Connections at once to one destination (peak_connections)"]


def test_a_network_of_one_gateway_has_no_warnings() -> None:
    assert warnings({"Gateway": resource("AWS::EC2::NatGateway", processed_gb_per_month=1)}) == ()
