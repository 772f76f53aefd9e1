"""Directory buckets (S3 Express One Zone): data held, requests, and every byte of them.

Facts: https://aws.amazon.com/s3/pricing/ and https://aws.amazon.com/s3/faqs/ , S3 Express One Zone
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    places = ("SingleAvailabilityZone",)
    one_of(resource, resource.properties.get("DataRedundancy", places[0]), "DataRedundancy", places)
    if resource.properties.get("InventoryConfigurations"):
        raise refuse(resource, "InventoryConfigurations is set")
    yield from by_use.lines(
        resource,
        context,
        ("Stored data (Express One Zone)", "GB-months", "stored_gb", "s3.storage.express_onezone"),
        ("Requests (put, copy, list)", "requests", "put_requests_per_month", "s3.requests.put.express"),
        ("Requests (get)", "requests", "get_requests_per_month", "s3.requests.get.express"),
        ("Data written", "GB", "written_gb_per_month", "s3.upload.express"),
        ("Data read", "GB", "read_gb_per_month", "s3.retrieval.express"),
    )


ROOM = Room(
    type="AWS::S3Express::DirectoryBucket",
    classification="usage",
    usage={
        "stored_gb": Usage("GB", "data held"),
        "put_requests_per_month": Usage("requests", "PUT, COPY, POST and LIST"),
        "get_requests_per_month": Usage("requests", "GET and all others; DELETE is free"),
        "written_gb_per_month": Usage("GB", "bytes of all PUT and COPY"),
        "read_gb_per_month": Usage("GB", "bytes of all GET"),
    },
    lines=_lines,
)
