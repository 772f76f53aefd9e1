"""ECS services on Fargate: vCPUs, memory and storage of the tasks that run on average, and their addresses.

On instances a service costs nothing by itself. Facts: https://aws.amazon.com/fargate/pricing/ and
https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import fargate, zones
from workbench.review.floor import HOURS, at_peak, grown, served
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, sum_declared


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if not fargate.is_fargate(resource):
        return
    each = fargate.task(resource, context)
    fleet = grown(context, resource, "average_tasks", *fargate.bounds(resource, context))
    cpu = constant(each.processors, f"{shown(each.processors)} vCPU") * HOURS
    memory = constant(each.memory_gb, f"{shown(each.memory_gb)} GB") * HOURS
    arch = each.architecture
    yield from fleet.lines("Task vCPUs", arch, "vCPU-hours", cpu, f"fargate.vcpu.{arch}")
    yield from fleet.lines("Task memory", arch, "GB-hours", memory, f"fargate.memory.{arch}")
    if each.extra_gb:
        storage = constant(each.extra_gb, f"{shown(each.extra_gb)} GB above 20") * HOURS
        yield from fleet.lines("Task storage", "ephemeral", "GB-hours", storage, "fargate.ephemeral_storage")
    network = (resource.properties.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration") or {}
    if network.get("AssignPublicIp") == "ENABLED":
        yield from zones.public_addresses(fleet)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    _, most = fargate.bounds(resource, context)
    source = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html"
    limit = "Requests a second of all tasks"
    yield served(context, resource, "requests_per_second_per_task", most, limit, source)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    used = []
    for service in context.all_of("AWS::ECS::Service"):
        if fargate.is_fargate(service):
            size = fargate.task(service, context).processors
            least, most = fargate.bounds(service, context)
            count = at_peak(context, service, "requests_per_second_per_task", least, most)
            used.append(count * constant(size, f"{shown(size)} vCPU of {service.name}"))
    if used:
        yield context.against("fargate.vcpus", "account", "Fargate vCPUs, on demand", sum_declared(used))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if fargate.is_fargate(resource) and fargate.task(resource, context).architecture == "x86":
        yield f"{context.name_of(resource)}: it runs on x86; Fargate on Graviton (ARM64) costs a fifth less"


ROOM = Room(
    type="AWS::ECS::Service",
    classification="mixed",
    usage={
        "average_tasks": Usage("tasks", "tasks that run, averaged over the month"),
        "peak_requests_per_second": Usage("requests/s", "requests in the busiest second"),
        "requests_per_second_per_task": Usage("requests/s", "what one task serves", scales=False),
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
