"""Keys of Amazon Location: they carry requests for maps, places and routes that name no resource of the template."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import location
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_KEYS = {
    "tiles_per_month": ("Map tiles", "location.maps.tile"),
    "labels_per_month": ("Places (label)", "location.places.label"),
    "searches_per_month": ("Places (core)", "location.places.core"),
    "advanced_searches_per_month": ("Places (advanced)", "location.places.advanced"),
    "stored_searches_per_month": ("Places (stored)", "location.places.stored"),
    "routes_per_month": ("Routes", "location.routes.core"),
}
_LEGACY = ("geo:GetMap", "geo:SearchPlace", "geo:GetPlace", "geo:CalculateRoute")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    declared = [key for key in _KEYS if key in resource.workload]
    if not declared and _is_for_resources(resource):
        return
    if not _allowed(resource):
        raise refuse(resource, "Restrictions.AllowActions is not in the template")
    for key in declared or _asked(resource):
        component, price_key = _KEYS[key]
        yield location.line(resource, context, component, key, price_key)


def _allowed(resource: Resource) -> list[str]:
    actions = (resource.properties.get("Restrictions") or {}).get("AllowActions") or []
    return [str(action) for action in actions]


def _is_for_resources(resource: Resource) -> bool:
    """Whether it opens maps and indexes of the template alone, which pay themselves."""
    return bool(_allowed(resource)) and all(action.startswith(_LEGACY) for action in _allowed(resource))


def _asked(resource: Resource) -> Iterator[str]:
    """What is counted of the actions that it allows."""
    services = {action.split(":")[0] for action in _allowed(resource)}
    for service, key in (
        ("geo-maps", "tiles_per_month"),
        ("geo-places", "searches_per_month"),
        ("geo-routes", "routes_per_month"),
    ):
        if service in services:
            yield key


ROOM = Room(
    type="AWS::Location::APIKey",
    classification="usage",
    usage={
        "tiles_per_month": Usage("tiles", "tiles of maps that are fetched"),
        "labels_per_month": Usage("requests", "suggestions and places by their label alone"),
        "searches_per_month": Usage("requests", "places with their address"),
        "advanced_searches_per_month": Usage("requests", "places with opening hours, contacts and the like"),
        "stored_searches_per_month": Usage("requests", "places whose results are kept"),
        "routes_per_month": Usage("routes", "routes calculated, each pair of a matrix counted"),
    },
    lines=_lines,
)
