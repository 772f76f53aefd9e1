"""ECS services on Fargate: vCPUs, memory and storage of the tasks that run on average, and their addresses.

On instances a service costs nothing by itself, but the volume that each task gets, which is paid as long as it runs.
A service that names no launch type runs where its cluster has it run by default. Facts:
https://aws.amazon.com/fargate/pricing/ and https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import ec2, fargate, zones
from workbench.review.floor import HOURS, Grown, at_peak, grown, served, serving
from workbench.review.numbers import constant, dollars, shown
from workbench.review.queueing import Station
from workbench.review.room import Context, CostLine, Limit, Room, Usage, setting, sum_declared
from workbench.workload import Figure

_EACH = "requests_per_second_per_task"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    fleet = grown(context, resource, "average_tasks", *fargate.bounds(resource, context))
    if fargate.is_fargate(resource, context):
        yield from _on_fargate(resource, context, fleet)
    for configuration in resource.properties.get("VolumeConfigurations") or []:
        managed = configuration.get("ManagedEBSVolume") or {}
        disk = ec2.volume(resource, {"VolumeType": "gp3", **managed}, "SizeInGiB", "VolumeType")
        yield from ec2.volume_lines(fleet, disk)


def _on_fargate(resource: Resource, context: Context, fleet: Grown) -> Iterator[CostLine]:
    each = fargate.task(resource, context)
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
    """The vCPUs of tasks on Fargate; those of a service that has Spot alone have a quota of their own."""
    used: dict[bool, list[Figure]] = {False: [], True: []}
    for service in context.all_of("AWS::ECS::Service"):
        if fargate.is_fargate(service, context):
            size = fargate.task(service, context).processors
            least, most = fargate.bounds(service, context)
            count = at_peak(context, service, _EACH, least, most)
            processors = count * constant(size, f"{shown(size)} vCPU of {service.name}")
            used[fargate.is_all_spot(service, context)].append(processors)
    for is_spot, quota, words in ((False, "vcpus", "on demand"), (True, "spot_vcpus", "Spot")):
        if used[is_spot]:
            load = sum_declared(used[is_spot])
            yield context.against(f"fargate.{quota}", "account", f"Fargate vCPUs, {words}", load)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if not fargate.is_fargate(resource, context):
        return
    name = context.name_of(resource)
    if fargate.uses_spot(resource, context):
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
