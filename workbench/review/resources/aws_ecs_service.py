"""ECS services on Fargate: vCPUs, memory and storage of the tasks that run on average, and their addresses.

On instances a service costs nothing by itself. A volume that each task gets is paid as long as the task runs. Facts:
https://aws.amazon.com/fargate/pricing/ and https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import ec2, fargate, zones
from workbench.review.floor import HOURS, at_peak, grown, served, serving
from workbench.review.numbers import constant, dollars, shown
from workbench.review.queueing import Station
from workbench.review.room import Context, CostLine, Limit, Room, Usage, setting, sum_declared

_EACH = "requests_per_second_per_task"


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
        yield from zones.egress(resource, context)
    for configuration in resource.properties.get("VolumeConfigurations") or []:
        managed = configuration.get("ManagedEBSVolume") or {}
        disk = ec2.volume(resource, {"VolumeType": "gp3", **managed}, "SizeInGiB", "VolumeType")
        yield from ec2.volume_lines(fleet, disk)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    _, most = fargate.bounds(resource, context)
    source = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html"
    limit = "Requests a second of all tasks"
    advice = setting(
        context.name_of(resource), "the most tasks (MaxCapacity of its scaling, or DesiredCount)"
    )
    yield served(context, resource, _EACH, most, limit, source, advice)


def _stations(resource: Resource, context: Context) -> Iterator[Station]:
    yield from serving(context, resource, _EACH, fargate.bounds(resource, context)[1])


def _limits_of_account(context: Context) -> Iterator[Limit]:
    used = []
    for service in context.all_of("AWS::ECS::Service"):
        if fargate.is_fargate(service):
            size = fargate.task(service, context).processors
            least, most = fargate.bounds(service, context)
            count = at_peak(context, service, _EACH, least, most)
            used.append(count * constant(size, f"{shown(size)} vCPU of {service.name}"))
    if used:
        yield context.against("fargate.vcpus", "account", "Fargate vCPUs, on demand", sum_declared(used))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if not fargate.is_fargate(resource):
        return
    name = context.name_of(resource)
    if fargate.uses_spot(resource):
        yield f"{name}: the price of Fargate Spot moves; on demand, which is counted, is its ceiling"
    saved = fargate.graviton_saving(fargate.task(resource, context))
    if saved:
        least, _ = fargate.bounds(resource, context)
        count = least.value or Decimal(1)
        tasks = "each task" if count == 1 else f"its {shown(count)} tasks"
        yield f"{name}: it runs on x86; on Graviton (ARM64) {tasks} would cost {dollars(saved * count)} a month less"


ROOM = Room(
    type="AWS::ECS::Service",
    classification="mixed",
    usage={
        "average_tasks": Usage("tasks", "tasks that run, averaged over the month"),
        **zones.EGRESS,
        "peak_requests_per_second": Usage("requests/s", "requests in the busiest second"),
        _EACH: Usage("requests/s", "what one task serves", scales=False),
    },
    lines=_lines,
    limits=_limits,
    stations=_stations,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
