"""Lambda@Edge: functions that CloudFront runs beside its caches, at prices of their own and by the millisecond.

Facts: https://aws.amazon.com/lambda/pricing/ ("Lambda@Edge Pricing") ; there is no price for Arm, no provisioned
concurrency and no tracing at the edge:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-at-edge-function-restrictions.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, refuse
from workbench.workload import Figure


def is_at_edge(function: Resource, context: Context) -> bool:
    """Whether some distribution of the assembly runs `function`, by one of its versions."""
    return function in context.once(_at_edge)


def _at_edge(context: Context) -> set[Resource]:
    return {
        found
        for distribution in context.all_of("AWS::CloudFront::Distribution")
        for _, found in _associated(distribution, context)
        if found is not None
    }


def check(distribution: Resource, context: Context) -> None:
    """Refuse a function at the edge that is not in the assembly: nobody would count what it costs."""
    for written, found in _associated(distribution, context):
        if found is None or found.type != "AWS::Lambda::Function":
            raise refuse(distribution, f"the function {written} at its edge is not in this assembly")


def _associated(distribution: Resource, context: Context) -> Iterator[tuple[str, Resource | None]]:
    """What the distribution runs at the edge: as the template writes it, and the function."""
    config = distribution.properties.get("DistributionConfig") or {}
    for behaviour in (config.get("DefaultCacheBehavior"), *(config.get("CacheBehaviors") or [])):
        for association in (behaviour or {}).get("LambdaFunctionAssociations") or []:
            written = association.get("LambdaFunctionARN")
            found = context.target(distribution, written)
            if found is not None and found.type == "AWS::Lambda::Version":
                found = context.target(found, found.properties.get("FunctionName"))
            yield str(written), found


def lines(
    function: Resource, architecture: str, invocations: Figure, gb_seconds: Figure
) -> Iterator[CostLine]:
    """Requests and duration at the edge."""
    if architecture != "x86":
        raise refuse(function, "CloudFront runs it, and Lambda@Edge has x86_64 only")
    yield CostLine("Requests (edge)", "requests", invocations, "lambda.edge.requests")
    yield CostLine("Duration (edge)", "GB-seconds", gb_seconds, "lambda.edge.duration")
