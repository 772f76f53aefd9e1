"""DAX clusters: the hours of every node.

Facts: https://aws.amazon.com/dynamodb/pricing/ , DynamoDB Accelerator
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, number, text


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    kind = text(resource, resource.properties.get("NodeType"), "NodeType")
    count = number(resource, resource.properties.get("ReplicationFactor"), "ReplicationFactor")
    nodes = Grown(constant(count, f"{shown(count)} nodes (ReplicationFactor)"))
    yield from nodes.lines("Nodes", kind, "node-hours", HOURS, f"dax.node.{kind}")


ROOM = Room(type="AWS::DAX::Cluster", classification="baseline", lines=_lines)
