"""Endpoints of SageMaker: the hours and volumes of their instances, or GB-seconds without any.

An endpoint that nobody asks costs the same; serverless and asynchronous ones can be down to nothing. What models
write goes to a log group that SageMaker makes. Facts:
https://aws.amazon.com/sagemaker/ai/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, sagemaker, service_logs
from workbench.review.floor import HOURS, Grown, grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_SERVERLESS = ("invocations_per_month", "duration_ms", "processed_gb_per_month")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    variants = list(sagemaker.variants(resource, context))
    machines = [each for each in variants if isinstance(each, sagemaker.Variant)]
    serverless = [each for each in variants if isinstance(each, sagemaker.Serverless)]
    if not serverless:
        by_use.refuse_keys(resource, "no variant of it is serverless", *_SERVERLESS)
    if sum(each.most.value > each.least.value for each in machines) > 1:
        raise refuse(resource, "more than one of its variants scales, and average_instances is of one")
    for machine in machines:
        yield from _instances(resource, context, machine)
    if len(serverless) > 1:
        raise refuse(resource, "more than one of its variants is serverless, and duration_ms is of one")
    for each in serverless:
        yield from _calls(resource, context, each)
    group = service_logs.beginning("/aws/sagemaker/Endpoints/{}", resource.properties.get("EndpointName"))
    yield from service_logs.lines(resource, context, "SageMaker", group=group)


def _instances(resource: Resource, context: Context, machine: sagemaker.Variant) -> Iterator[CostLine]:
    kind = machine.type
    scales = machine.most.value > machine.least.value
    fleet = (
        grown(context, resource, "average_instances", machine.least, machine.most)
        if scales
        else Grown(machine.least)
    )
    yield from fleet.lines("Instances", kind, "instance-hours", HOURS, f"sagemaker.instance.{kind}")
    if machine.volume_gb:
        volume = constant(machine.volume_gb, f"{shown(machine.volume_gb)} GB")
        yield from fleet.lines("Volumes", kind, "GB-months", volume, "sagemaker.storage")


def _calls(resource: Resource, context: Context, each: sagemaker.Serverless) -> Iterator[CostLine]:
    memory = constant(each.memory_gb, f"{shown(each.memory_gb)} GB")
    duration = context.derive(
        resource,
        "invocations_per_month",
        "duration_ms",
        by=lambda count, took: count * took / constant(1_000, "1,000 ms/s") * memory,
    )
    yield CostLine("Duration (serverless)", "GB-seconds", duration, "sagemaker.serverless_inference")
    row = (
        "Data in and out (serverless)",
        "GB",
        "processed_gb_per_month",
        "sagemaker.serverless_inference.data",
    )
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::SageMaker::Endpoint",
    classification="mixed",
    usage={
        "average_instances": Usage(
            "instances", "instances that run, averaged over the month, where it scales"
        ),
        "invocations_per_month": Usage("invocations", "serverless: calls"),
        "duration_ms": Usage("ms", "serverless: how long one call takes", scales=False),
        "processed_gb_per_month": Usage("GB", "serverless: bytes of requests and answers"),
        **service_logs.USAGE,
    },
    lines=_lines,
)
