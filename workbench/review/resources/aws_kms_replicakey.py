"""Replicas of a multi-region key: each pays as a key does, and for the requests of its region.

Whether it is symmetric is seen from its primary, where that is in the assembly; it is taken to be so where not.
Facts: https://aws.amazon.com/kms/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import kms
from workbench.review.room import Context, CostLine, Room, Usage, each


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Customer managed keys", "keys", each(1, "replica of a key"), "kms.key")
    primary = context.target(resource, resource.properties.get("PrimaryKeyArn"))
    kind, key = kms.of_kind(primary.properties.get("KeySpec") if primary is not None else None)
    requests = context.derive(resource, "requests_per_month")
    yield CostLine(f"Requests ({kind})", "requests", requests, key)


ROOM = Room(
    type="AWS::KMS::ReplicaKey",
    classification="mixed",
    usage={"requests_per_month": Usage("requests", "calls of your own programs in its region")},
    lines=_lines,
)
