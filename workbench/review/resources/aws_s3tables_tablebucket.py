"""Table buckets: data held, and requests as in S3 Standard.

Watching over the objects and compacting them pays too, which no key of the price book is for: a warning says so.
Facts: https://aws.amazon.com/s3/pricing/ , Tables
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    kind = (properties.get("StorageClassConfiguration") or {}).get("StorageClass", "STANDARD")
    one_of(resource, kind, "StorageClass", ("STANDARD",))
    if properties.get("ReplicationConfiguration"):
        raise refuse(resource, "ReplicationConfiguration is set")
    yield from by_use.lines(
        resource,
        context,
        ("Stored data (tables)", "GB-months", "stored_gb", "s3.tables.storage"),
        ("Requests (put, copy, list)", "requests", "put_requests_per_month", "s3.requests.put.standard"),
        ("Requests (get)", "requests", "get_requests_per_month", "s3.requests.get.standard"),
    )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: monitoring and compacting its objects pay too, which is not counted"


ROOM = Room(
    type="AWS::S3Tables::TableBucket",
    classification="usage",
    usage={
        "stored_gb": Usage("GB", "data held, all snapshots"),
        "put_requests_per_month": Usage("requests", "PUT, COPY, POST and LIST, those of compaction too"),
        "get_requests_per_month": Usage("requests", "GET and all others"),
    },
    lines=_lines,
    warnings=_warnings,
)
