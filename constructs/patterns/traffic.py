"""Writes declared traffic on the resources that carry it, as `Metadata.Workload`, for the review to read."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import CfnResource
from constructs import IConstruct

from workbench.workload import Figure, Rate

KEY = "Workload"


@dataclass(frozen=True)
class TableTraffic:
    """What a DynamoDB table is asked: units of writing and reading, and the part of one key in the peak."""

    writes: Rate
    reads: Rate
    stored_gb: Figure
    hottest_key_share: Figure


@dataclass(frozen=True)
class FunctionTraffic:
    """What a function is asked: its calls, what one takes and logs, and how many metrics it sends."""

    calls: Rate
    duration_ms: Figure
    log_bytes: Figure
    custom_metrics: Figure


def declare(construct: IConstruct, **figures: Figure) -> None:
    """Add usage figures, by usage key, to the CloudFormation resource of `construct`.

    Raises `ValueError` when a key is declared twice on one resource.
    """
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):
        raise ValueError(
            f"{construct.node.path} has no CloudFormation resource of its own to declare traffic on"
        )
    declared = dict(resource.get_metadata(KEY) or {})
    for key, figure in figures.items():
        if key in declared:
            raise ValueError(f"{construct.node.path}: {key} is declared twice")
        declared[key] = {"value": f"{figure.value:f}", "formula": figure.formula}
    resource.add_metadata(KEY, declared)
