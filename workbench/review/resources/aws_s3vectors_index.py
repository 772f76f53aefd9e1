"""Vector indexes in S3: data held, bytes put, queries.

What a query reads of the index pays by the terabyte, which no key of the price book is for: a warning says so. Facts:
https://aws.amazon.com/s3/pricing/ , Vectors
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from by_use.lines(
        resource,
        context,
        ("Stored vectors", "GB-months", "stored_gb", "s3.vectors.storage"),
        ("Data written", "GB", "written_gb_per_month", "s3.vectors.put"),
        ("Queries", "requests", "query_requests_per_month", "s3.vectors.query"),
    )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: what a query reads of the index pays by the terabyte, which is not counted"


ROOM = Room(
    type="AWS::S3Vectors::Index",
    classification="usage",
    usage={
        "stored_gb": Usage("GB", "vectors, keys and metadata held"),
        "written_gb_per_month": Usage("GB", "bytes put, each request 128 KB at least"),
        "query_requests_per_month": Usage("requests", "queries"),
    },
    lines=_lines,
    warnings=_warnings,
)
