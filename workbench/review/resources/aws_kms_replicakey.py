"""Replicas of a multi-region key: each pays as a key does, and for the requests of its region.

Whether it is symmetric is seen from its primary, where that is in the assembly; it is taken to be so where not.
Facts: https://aws.amazon.com/kms/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each

_SYMMETRIC = "SYMMETRIC_DEFAULT"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Customer managed keys", "keys", each(1, "replica of a key"), "kms.key")
    primary = context.target(resource, resource.properties.get("PrimaryKeyArn"))
    spec = str(primary.properties.get("KeySpec", _SYMMETRIC)) if primary is not None else _SYMMETRIC
    requests = context.derive(resource, "requests_per_month")
    kind, key = (
        ("symmetric" if spec == _SYMMETRIC else spec, "kms.requests")
        if _is_plain(spec)
        else ("asymmetric", "kms.requests.asymmetric")
    )
    yield CostLine(f"Requests ({kind})", "requests", requests, key)


def _is_plain(spec: str) -> bool:
    """Whether a request has the lower price: of asymmetric keys RSA_2048 alone has."""
    return spec in (_SYMMETRIC, "RSA_2048") or spec.startswith("HMAC_")


ROOM = Room(
    type="AWS::KMS::ReplicaKey",
    classification="mixed",
    usage={"requests_per_month": Usage("requests", "calls of your own programs in its region")},
    lines=_lines,
)
