"""Route calculators of Amazon Location: routes; of a matrix each pair is one."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import location
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield location.line(resource, context, "Routes", "requests_per_month", "location.routes.core")


ROOM = Room(
    type="AWS::Location::RouteCalculator",
    classification="usage",
    usage={"requests_per_month": Usage("routes", "routes calculated, each pair of a matrix counted")},
    lines=_lines,
)
