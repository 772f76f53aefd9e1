"""Collections of fences of Amazon Location: positions compared with them."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import location
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield location.line(
        resource, context, "Fences evaluated", "requests_per_month", "location.geofence.evaluation"
    )


ROOM = Room(
    type="AWS::Location::GeofenceCollection",
    classification="usage",
    usage={"requests_per_month": Usage("positions", "positions compared with the fences")},
    lines=_lines,
)
