"""Job templates of MediaConvert: what is transcoded on demand by jobs made of them, unless the queue counts it.

Facts: https://aws.amazon.com/mediaconvert/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import mediaconvert
from workbench.review.room import Context, CostLine, Room, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    mode = (resource.properties.get("AccelerationSettings") or {}).get("Mode", "DISABLED")
    # Acceleration makes a job professional and counts its minutes more.
    one_of(resource, mode, "AccelerationSettings.Mode", ("DISABLED",))
    queue = context.target(resource, resource.properties.get("Queue"))
    counted = queue is not None and mediaconvert.declares(queue)
    if mediaconvert.declares(resource) or not counted:
        yield from mediaconvert.lines(resource, context)


ROOM = Room(
    type="AWS::MediaConvert::JobTemplate",
    classification="usage",
    usage=mediaconvert.USAGE,
    lines=_lines,
    limits=mediaconvert.limits,
)
