"""KMS keys: a dollar a month, and requests. A first and a second yearly rotation add a dollar a month each.

Facts: https://aws.amazon.com/kms/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each

_SYMMETRIC = ("SYMMETRIC_DEFAULT",)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Customer managed keys", "keys", each(1, "key, before its first rotation"), "kms.key")
    symmetric = resource.properties.get("KeySpec", "SYMMETRIC_DEFAULT") in _SYMMETRIC
    requests = context.derive(resource, "requests_per_month")
    kind, price_key = (
        ("symmetric", "kms.requests") if symmetric else ("asymmetric", "kms.requests.asymmetric")
    )
    yield CostLine(f"Requests ({kind})", "requests", requests, price_key)


ROOM = Room(
    type="AWS::KMS::Key",
    classification="mixed",
    usage={"requests_per_month": Usage("requests", "calls, also those that S3, SQS and others make for you")},
    lines=_lines,
)
