"""Metric filters: what they take out of the logs are custom metrics, each paid for the hours in which it is sent.

With dimensions each combination of their values is a metric of its own. Filters that write the same metric pay for it
once. Facts:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage
from workbench.workload import Figure

_PRICE = "cloudwatch.metrics.custom"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    found = _transformations(resource)
    if any(_is_split(resource, each) for each in found):
        yield CostLine("Custom metrics (of logs, by dimension)", "metrics", _sent(resource, context), _PRICE)
        return
    refuse_keys(resource, "none of its metrics has dimensions", "metrics")
    first = context.once(_first_writers)
    own = [each for each in found if first[_metric(resource, each)] is resource]
    if own:
        words = f"{len(own)} metric{'' if len(own) == 1 else 's'}, if what it looks for is logged every hour"
        sent = constant(len(own), words) if context.traffic else constant(0, "nothing is logged")
        yield CostLine("Custom metrics (of logs)", "metrics", sent, _PRICE)


def _sent(resource: Resource, context: Context) -> Figure:
    if not context.traffic and "metrics" in resource.workload:
        return constant(0, "nothing is logged")
    return context.derive(resource, "metrics")


def _transformations(resource: Resource) -> list[dict[str, Any]]:
    return resource.properties.get("MetricTransformations") or []


def _is_split(resource: Resource, transformation: dict[str, Any]) -> bool:
    """Whether the metric is several, by what the logs hold, or by the account and region that they are from."""
    return bool(transformation.get("Dimensions") or resource.properties.get("EmitSystemFieldDimensions"))


def _metric(resource: Resource, transformation: dict[str, Any]) -> tuple[object, ...]:
    """The metric that a filter writes: account and region, namespace and name."""
    name = str(transformation.get("MetricNamespace")), str(transformation.get("MetricName"))
    return resource.stack.account, resource.stack.region, *name


def _first_writers(context: Context) -> Mapping[tuple[object, ...], Resource]:
    """Each metric without dimensions → the first filter that writes it, which pays."""
    found: dict[tuple[object, ...], Resource] = {}
    for filter_ in context.all_of("AWS::Logs::MetricFilter"):
        for each in _transformations(filter_):
            if not _is_split(filter_, each):
                found.setdefault(_metric(filter_, each), filter_)
    return found


ROOM = Room(
    type="AWS::Logs::MetricFilter",
    classification="usage",
    usage={
        "metrics": Usage("metrics", "with dimensions: combinations of their values in an hour", scales=False)
    },
    lines=_lines,
)
