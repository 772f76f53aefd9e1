"""Instances, groups, clusters and tasks: dollars worked out by hand, and how much they bear."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from tests.bills import dollars, limit, sum_of, undeclared, warnings
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review import machines
from workbench.review.cost import price
from workbench.review.prices import PriceBook
from workbench.review.quotas import quotas
from workbench.review.resources.aws_eks_cluster import SUPPORT

pytestmark = pytest.mark.fast

VCPUS = "EC2 vCPUs (Running On-Demand Standard instances)"
FARGATE_VCPUS = "Fargate vCPUs, on demand"
ROOT = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}}]


def instance(**properties: Any) -> dict[str, Any]:
    return resource(
        "AWS::EC2::Instance", {"InstanceType": "t4g.nano", "BlockDeviceMappings": ROOT, **properties}
    )


def template(**data: Any) -> dict[str, Any]:
    settings = {"InstanceType": "t4g.small", "BlockDeviceMappings": ROOT, **data}
    return resource("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": settings})


def group(least: int, most: int, properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    by = {
        "LaunchTemplateId": {"Ref": "Template"},
        "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
    }
    return resource(
        "AWS::AutoScaling::AutoScalingGroup",
        {"MinSize": str(least), "MaxSize": str(most), **(properties or {"LaunchTemplate": by})},
        **usage,
    )


# One instance


def test_an_instance_pays_for_hours_and_its_volume() -> None:
    assert dollars({"Nat": instance()}) == {
        "Instances (t4g.nano)": Decimal("3.066"),  # 730 h × $0.0042
        "Volumes (gp3)": Decimal("0.64"),  # 8 GB × $0.08
    }


def test_an_instance_whose_template_names_no_root_volume_has_eight_gigabytes() -> None:
    [line] = [
        line
        for line in price(assembly({"Nat": instance(BlockDeviceMappings=[])})).lines
        if line.component == "Volumes (gp3)"
    ]
    assert line.monthly_usd == Decimal("0.64")
    assert "Amazon Linux 2023" in line.formula


def test_an_instance_pays_for_the_public_address_that_it_or_its_subnet_asks_for() -> None:
    subnet = resource("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": True})
    asks = instance(NetworkInterfaces=[{"AssociatePublicIpAddress": True, "SubnetId": "x"}])
    declines = instance(
        NetworkInterfaces=[{"AssociatePublicIpAddress": False, "SubnetId": {"Ref": "Subnet"}}]
    )
    placed = instance(SubnetId={"Ref": "Subnet"})
    address = "Public addresses (IPv4)"
    assert dollars({"It": asks})[address] == Decimal("3.65")
    assert dollars({"It": placed, "Subnet": subnet})[address] == Decimal("3.65")
    assert address not in dollars({"It": declines, "Subnet": subnet})


PUBLIC = resource("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": True})
PRIVATE = resource("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": False})
ADDRESSES = "Public addresses (IPv4)"


@pytest.mark.parametrize(
    ("asks", "subnet", "paid"), [(True, "Private", Decimal("3.65")), (False, "Public", None)]
)
def test_an_instance_asks_for_a_public_address_by_its_template_too(
    asks: bool, subnet: str, paid: Decimal | None
) -> None:
    resources = {
        "Template": template(NetworkInterfaces=[{"AssociatePublicIpAddress": asks}]),
        "It": instance(LaunchTemplate={"LaunchTemplateId": {"Ref": "Template"}}, SubnetId={"Ref": subnet}),
        "Public": PUBLIC,
        "Private": PRIVATE,
    }
    assert dollars(resources).get(ADDRESSES) == paid


def test_an_elastic_address_takes_the_place_of_the_automatic_one() -> None:
    resources = {
        "It": instance(SubnetId={"Ref": "Subnet"}),
        "Subnet": resource("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": True}),
        "Address": resource("AWS::EC2::EIP", {"InstanceId": {"Ref": "It"}}),
    }
    assert dollars(resources)["Public addresses (IPv4)"] == Decimal("3.65")


def test_what_a_nat_instance_passes_on_costs_nothing_by_itself() -> None:
    busy = resource(
        "AWS::EC2::Instance",
        {"InstanceType": "t4g.nano", "BlockDeviceMappings": ROOT},
        processed_gb_per_month=10_000,
    )
    assert sum_of({"Nat": busy}) == sum_of({"Nat": instance()})


@pytest.mark.parametrize(
    ("volume", "paid"),
    [
        ({"Size": 100, "VolumeType": "gp3"}, "8"),
        # 100 × $0.08 + 1,000 IOPS × $0.005 + 125 MiB/s × $0.04
        ({"Size": 100, "VolumeType": "gp3", "Iops": 4_000, "Throughput": 250}, "18"),
        ({"Size": 100, "VolumeType": "gp3", "Iops": 3_000, "Throughput": 125}, "8"),
        ({"Size": 100}, "10"),  # gp2
        ({"Size": 100, "VolumeType": "io1", "Iops": 1_000}, "77.5"),  # 12.5 + 65
        ({"Size": 100, "VolumeType": "io2", "Iops": 1_000}, "77.5"),
        ({"Size": 1_000, "VolumeType": "st1"}, "45"),
        ({"Size": 1_000, "VolumeType": "sc1"}, "15"),
        ({"Size": 100, "VolumeType": "standard"}, "5"),
    ],
)
def test_a_volume_pays_for_its_size_and_for_what_is_provisioned(volume: dict[str, Any], paid: str) -> None:
    assert sum_of({"Disk": resource("AWS::EC2::Volume", volume)}) == Decimal(paid)


def test_detailed_monitoring_is_seven_metrics_an_instance() -> None:
    # 7 × $0.30
    assert dollars({"It": instance(Monitoring=True)})["Detailed monitoring (metrics)"] == Decimal("2.1")


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"InstanceType": {"Fn::ImportValue": "x"}}, "InstanceType"),
        ({"InstanceType": "u-6tb1.metal"}, "no price"),
        ({"Tenancy": "dedicated"}, "dedicated"),
        ({"InstanceMarketOptions": {"MarketType": "capacity-block"}}, "capacity-block"),
        ({"InstanceRequirements": {"VCpuCount": {"Min": 2}}}, "choose the type"),
        ({"ImageId": "{{resolve:ssm:/aws/service/ami-windows-latest/x}}"}, "windows"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "s"}}]}, "VolumeSize"),
        (
            {
                "BlockDeviceMappings": [
                    {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp9"}}
                ]
            },
            "gp9",
        ),
    ],
)
def test_an_instance_that_is_not_plain_linux_on_demand_is_refused(
    properties: dict[str, Any], word: str
) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": instance(**properties)})


def test_the_parameter_of_an_image_tells_that_it_is_windows() -> None:
    parameter = {
        "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        "Default": "/aws/service/ami-windows-latest",
    }
    built = stack({"It": instance(ImageId={"Ref": "Image"})}, Parameters={"Image": parameter})
    with pytest.raises(NotPriced, match="ami-windows-latest"):
        price(Assembly(built.template_file.parent, (built,)))


def test_a_very_fast_io2_volume_is_refused() -> None:
    with pytest.raises(NotPriced, match="40,000 IOPS"):
        sum_of({"It": resource("AWS::EC2::Volume", {"Size": 500, "VolumeType": "io2", "Iops": 40_000})})


# Groups


def test_a_group_pays_for_its_least_at_no_traffic_and_for_its_average_otherwise() -> None:
    resources = {"Template": template(), "Web": group(2, 10, average_instances=5)}
    assert dollars(resources) == {
        "Instances (t4g.small)": Decimal("24.528"),  # 2 × 730 h × $0.0168
        "Instances (t4g.small, as load grows)": Decimal("36.792"),  # 3 × 730 h × $0.0168
        "Volumes (gp3)": Decimal("1.28"),  # 2 × 8 GB × $0.08
        "Volumes (gp3, as load grows)": Decimal("1.92"),
    }
    assert sum_of(resources, traffic=0) == Decimal("25.808")


@pytest.mark.parametrize(("traffic", "instances"), [("0.1", 2), ("1", 5), ("1.5", "7.5"), ("100", 10)])
def test_a_group_never_runs_fewer_than_its_least_nor_more_than_its_most(traffic: str, instances: Any) -> None:
    resources = {"Template": template(), "Web": group(2, 10, average_instances=5)}
    each = Decimal("12.264") + Decimal("0.64")  # 730 h × $0.0168, 8 GB × $0.08
    assert sum_of(resources, Decimal(traffic)) == each * Decimal(instances)


def test_a_group_of_a_fixed_size_needs_no_declared_average() -> None:
    resources = {"Template": template(), "Web": group(3, 3)}
    assert undeclared(resources) == []
    assert dollars(resources)["Instances (t4g.small)"] == Decimal("36.792")
    grows = {"Template": template(), "Web": group(3, 4)}
    assert undeclared(grows) == ["Instances (t4g.small, as load grows)", "Volumes (gp3, as load grows)"]


@pytest.mark.parametrize(
    ("interfaces", "subnet", "paid"),
    [
        ([{"AssociatePublicIpAddress": True}], "Private", Decimal("10.95")),  # 3 × 730 h × $0.005
        ([{"AssociatePublicIpAddress": False}], "Public", None),
        ([], "Public", Decimal("10.95")),
        ([], "Private", None),
    ],
)
def test_a_group_pays_for_the_public_addresses_of_its_instances(
    interfaces: list[dict[str, Any]], subnet: str, paid: Decimal | None
) -> None:
    by = {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"}
    resources = {
        "Template": template(NetworkInterfaces=interfaces),
        "Web": group(
            3, 3, {"LaunchTemplate": by, "VPCZoneIdentifier": [{"Ref": "Private"}, {"Ref": subnet}]}
        ),
        "Public": PUBLIC,
        "Private": PRIVATE,
    }
    assert dollars(resources).get(ADDRESSES) == paid


def test_a_group_that_grows_pays_for_the_addresses_of_the_instances_it_adds() -> None:
    by = {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"}
    web = group(2, 9, {"LaunchTemplate": by, "VPCZoneIdentifier": [{"Ref": "Public"}]}, average_instances=3)
    found = dollars({"Template": template(), "Web": web, "Public": PUBLIC})
    assert found[ADDRESSES] == Decimal("7.3")
    assert found["Public addresses (IPv4, as load grows)"] == Decimal("3.65")


def test_a_group_of_several_types_or_of_spot_pays_the_dearest_on_demand_at_most() -> None:
    by = {"LaunchTemplateSpecification": {"LaunchTemplateId": {"Ref": "Template"}}}
    spot = {"LaunchTemplate": by, "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 50}}
    resources = {"Template": template(), "Web": group(2, 2, {"MixedInstancesPolicy": spot})}
    assert dollars(resources)["Instances (t4g.small)"] == Decimal("24.528")  # 2 × 730 h × $0.0168
    assert warnings(resources) == (
        "Web: the price of Spot moves; on demand, which is counted, is its ceiling",
    )
    types = [{"InstanceType": "m7g.large"}, {"InstanceType": "c7g.large"}]
    several = {"LaunchTemplate": {**by, "Overrides": types}}
    resources = {"Template": template(), "Web": group(1, 1, {"MixedInstancesPolicy": several})}
    assert dollars(resources)["Instances (m7g.large)"] == Decimal("59.568")  # 730 h × $0.0816
    assert warnings(resources) == ("Web: EC2 chooses among instance types; the dearest is counted",)
    one = {"LaunchTemplate": {**by, "Overrides": types[:1]}}
    resources = {"Template": template(), "Web": group(1, 1, {"MixedInstancesPolicy": one})}
    assert dollars(resources)["Instances (m7g.large)"] == Decimal("59.568")
    assert warnings(resources) == ()
    weighed = {
        "LaunchTemplate": {**by, "Overrides": [{"InstanceType": "m7g.large", "WeightedCapacity": "2"}]}
    }
    with pytest.raises(NotPriced, match="WeightedCapacity"):
        sum_of({"Template": template(), "Web": group(1, 1, {"MixedInstancesPolicy": weighed})})


def test_a_group_whose_template_is_elsewhere_is_refused() -> None:
    for properties in ({"LaunchTemplate": {"LaunchTemplateId": "lt-1"}}, {"LaunchConfigurationName": "x"}):
        with pytest.raises(NotPriced, match=r"LaunchTemplate|launch template"):
            sum_of({"Web": group(1, 2, properties)})


def test_the_largest_group_is_the_limit_of_its_requests() -> None:
    web = group(2, 10, peak_requests_per_second=1_200, requests_per_second_per_instance=100)
    checked = limit({"Template": template(), "Web": web}, "Requests a second of the largest group")
    assert (checked.quota, checked.load, checked.breaks) == (Decimal(1_000), Decimal(1_200), True)


def test_the_vcpus_of_the_account_are_those_that_the_peak_needs() -> None:
    # 3.5 instances, so 4, of 2 vCPUs; a group that declares nothing counts with all it may grow to: 10 × 2
    declared = group(2, 10, peak_requests_per_second=350, requests_per_second_per_instance=100)
    both = {"Template": template(), "Web": declared, "Other": group(2, 10)}
    assert limit({"Template": template(), "Web": declared}, VCPUS).load == Decimal(8)
    checked = limit(both, VCPUS)
    assert (checked.load, checked.quota, checked.adjustable) == (Decimal(28), Decimal(5), True)


def test_x86_and_gp2_are_warned_of_with_the_prices_of_what_is_cheaper() -> None:
    slow = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp2"}}]
    assert warnings({"It": instance(InstanceType="m7i.large", BlockDeviceMappings=slow)}) == (
        "It: gp2 costs $0.10 a GB and gp3, which is faster, $0.08: $0.16 a month less for 8 GB",
        # 730 h × $0.0192
        "It: m7i.large is x86 and costs $0.1008 an hour; m7g.large, on Graviton, costs $0.0816: "
        "$14.02 a month less",
    )
    assert warnings({"It": instance()}) == ()


def test_the_warning_of_gp2_says_what_the_price_book_does(monkeypatch: pytest.MonkeyPatch) -> None:
    book = PriceBook.load()
    dearer = dataclasses.replace(book["ebs.gp2"], tiers=book["ebs.io1"].tiers)
    monkeypatch.setattr(
        PriceBook, "load", lambda: dataclasses.replace(book, prices={**book.prices, "ebs.gp2": dearer})
    )
    slow = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp2"}}]
    [warning] = warnings({"It": instance(BlockDeviceMappings=slow)})
    assert warning == "It: gp2 costs $0.12 a GB and gp3, which is faster, $0.08: $0.36 a month less for 8 GB"


def test_a_graviton_type_is_never_called_x86(monkeypatch: pytest.MonkeyPatch) -> None:
    book = PriceBook.load()
    cheap = dataclasses.replace(book["ec2.linux.m8g.large"], tiers=book["ec2.linux.t4g.nano"].tiers)
    cheaper = dataclasses.replace(book, prices={**book.prices, cheap.key: cheap})
    monkeypatch.setattr(PriceBook, "load", lambda: cheaper)
    [made] = assembly({"It": instance()}).resources
    assert machines.graviton_advice(made, "m7i.large", "ec2.linux.{}") is not None
    assert machines.graviton_advice(made, "m7g.large", "ec2.linux.{}") is None


@pytest.mark.parametrize("key", sorted(key for key in PriceBook.load() if key.startswith("ec2.linux.")))
def test_every_priced_type_has_vcpus_and_a_quota_that_counts_them(key: str) -> None:
    [resource_] = assembly({"It": instance()}).resources
    kind = key.removeprefix("ec2.linux.")
    assert machines.processors(resource_, kind) >= 1
    assert f"ec2.{machines.family(resource_, kind)}_vcpus" in quotas()


# Kubernetes


def cluster(**properties: Any) -> dict[str, Any]:
    return resource("AWS::EKS::Cluster", properties)


def nodes(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    scaling = {"MinSize": 3, "MaxSize": 6, "DesiredSize": 3}
    made = {"InstanceTypes": ["t4g.medium"], "DiskSize": 20, "ScalingConfig": scaling, **(properties or {})}
    return resource("AWS::EKS::Nodegroup", made, **usage)


@pytest.mark.parametrize(
    ("version", "paid"),
    [
        ("1.34", "73"),  # 730 h × $0.10
        ("1.35", "73"),
        ("1.99", "73"),
        ("1.33", "438"),  # 730 h × ($0.10 + $0.50): its standard support ended on 2026-07-29
        ("1.32", "438"),
    ],
)
def test_a_cluster_costs_six_times_as_much_past_its_standard_support(version: str, paid: str) -> None:
    assert sum_of({"Cluster": cluster(Version=version)}) == Decimal(paid)


def test_a_cluster_that_is_upgraded_in_time_never_pays_for_extended_support() -> None:
    in_time = cluster(Version="1.33", UpgradePolicy={"SupportType": "STANDARD"})
    assert sum_of({"Cluster": in_time}) == sum_of({"Cluster": cluster()}) == Decimal(73)


def test_support_ends_in_the_order_of_versions() -> None:
    ends = list(SUPPORT.values())
    assert ends == sorted(ends)
    assert all(standard < extended for standard, extended in ends)


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"Version": "1.29"}, "past its extended support"),
        ({"Version": "1.30"}, "ended on 2026-07-23"),
        ({"Version": {"Fn::ImportValue": "x"}}, "known only at deployment"),
        ({"ControlPlaneScalingConfig": {"Tier": "tier-32xl"}}, "tier-32xl"),
        ({"RemoteNetworkConfig": {"RemoteNodeNetworks": []}}, "hybrid"),
    ],
)
def test_a_cluster_of_another_price_is_refused(properties: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Cluster": cluster(**properties)})


def test_auto_mode_without_node_pools_adds_nothing() -> None:
    assert sum_of({"Cluster": cluster(ComputeConfig={"Enabled": True, "NodePools": []})}) == Decimal(73)


def test_load_balancers_that_kubernetes_makes_are_lines_of_the_cluster() -> None:
    network = {"KubernetesNetworkConfig": {"ElasticLoadBalancing": {"Enabled": True}}}
    assert undeclared({"Cluster": cluster(**network)}) == [
        "Load balancers (by Kubernetes)",
        "Capacity units (by Kubernetes)",
        "Public addresses (by Kubernetes)",
    ]
    declared = resource(
        "AWS::EKS::Cluster",
        network,
        load_balancers=1,
        load_balancer_unit_hours_per_month=730,
        load_balancer_addresses=3,
    )
    # 730 h × ($0.10 + $0.0225 + $0.008 + 3 × $0.005); at no traffic without the units
    assert sum_of({"Cluster": declared}) == Decimal("106.215")
    assert sum_of({"Cluster": declared}, traffic=0) == Decimal("100.375")


def test_nodes_pay_for_their_average_and_never_for_fewer_than_their_least() -> None:
    resources = {"Nodes": nodes(average_nodes=4)}
    assert dollars(resources) == {
        "Instances (t4g.medium)": Decimal("73.584"),  # 3 × 730 h × $0.0336
        "Instances (t4g.medium, as load grows)": Decimal("24.528"),
        "Volumes (gp3)": Decimal("4.8"),  # 3 × 20 GB × $0.08
        "Volumes (gp3, as load grows)": Decimal("1.6"),
    }
    assert sum_of(resources, traffic=0) == Decimal("78.384")


@pytest.mark.parametrize(("subnet", "paid"), [("Public", Decimal("7.3")), ("Private", None)])
def test_nodes_pay_for_the_public_addresses_that_their_subnets_give(
    subnet: str, paid: Decimal | None
) -> None:
    two = {"MinSize": 2, "MaxSize": 2, "DesiredSize": 2}
    made = nodes({"ScalingConfig": two, "Subnets": [{"Ref": "Private"}, {"Ref": subnet}]})
    found = dollars({"Nodes": made, "Public": PUBLIC, "Private": PRIVATE})
    assert found.get(ADDRESSES) == paid  # 2 × 730 h × $0.005


def test_nodes_take_their_type_from_a_launch_template_too() -> None:
    by: dict[str, Any] = {
        "LaunchTemplate": {"Id": {"Ref": "Template"}},
        "InstanceTypes": [],
        "DiskSize": None,
    }
    assert "Instances (t4g.small)" in dollars({"Template": template(), "Nodes": nodes(by)})


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"CapacityType": "CAPACITY_BLOCK"}, "CAPACITY_BLOCK"),
        ({"AmiType": "WINDOWS_CORE_2022_x86_64"}, "Windows"),
        ({"LaunchTemplate": {"Id": "lt-1"}}, "not in this assembly"),
    ],
)
def test_nodes_of_another_price_are_refused(properties: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Nodes": nodes(properties)})


def test_nodes_on_spot_or_of_several_types_pay_the_dearest_on_demand_at_most() -> None:
    made = {"Nodes": nodes({"CapacityType": "SPOT", "InstanceTypes": ["m6g.large", "m7g.large"]})}
    assert dollars(made)["Instances (m7g.large)"] == Decimal("178.704")  # 3 × 730 h × $0.0816
    assert warnings(made) == (
        "Nodes: the price of Spot moves; on demand, which is counted, is its ceiling",
        "Nodes: EC2 chooses among instance types; the dearest is counted",
    )


@pytest.mark.parametrize(
    ("kind", "pods"),
    [
        ("t4g.small", 11),
        ("t4g.medium", 17),
        ("m7g.large", 29),
        ("m7g.xlarge", 58),
        ("m7g.4xlarge", 110),
        ("m7g.8xlarge", 234),
    ],
)
def test_a_node_takes_as_many_pods_as_it_has_addresses(kind: str, pods: int) -> None:
    # 4xlarge and 8xlarge: 8 interfaces × 29 + 2 = 234, of which the one may have 110 and the other 250
    checked = limit({"Nodes": nodes({"InstanceTypes": [kind]}, peak_pods=100)}, "Pods on the nodes")
    assert (checked.quota, checked.load) == (Decimal(pods * 6), Decimal(100))


def test_a_cluster_of_a_custom_resource_is_listed_as_not_priced() -> None:
    bill = price(assembly({"Old": resource("Custom::AWSCDK-EKS-Cluster")}))
    assert [each.resource for each in bill.unpriced] == ["Old"]


# Tasks


def service(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    made = {"LaunchType": "FARGATE", "TaskDefinition": {"Ref": "Task"}, **(properties or {})}
    return resource("AWS::ECS::Service", made, **usage)


def task(**properties: Any) -> dict[str, Any]:
    arm = {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    return resource(
        "AWS::ECS::TaskDefinition", {"Cpu": "256", "Memory": "512", "RuntimePlatform": arm, **properties}
    )


SCALING = resource(
    "AWS::ApplicationAutoScaling::ScalableTarget",
    {
        "MinCapacity": 2,
        "MaxCapacity": 8,
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": {"Fn::Join": ["/", ["service", "x", {"Fn::GetAtt": ["Service", "Name"]}]]},
    },
)


def test_a_service_pays_for_the_vcpus_and_memory_of_its_tasks() -> None:
    resources = {"Task": task(), "Service": service({"DesiredCount": 2})}
    assert dollars(resources) == {
        "Task vCPUs (arm)": Decimal("11.8187"),  # 2 × 0.25 × 730 h × $0.03238
        "Task memory (arm)": Decimal("2.5988"),  # 2 × 0.5 GB × 730 h × $0.00356
    }


def test_a_service_that_scales_pays_for_its_average_between_its_bounds() -> None:
    resources = {"Task": task(), "Service": service(average_tasks=4), "Scaling": SCALING}
    found = dollars(resources)
    assert found["Task vCPUs (arm)"] == found["Task vCPUs (arm, as load grows)"] == Decimal("11.8187")
    assert sum_of(resources, traffic=0) == Decimal("14.4175")
    assert sum_of(resources, traffic=100) == 4 * Decimal("14.4175")  # 8 tasks, the most


def test_storage_beyond_20_gb_and_public_addresses_of_tasks_are_lines() -> None:
    network = {"NetworkConfiguration": {"AwsvpcConfiguration": {"AssignPublicIp": "ENABLED"}}}
    found = dollars({"Task": task(EphemeralStorage={"SizeInGiB": 30}), "Service": service(network)})
    assert found["Task storage (ephemeral)"] == Decimal("0.8103")  # 10 GB × 730 h × $0.000111
    assert found["Public addresses (IPv4)"] == Decimal("3.65")


def test_a_service_on_instances_costs_nothing_by_itself() -> None:
    assert sum_of({"Task": task(), "Service": service({"LaunchType": "EC2"})}) == 0


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (service({"VolumeConfigurations": [{"ManagedEBSVolume": {"RoleArn": "x"}}]}), "SizeInGiB"),
        (service({"TaskDefinition": "family:1"}), "not in this assembly"),
    ],
)
def test_a_service_of_another_price_is_refused(made: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Task": task(), "Service": made})


def test_a_task_on_windows_is_refused() -> None:
    windows = task(RuntimePlatform={"OperatingSystemFamily": "WINDOWS_SERVER_2022_CORE"})
    with pytest.raises(NotPriced, match="WINDOWS"):
        sum_of({"Task": windows, "Service": service()})


def test_tasks_have_a_limit_of_their_own_and_one_of_the_account() -> None:
    usage: dict[str, Any] = {"peak_requests_per_second": 900, "requests_per_second_per_task": 100}
    resources = {"Task": task(Cpu="1024", Memory="2048"), "Service": service(**usage), "Scaling": SCALING}
    assert limit(resources, "Requests a second of all tasks").headroom == Decimal("-0.125")  # 900 of 800
    checked = limit(resources, FARGATE_VCPUS)
    assert (checked.load, checked.quota) == (Decimal(8), Decimal(6))


def test_the_vcpus_of_fargate_are_those_that_the_peak_needs() -> None:
    usage: dict[str, Any] = {"peak_requests_per_second": 350, "requests_per_second_per_task": 100}
    made = {"Task": task(Cpu="1024", Memory="2048"), "Scaling": SCALING}
    assert limit({**made, "Service": service(**usage)}, FARGATE_VCPUS).load == Decimal(4)
    # What declares nothing counts with all it may grow to.
    assert limit({**made, "Service": service()}, FARGATE_VCPUS).load == Decimal(8)


def test_container_insights_are_metrics_that_are_paid() -> None:
    on = {"ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}]}
    off = {"ClusterSettings": [{"Name": "containerInsights", "Value": "disabled"}]}
    assert sum_of({"It": resource("AWS::ECS::Cluster", on, insight_metrics=20)}) == Decimal(6)  # 20 × $0.30
    assert undeclared({"It": resource("AWS::ECS::Cluster", on)})[0] == "Container Insights"
    assert undeclared({"It": resource("AWS::ECS::Cluster", off)}) == []


def test_images_pay_for_the_room_they_take() -> None:
    assert sum_of({"Images": resource("AWS::ECR::Repository", stored_gb=5)}) == Decimal("0.5")
