"""CloudFront distributions: requests, bytes to viewers, bytes of uploads to the origin.

Priced for viewers in the United States; the price of a byte is the same in Europe, that of a request is 20 %
higher there, and other regions cost more. Facts: https://aws.amazon.com/cloudfront/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Limit, Room, Usage, refuse
from workbench.workload import Figure

_UPLOADS = {"POST", "PUT", "PATCH", "DELETE"}


def _config(resource: Resource) -> dict[str, Any]:
    config = resource.properties.get("DistributionConfig")
    return config if isinstance(config, dict) else {}


def behaviours(resource: Resource) -> list[dict[str, Any]]:
    """What the distribution does with each group of paths, the default one first."""
    config = _config(resource)
    return [config.get("DefaultCacheBehavior") or {}, *(config.get("CacheBehaviors") or [])]


def _refuse_extras(resource: Resource, config: dict[str, Any]) -> None:
    if (config.get("ViewerCertificate") or {}).get("SslSupportMethod") == "vip":
        raise refuse(resource, "a dedicated IP address (SslSupportMethod vip) pays by the month")
    if any((origin.get("OriginShield") or {}).get("Enabled") for origin in config.get("Origins") or []):
        raise refuse(resource, "Origin Shield pays by the request")
    for behaviour in behaviours(resource):
        for extra in ("LambdaFunctionAssociations", "RealtimeLogConfigArn", "FieldLevelEncryptionId"):
            if behaviour.get(extra):
                raise refuse(resource, f"{extra} pays by the request")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    config = _config(resource)
    _refuse_extras(resource, config)

    def in_us(figure: Figure) -> Figure:
        return Figure(figure.value, f"{figure.formula} (viewers in the US; in Europe 20 % more a request)")

    def in_us_or_eu(figure: Figure) -> Figure:
        return Figure(figure.value, f"{figure.formula} (viewers in the US or Europe)")

    requests = context.derive(resource, "requests_per_month", by=in_us)
    yield CostLine("Requests (HTTPS, US)", "requests", requests, "cloudfront.requests.https.us")
    egress = context.derive(resource, "egress_gb_per_month", by=in_us_or_eu)
    yield CostLine("Data out (US, Europe)", "GB", egress, "cloudfront.egress.us")
    if any(_UPLOADS & set(behaviour.get("AllowedMethods") or ()) for behaviour in behaviours(resource)):
        uploads = context.derive(resource, "uploaded_gb_per_month", by=in_us_or_eu)
        yield CostLine("Data to origin (US, Europe)", "GB", uploads, "cloudfront.origin_upload.us")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    load = context.derive(resource, "peak_requests_per_second")
    yield context.against("cloudfront.requests_per_second", resource, "Requests a second", load)


ROOM = Room(
    type="AWS::CloudFront::Distribution",
    classification="usage",
    usage={
        "requests_per_month": Usage("requests", "HTTPS requests of viewers, cached or not"),
        "egress_gb_per_month": Usage("GB", "bytes sent to viewers"),
        "uploaded_gb_per_month": Usage("GB", "bytes passed on to the origin, where POST and PUT are allowed"),
        "peak_requests_per_second": Usage("requests/s", "requests of viewers in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
)
