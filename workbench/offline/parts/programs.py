"""EC2 instances, auto-scaling groups and ECS services that really run their programs.

* An instance stands in its subnet's zone with an address of the subnet, and runs what `docker run` in its user
  data says, under the role of its instance profile; without one it is recorded alone. Stopping, starting and
  terminating it does the same to its program.
* An auto-scaling group has instances spread over the zones of its subnets, in its target groups. It replaces
  one that is terminated, whose zone is lost, or, where its health checks are the load balancer's, whose target
  is unhealthy; and evens out the zones when a lost one is back ("Amazon EC2 Auto Scaling benefits", its User
  Guide). It looks four times a second, and waits a thirtieth of its grace period and 2 s; on AWS it takes
  minutes.
* ECS has no Docker here: MiniStack's scheduler (rollouts, circuit breaker, targets, logs) runs on a client
  of the same shape whose containers are programs. A task's program ends with its task and is not started
  again: the service starts another task, after a pause that doubles while they keep dying. A container that
  is not essential and whose image is no program of this project (a log router, a tracing daemon) is recorded
  alone. As on AWS, a stack waits for its service to be steady.

Not here: lifecycle hooks and instance refreshes that wait, warm pools, scaling by metrics, and networks between
the containers of one task: each has its own address.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import autoscaling, ec2, ecs, iam, secretsmanager
from ministack.services.cloudformation import provisioners, stacks

from workbench.errors import Misuse
from workbench.offline.engines import RUNNING
from workbench.offline.engines.program import FIRST_PAUSE, LONGEST_PAUSE, Program, free_ip, is_lost, run
from workbench.offline.images import Image, containers_of, program_of
from workbench.offline.parts import load_balancers
from workbench.offline.parts.load_balancers import FASTER

STEADY_WITHIN = 60.0
STEADY_AFTER = 0.5  # a task that has run for so long counts as started
REPLACED_AFTER = 2.0
_LOOK_EVERY = 0.25
_NO_SUBNET = "172.31.0.0/16"  # the addresses of a default VPC

_log = logging.getLogger("programs")
_deaths: Counter[str] = Counter()  # by service, of tasks that died young, one after the other
_placing = threading.RLock()  # one thing at a time looks for a zone and an address

Group = dict[str, Any]
Instance = dict[str, Any]
Task = dict[str, Any]


def extend() -> None:
    """Put programs behind instances, groups and tasks."""
    _extend_instances()
    _extend_groups()
    _extend_tasks()
    stacks._runs_on_worker_thread = _also_those_that_wait(stacks._runs_on_worker_thread)
    threading.Thread(target=_keep_for_ever, daemon=True, name="groups-and-services").start()


def _also_those_that_wait(known: Callable[[str], bool]) -> Callable[[str], bool]:
    """Which types a stack makes in a thread: those that wait for a program, or call the API.

    All others are made on the event loop, where the API that they and their programs call would not answer.
    """
    # Here, because `compute` runs its instances through this module.
    from workbench.offline.stand_ins import compute, network, records

    waiting = {each.type for room in (compute, network, records) for each in room.STAND_INS}
    waiting |= {"AWS::AutoScaling::AutoScalingGroup", "AWS::ECS::Service"}
    return lambda kind: kind in waiting or known(kind)


def _keep_for_ever() -> None:
    """Do what the schedulers of auto-scaling and ECS do all the time."""
    keepers: tuple[tuple[Any, Callable[[dict[str, Any]], None]], ...] = (
        (autoscaling._asgs, _keep_group),
        (ecs._services, _keep_service),
    )
    while True:
        for kept, keep in keepers:
            for (account, region, name), each in kept.all_items():
                with request_scope(account, region):
                    try:
                        keep(each)
                    except Exception as problem:  # the next one, and the next look, may do better
                        _log.warning("%s: %s", name, problem)
        time.sleep(_LOOK_EVERY)


def _program(name: str) -> Program | None:
    program = RUNNING.get(f"{Program.kind}/{name}")
    return program if isinstance(program, Program) else None


# Instances.


def _extend_instances() -> None:
    launch = ec2._launch_instances_internal

    def launch_for_real(
        *, subnet_id: str, count: int, requested_private_ip: str | None = None, **options: Any
    ) -> list[Instance]:
        launched: list[Instance] = []
        for _ in range(count):
            with _placing:
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


def _followed_by(handle: Any, then: Callable[[Program], None]) -> Any:
    def handle_and_follow(parameters: dict[str, Any]) -> Any:
        answer = handle(parameters)
        if answer[0] < 400:
            for name in ec2._parse_member_list(parameters, "InstanceId"):
                if program := _program(name):
                    # In a thread: a program that is told to end may call the API that this is an answer of.
                    spawn_background(then, program, thread_name=f"{name}-{then.__name__}")
        return answer

    return handle_and_follow


def _free_address(subnet_id: str) -> str:
    taken = {each["PrivateIpAddress"] for each in ec2._instances.values() if _is_there(each)}
    return free_ip(ec2._subnets.get(subnet_id, {}).get("CidrBlock", _NO_SUBNET), taken)


def _is_there(instance: Instance | None) -> bool:
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
    program = run(
        program_of(said.image_uri).with_command(said.entrypoint, said.arguments),
        said.environment,
        name=instance["InstanceId"],
        role_arn=_role_of(profile),
        zone=instance["Placement"]["AvailabilityZone"],
        private_ip=instance["PrivateIpAddress"],
    )
    if said.log_options:
        _send_to_logs(program, said.log_options)


def _send_to_logs(program: Program, options: Mapping[str, str]) -> None:
    """As Docker's awslogs driver does; a stream without a name has the container's, here the instance's."""
    logs = {"logDriver": "awslogs", "options": dict(options)}
    stream = options.get("awslogs-stream", program.name)
    config = ecs._awslogs_config({"logConfiguration": logs}, program.name, stream)
    container = _Container()
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


# Auto-scaling groups.


def _extend_groups() -> None:
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
            _wait_for(lambda: not any(_program(each) for each in ended), "the programs of the group to end")

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
    with _placing:
        names = [each["InstanceId"] for each in group["Instances"]]
        for name in names:
            _terminate(group, name)
        group["Instances"].clear()
    return names


def _reconcile(group: Group) -> None:
    """Replace what is gone, and have as many instances as are desired."""
    with _placing:
        there = group["Instances"]
        for entry in [each for each in there if not _is_there(ec2._instances.get(each["InstanceId"]))]:
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
    if _is_there(ec2._instances.get(name)):
        ec2._ACTION_MAP["TerminateInstances"]({"InstanceId.1": [name]})


def _leave_target_groups(group: Group, name: str) -> None:
    for arn in group.get("_target_groups", []):
        load_balancers.deregister(arn, name)


def _keep_group(group: Group) -> None:
    with _placing:
        for entry in list(group["Instances"]):
            healthy = not _is_unhealthy(group, entry)
            entry["HealthStatus"] = "Healthy" if healthy else "Unhealthy"
            if _has_been_unhealthy(entry, healthy):
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
    return _target_is_unhealthy(group.get("_target_groups", []), entry["InstanceId"])


def _target_is_unhealthy(target_groups: Iterable[str], target: str) -> bool:
    healths = (load_balancers.health_of(arn, target) for arn in target_groups)
    return any(health is not None and health.state == "unhealthy" for health in healths)


def _has_been_unhealthy(record: dict[str, Any], healthy: bool) -> bool:
    """Whether it is for so long that it is to be replaced; remembers since when in the record."""
    if healthy:
        record.pop("_unhealthy_since", None)
        return False
    return time.monotonic() - float(record.setdefault("_unhealthy_since", time.monotonic())) >= REPLACED_AFTER


# ECS.


def _extend_tasks() -> None:
    client = _Processes()
    build, normalize = ecs._build_run_kwargs, provisioners._normalize_container_defs

    def build_with_entrypoint(definition: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        return {**build(definition, *arguments), "entrypoint": definition.get("entryPoint")}

    def normalize_secrets_too(definitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = normalize(definitions)
        for definition in found:
            definition["secrets"] = [_secret(each) for each in definition.get("secrets") or []]
        return found

    ecs._get_docker = lambda: client
    ecs._make_deployment = _first_in_progress(ecs._make_deployment)
    ecs._start_task_worker = _after_a_pause(ecs._start_task_worker)
    ecs._record_service_task_failure = _counting_deaths(ecs._record_service_task_failure)
    ecs._ECS_DEPLOYMENT_STEADY_DELAY = STEADY_AFTER
    ecs._build_run_kwargs = build_with_entrypoint
    ecs._requested_subnet = _requested_subnets
    ecs._supports_image_resolution = lambda *_: False  # no image has a digest here
    provisioners._normalize_container_defs = normalize_secrets_too
    handler = provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"]
    handler["create"] = _until_steady(handler["create"])
    handler["update"] = _until_steady(handler["update"])


def _secret(declared: dict[str, Any]) -> dict[str, str]:
    """A template's secret as the API has it. `Ref` of a secret is its ARN on AWS, and its name in MiniStack."""
    name, colon, field = str(declared["ValueFrom"]).partition(":")
    secret = secretsmanager._secrets.get(name)
    value = f"{secret['ARN']}{colon}{field}" if secret else str(declared["ValueFrom"])
    return {"name": declared["Name"], "valueFrom": value}


def _first_in_progress(make: Any) -> Any:
    """A new service's first deployment can fail too; MiniStack has it completed before it has begun."""

    def make_deployment(definition: str, desired: int, status: str = "PRIMARY") -> dict[str, Any]:
        made: dict[str, Any] = make(definition, desired, status)
        return made | {"rolloutState": "IN_PROGRESS", "rolloutStateReason": ""}

    return make_deployment


def _after_a_pause(start: Any) -> Any:
    def start_task(task: Task, *arguments: Any) -> Any:
        deaths = _deaths[task["group"]]
        time.sleep(min(FIRST_PAUSE * 2 ** (deaths - 1), LONGEST_PAUSE) if deaths else 0.0)
        task["_started"] = time.monotonic()
        return start(task, *arguments)

    return start_task


def _counting_deaths(record: Any) -> Any:
    def record_failure(task: Task, *arguments: Any, **options: Any) -> Any:
        young = time.monotonic() - float(task.get("_started", 0.0)) < LONGEST_PAUSE
        _deaths[task["group"]] = _deaths[task["group"]] + 1 if young else 1
        return record(task, *arguments, **options)

    return record_failure


def _requested_subnets(request: dict[str, Any]) -> tuple[str, ...]:
    """Where a task may stand; `_task_place` chooses one as it starts."""
    configuration = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    return tuple(configuration.get("subnets") or ())


def _until_steady(provision: Any) -> Any:
    def provision_and_wait(*arguments: Any) -> Any:
        made = provision(*arguments)
        named = f"{ecs._resolve_service_ref(made[0])[1]}/{made[1]['Name']}"
        service = ecs._services[named]
        waited_for = f"the service {made[1]['Name']} to be steady"
        _wait_for(lambda: _is_steady(service), waited_for, lambda: _why_stopped(service))
        return made

    return provision_and_wait


def _is_steady(service: dict[str, Any]) -> bool:
    """Whether all its tasks run and its load balancers find them healthy. Raises `ValueError` when it failed."""
    deployment = ecs._primary_deployment(service) or {}
    running = [task for task in _tasks_of(service) if task["lastStatus"] == "RUNNING"]
    if deployment.get("rolloutState") == "FAILED":
        raise ValueError(f"the service {service['serviceName']} failed: {_why_stopped(service)}")
    if len(running) != service["desiredCount"] or deployment.get("rolloutState") != "COMPLETED":
        return False
    healths = [
        load_balancers.health_of(arn, ecs._task_ip(task))
        for task in running
        for arn in _target_groups_of(service)
    ]
    return all(health is not None and health.state in ("healthy", "unused") for health in healths)


def _tasks_of(service: dict[str, Any]) -> list[Task]:
    return [
        task
        for task in ecs._tasks.values()
        if task["group"] == f"service:{service['serviceName']}"
        and task["clusterArn"] == service["clusterArn"]
    ]


def _target_groups_of(service: dict[str, Any]) -> list[str]:
    return [
        each["targetGroupArn"] for each in service.get("loadBalancers") or [] if each.get("targetGroupArn")
    ]


def _why_stopped(service: dict[str, Any]) -> str:
    stopped = [task for task in _tasks_of(service) if task["lastStatus"] == "STOPPED"]
    latest = max(stopped, key=lambda task: str(task["stoppedAt"]), default=None)
    return str(latest["stoppedReason"]) if latest else "no task has stopped"


def _wait_for(happened: Callable[[], bool], what: str, why: Callable[[], str] = lambda: "") -> None:
    until = time.monotonic() + STEADY_WITHIN
    while not happened():
        if time.monotonic() >= until:
            raise ValueError(f"waited {STEADY_WITHIN:.0f} s for {what}: {why()}".removesuffix(": "))
        time.sleep(0.05)


def _keep_service(service: dict[str, Any]) -> None:
    """Replace tasks whose target is unhealthy, and those that somebody stopped."""
    if service["status"] != "ACTIVE":
        return
    cluster = ecs._cluster_name_from_arn(service["clusterArn"])
    grace = int(service.get("healthCheckGracePeriodSeconds") or 0) / FASTER
    alive = [task for task in _tasks_of(service) if task["lastStatus"] in ecs._PRE_STOP_STATUSES]
    for task in alive:
        young = time.monotonic() - float(task.setdefault("_seen", time.monotonic())) < grace
        healthy = young or not _target_is_unhealthy(_target_groups_of(service), ecs._task_ip(task) or "")
        if _has_been_unhealthy(task, healthy):
            reason = "Task failed ELB health checks"
            ecs._stop_task({"cluster": cluster, "task": task["taskArn"], "reason": reason})
    if len(alive) < service["desiredCount"]:
        ecs._reconcile_service_tasks(cluster, f"{cluster}/{service['serviceName']}")


class _Processes:
    """As much of Docker's client as MiniStack's ECS uses, with programs for containers."""

    def __init__(self) -> None:
        self.containers = self
        self.images = self
        self._there: dict[str, _Container] = {}

    def pull(self, *_: Any, **__: Any) -> _Processes:
        """Nothing is pulled; `run` says what is wrong with an image."""
        return self

    def get(self, key: str) -> _Container:
        return self._there[key]

    def run(
        self,
        image: str,
        *,
        environment: dict[str, str],
        labels: dict[str, str],
        command: list[str] | None = None,
        entrypoint: list[str] | None = None,
        **_: Any,
    ) -> _Container:
        """Start the program of a task's container; return when it answers or has died."""
        task = ecs._tasks[labels["com.amazonaws.ecs.task-arn"]]
        definition = ecs._task_defs[ecs._resolve_td_key(task["taskDefinitionArn"])]
        name = labels["com.amazonaws.ecs.container-name"]
        container = _Container(self._forget)
        program = self._program(image, definition, name)
        if program is not None:
            container.program = _start(
                program.with_command(entrypoint, command), environment, task, definition, name
            )
        self._there[container.id] = container
        return container

    def _program(self, image: str, definition: dict[str, Any], name: str) -> Image | None:
        try:
            return program_of(image)
        except Misuse:
            [container] = [each for each in definition["containerDefinitions"] if each["name"] == name]
            if container.get("essential", True):
                raise
            _log.warning("the container %s is recorded alone: its image is no program here", name)
            return None

    def _forget(self, container: _Container) -> None:
        self._there.pop(container.id, None)


def _start(
    image: Image, environment: dict[str, str], task: Task, definition: dict[str, Any], container: str
) -> Program:
    ours = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_ENDPOINT_URL")
    task_id = task["taskArn"].rpartition("/")[2]
    with _placing:
        zone, cidr = _task_place(task)
        program = run(
            image,
            {name: str(value) for name, value in environment.items() if name not in ours},
            name=task_id if _program(task_id) is None else f"{task_id}/{container}",
            role_arn=definition.get("taskRoleArn") or None,
            zone=zone,
            private_ip=free_ip(cidr),
            host="task",
            restarts=False,
        )
    with contextlib.suppress(TimeoutError):  # health checks will tell
        program.start()
    return program


def _task_place(task: Task) -> tuple[str, str]:
    """The zone and the addresses of the task's subnet: the one whose zone has the fewest tasks of its group."""
    if not isinstance(task["_subnet"], tuple):  # another container of the task has settled it
        subnet = ec2._subnets[task["_subnet"]]
        return subnet["AvailabilityZone"], subnet["CidrBlock"]
    subnets = [ec2._subnets[each] for each in task["_subnet"] if each in ec2._subnets]
    if not subnets:
        task["_subnet"] = None
        return f"{get_region()}a", _NO_SUBNET
    counts = Counter(
        each["availabilityZone"]
        for each in ecs._tasks.values()
        if each["group"] == task["group"]
        and each["lastStatus"] in ecs._PRE_STOP_STATUSES
        and not isinstance(each["_subnet"], tuple)
    )
    zones = [subnet["AvailabilityZone"] for subnet in subnets]
    chosen = min(range(len(subnets)), key=lambda each: (is_lost(zones[each]), counts[zones[each]]))
    task["availabilityZone"], task["_subnet"] = zones[chosen], subnets[chosen]["SubnetId"]
    return zones[chosen], subnets[chosen]["CidrBlock"]


class _Container:
    """A container as Docker's client shows it. `program` is None where nothing but its record is."""

    def __init__(self, forget: Callable[[_Container], None] = lambda _: None) -> None:
        self.id = uuid.uuid4().hex
        self.program: Program | None = None
        self._forget = forget

    @property
    def status(self) -> str:
        return "running" if self.program is None or self.program.running else "exited"

    @property
    def attrs(self) -> dict[str, Any]:
        networks = {"awsvpc": {"IPAddress": self.program.private_ip}} if self.program else {}
        return {"NetworkSettings": {"Networks": networks}}

    def reload(self) -> None:
        """Nothing: what is asked is always as it is."""

    def wait(self) -> dict[str, int]:
        return {"StatusCode": (self.program.exit_code or 0) if self.program else 0}

    def stop(self, **_: Any) -> None:
        if self.program is not None:
            self.program.close()

    def remove(self, **_: Any) -> None:
        self._forget(self)

    def logs(self, **_: Any) -> Iterator[bytes]:
        """What the program writes, until it ends."""
        return self.program.output() if self.program is not None else iter(())
