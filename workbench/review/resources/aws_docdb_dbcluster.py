"""DocumentDB clusters: data, input and output, backups, serverless capacity; `document_graph.py` says how.

Version 3.6 pays for extended support since 2026. Facts: https://aws.amazon.com/documentdb/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import document_graph
from workbench.review.document_graph import DOCUMENTDB
from workbench.review.room import Context, CostLine, Room, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    version = str(resource.properties.get("EngineVersion", ""))
    if version.startswith("3."):
        raise refuse(resource, f"EngineVersion is {version}, which pays for extended support")
    yield from document_graph.cluster_lines(resource, context, DOCUMENTDB)


ROOM = Room(type=DOCUMENTDB.cluster, classification="mixed", usage=DOCUMENTDB.usage, lines=_lines)
