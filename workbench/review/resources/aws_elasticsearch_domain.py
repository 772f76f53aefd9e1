"""Elasticsearch domains, the type before OpenSearch: nodes cost what those of OpenSearch do.

A template that names no version gets 1.5, which pays for extended support, and is refused. Facts:
https://aws.amazon.com/opensearch-service/pricing/ and
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-elasticsearch-domain.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench.assembly import Resource
from workbench.review import opensearch
from workbench.review.room import Context, CostLine, Limit, Room


def _cluster(resource: Resource) -> Mapping[str, Any]:
    return resource.properties.get("ElasticsearchClusterConfig") or {}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    version = str(resource.properties.get("ElasticsearchVersion", "1.5"))
    opensearch.refuse_old(resource, "Elasticsearch", version)
    yield from opensearch.lines(resource, context, _cluster(resource))


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    yield from opensearch.limits(resource, context, _cluster(resource))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from opensearch.warnings(resource, context, _cluster(resource))


ROOM = Room(
    type="AWS::Elasticsearch::Domain",
    classification="mixed",
    usage=opensearch.USAGE,
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
