"""Members of a Neptune cluster: the hours of the instance; the cluster pays for serverless ones.

Facts: https://aws.amazon.com/neptune/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import document_graph
from workbench.review.document_graph import NEPTUNE
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from document_graph.member_lines(resource, context, NEPTUNE)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from document_graph.member_warnings(resource, context, NEPTUNE)


ROOM = Room(type=NEPTUNE.member, classification="baseline", lines=_lines, warnings=_warnings)
