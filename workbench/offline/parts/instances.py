"""EC2 instances that really run their programs.

An instance stands in its subnet's zone with an address of the subnet, and runs what `docker run` in its user data
says, under the role of its instance profile; without one it is recorded alone. Stopping, starting and terminating it
does the same to its program.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, ecs, iam

from workbench.offline.engines import find
from workbench.offline.engines.program import PLACING, Program, free_ip
from workbench.offline.images import containers_of, program_of
from workbench.offline.parts.tasks import Container
from workbench.offline.schedulers import NO_SUBNET

Instance = dict[str, Any]


def extend() -> None:
    """Put programs behind instances."""
    launch = ec2._launch_instances_internal

    def launch_for_real(
        *, subnet_id: str, count: int, requested_private_ip: str | None = None, **options: Any
    ) -> list[Instance]:
        launched: list[Instance] = []
        for _ in range(count):
            with PLACING:
                address = requested_private_ip or _free_address(subnet_id)
                [instance] = launch(subnet_id=subnet_id, count=1, requested_private_ip=address, **options)
                _place(instance)
                try:
                    _run_what_it_says(instance)
                except BaseException:
                    ec2._discard_instance_records(instance)
                    raise
            launched.append(instance)
        return launched

    ec2._launch_instances_internal = launch_for_real
    for action, then in (
        ("TerminateInstances", Program.close),
        ("StopInstances", Program.stop),
        ("StartInstances", Program.launch),
    ):
        ec2._ACTION_MAP[action] = _followed_by(ec2._ACTION_MAP[action], then)


def _followed_by(handle: Any, then: Callable[[Program], object]) -> Any:
    def handle_and_follow(parameters: dict[str, Any]) -> Any:
        answer = handle(parameters)
        if answer[0] < 400:
            for name in ec2._parse_member_list(parameters, "InstanceId"):
                if program := find(Program, name):
                    # In a thread: a program that is told to end may call the API that this is an answer of.
                    spawn_background(then, program, thread_name=f"{name}-{then.__name__}")
        return answer

    return handle_and_follow


def _free_address(subnet_id: str) -> str:
    taken = {each["PrivateIpAddress"] for each in ec2._instances.values() if is_there(each)}
    return free_ip(ec2._subnets.get(subnet_id, {}).get("CidrBlock", NO_SUBNET), taken)


def is_there(instance: Instance | None) -> bool:
    return instance is not None and instance["State"]["Name"] != "terminated"


def _place(instance: Instance) -> None:
    """What MiniStack makes up for every instance, from its subnet."""
    subnet = ec2._subnets.get(instance["SubnetId"])
    if subnet is None:
        return
    instance["Placement"]["AvailabilityZone"] = subnet["AvailabilityZone"]
    for mapping in instance["BlockDeviceMappings"]:
        ec2._volumes[mapping["Ebs"]["VolumeId"]]["AvailabilityZone"] = subnet["AvailabilityZone"]
    if not subnet.get("MapPublicIpOnLaunch"):
        instance["PublicIpAddress"] = instance["PublicDnsName"] = ""


def _run_what_it_says(instance: Instance) -> None:
    runs = containers_of(decoded(instance["UserData"]))
    if not runs:
        return
    said = runs[0]
    profile = (instance.get("IamInstanceProfile") or {}).get("Arn", "")
    program = Program(
        program_of(said.image_uri).with_command(said.entrypoint, said.arguments),
        said.environment,
        name=instance["InstanceId"],
        role_arn=_role_of(profile),
        zone=instance["Placement"]["AvailabilityZone"],
        private_ip=instance["PrivateIpAddress"],
    ).launch()
    if said.log_options:
        _send_to_logs(program, said.log_options)


def _send_to_logs(program: Program, options: Mapping[str, str]) -> None:
    """As Docker's awslogs driver does; a stream without a name has the container's, here the instance's."""
    logs = {"logDriver": "awslogs", "options": dict(options)}
    stream = options.get("awslogs-stream", program.name)
    config = ecs._awslogs_config({"logConfiguration": logs}, program.name, stream)
    container = Container()
    container.program = program
    region = options.get("awslogs-region", get_region())
    arguments = (container, config, get_account_id(), region)
    spawn_background(ecs._forward_awslogs, *arguments, thread_name=f"{program.name}-logs")


def decoded(user_data: str) -> str:
    """User data as text: templates have it in base64, and not everybody keeps to that."""
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except ValueError:
        return user_data


def _role_of(profile_arn: str) -> str | None:
    profile = iam._lookup_instance_profile(arn=profile_arn) if profile_arn else None
    for role in (profile or {}).get("Roles", []):
        name = role["RoleName"] if isinstance(role, dict) else role
        return str(iam._roles[name]["Arn"])
    return None


def launch_template_data(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What the launch template says that is named by id or name, and by version; {} where there is none."""
    wanted = {chosen.get("LaunchTemplateId"), chosen.get("LaunchTemplateName")} - {None, ""}
    for template in ec2._launch_templates.values():
        if wanted & {template["LaunchTemplateId"], template["LaunchTemplateName"]}:
            named = {"$Latest": template["LatestVersionNumber"], "$Default": template["DefaultVersionNumber"]}
            version = str(chosen.get("Version", "$Default"))
            number = str(named.get(version, version))
            data = next(each for each in template["Versions"] if str(each["VersionNumber"]) == number)
            return dict(data["LaunchTemplateData"])
    return {}
