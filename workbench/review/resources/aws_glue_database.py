"""Databases of the Glue catalogue: what is in it, and the calls that ask for it.

Databases, tables, partitions and their versions are objects of one catalogue; the first million of an account is
free, and so is the first million of its requests a month. Facts: https://aws.amazon.com/glue/pricing/
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
        ("Catalogue objects", "objects", "stored_objects", "glue.catalog.objects"),
        ("Catalogue requests", "requests", "requests_per_month", "glue.catalog.requests"),
    )


ROOM = Room(
    type="AWS::Glue::Database",
    classification="usage",
    usage={
        "stored_objects": Usage("objects", "tables, partitions and their versions in the database"),
        "requests_per_month": Usage(
            "requests", "calls of the catalogue for it, those of queries and crawlers too"
        ),
    },
    lines=_lines,
)
