"""Policy stores of Verified Permissions: each request that it decides.

Facts: https://aws.amazon.com/verified-permissions/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests (authorization)", "requests", requests, "verifiedpermissions.request")


ROOM = Room(
    type="AWS::VerifiedPermissions::PolicyStore",
    classification="usage",
    usage={"requests_per_month": Usage("requests", "decisions asked for, alone or in a batch")},
    lines=_lines,
)
