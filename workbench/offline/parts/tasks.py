"""ECS services and tasks that really run their programs.

There is no Docker here: MiniStack's scheduler (rollouts, circuit breaker, targets, logs) runs on a client of the
same shape whose containers are programs. A task's program ends with its task and is not started again: the service
starts another task, after a pause that doubles while they keep dying. A container that is not essential and whose
image is no program of this project (a log router, a tracing daemon) is recorded alone. As on AWS, a stack waits for
its service to be steady.

Not here: scaling by metrics, and networks between the containers of one task: each has its own address.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_region
from ministack.services import ec2, ecs
from ministack.services.cloudformation import provisioners

from workbench.errors import Misuse
from workbench.offline.engines import find
from workbench.offline.engines.program import FIRST_PAUSE, LONGEST_PAUSE, PLACING, Program, free_ip, is_lost
from workbench.offline.images import Image, program_of
from workbench.offline.parts import load_balancers, make_in_a_thread
from workbench.offline.parts.load_balancers import FASTER
from workbench.offline.schedulers import (
    NO_SUBNET,
    has_been_unhealthy,
    look_after,
    target_is_unhealthy,
    wait_for,
)

Task = dict[str, Any]
Deployed = tuple[str, str, str]  # cluster, service and task definition

STEADY_AFTER = 0.5  # a task that has run for so long counts as started

_log = logging.getLogger("programs")
_deaths: Counter[Deployed] = Counter()  # of a service's tasks that died young, one after the other


def extend() -> None:
    """Put programs behind the containers of tasks."""
    make_in_a_thread("AWS::ECS::Service")
    look_after(ecs._services, _keep_service, "services")
    client = _Processes()
    build, normalize = ecs._build_run_kwargs, provisioners._normalize_container_defs

    def build_with_entrypoint(definition: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        return {**build(definition, *arguments), "entrypoint": definition.get("entryPoint")}

    def normalize_secrets_too(definitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = normalize(definitions)
        for definition in found:
            definition["secrets"] = [
                {provisioners._cfn_to_camel(name): value for name, value in each.items()}
                for each in definition.get("secrets") or []
            ]
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


def _first_in_progress(make: Any) -> Any:
    """A new service's first deployment can fail too; MiniStack has it completed before it has begun."""

    def make_deployment(definition: str, desired: int, status: str = "PRIMARY") -> dict[str, Any]:
        made: dict[str, Any] = make(definition, desired, status)
        return made | {"rolloutState": "IN_PROGRESS", "rolloutStateReason": ""}

    return make_deployment


def _deployed(task: Task) -> Deployed:
    return task["clusterArn"], task["group"], task["taskDefinitionArn"]


def _after_a_pause(start: Any) -> Any:
    def start_task(task: Task, *arguments: Any) -> Any:
        deaths = _deaths[_deployed(task)]
        time.sleep(min(FIRST_PAUSE * 2 ** (deaths - 1), LONGEST_PAUSE) if deaths else 0.0)
        task["_started"] = time.monotonic()
        return start(task, *arguments)

    return start_task


def _counting_deaths(record: Any) -> Any:
    def record_failure(task: Task, *arguments: Any, **options: Any) -> Any:
        if task["group"].startswith("service:"):  # what is run once may end as soon as it likes
            young = time.monotonic() - float(task.get("_started", 0.0)) < LONGEST_PAUSE
            deployed = _deployed(task)
            _deaths[deployed] = _deaths[deployed] + 1 if young else 1
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
        wait_for(lambda: _is_steady(service), waited_for, lambda: _why_stopped(service))
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


def _keep_service(service: dict[str, Any]) -> None:
    """Replace tasks whose target is unhealthy, and those that somebody stopped."""
    if service["status"] != "ACTIVE":
        return
    cluster = ecs._cluster_name_from_arn(service["clusterArn"])
    grace = int(service.get("healthCheckGracePeriodSeconds") or 0) / FASTER
    alive = [task for task in _tasks_of(service) if task["lastStatus"] in ecs._PRE_STOP_STATUSES]
    for task in alive:
        young = time.monotonic() - float(task.setdefault("_seen", time.monotonic())) < grace
        healthy = young or not target_is_unhealthy(_target_groups_of(service), ecs._task_ip(task) or "")
        if has_been_unhealthy(task, healthy):
            reason = "Task failed ELB health checks"
            ecs._stop_task({"cluster": cluster, "task": task["taskArn"], "reason": reason})
    if len(alive) < service["desiredCount"]:
        ecs._reconcile_service_tasks(cluster, f"{cluster}/{service['serviceName']}")


class _Processes:
    """As much of Docker's client as MiniStack's ECS uses, with programs for containers."""

    def __init__(self) -> None:
        self.containers = self
        self.images = self
        self._there: dict[str, Container] = {}

    def pull(self, *_: Any, **__: Any) -> _Processes:
        """Nothing is pulled; `run` says what is wrong with an image."""
        return self

    def get(self, key: str) -> Container:
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
    ) -> Container:
        """Start the program of a task's container; return when it answers or has died."""
        task = ecs._tasks[labels["com.amazonaws.ecs.task-arn"]]
        definition = ecs._task_defs[ecs._resolve_td_key(task["taskDefinitionArn"])]
        name = labels["com.amazonaws.ecs.container-name"]
        container = Container(self._forget)
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

    def _forget(self, container: Container) -> None:
        self._there.pop(container.id, None)


def _start(
    image: Image, environment: dict[str, str], task: Task, definition: dict[str, Any], container: str
) -> Program:
    ours = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_ENDPOINT_URL")
    task_id = task["taskArn"].rpartition("/")[2]
    with PLACING:
        zone, cidr = _task_place(task)
        program = Program(
            image,
            {name: str(value) for name, value in environment.items() if name not in ours},
            name=task_id if find(Program, task_id) is None else f"{task_id}/{container}",
            role_arn=definition.get("taskRoleArn") or None,
            zone=zone,
            private_ip=free_ip(cidr),
            host="task",
            restarts=False,
        ).launch()
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
        return f"{get_region()}a", NO_SUBNET
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


class Container:
    """A container as Docker's client shows it. `program` is None where nothing but its record is."""

    def __init__(self, forget: Callable[[Container], None] = lambda _: None) -> None:
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
