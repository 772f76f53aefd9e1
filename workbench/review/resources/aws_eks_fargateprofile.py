"""EKS Fargate profiles: the vCPUs and the memory of the pods that they take, rounded up to a size of Fargate.

A pod's size is that of its requests, with 256 MB more for Kubernetes, and 20 GB of storage belong to it; Fargate runs
pods on x86 alone. Facts: https://aws.amazon.com/fargate/pricing/ and
https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    cpus = context.derive(resource, "vcpu_hours_per_month")
    yield CostLine("Pod vCPUs (x86)", "vCPU-hours", cpus, "fargate.vcpu.x86")
    memory = context.derive(resource, "memory_gb_hours_per_month")
    yield CostLine("Pod memory (x86)", "GB-hours", memory, "fargate.memory.x86")


ROOM = Room(
    type="AWS::EKS::FargateProfile",
    classification="usage",
    usage={
        "vcpu_hours_per_month": Usage("vCPU-hours", "vCPUs of its pods × their hours"),
        "memory_gb_hours_per_month": Usage("GB-hours", "memory of its pods × their hours"),
    },
    lines=_lines,
)
