"""Auto-scaling groups that have instances, whose programs really run (`instances.py`).

A group has them spread over the zones of its subnets, in its target groups. It replaces one that is terminated,
whose zone is lost, or, where its health checks are the load balancer's, whose target is unhealthy; and evens out the
zones when a lost one is back ("Amazon EC2 Auto Scaling benefits", its User Guide). It looks four times a second, and
waits a thirtieth of its grace period and 2 s; on AWS it takes minutes.

Not here: lifecycle hooks and instance refreshes that wait, warm pools, and scaling by metrics.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ministack.services import autoscaling, ec2
from ministack.services.cloudformation import provisioners

from workbench.offline.engines import find
from workbench.offline.engines.program import PLACING, Program, is_lost
from workbench.offline.parts import load_balancers, make_in_a_thread
from workbench.offline.parts.instances import is_there, launch_template_data
from workbench.offline.parts.load_balancers import FASTER
from workbench.offline.schedulers import (
    has_been_unhealthy,
    look_after,
    target_is_unhealthy,
    wait_for,
)

Group = dict[str, Any]


def extend() -> None:
    """Put instances into groups, and keep them there."""
    make_in_a_thread("AWS::AutoScaling::AutoScalingGroup")
    look_after(autoscaling._asgs, _keep_group, "groups")
    autoscaling._reconcile_instances = _reconcile
    handler = provisioners._RESOURCE_HANDLERS["AWS::AutoScaling::AutoScalingGroup"]
    create, update, delete = handler["create"], handler["update"], handler["delete"]
    delete_by_api = autoscaling._ACTION_MAP["DeleteAutoScalingGroup"]

    def create_group(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        made = create(logical_id, properties, stack)
        try:
            _fill(autoscaling._asgs[made[0]], properties)
        except BaseException:
            delete_group(made[0], properties)
            raise
        return made

    def update_group(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        if physical_id in autoscaling._asgs:
            known = autoscaling._asgs[physical_id]
            made = update(physical_id, old, new, stack, logical_id)
            if made[0] != physical_id:
                _empty(known)
        else:
            made = update(physical_id, old, new, stack, logical_id)
        _fill(autoscaling._asgs[made[0]], new)
        return made

    def delete_group(physical_id: str, properties: dict[str, Any]) -> None:
        group = autoscaling._asgs.get(physical_id)
        delete(physical_id, properties)
        if group is not None:
            ended = _empty(group)
            wait_for(
                lambda: not any(find(Program, each) for each in ended), "the programs of the group to end"
            )

    def delete_group_by_api(parameters: dict[str, Any]) -> Any:
        group = autoscaling._asgs.get(autoscaling._p(parameters, "AutoScalingGroupName"))
        answer = delete_by_api(parameters)
        if group is not None:
            _empty(group)
        return answer

    handler.update({"create": create_group, "update": update_group, "delete": delete_group})
    autoscaling._ACTION_MAP["DeleteAutoScalingGroup"] = delete_group_by_api


def _fill(group: Group, properties: dict[str, Any]) -> None:
    """Take over what MiniStack leaves out of a template's group, and give it its instances."""
    group["_target_groups"] = list(properties.get("TargetGroupARNs") or [])
    mixed = (properties.get("MixedInstancesPolicy") or {}).get("LaunchTemplate")
    if mixed:
        group["LaunchTemplate"] = provisioners._asg_launch_template(mixed["LaunchTemplateSpecification"])
    _reconcile(group)


def _empty(group: Group) -> list[str]:
    """End its instances; their names."""
    with PLACING:
        names = [each["InstanceId"] for each in group["Instances"]]
        for name in names:
            _terminate(group, name)
        group["Instances"].clear()
    return names


def _reconcile(group: Group) -> None:
    """Replace what is gone, and have as many instances as are desired."""
    with PLACING:
        there = group["Instances"]
        for entry in [each for each in there if not is_there(ec2._instances.get(each["InstanceId"]))]:
            _leave_target_groups(group, entry["InstanceId"])
            there.remove(entry)
        while len(there) > group["DesiredCapacity"]:
            fullest = _by_zone(group).most_common(1)[0][0]
            surplus = next(each for each in there if each["AvailabilityZone"] == fullest)
            _terminate(group, surplus["InstanceId"])
            there.remove(surplus)
        while len(there) < group["DesiredCapacity"]:
            there.append(_launch(group))


def _by_zone(group: Group) -> Counter[str]:
    return Counter(entry["AvailabilityZone"] for entry in group["Instances"])


def _launch(group: Group) -> dict[str, Any]:
    """One more instance, in the zone that has the fewest of those that are not lost."""
    counts = _by_zone(group)
    subnet_id, zone = min(_places(group), key=lambda place: (is_lost(place[1]), counts[place[1]]))
    data = _launch_data(group)
    interfaces = data.get("NetworkInterfaces") or [{}]
    profile = data.get("IamInstanceProfile") or {}
    found, _ = ec2._resolve_iam_instance_profile(profile.get("Arn", ""), profile.get("Name", ""), True)
    [instance] = ec2._launch_instances_internal(
        image_id=data.get("ImageId", "ami-00000000"),
        instance_type=data.get("InstanceType", "t2.micro"),
        subnet_id=subnet_id,
        count=1,
        key_name=data.get("KeyName", ""),
        user_data=data.get("UserData", ""),
        sg_ids=data.get("SecurityGroupIds") or interfaces[0].get("Groups"),
        iam_profile=found,
    )
    name = instance["InstanceId"]
    ec2._tags[name] = [*_template_tags(data), *_group_tags(group)]
    for arn in group.get("_target_groups", []):
        load_balancers.register(arn, name)
    return {
        "InstanceId": name,
        "LifecycleState": "InService",
        "HealthStatus": "Healthy",
        "AvailabilityZone": zone,
        "ProtectedFromScaleIn": group["NewInstancesProtectedFromScaleIn"],
        "LaunchTemplate": group.get("LaunchTemplate") or {},
        "LaunchConfigurationName": group.get("LaunchConfigurationName", ""),
        "_launched": time.monotonic(),
    }


def _places(group: Group) -> list[tuple[str, str]]:
    """The subnets of the group with their zones; the default VPC's where it names zones alone."""
    named = [each.strip() for each in group["VPCZoneIdentifier"].split(",") if each.strip()]
    if named:
        return [(each, ec2._subnets[each]["AvailabilityZone"]) for each in named]
    defaults = {
        subnet["AvailabilityZone"]: subnet["SubnetId"]
        for subnet in ec2._subnets.values()
        if subnet["VpcId"] == ec2._DEFAULT_VPC_ID
    }
    return [(defaults.get(zone, ec2._DEFAULT_SUBNET_ID), zone) for zone in group["AvailabilityZones"]]


def _launch_data(group: Group) -> dict[str, Any]:
    if group.get("LaunchTemplate"):
        return launch_template_data(group["LaunchTemplate"])
    data: dict[str, Any] = dict(autoscaling._launch_configs.get(group["LaunchConfigurationName"], {}))
    return data | {"SecurityGroupIds": data.get("SecurityGroups")}


def _template_tags(data: dict[str, Any]) -> Iterator[dict[str, str]]:
    for specification in data.get("TagSpecifications") or []:
        if specification.get("ResourceType") == "instance":
            yield from specification["Tags"]


def _group_tags(group: Group) -> Iterator[dict[str, str]]:
    yield {"Key": "aws:autoscaling:groupName", "Value": group["AutoScalingGroupName"]}
    for tag in group["Tags"]:
        if tag["PropagateAtLaunch"]:
            yield {"Key": tag["Key"], "Value": tag["Value"]}


def _terminate(group: Group, name: str) -> None:
    _leave_target_groups(group, name)
    if is_there(ec2._instances.get(name)):
        ec2._ACTION_MAP["TerminateInstances"]({"InstanceId.1": [name]})


def _leave_target_groups(group: Group, name: str) -> None:
    for arn in group.get("_target_groups", []):
        load_balancers.deregister(arn, name)


def _keep_group(group: Group) -> None:
    with PLACING:
        for entry in list(group["Instances"]):
            healthy = not _is_unhealthy(group, entry)
            entry["HealthStatus"] = "Healthy" if healthy else "Unhealthy"
            if has_been_unhealthy(entry, healthy):
                _terminate(group, entry["InstanceId"])
        _reconcile(group)
        counts = _by_zone(group)
        zones = [zone for _, zone in _places(group) if not is_lost(zone)] if group["Instances"] else []
        if zones and max(counts.values()) - min(counts[zone] for zone in zones) > 1:
            group["Instances"].append(_launch(group))  # the next look ends one of the fullest zone


def _is_unhealthy(group: Group, entry: dict[str, Any]) -> bool:
    if is_lost(entry["AvailabilityZone"]):
        return True
    grace = group["HealthCheckGracePeriod"] / FASTER
    if "ELB" not in group["HealthCheckType"] or time.monotonic() - entry["_launched"] < grace:
        return False
    return target_is_unhealthy(group.get("_target_groups", []), entry["InstanceId"])
