"""Add-ons of EKS: those of AWS and of the community are free, but for the one that sends Container Insights.

What they run is on the nodes. GuardDuty's agent is a line of the detector. Facts:
https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html and
https://aws.amazon.com/cloudwatch/pricing/ , "Container Insights"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, one_of

_INSIGHTS = "amazon-cloudwatch-observability"
_FREE = (
    "adot",
    "aws-ebs-csi-driver",
    "aws-efs-csi-driver",
    "aws-fsx-csi-driver",
    "aws-guardduty-agent",
    "aws-mountpoint-s3-csi-driver",
    "aws-privateca-connector-for-kubernetes",
    "aws-secrets-store-csi-driver-provider",
    "cert-manager",
    "coredns",
    "eks-node-monitoring-agent",
    "eks-pod-identity-agent",
    "external-dns",
    "fluent-bit",
    "kube-proxy",
    "kube-state-metrics",
    "metrics-server",
    "prometheus-node-exporter",
    "snapshot-controller",
    "vpc-cni",
)
_KEYS = ("observations_per_month", service_logs.KEY)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    name = one_of(resource, resource.properties.get("AddonName"), "AddonName", (*_FREE, _INSIGHTS))
    if name != _INSIGHTS:
        refuse_keys(resource, f"the add-on {name} sends nothing to CloudWatch", *_KEYS)
        return
    observations = context.derive(resource, "observations_per_month")
    key = "cloudwatch.container_insights_enhanced"
    yield CostLine("Observations (Container Insights)", "observations", observations, key)
    yield from service_logs.lines(resource, context, "Container Insights")


ROOM = Room(
    type="AWS::EKS::Addon",
    classification="usage",
    usage={
        "observations_per_month": Usage(
            "observations", "amazon-cloudwatch-observability: metrics of the cluster × times each is sent"
        ),
        **service_logs.USAGE,
    },
    lines=_lines,
)
