"""Compute environments of Batch: vCPU-hours and GB-hours on Fargate, or the hours of the instances that it starts.

Spot is priced as on demand, which is the most it costs. Of several instance types the dearest for a vCPU is taken;
`optimal` leaves the type to AWS and is refused. An instance has a root volume of 30 GB, that of the images of ECS;
what a launch template adds is not counted. Facts: https://docs.aws.amazon.com/batch/latest/userguide/
compute_environment_parameters.html , https://aws.amazon.com/fargate/pricing/ and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-optimized_AMI.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use, machines, service_logs
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.prices import PriceBook
from workbench.review.room import (
    Context,
    CostLine,
    Limit,
    Room,
    Usage,
    declared_only,
    number,
    one_of,
    refuse,
    setting,
)

ROOT_VOLUME_GB = 30
_KINDS = ("FARGATE", "FARGATE_SPOT", "EC2", "SPOT")
_FARGATE = ("FARGATE", "FARGATE_SPOT")
_ARCHITECTURES = {"X86_64": "x86", "ARM64": "arm"}
_PARAMETERS_PAGE = "https://docs.aws.amazon.com/batch/latest/userguide/compute_environment_parameters.html"


def _settings(resource: Resource) -> dict[str, Any]:
    return resource.properties.get("ComputeResources") or {}


def _kind(resource: Resource) -> str | None:
    """What it runs jobs on; None where the machines are somebody else's."""
    managed = str(resource.properties.get("Type")).upper()
    if one_of(resource, managed, "Type", ("MANAGED", "UNMANAGED")) == "UNMANAGED":
        return None
    return one_of(resource, _settings(resource).get("Type"), "ComputeResources.Type", _KINDS)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kind = _kind(resource)
    if kind is None:
        by_use.refuse_keys(resource, "Type is UNMANAGED", "vcpu_hours_per_month", "memory_gb_hours_per_month")
    elif kind in _FARGATE:
        arch = context.once(_architecture)
        yield from by_use.lines(
            resource,
            context,
            (f"Job vCPUs ({arch})", "vCPU-hours", "vcpu_hours_per_month", f"fargate.vcpu.{arch}"),
            (f"Job memory ({arch})", "GB-hours", "memory_gb_hours_per_month", f"fargate.memory.{arch}"),
        )
    else:
        by_use.refuse_keys(resource, "instances pay by their vCPUs", "memory_gb_hours_per_month")
        yield from _instances(resource, context)
    if kind is not None and context.once(_log_by_default):
        yield from service_logs.lines(resource, context, "Batch", group="/aws/batch/job")


def _log_by_default(context: Context) -> bool:
    """Whether some job of the assembly says not where it logs, or none is seen: Batch then has a group for all."""
    jobs = list(context.all_of("AWS::Batch::JobDefinition"))
    settings = [job.properties.get("ContainerProperties") or {} for job in jobs]
    return not jobs or any(not each.get("LogConfiguration") for each in settings)


def _architecture(context: Context) -> str:
    """`arm` where every job definition of the assembly on Fargate is; otherwise `x86`, which costs more."""
    found = set()
    for job in context.all_of("AWS::Batch::JobDefinition"):
        platform = (job.properties.get("ContainerProperties") or {}).get("RuntimePlatform") or {}
        if platform.get("OperatingSystemFamily", "LINUX") != "LINUX":
            raise refuse(job, "its containers are Windows, which has a price of its own")
        if "FARGATE" in (job.properties.get("PlatformCapabilities") or []):
            named = platform.get("CpuArchitecture", "X86_64")
            found.add(_ARCHITECTURES[one_of(job, named, "CpuArchitecture", tuple(_ARCHITECTURES))])
    return "arm" if found == {"arm"} else "x86"


def _types(resource: Resource) -> list[str]:
    """The types that InstanceTypes name, a family as its `large` one; the dearest for a vCPU comes first."""
    named = _settings(resource).get("InstanceTypes") or []
    if not named or "optimal" in named or any(str(each).startswith("default_") for each in named):
        raise refuse(
            resource, f"InstanceTypes is {', '.join(map(str, named)) or 'missing'}: AWS chooses the type"
        )
    types = [str(each) if "." in str(each) else f"{each}.large" for each in named]
    return sorted(types, key=lambda kind: _dollars_a_cpu(resource, kind), reverse=True)


def _dollars_a_cpu(resource: Resource, kind: str) -> Decimal:
    price = PriceBook.load()[f"ec2.linux.{kind}"].tiers[0].price
    return price / machines.processors(resource, kind)


def _instances(resource: Resource, context: Context) -> Iterator[CostLine]:
    """Hours and volumes of the instances: those of MinvCpus all the time, and those of jobs as they run."""
    kind = _types(resource)[0]
    cpus = machines.processors(resource, kind)
    each = constant(cpus, f"{cpus} vCPUs of a {kind}")
    volume = constant(ROOT_VOLUME_GB, f"{ROOT_VOLUME_GB} GB")
    floor = number(resource, _settings(resource).get("MinvCpus"), "MinvCpus", default=0)
    whole = (floor / cpus).to_integral_value("ROUND_CEILING")
    always = constant(whole, f"{shown(whole)} instances of {cpus} vCPUs (MinvCpus {shown(floor)})")
    jobs = "vcpu_hours_per_month"
    hours = Grown(always * HOURS, context.derive(resource, jobs, by=lambda used: used / each))
    held = Grown(
        always * volume,
        context.derive(resource, jobs, by=lambda used: used * volume / (each * HOURS)),
    )
    one = constant(1, "1")
    yield from hours.lines("Instances", kind, "instance-hours", one, f"ec2.linux.{kind}", "jobs")
    yield from held.lines("Volumes", "gp3", "GB-months", one, "ebs.gp3", "jobs")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if _kind(resource) is not None:
        most = number(resource, _settings(resource).get("MaxvCpus"), "MaxvCpus")
        quota = constant(most, f"{shown(most)} vCPU (MaxvCpus)")
        load, name = context.derive(resource, "peak_vcpus"), context.name_of(resource)
        advice = setting(name, "MaxvCpus")
        yield Limit(name, "vCPUs of jobs at once", "vCPUs", quota, load, True, _PARAMETERS_PAGE, advice)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    environments = context.all_of("AWS::Batch::ComputeEnvironment")
    load = declared_only(context.derive(each, "peak_jobs_per_second") for each in environments)
    if load is not None:
        yield context.against(
            "batch.submit_jobs_per_second", "account", "Batch jobs submitted a second", load
        )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    kind, name = _kind(resource), context.name_of(resource)
    if kind in ("SPOT", "FARGATE_SPOT"):
        yield f"{name}: the price of Spot moves; it is priced as on demand, the most it costs"
    if kind in _FARGATE and context.once(_architecture) == "x86":
        yield f"{name}: its jobs run on x86; on Fargate with Graviton (ARM64) they cost a fifth less"
    if kind in ("EC2", "SPOT"):
        types = _types(resource)
        if len(types) > 1:
            yield f"{name}: of its {len(types)} instance types all hours are priced as {types[0]}, the dearest"
        yield from machines.graviton_warnings(resource, context, types[0], "ec2.linux.{}", Decimal(0))
        if _settings(resource).get("LaunchTemplate"):
            yield f"{name}: what its launch template adds to an instance is not counted"


ROOM = Room(
    type="AWS::Batch::ComputeEnvironment",
    classification="usage",
    usage={
        "vcpu_hours_per_month": Usage(
            "vCPU-hours", "vCPUs × hours of all jobs; with MinvCpus, of those beyond them"
        ),
        "memory_gb_hours_per_month": Usage("GB-hours", "Fargate: memory × hours of all jobs"),
        **service_logs.USAGE,
        "peak_vcpus": Usage("vCPUs", "vCPUs of the jobs that run at once, at the busiest"),
        "peak_jobs_per_second": Usage("requests/s", "jobs submitted in the busiest second, an array as one"),
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
