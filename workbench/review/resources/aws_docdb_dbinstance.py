"""Members of a DocumentDB cluster: the hours of the instance; the cluster pays for serverless ones.

Facts: https://aws.amazon.com/documentdb/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import document_graph
from workbench.review.document_graph import DOCUMENTDB
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from document_graph.member_lines(resource, context, DOCUMENTDB)


ROOM = Room(type=DOCUMENTDB.member, classification="baseline", lines=_lines)
