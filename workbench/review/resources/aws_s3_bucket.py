"""Buckets: data held by storage class, requests, the bytes that leave AWS, and what is done with objects beside that.

Data is in the Standard class unless a key of another class says so; what rules move to a class is a line of that
class, which depends on usage until it is declared. SSE-KMS makes a call of KMS for each object that is written or
read, and one in a hundred with a bucket key (AWS: up to 99 % fewer); listings, which make none, are counted too.
Those calls are the bucket's line, and not the key's. What a replica holds is the line of its own bucket. Facts:
https://aws.amazon.com/s3/pricing/ , https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html and for
the sixteen request metrics https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import kms, s3
from workbench.review.by_use import is_true
from workbench.review.cloudfront import is_behind_cloudfront
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse
from workbench.workload import Figure, total

METRICS_OF_REQUESTS = 16
_WITH_BUCKET_KEY = constant("0.01", "1 % (bucket key)")
_OF_OTHER_CLASSES = tuple(f"{verb}_requests_{each.key}" for verb in ("put", "get") for each in s3.CLASSES)
_EXTRAS = ("MetadataConfiguration", "MetadataTableConfiguration")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    for extra in _EXTRAS:
        if resource.properties.get(extra):
            raise refuse(resource, f"{extra} is set")
    stored = context.derive(resource, "stored_gb")
    yield CostLine("Stored data (Standard)", "GB-months", stored, "s3.storage.standard")
    puts = context.derive(resource, "put_requests_per_month")
    yield CostLine("Requests (put, copy, list)", "requests", puts, "s3.requests.put.standard")
    gets = context.derive(resource, "get_requests_per_month")
    yield CostLine("Requests (get)", "requests", gets, "s3.requests.get.standard")
    yield from s3.class_lines(resource, context)
    yield from _encryption(resource, context)
    yield from _transfer(resource, context)
    yield from _replication(resource, context)
    yield from _extras(resource, context)


def _encryption(resource: Resource, context: Context) -> Iterator[CostLine]:
    config = resource.properties.get("BucketEncryption") or {}
    for rule in config.get("ServerSideEncryptionConfiguration") or []:
        named = (rule.get("ServerSideEncryptionByDefault") or {}).get("SSEAlgorithm", "AES256")
        if one_of(resource, named, "SSEAlgorithm", ("AES256", "aws:kms")) == "aws:kms":
            others = [key for key in resource.workload if key.startswith(_OF_OTHER_CLASSES)]
            asked = context.derive(
                resource,
                "put_requests_per_month",
                "get_requests_per_month",
                *others,
                by=lambda *figures: _to_kms(rule, total(*figures)),  # noqa: B023
            )
            yield from kms.lines(asked)


def _to_kms(rule: dict[str, Any], requests: Figure) -> Figure:
    return requests * _WITH_BUCKET_KEY if is_true(rule.get("BucketKeyEnabled")) else requests


def _transfer(resource: Resource, context: Context) -> Iterator[CostLine]:
    if "egress_gb_per_month" in resource.workload or not is_behind_cloudfront(resource, context):
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")
    if "inter_region_gb_per_month" in resource.workload:
        moved = context.derive(resource, "inter_region_gb_per_month")
        yield CostLine("Data out (other regions)", "GB", moved, "transfer.inter_region")
    config = resource.properties.get("AccelerateConfiguration") or {}
    if config.get("AccelerationStatus") == "Enabled":
        near = context.derive(resource, "accelerated_gb_per_month")
        key = "s3.transfer_acceleration.us_eu_jp_edge"
        yield CostLine("Data accelerated (US, Europe, Japan)", "GB", near, key)
        if "accelerated_elsewhere_gb_per_month" in resource.workload:
            far = context.derive(resource, "accelerated_elsewhere_gb_per_month")
            yield CostLine("Data accelerated (elsewhere)", "GB", far, "s3.transfer_acceleration.other_edge")


def _replication(resource: Resource, context: Context) -> Iterator[CostLine]:
    """Every rule is taken to copy all that is declared: the requests there, the way, and time control."""
    for rule in _replication_rules(resource):
        there = rule.get("Destination") or {}
        name = f"rule {rule.get('Id', rule.get('Priority', 'without a name'))}"
        puts = context.derive(resource, "replicated_requests_per_month")
        key = s3.put_price(resource, there.get("StorageClass"))
        yield CostLine(f"Replication requests ({name})", "requests", puts, key)
        moved = context.derive(resource, "replicated_gb_per_month")
        if not _stays_in_the_region(resource, context, there):
            yield CostLine(f"Data replicated (other region, {name})", "GB", moved, "transfer.inter_region")
        if (there.get("ReplicationTime") or {}).get("Status") == "Enabled":
            yield CostLine(f"Replication time control ({name})", "GB", moved, "s3.replication_time_control")


def _replication_rules(resource: Resource) -> list[dict[str, Any]]:
    rules = (resource.properties.get("ReplicationConfiguration") or {}).get("Rules") or []
    return [rule for rule in rules if rule.get("Status") != "Disabled"]


def _stays_in_the_region(resource: Resource, context: Context, destination: dict[str, Any]) -> bool:
    """Whether the copy is seen to be in the same region; one that is not in the assembly is taken to be elsewhere."""
    bucket = context.target(resource, destination.get("Bucket"))
    return bucket is not None and bucket.stack.region == resource.stack.region


def _extras(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("InventoryConfigurations"):
        listed = context.derive(resource, "inventoried_objects_per_month")
        yield CostLine("Objects listed (inventory)", "objects", listed, "s3.inventory.object")
    if "object_tags" in resource.workload:
        yield CostLine("Object tags", "tags", context.derive(resource, "object_tags"), "s3.tags")
    filters = len(properties.get("MetricsConfigurations") or [])
    if filters:
        words = f"{filters} filters × {METRICS_OF_REQUESTS} metrics, at the most"
        sent = constant(filters * METRICS_OF_REQUESTS, words) if context.traffic else _none()
        yield CostLine("Request metrics", "metrics", sent, "cloudwatch.metrics.custom")


def _none() -> Figure:
    return constant(0, "without requests there are no metrics")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    name, properties = context.name_of(resource), resource.properties
    missing = s3.undeclared_classes(resource)
    if missing:
        words = ", ".join(each.words for each in missing)
        yield f"{name}: its rules move data to {words}, and nobody declared how much: all counts as Standard"
    for each, days in s3.early_deletions(resource):
        yield (
            f"{name}: objects stay {days} days in {each.words} before they are deleted, "
            f"and {each.least_days} are paid"
        )
    yield from _kept_for_ever(resource, context, name)
    for rule in _replication_rules(resource):
        if context.target(resource, (rule.get("Destination") or {}).get("Bucket")) is None:
            yield f"{name}: the bucket that it is replicated to is in no stack here, and what it holds not counted"
    if properties.get("AnalyticsConfigurations"):
        yield f"{name}: AnalyticsConfigurations pay by the object, which is not priced"


def _kept_for_ever(resource: Resource, context: Context, name: str) -> Iterator[str]:
    rules = s3.rules(resource)
    if not rules:
        yield (
            f"{name}: no lifecycle rule, so all of it, parts of broken uploads included, is kept and paid for ever"
            f"{_cheaper(resource, context)}"
        )
    elif not any(rule.get("AbortIncompleteMultipartUpload") for rule in rules):
        yield f"{name}: no rule ends broken uploads (AbortIncompleteMultipartUpload): their parts are paid for ever"
    versioned = (resource.properties.get("VersioningConfiguration") or {}).get("Status") == "Enabled"
    kept = ("NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays")
    if versioned and not any(rule.get(key) for rule in rules for key in kept):
        yield f"{name}: old versions are kept, and paid, for ever (no NoncurrentVersionExpiration)"


def _cheaper(resource: Resource, context: Context) -> str:
    """What Standard-IA would save on all that is held; nothing where that isn't declared."""
    stored = context.declared(resource, "stored_gb")
    if stored is None or not stored.value:
        return ""
    book = PriceBook.load()
    saved = book["s3.storage.standard"].cost(stored.value) - book["s3.storage.standard_ia"].cost(stored.value)
    return f"; {shown(stored.value)} GB cost {dollars(saved)} a month less in Standard-IA, where seldom read"


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    """What the busiest prefix is asked, where it is declared which part of the requests that is."""
    for verb, limit in (
        ("put", "Busiest prefix, writes a second"),
        ("get", "Busiest prefix, reads a second"),
    ):
        usage = f"peak_{verb}_requests_per_second"
        if usage in resource.workload and "hottest_prefix_share" in resource.workload:
            load = context.derive(
                resource, usage, "hottest_prefix_share", by=lambda rate, share: rate * share
            )
            yield context.against(f"s3.prefix_{verb}_per_second", resource, limit, load)


ROOM = Room(
    type="AWS::S3::Bucket",
    classification="usage",
    usage={
        "stored_gb": Usage("GB", "data held in Standard, all versions"),
        "put_requests_per_month": Usage("requests", "PUT, COPY, POST and LIST"),
        "peak_put_requests_per_second": Usage(
            "requests/s", "PUT, COPY, POST and DELETE in the busiest second"
        ),
        "peak_get_requests_per_second": Usage("requests/s", "GET and HEAD in the busiest second"),
        "hottest_prefix_share": Usage(
            "share", "the part of the peak that falls on the busiest prefix of keys, 0 to 1", scales=False
        ),
        "get_requests_per_month": Usage("requests", "GET and all others"),
        "egress_gb_per_month": Usage(
            "GB", "bytes sent to the internet; not those to CloudFront or inside the region"
        ),
        "inter_region_gb_per_month": Usage("GB", "bytes sent to other regions, replicas aside"),
        "accelerated_gb_per_month": Usage(
            "GB", "with transfer acceleration: bytes through edges in the US, Europe and Japan"
        ),
        "accelerated_elsewhere_gb_per_month": Usage("GB", "bytes through edges elsewhere"),
        "replicated_gb_per_month": Usage("GB", "with replication: bytes that each rule copies"),
        "replicated_requests_per_month": Usage("requests", "with replication: objects that each rule copies"),
        "inventoried_objects_per_month": Usage("objects", "with an inventory: objects in all of its lists"),
        "object_tags": Usage("tags", "tags on objects, if any"),
        **s3.USAGE,
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
