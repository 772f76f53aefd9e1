"""What instances have in common, alone, in a group or under a cluster: hours, volumes, addresses, the quota.

Priced as Linux on demand, which is also the most that Spot costs; of several types that EC2 may choose from, the
dearest is counted. Dedicated hosts and paid operating systems are refused. An instance whose template names no root
volume has that of Amazon Linux 2023, 8 GB of gp3. Facts: https://aws.amazon.com/ec2/pricing/on-demand/ ,
https://aws.amazon.com/ebs/pricing/ and "Instance purchasing and quotas",
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource, Stack, Unresolved
from workbench.review import machines, zones
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS, Grown, at_peak, held_at_peak
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Usage, number, one_of, refuse, sum_declared, text
from workbench.workload import Figure

# Detailed monitoring sends these metrics of each instance, at the price of custom ones.
METRICS_OF_DETAILED_MONITORING = 7

_ROOT_DEVICES = ("/dev/xvda", "/dev/sda1")
_VOLUMES = {
    "gp3": "ebs.gp3",
    "gp2": "ebs.gp2",
    "io1": "ebs.io1",
    "io2": "ebs.io2",
    "st1": "ebs.st1",
    "sc1": "ebs.sc1",
    "standard": "ebs.magnetic",
}
_GP3_IOPS, _GP3_MIB_PER_SECOND = 3_000, 125
# Above this the price of io2 falls by tiers of one volume, which the account's sum can't show.
_IO2_FIRST_TIER_IOPS = 32_000
_PAID_IMAGES = re.compile(r"windows|rhel|suse|sql", re.IGNORECASE)


@dataclass(frozen=True)
class Volume:
    """One EBS volume. `iops` and `mib_per_second` are what is paid beyond what its type includes."""

    kind: str
    gb: Figure
    iops: Decimal
    mib_per_second: Decimal


@dataclass(frozen=True)
class Machine:
    """What one instance is made of.

    `asks_for_address` is None where the subnet decides whether it gets a public one; `subnets` are those that its
    network interfaces name. `is_one_of_several` types that EC2 chooses from, the dearest.
    """

    type: str
    volumes: tuple[Volume, ...]
    is_monitored_in_detail: bool
    asks_for_address: bool | None
    subnets: tuple[Any, ...]
    is_spot: bool = False
    is_one_of_several: bool = False


def volume(resource: Resource, settings: Mapping[str, Any], size_key: str, kind_key: str) -> Volume:
    """The volume that `settings` describe: an `Ebs` mapping, or a volume of its own."""
    kind = one_of(resource, settings.get(kind_key, "gp2"), kind_key, tuple(_VOLUMES))
    size = number(resource, settings.get(size_key), size_key)
    iops, throughput = Decimal(0), Decimal(0)
    if kind == "gp3":
        iops = number(resource, settings.get("Iops"), "Iops", _GP3_IOPS) - _GP3_IOPS
        wanted = number(resource, settings.get("Throughput"), "Throughput", _GP3_MIB_PER_SECOND)
        throughput = wanted - _GP3_MIB_PER_SECOND
    elif kind in ("io1", "io2"):
        iops = number(resource, settings.get("Iops"), "Iops")
        if kind == "io2" and iops > _IO2_FIRST_TIER_IOPS:
            raise refuse(resource, f"an io2 volume of {shown(iops)} IOPS gets cheaper by tiers of its own")
    gb = constant(size, f"{shown(size)} GB")
    return Volume(kind, gb, max(Decimal(0), iops), max(Decimal(0), throughput))


def volume_lines(fleet: Grown, each: Volume) -> Iterator[CostLine]:
    """What one `each` costs with every instance of `fleet`."""
    yield from fleet.lines("Volumes", each.kind, "GB-months", each.gb, _VOLUMES[each.kind])
    if each.iops:
        key = "ebs.gp3.iops" if each.kind == "gp3" else "ebs.io1.iops"
        words = f"{shown(each.iops)} IOPS" + (" above 3,000" if each.kind == "gp3" else "")
        yield from fleet.lines("IOPS", each.kind, "IOPS-months", constant(each.iops, words), key)
    if each.mib_per_second:
        words = f"{shown(each.mib_per_second)} MiB/s above {_GP3_MIB_PER_SECOND}"
        rate = constant(each.mib_per_second, words)
        yield from fleet.lines("Throughput", each.kind, "MiB/s-months", rate, "ebs.gp3.throughput")


def machine(holder: Resource, settings: Mapping[str, Any]) -> Machine:
    """The instance that `settings` describe: properties of an instance, or the data of a launch template.

    `holder` is the resource that they are written in. Raises `NotPriced` for what is not Linux on demand.
    """
    _refuse_special(holder, settings)
    kind = text(holder, settings.get("InstanceType"), "InstanceType")
    monitoring = settings.get("Monitoring")
    detailed = is_true(monitoring) or (isinstance(monitoring, dict) and is_true(monitoring.get("Enabled")))
    interfaces = settings.get("NetworkInterfaces") or []
    asked = [each["AssociatePublicIpAddress"] for each in interfaces if "AssociatePublicIpAddress" in each]
    return Machine(
        kind,
        tuple(_volumes(holder, settings)),
        detailed,
        any(is_true(each) for each in asked) if asked else None,
        tuple(each["SubnetId"] for each in interfaces if each.get("SubnetId")),
        is_spot=(settings.get("InstanceMarketOptions") or {}).get("MarketType") == "spot",
    )


def _refuse_special(holder: Resource, settings: Mapping[str, Any]) -> None:
    if settings.get("InstanceRequirements"):
        raise refuse(holder, "InstanceRequirements let EC2 choose the type")
    market = (settings.get("InstanceMarketOptions") or {}).get("MarketType", "spot")
    one_of(holder, market, "MarketType", ("spot",))
    placement = settings.get("Placement") or {}
    if (settings.get("Tenancy") or placement.get("Tenancy") or "default") != "default":
        raise refuse(holder, "its tenancy is dedicated")
    for name in ("HostId", "HostResourceGroupArn"):
        if settings.get(name) or placement.get(name):
            raise refuse(holder, f"{name} places it on a dedicated host, which pays by itself")
    for name in ("ElasticGpuSpecifications", "ElasticInferenceAccelerators"):
        if settings.get(name):
            raise refuse(holder, f"{name} have a price of their own")
    image = _image(holder, settings.get("ImageId"))
    if _PAID_IMAGES.search(image):
        raise refuse(
            holder, f"the image {image} has an operating system or a database with a price of its own"
        )


def _image(holder: Resource, value: Any) -> str:
    """The image, or the name of the public parameter that tells it."""
    if isinstance(value, Unresolved):
        written = json.loads(value.text)
        if not isinstance(written, dict):
            return str(written)
        parameter = written.get("Ref")
        stack = value.stack if isinstance(value.stack, Stack) else holder.stack
        declared = stack.template.get("Parameters", {}).get(parameter) or {}
        return str(declared.get("Default", value))
    return str(value)


def _volumes(holder: Resource, settings: Mapping[str, Any]) -> Iterator[Volume]:
    mappings = settings.get("BlockDeviceMappings") or []
    for mapping in mappings:
        if mapping.get("Ebs"):
            yield volume(holder, mapping["Ebs"], "VolumeSize", "VolumeType")
    if not any(mapping.get("DeviceName") in _ROOT_DEVICES for mapping in mappings):
        size = constant(8, "8 GB (root volume of Amazon Linux 2023, as the template names none)")
        yield Volume("gp3", size, Decimal(0), Decimal(0))


def machine_lines(fleet: Grown, each: Machine) -> Iterator[CostLine]:
    """Hours, volumes and detailed monitoring of a fleet of equal machines."""
    yield from fleet.lines("Instances", each.type, "instance-hours", HOURS, f"ec2.linux.{each.type}")
    for disk in each.volumes:
        yield from volume_lines(fleet, disk)
    if each.is_monitored_in_detail:
        count = constant(METRICS_OF_DETAILED_MONITORING, f"{METRICS_OF_DETAILED_MONITORING} metrics")
        yield from fleet.lines(
            "Detailed monitoring", "metrics", "metrics", count, "cloudwatch.metrics.custom"
        )


# How a T type pays above what its size earns, where nobody tells it not to.
CREDITS = {
    "surplus_vcpu_hours_per_month": Usage(
        "vCPU-hours", "T types: what they use above the CPU credits that they earn, if anything"
    )
}


def credit_lines(resource: Resource, context: Context, each: Machine) -> Iterator[CostLine]:
    """Surplus CPU credits of a T type, which is unlimited by default, where they are declared."""
    key = "surplus_vcpu_hours_per_month"
    if key in resource.workload:
        if not each.type.startswith("t"):
            raise refuse(resource, f"{key} is declared, and a {each.type} has no CPU credits")
        surplus = context.derive(resource, key)
        yield CostLine("CPU credits (unlimited)", "vCPU-hours", surplus, "ec2.t3_t4g_unlimited_credits")


def address_lines(resource: Resource, context: Context, fleet: Grown, each: Machine) -> Iterator[CostLine]:
    """The public IPv4 addresses that a fleet of equal machines gets as it starts, asked for or by its subnets."""
    if each.asks_for_address is None:
        gets_one = any(_gives_addresses(resource, context, place) for place in _places(resource, each))
    else:
        gets_one = each.asks_for_address
    if gets_one:
        yield from zones.public_addresses(fleet)
        yield from zones.egress(resource, context)


def _places(resource: Resource, each: Machine) -> Iterator[Any]:
    """The subnets that an instance, a group or a node group is placed in, as the template names them."""
    yield from each.subnets
    for key in ("SubnetId", "VPCZoneIdentifier", "Subnets"):
        named = resource.properties.get(key)
        yield from named if isinstance(named, list) else [named]


def _gives_addresses(resource: Resource, context: Context, place: Any) -> bool:
    subnet = context.target(resource, place)
    return subnet is not None and is_true(subnet.properties.get("MapPublicIpOnLaunch"))


def machine_warnings(
    resource: Resource, context: Context, each: Machine, count: Decimal = Decimal(1)
) -> Iterator[str]:
    """Where the same costs less: gp3 instead of gp2, Graviton instead of x86; and where the price is a ceiling."""
    name = context.name_of(resource)
    if each.is_spot:
        yield f"{name}: the price of Spot moves; on demand, which is counted, is its ceiling"
    if each.is_one_of_several:
        yield f"{name}: EC2 chooses among instance types; the dearest is counted"
    old = [disk.gb.value for disk in each.volumes if disk.kind == "gp2"]
    if old:
        yield f"{name}: {gp2_advice(sum(old, Decimal(0)) * (count or 1))}"
    yield from machines.graviton_warnings(resource, context, each.type, "ec2.linux.{}", count)


def gp2_advice(gigabytes: Decimal) -> str:
    """What gp3 would save on a volume of gp2."""
    book = PriceBook.load()
    gp2, gp3 = (book[_VOLUMES[kind]].tiers[0].price for kind in ("gp2", "gp3"))
    return (
        f"gp2 costs {dollars(gp2)} a GB and gp3, which is faster, {dollars(gp3)}: "
        f"{dollars((gp2 - gp3) * gigabytes)} a month less for {shown(gigabytes)} GB"
    )


def launch_template(resource: Resource, context: Context, value: Any) -> tuple[Resource, dict[str, Any]]:
    """The launch template that the property `value` names, and what it says of an instance."""
    template = context.target(resource, value)
    if template is None or template.type != "AWS::EC2::LaunchTemplate":
        raise refuse(resource, "its launch template is not in this assembly")
    return template, template.properties.get("LaunchTemplateData") or {}


def instance(resource: Resource, context: Context) -> Machine:
    """The machine of an `AWS::EC2::Instance`, whose own properties go before those of its launch template."""
    settings: dict[str, Any] = {}
    if resource.properties.get("LaunchTemplate"):
        settings = launch_template(resource, context, resource.properties["LaunchTemplate"])[1]
    return machine(resource, {**settings, **resource.properties})


def group_machine(resource: Resource, context: Context) -> Machine:
    """The machine of an `AWS::AutoScaling::AutoScalingGroup`."""
    mixed = resource.properties.get("MixedInstancesPolicy")
    if mixed:
        return _mixed(resource, context, mixed)
    value = resource.properties.get("LaunchTemplate")
    if not value:
        raise refuse(resource, "it has no LaunchTemplate")
    return machine(*launch_template(resource, context, value))


def _mixed(resource: Resource, context: Context, mixed: Mapping[str, Any]) -> Machine:
    """The dearest machine of a mixed group, on demand. Raises `NotPriced` where it counts units, not instances."""
    distribution = mixed.get("InstancesDistribution") or {}
    name = "OnDemandPercentageAboveBaseCapacity"
    is_spot = number(resource, distribution.get(name), name, default=100) != 100
    template = mixed.get("LaunchTemplate") or {}
    overrides = template.get("Overrides") or [{}]
    if any(str(each.get("WeightedCapacity", 1)) != "1" for each in overrides):
        raise refuse(resource, "WeightedCapacity makes its size one of units, and not of instances")
    found = []
    for override in overrides:
        value = override.get("LaunchTemplateSpecification") or template.get("LaunchTemplateSpecification")
        holder, settings = launch_template(resource, context, value)
        found.append(machine(holder, {**settings, **override}))
    each = dearest(found)
    return replace(each, is_spot=is_spot or each.is_spot)


def dearest(found: Sequence[Machine]) -> Machine:
    """The one of several machines whose hour costs most."""
    book = PriceBook.load()
    most = max(found, key=lambda each: book[f"ec2.linux.{each.type}"].tiers[0].price)
    return replace(most, is_one_of_several=len({each.type for each in found}) > 1)


def nodes_machine(resource: Resource, context: Context) -> Machine:
    """The machine of an `AWS::EKS::Nodegroup`."""
    properties = resource.properties
    capacity = properties.get("CapacityType", "ON_DEMAND")
    one_of(resource, capacity, "CapacityType", ("ON_DEMAND", "SPOT"))
    if "WINDOWS" in str(properties.get("AmiType")):
        raise refuse(resource, "AmiType is Windows, which has a price of its own")
    choices = [{"InstanceType": kind} for kind in properties.get("InstanceTypes") or []] or [{}]
    each = dearest([_node(resource, context, chosen) for chosen in choices])
    return replace(each, is_spot=capacity == "SPOT" or each.is_spot)


def _node(resource: Resource, context: Context, chosen: Mapping[str, Any]) -> Machine:
    properties = resource.properties
    if properties.get("LaunchTemplate"):
        template, settings = launch_template(resource, context, properties["LaunchTemplate"])
        return machine(template, {"InstanceType": "t3.medium", **settings, **chosen})
    size = number(resource, properties.get("DiskSize"), "DiskSize", default=20)
    disk = {"VolumeSize": str(size), "VolumeType": "gp3"}
    mapping = {"DeviceName": _ROOT_DEVICES[0], "Ebs": disk}
    return machine(resource, {"InstanceType": "t3.medium", **chosen, "BlockDeviceMappings": [mapping]})


def bounds(resource: Resource) -> tuple[Figure, Figure]:
    """The least and the most instances of a group, or nodes of a node group."""
    settings = resource.properties.get("ScalingConfig") or resource.properties
    # A node group without a ScalingConfig has two nodes, always.
    default = 2 if resource.type == "AWS::EKS::Nodegroup" else None
    least = number(resource, settings.get("MinSize"), "MinSize", default)
    most = number(resource, settings.get("MaxSize"), "MaxSize", default)
    return constant(least, f"{shown(least)} (MinSize)"), constant(most, f"{shown(most)} (MaxSize)")


def _alone(resource: Resource, _context: Context) -> Figure:
    return constant(1, resource.name)


def _group(resource: Resource, context: Context) -> Figure:
    return at_peak(context, resource, "requests_per_second_per_instance", *bounds(resource))


def _nodes(resource: Resource, context: Context) -> Figure:
    """As many as the pods of the busiest time need; the most, where nobody says how many those are."""
    least, most = bounds(resource)
    each = machines.pods(resource, nodes_machine(resource, context).type)
    peak = context.declared(resource, "peak_pods")
    return held_at_peak(peak, each, least, most)


def _processors(resource: Resource, each: Machine) -> Figure:
    count = machines.processors(resource, each.type)
    return constant(count, f"{count} vCPUs of {resource.name}")


# Type → what one of it is, and how many there are at the peak.
_COUNTED = {
    "AWS::EC2::Instance": (instance, _alone),
    "AWS::AutoScaling::AutoScalingGroup": (group_machine, _group),
    "AWS::EKS::Nodegroup": (nodes_machine, _nodes),
}
_STANDARD = "ec2.standard_vcpus"


def processor_limit(context: Context) -> Iterator[Limit]:
    """The vCPUs of an account's instances by family, at the peak of all that the assembly may run."""
    used: dict[str, list[Figure]] = {}
    for kind, (machine_of, count) in _COUNTED.items():
        for resource in context.all_of(kind):
            each = machine_of(resource, context)
            key = _quota_of(resource, each)
            if key is not None:
                processors = count(resource, context) * _processors(resource, each)
                used.setdefault(key, []).append(processors)
    for key, figures in used.items():
        words = "Running On-Demand Standard instances" if key == _STANDARD else context.quota(key).name
        yield context.against(key, "account", f"EC2 vCPUs ({words})", sum_declared(figures))


def _quota_of(resource: Resource, each: Machine) -> str | None:
    """The quota that counts its vCPUs; None for a family, or Spot of one, that the book has none of."""
    kin = machines.family(resource, each.type)
    if each.is_spot:
        return "ec2.spot_standard_vcpus" if kin == "standard" else None
    return None if kin is None else f"ec2.{kin}_vcpus"
