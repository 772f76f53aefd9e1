"""CloudFront functions: invocations at the edge, one a viewer request unless declared otherwise.

A function that only some paths of a distribution use is counted for all of them; declare its own figure
where that is too much.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.resources.aws_cloudfront_distribution import behaviours
from workbench.review.room import Context, CostLine, Room, Usage, sum_declared
from workbench.workload import Figure


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine(
        "Invocations (edge function)", "invocations", _invocations(resource, context), "cloudfront.functions"
    )


def _invocations(resource: Resource, context: Context) -> Figure:
    own = context.derive(resource, "invocations_per_month")
    if "invocations_per_month" in resource.workload:
        return own
    used = []
    for distribution in context.assembly.resources:
        if distribution.type == "AWS::CloudFront::Distribution":
            events = _events(resource, distribution, context)
            if events is not None:
                used.append(context.derive(distribution, "requests_per_month", by=events.__mul__))
    return sum_declared(used) if used else own


def _events(resource: Resource, distribution: Resource, context: Context) -> Figure | None:
    """How often a request of a viewer passes through it: at its arrival, at its answer, or both."""
    kinds = {
        association.get("EventType")
        for behaviour in behaviours(distribution)
        for association in behaviour.get("FunctionAssociations") or []
        if context.target(distribution, association.get("FunctionARN")) is resource
    }
    return constant(len(kinds), " and ".join(sorted(str(kind) for kind in kinds))) if kinds else None


ROOM = Room(
    type="AWS::CloudFront::Function",
    classification="usage",
    usage={
        "invocations_per_month": Usage(
            "invocations",
            "viewer requests or responses that pass through it; the distribution's when not declared",
        )
    },
    lines=_lines,
)
