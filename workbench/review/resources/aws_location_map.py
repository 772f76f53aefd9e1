"""Maps of Amazon Location: tiles."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import location
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield location.line(resource, context, "Map tiles", "tiles_per_month", "location.maps.tile")


ROOM = Room(
    type="AWS::Location::Map",
    classification="usage",
    usage={"tiles_per_month": Usage("tiles", "tiles of maps that are fetched")},
    lines=_lines,
)
