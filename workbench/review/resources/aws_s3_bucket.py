"""Buckets: data held, requests, and the bytes that leave AWS. All data is priced in the Standard class.

Facts: https://aws.amazon.com/s3/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.cloudfront import is_behind_cloudfront
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_EXTRAS = (
    "ReplicationConfiguration",
    "InventoryConfigurations",
    "MetadataConfiguration",
    "MetadataTableConfiguration",
)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    for extra in _EXTRAS:
        if properties.get(extra):
            raise refuse(resource, f"{extra} is set")
    if (properties.get("AccelerateConfiguration") or {}).get("AccelerationStatus") == "Enabled":
        raise refuse(resource, "AccelerateConfiguration pays by the byte")
    stored = context.derive(resource, "stored_gb")
    yield CostLine("Stored data (Standard)", "GB-months", stored, "s3.storage.standard")
    puts = context.derive(resource, "put_requests_per_month")
    yield CostLine("Requests (put, copy, list)", "requests", puts, "s3.requests.put.standard")
    gets = context.derive(resource, "get_requests_per_month")
    yield CostLine("Requests (get)", "requests", gets, "s3.requests.get.standard")
    if "egress_gb_per_month" in resource.workload or not is_behind_cloudfront(resource, context):
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    rules = (resource.properties.get("LifecycleConfiguration") or {}).get("Rules") or []
    moves = any(rule.get("Transitions") or rule.get("Transition") for rule in rules)
    if moves or resource.properties.get("IntelligentTieringConfigurations"):
        yield f"{context.name_of(resource)}: data that changes its storage class is priced as Standard"


ROOM = Room(
    type="AWS::S3::Bucket",
    classification="usage",
    usage={
        "stored_gb": Usage("GB", "data held, all versions"),
        "put_requests_per_month": Usage("requests", "PUT, COPY, POST and LIST"),
        "get_requests_per_month": Usage("requests", "GET and all others"),
        "egress_gb_per_month": Usage(
            "GB", "bytes sent to the internet; not those to CloudFront or inside the region"
        ),
    },
    lines=_lines,
    warnings=_warnings,
)
