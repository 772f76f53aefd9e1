"""Security Hub (posture management): each check of a control pays. The Config items that it needs are Config's line.

Facts: https://aws.amazon.com/security-hub/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    checks = context.derive(resource, "checks_per_month")
    yield CostLine("Security checks", "checks", checks, "securityhub.check")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: findings taken in beyond 10,000 a month pay too, and are not priced"


ROOM = Room(
    type="AWS::SecurityHub::Hub",
    classification="usage",
    usage={"checks_per_month": Usage("checks", "checks of controls, each resource counted", scales=False)},
    lines=_lines,
    warnings=_warnings,
)
