"""Secrets: each copy pays by the month, and calls."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    copies = 1 + len(resource.properties.get("ReplicaRegions") or [])
    count = each(copies, "secret" if copies == 1 else "copies of the secret")
    yield CostLine("Secrets", "secrets", count, "secretsmanager.secret")
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests", "requests", requests, "secretsmanager.api")


ROOM = Room(
    type="AWS::SecretsManager::Secret",
    classification="mixed",
    usage={"requests_per_month": Usage("requests", "GetSecretValue and other calls")},
    lines=_lines,
)
