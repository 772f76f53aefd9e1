"""OpenSearch domains: `workbench/review/opensearch.py` says what they pay.

Facts: https://aws.amazon.com/opensearch-service/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use, opensearch
from workbench.review.room import Context, CostLine, Limit, Room, one_of, refuse

_ENGINES = ("OpenSearch", "Elasticsearch")


def _cluster(resource: Resource) -> Mapping[str, Any]:
    return resource.properties.get("ClusterConfig") or {}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_extras(resource)
    yield from opensearch.lines(resource, context, _cluster(resource))


def _refuse_extras(resource: Resource) -> None:
    properties = resource.properties
    version = properties.get("EngineVersion")
    if version is not None:
        engine, _, number = str(version).partition("_")
        opensearch.refuse_old(resource, one_of(resource, engine, "EngineVersion", _ENGINES), number)
    one_of(resource, properties.get("EngineMode", "GENERAL"), "EngineMode", ("GENERAL",))
    for name, option in (properties.get("AIMLOptions") or {}).items():
        if by_use.is_true((option or {}).get("Enabled")):
            raise refuse(resource, f"{name} is on, which has a price of its own")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    yield from opensearch.limits(resource, context, _cluster(resource))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from opensearch.warnings(resource, context, _cluster(resource))


ROOM = Room(
    type="AWS::OpenSearchService::Domain",
    classification="mixed",
    usage=opensearch.USAGE,
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
