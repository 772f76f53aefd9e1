"""Trackers of Amazon Location: positions that are written, read or compared with fences."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import location
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield location.line(resource, context, "Positions", "requests_per_month", "location.tracker.position")


ROOM = Room(
    type="AWS::Location::Tracker",
    classification="usage",
    usage={"requests_per_month": Usage("positions", "positions written, read or deleted")},
    lines=_lines,
)
