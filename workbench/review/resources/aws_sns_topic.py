"""SNS topics: publishes. What delivery costs is the subscription's."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("FifoTopic") is True:
        raise refuse(resource, "FifoTopic pays by the byte too")
    publishes = context.derive(resource, "publishes_per_month")
    yield CostLine("Publishes (standard)", "requests", publishes, "sns.publish")


ROOM = Room(
    type="AWS::SNS::Topic",
    classification="usage",
    usage={"publishes_per_month": Usage("requests", "messages published, in steps of 64 KB; alarms count")},
    lines=_lines,
)
