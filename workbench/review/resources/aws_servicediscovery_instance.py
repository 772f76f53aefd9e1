"""Instances registered with Cloud Map by the template: each pays by the month."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, each


def _lines(_resource: Resource, _context: Context) -> Iterator[CostLine]:
    yield CostLine("Instances registered", "instances", each(1, "instance"), "cloudmap.resource")


ROOM = Room(type="AWS::ServiceDiscovery::Instance", classification="baseline", lines=_lines)
