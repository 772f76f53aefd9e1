"""Tasks that no service runs: by Step Functions, by a schedule or by hand, as long as each one lasts.

What a service of the assembly runs is the service's line, and so is what other launch types run on. Log groups that
containers make for themselves (`awslogs-create-group`) are lines here, whatever runs the tasks. Facts:
https://aws.amazon.com/fargate/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use, fargate, service_logs
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage

_HOURS = "task_hours_per_month"
_RUNNERS = ("AWS::ECS::Service", "AWS::ECS::TaskSet")


def _is_run_alone(resource: Resource, context: Context) -> bool:
    """Whether tasks of it are started one by one, on Fargate."""
    if "FARGATE" not in (resource.properties.get("RequiresCompatibilities") or []):
        return False
    if _HOURS in resource.workload:
        return True
    return not any(context.pointing_at(resource, kind, "TaskDefinition") for kind in _RUNNERS)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if _is_run_alone(resource, context):
        yield from _task_lines(resource, context)
    named = list(_groups_made(resource, context))
    if named:
        yield from service_logs.lines(
            resource, context, "containers", group=service_logs.beginning("{}", named[0])
        )


def _groups_made(resource: Resource, context: Context) -> Iterator[Any]:
    """The log groups that containers make for themselves, as the template names them."""
    for container in resource.properties.get("ContainerDefinitions") or []:
        options = (container.get("LogConfiguration") or {}).get("Options") or {}
        named = options.get("awslogs-group")
        if by_use.is_true(options.get("awslogs-create-group")) and context.target(resource, named) is None:
            yield named


def _task_lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    task = fargate.defined(resource)
    arch, storage = task.architecture, task.extra_gb
    parts = [
        (f"Task vCPUs ({arch})", "vCPU-hours", task.processors, "vCPU", f"fargate.vcpu.{arch}"),
        (f"Task memory ({arch})", "GB-hours", task.memory_gb, "GB", f"fargate.memory.{arch}"),
    ]
    if storage:
        parts.append(
            ("Task storage (ephemeral)", "GB-hours", storage, "GB above 20", "fargate.ephemeral_storage")
        )
    for component, unit, size, words, price_key in parts:
        each = constant(size, f"{shown(size)} {words}")
        hours = context.derive(resource, _HOURS, by=lambda hours, each=each: hours * each)
        yield CostLine(component, unit, hours, price_key)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _is_run_alone(resource, context) and fargate.defined(resource).architecture == "x86":
        yield f"{context.name_of(resource)}: it runs on x86; Fargate on Graviton (ARM64) costs a fifth less"


ROOM = Room(
    type="AWS::ECS::TaskDefinition",
    classification="usage",
    usage={
        _HOURS: Usage(
            "task-hours", "hours of all tasks that are started by themselves, one minute each at least"
        ),
        **service_logs.USAGE,
    },
    lines=_lines,
    warnings=_warnings,
)
