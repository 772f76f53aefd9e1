"""Types around instances and containers that MiniStack's CloudFormation lacks.

An instance runs its program (`parts/instances.py`). Not here: anything that scales by itself, and capacity.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

from workbench.offline.engines import find
from workbench.offline.engines.program import Program
from workbench.offline.parts import instances
from workbench.offline.schedulers import wait_for
from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import (
    at,
    call,
    forgiving,
    joined,
    leave,
    made_by,
    named,
    own,
    recorded,
    repeating,
    tagged,
    with_own,
)


def _run_instance(_logical_id: str, properties: Properties, _stack: str) -> Made:
    launched = instances.launch_template_data(properties.get("LaunchTemplate") or {}) | properties
    interfaces = launched.get("NetworkInterfaces") or [{}]
    profile = launched.get("IamInstanceProfile")
    parameters = {
        **{name: launched.get(name) for name in ("ImageId", "InstanceType", "KeyName", "PrivateIpAddress")},
        "SubnetId": launched.get("SubnetId") or interfaces[0].get("SubnetId"),
        "SecurityGroupIds": launched.get("SecurityGroupIds")
        or interfaces[0].get("GroupSet")
        or interfaces[0].get("Groups"),
        "IamInstanceProfile": {"Name": profile} if isinstance(profile, str) else profile,
        # The client encodes it again.
        "UserData": instances.decoded(launched.get("UserData") or ""),
        "MinCount": 1,
        "MaxCount": 1,
    }
    if properties.get("Tags"):
        parameters["TagSpecifications"] = [{"ResourceType": "instance", "Tags": properties["Tags"]}]
    instance = call("ec2", "RunInstances", parameters)["Instances"][0]
    return instance["InstanceId"], {
        "InstanceId": instance["InstanceId"],
        "AvailabilityZone": at(instance, "Placement.AvailabilityZone"),
        "PrivateIp": instance["PrivateIpAddress"],
        "PrivateDnsName": instance["PrivateDnsName"],
        "PublicIp": at(instance, "PublicIpAddress"),
        "PublicDnsName": at(instance, "PublicDnsName"),
        "VpcId": instance["VpcId"],
    }


def _terminate_instance(physical_id: str, _properties: Properties) -> None:
    with forgiving():
        call("ec2", "TerminateInstances", {"InstanceIds": [physical_id]})
    wait_for(lambda: not find(Program, physical_id), f"the program of {physical_id} to end")


def _key_pair(logical_id: str, properties: Properties, _stack: str) -> Made:
    imported = properties.get("PublicKeyMaterial")
    operation = "ImportKeyPair" if imported else "CreateKeyPair"
    given = {**tagged("key-pair")("", properties), "PublicKeyMaterial": str(imported or "").encode()}
    call("ec2", operation, given)
    pair = ec2._key_pairs[properties["KeyName"]]
    return properties["KeyName"], {
        "KeyPairId": pair.get("KeyPairId", logical_id),
        "KeyFingerprint": pair.get("KeyFingerprint", ""),
    }


def _delete_key_pair(physical_id: str, _properties: Properties) -> None:
    call("ec2", "DeleteKeyPair", {"KeyName": physical_id})


def _scaling_policy(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("PolicyName") or f"{stack}-{logical_id}"
    target = properties.get("ScalingTargetId") or properties.get("ResourceId", "")
    arn = (
        f"arn:aws:autoscaling:{get_region()}:{get_account_id()}:scalingPolicy:"
        f"{logical_id.lower()}:resource/{target}:policyName/{name}"
    )
    return arn, {"Arn": arn}


def _associate_providers(_logical_id: str, properties: Properties, _stack: str) -> Made:
    call("ecs", "PutClusterCapacityProviders", properties)
    return str(properties["Cluster"]), {}


def _dissociate_providers(_physical_id: str, properties: Properties) -> None:
    none: dict[str, Any] = {"CapacityProviders": [], "DefaultCapacityProviderStrategy": []}
    with forgiving():
        call("ecs", "PutClusterCapacityProviders", {"Cluster": properties["Cluster"], **none})


STAND_INS = (
    StandIn(
        "AWS::EC2::Instance",
        by="api",
        what="what its user data runs with docker is a process of this machine; without that it is a record",
        ref="the instance's id",
        create=_run_instance,
        delete=_terminate_instance,
        attributes={
            "InstanceId": "the instance's id",
            "AvailabilityZone": "its subnet's zone",
            "PrivateIp": "its address in the subnet",
            "PrivateDnsName": "the name of that address",
            "PublicIp": "its public address, if its subnet gives one",
            "PublicDnsName": "the name of that address",
            "VpcId": "its VPC",
        },
    ),
    StandIn(
        "AWS::EC2::KeyPair",
        by="api",
        what="the key pair is there; nothing is signed in to",
        ref="the key's name",
        create=_key_pair,
        update=repeating(_key_pair, _delete_key_pair, name="KeyName"),
        delete=_delete_key_pair,
        attributes={"KeyPairId": "the pair's id", "KeyFingerprint": "the key's fingerprint"},
    ),
    recorded(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        what="a name: nothing scales by itself here",
        ref="resource, dimension and namespace, with | between",
        physical=joined("ResourceId", "ScalableDimension", "ServiceNamespace"),
        Id="{0}",
    ),
    StandIn(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        by="record",
        what="a name: nothing scales by itself here",
        ref="the policy's ARN",
        create=_scaling_policy,
        delete=leave,
        attributes={"Arn": "the policy's ARN"},
    ),
    made_by(
        "AWS::ECS::CapacityProvider",
        "ecs",
        what="the provider is there; tasks run whatever its capacity",
        ref="the provider's name",
        physical=own("Name"),
        given=with_own("Name"),
        gone=named("capacityProvider"),
    ),
    StandIn(
        "AWS::ECS::ClusterCapacityProviderAssociations",
        by="api",
        what="the cluster names its providers; tasks run whatever their capacity",
        ref="the cluster",
        create=_associate_providers,
        delete=_dissociate_providers,
    ),
    made_by(
        "AWS::IAM::ServiceLinkedRole",
        "iam",
        what="the role is there; services here need none",
        ref="the role's name",
        physical="Role.RoleName",
        attributes={"RoleName": "="},
    ),
)
