"""Neptune clusters: data, input and output, backups, serverless capacity; `document_graph.py` says how.

Serverless capacity goes down to 1 NCU and never to none. Facts: https://aws.amazon.com/neptune/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import document_graph
from workbench.review.document_graph import NEPTUNE
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from document_graph.cluster_lines(resource, context, NEPTUNE)


ROOM = Room(type=NEPTUNE.cluster, classification="mixed", usage=NEPTUNE.usage, lines=_lines)
