"""Place indexes of Amazon Location: searches; those whose results may be kept cost more."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import location
from workbench.review.room import Context, CostLine, Room, Usage, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    intended = (resource.properties.get("DataSourceConfiguration") or {}).get("IntendedUse", "SingleUse")
    intended = one_of(resource, intended, "IntendedUse", ("SingleUse", "Storage"))
    kind = "stored" if intended == "Storage" else "core"
    yield location.line(
        resource, context, f"Searches ({kind})", "requests_per_month", f"location.places.{kind}"
    )


ROOM = Room(
    type="AWS::Location::PlaceIndex",
    classification="usage",
    usage={"requests_per_month": Usage("searches", "places searched by text, position or suggestion")},
    lines=_lines,
)
