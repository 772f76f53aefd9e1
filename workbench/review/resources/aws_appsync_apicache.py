"""Caches of GraphQL APIs: paid by their size and hour.

SMALL is the t2.small of before July 2020, under its later name:
https://docs.aws.amazon.com/appsync/latest/APIReference/API_ApiCache.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, one_of, refuse

_KEYS = {"SMALL": "appsync.cache.t2_small", "T2_SMALL": "appsync.cache.t2_small"}


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    if resource.properties.get("HealthMetricsConfig") == "ENABLED":
        raise refuse(resource, "HealthMetricsConfig pays by the metric")
    size = one_of(resource, resource.properties.get("Type"), "Type", tuple(_KEYS))
    yield CostLine(f"Caches ({size.lower()})", "cache-hours", HOURS, _KEYS[size])


ROOM = Room(type="AWS::AppSync::ApiCache", classification="baseline", lines=_lines)
