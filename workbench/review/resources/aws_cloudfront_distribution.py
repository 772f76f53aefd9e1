"""CloudFront distributions: requests, bytes to viewers and uploads to the origin, by where the viewers are.

Viewers are in the United States unless keys of other geographies say otherwise. A price class that leaves a geography
out serves its viewers from elsewhere, at the price of there: the US. Bytes from an origin in AWS are free. Facts:
https://aws.amazon.com/cloudfront/pricing/ and
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/PriceClass.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import lambda_edge
from workbench.review.by_use import is_true
from workbench.review.numbers import constant
from workbench.review.room import (
    Context,
    CostLine,
    Limit,
    Room,
    Usage,
    each,
    is_declared,
    one_of,
    refuse,
)
from workbench.workload import Figure, total

_UPLOADS = {"POST", "PUT", "PATCH", "DELETE"}
# Geographies with prices of their own, beside the US (with Mexico and Canada).
_PLACES = {
    "eu": "Europe",
    "ap": "Asia Pacific",
    "au": "Australia",
    "in": "India",
    "jp": "Japan",
    "sa": "South America",
    "za_me": "Africa, Middle East",
}
_IN_FULL = {"us": "the US, Mexico and Canada", "eu": "Europe and Israel"}
_EDGES = {
    "PriceClass_100": ("us", "eu"),
    "PriceClass_200": ("us", "eu", "ap", "in", "jp", "za_me"),
    "PriceClass_All": ("us", *_PLACES),
}


def _config(resource: Resource) -> dict[str, Any]:
    config = resource.properties.get("DistributionConfig")
    return config if isinstance(config, dict) else {}


def behaviours(resource: Resource) -> list[dict[str, Any]]:
    """What the distribution does with each group of paths, the default one first."""
    config = _config(resource)
    return [config.get("DefaultCacheBehavior") or {}, *(config.get("CacheBehaviors") or [])]


def requests(resource: Resource, context: Context) -> Figure:
    """All requests of viewers, wherever they are, over HTTPS and HTTP."""
    return _summed(resource, context, "requests")


def _summed(resource: Resource, context: Context, what: str) -> Figure:
    """The declared figures of `what` over all geographies; undeclared where the first is."""
    keys = [f"{what}_per_month", *(f"{what}_{place}_per_month" for place in _PLACES)]
    if what == "requests":
        keys.append("http_requests_per_month")
    told = [key for key in keys if key in resource.workload] or keys[:1]
    return context.derive(resource, *told, by=lambda *figures: total(*figures))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    config = _config(resource)
    _refuse_extras(resource, config)
    lambda_edge.check(resource, context)
    uploads = any(_UPLOADS & set(behaviour.get("AllowedMethods") or ()) for behaviour in behaviours(resource))
    yield from _geography(resource, context, "us", "US", uploads)
    for place, words in _PLACES.items():
        yield from _geography(resource, context, place, words, uploads)
    if "http_requests_per_month" in resource.workload:
        plain = context.derive(resource, "http_requests_per_month")
        yield CostLine("Requests (HTTP, US)", "requests", plain, "cloudfront.requests.http.us")
    yield from _extra_lines(resource, context, config)


def _geography(
    resource: Resource, context: Context, place: str, words: str, uploads: bool
) -> Iterator[CostLine]:
    """What viewers of one geography cost; the US are always there, the others where they are declared."""
    served = _served_from(resource, place)
    label = words if served == place else f"{words}, from {_words(served)}"
    wanted = [
        (f"Requests (HTTPS, {label})", "requests", "requests", "requests.https"),
        (f"Data out ({label})", "GB", "egress_gb", "egress"),
    ]
    if uploads:
        wanted.append((f"Data to origin ({label})", "GB", "uploaded_gb", "origin_upload"))
    for component, unit, what, price in wanted:
        key = f"{what}_per_month" if place == "us" else f"{what}_{place}_per_month"
        if place == "us" or key in resource.workload:
            figure = context.derive(resource, key, by=lambda given: _of_viewers(given, place))
            yield CostLine(component, unit, figure, f"cloudfront.{price}.{served}")


def _of_viewers(figure: Figure, place: str) -> Figure:
    return Figure(figure.value, f"{figure.formula} (viewers in {_IN_FULL.get(place, _words(place))})")


def _words(place: str) -> str:
    return "US" if place == "us" else _PLACES[place]


def _served_from(resource: Resource, place: str) -> str:
    """Where a viewer is served, and priced: at home, or in the US where the price class leaves the home out."""
    declared = _config(resource).get("PriceClass", "PriceClass_All")
    edges = _EDGES[one_of(resource, declared, "PriceClass", tuple(_EDGES))]
    return place if place in edges else "us"


def _refuse_extras(resource: Resource, config: dict[str, Any]) -> None:
    if config.get("AnycastIpListId"):
        raise refuse(resource, "AnycastIpListId pays by the month")


def _extra_lines(resource: Resource, context: Context, config: dict[str, Any]) -> Iterator[CostLine]:
    if (config.get("ViewerCertificate") or {}).get("SslSupportMethod") == "vip":
        yield CostLine(
            "Dedicated IP addresses", "certificates", each(1, "certificate"), "cloudfront.dedicated_ip_ssl"
        )
    if any(
        is_true((origin.get("OriginShield") or {}).get("Enabled")) for origin in config.get("Origins") or []
    ):
        shielded = context.derive(resource, "origin_shield_requests_per_month")
        yield CostLine("Requests (Origin Shield)", "requests", shielded, "cloudfront.origin_shield")
    if _logs_elsewhere(resource, context):
        yield CostLine(
            "Real-time log lines", "lines", requests(resource, context), "cloudfront.realtime_logs"
        )
    if any(behaviour.get("FieldLevelEncryptionId") for behaviour in behaviours(resource)):
        encrypted = context.derive(resource, "encrypted_requests_per_month")
        yield CostLine(
            "Requests (field-level encryption)", "requests", encrypted, "cloudfront.field_level_encryption"
        )
    if "invalidated_paths_per_month" in resource.workload:
        paths = context.derive(resource, "invalidated_paths_per_month")
        yield CostLine("Invalidations", "paths", paths, "cloudfront.invalidation")


def _logs_elsewhere(resource: Resource, context: Context) -> bool:
    """Whether its real-time logs are configured outside the assembly; a configuration in it has a line of its own."""
    named = [
        each["RealtimeLogConfigArn"] for each in behaviours(resource) if each.get("RealtimeLogConfigArn")
    ]
    return any(context.target(resource, each) is None for each in named)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    load = context.derive(resource, "peak_requests_per_second")
    yield context.against("cloudfront.requests_per_second", resource, "Requests a second", load)
    rate = context.derive(
        resource, "peak_requests_per_second", "egress_gb_per_month", "requests_per_month", by=_gigabits
    )
    if is_declared(rate):
        yield context.against("cloudfront.gbps", resource, "Data out a second", rate)


def _gigabits(peak: Figure, egress: Figure, requests: Figure) -> Figure:
    """Gbit/s in the busiest second, by the mean answer of the month."""
    if not requests.value:
        return constant(0, requests.formula)
    return peak * (egress / requests) * constant(8, "8 Gbit/GB")


def _usage_elsewhere() -> Iterator[tuple[str, Usage]]:
    for place, words in _PLACES.items():
        yield f"requests_{place}_per_month", Usage("requests", f"HTTPS requests of viewers in {words}")
        yield f"egress_gb_{place}_per_month", Usage("GB", f"bytes sent to viewers in {words}")
        yield f"uploaded_gb_{place}_per_month", Usage("GB", f"bytes passed on from viewers in {words}")


ROOM = Room(
    type="AWS::CloudFront::Distribution",
    classification="usage",
    usage={
        "requests_per_month": Usage("requests", "HTTPS requests of viewers, cached or not"),
        "egress_gb_per_month": Usage("GB", "bytes sent to viewers"),
        "uploaded_gb_per_month": Usage("GB", "bytes passed on to the origin, where POST and PUT are allowed"),
        **dict(_usage_elsewhere()),
        "http_requests_per_month": Usage("requests", "requests over HTTP, if any"),
        "origin_shield_requests_per_month": Usage(
            "requests", "requests that reach Origin Shield, if it is on"
        ),
        "encrypted_requests_per_month": Usage("requests", "requests with fields that are encrypted, if any"),
        "invalidated_paths_per_month": Usage("paths", "paths that are invalidated, if any", scales=False),
        "peak_requests_per_second": Usage("requests/s", "requests of viewers in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
)
