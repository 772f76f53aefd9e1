"""Health checks: one price for endpoints on AWS, another for those elsewhere, and each optional feature.

Optional are HTTPS, looking for a string, measuring latency, and asking every ten seconds. A check of other checks or
of an alarm has the price of one on AWS. An endpoint that the template doesn't show to be on AWS is taken to be
elsewhere, which costs more. Facts: https://aws.amazon.com/route53/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.by_use import is_true
from workbench.review.room import Context, CostLine, Room, each, number, one_of

_TYPES = (
    "HTTP",
    "HTTPS",
    "HTTP_STR_MATCH",
    "HTTPS_STR_MATCH",
    "TCP",
    "CALCULATED",
    "CLOUDWATCH_METRIC",
)
_WITHOUT_ENDPOINT = ("CALCULATED", "CLOUDWATCH_METRIC")
_OF_AWS = ("amazonaws.com", "cloudfront.net", "awsglobalaccelerator.com")
_FAST_SECONDS = 10


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    config = resource.properties.get("HealthCheckConfig") or {}
    kind = one_of(resource, config.get("Type"), "Type", _TYPES)
    where = "aws" if kind in _WITHOUT_ENDPOINT or _is_on_aws(resource, context, config) else "non_aws"
    words = "on AWS" if where == "aws" else "elsewhere"
    yield CostLine(f"Health checks ({words})", "checks", each(1, "check"), f"route53.health_check.{where}")
    features = _features(resource, kind, config)
    if features:
        key = f"route53.health_check.optional_feature.{where}"
        yield CostLine(
            f"Optional features ({words})", "features", each(len(features), ", ".join(features)), key
        )


def _is_on_aws(resource: Resource, context: Context, config: dict[str, Any]) -> bool:
    for name in ("FullyQualifiedDomainName", "IPAddress"):
        value = config.get(name)
        if context.target(resource, value) is not None or str(value).endswith(_OF_AWS):
            return True
    return _is_an_alias(context, config)


def _is_an_alias(context: Context, config: dict[str, Any]) -> bool:
    """Whether a record of the assembly makes the name stand for a resource of AWS."""
    return str(config.get("FullyQualifiedDomainName", "")).rstrip(".") in context.once(_aliases)


def _aliases(context: Context) -> set[str]:
    """The names of the assembly's alias records."""
    return {
        str(record.properties.get("Name", "")).rstrip(".")
        for record in context.all_of("AWS::Route53::RecordSet")
        if record.properties.get("AliasTarget")
    }


def _features(resource: Resource, kind: str, config: dict[str, Any]) -> list[str]:
    interval = number(resource, config.get("RequestInterval"), "RequestInterval", default=30)
    optional = {
        "HTTPS": kind.startswith("HTTPS"),
        "string matching": kind.endswith("STR_MATCH"),
        "latency": is_true(config.get("MeasureLatency")),
        "fast interval": interval == _FAST_SECONDS and kind not in _WITHOUT_ENDPOINT,
    }
    return [name for name, used in optional.items() if used]


ROOM = Room(type="AWS::Route53::HealthCheck", classification="baseline", lines=_lines)
