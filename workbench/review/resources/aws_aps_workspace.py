"""Workspaces of Managed Prometheus: samples taken in, and bytes kept.

Queries pay by the sample that they process, of which the book has no price. Facts:
https://aws.amazon.com/prometheus/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    samples = context.derive(resource, "samples_per_month")
    yield CostLine("Samples taken in", "samples", samples, "prometheus.samples")
    stored = context.derive(resource, "stored_gb")
    yield CostLine("Stored data (metrics)", "GB-months", stored, "prometheus.storage")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: the samples that queries process are not priced"


ROOM = Room(
    type="AWS::APS::Workspace",
    classification="usage",
    usage={
        "samples_per_month": Usage("samples", "time series × samples of each"),
        "stored_gb": Usage("GB", "samples and labels held, compressed"),
    },
    lines=_lines,
    warnings=_warnings,
)
