"""Low-latency channels of IVS: hours of input, and hours that viewers watch.

The viewers' hours are priced as HD in North America, first tier: lower resolutions cost less, other regions more.
Facts: https://aws.amazon.com/ivs/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kind = one_of(
        resource, resource.properties.get("Type", "STANDARD"), "Type", ("STANDARD", "BASIC")
    ).lower()
    yield from by_use.lines(
        resource,
        context,
        (f"Input ({kind})", "hours", "live_hours_per_month", f"ivs.input.{kind}"),
        ("Output (HD, North America)", "viewer-hours", "viewer_hours_per_month", "ivs.output.hd.na_first"),
    )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: viewers are priced as watching HD in North America; elsewhere they cost more"


ROOM = Room(
    type="AWS::IVS::Channel",
    classification="usage",
    usage={
        "live_hours_per_month": Usage("hours", "hours that it is on the air", scales=False),
        "viewer_hours_per_month": Usage("viewer-hours", "hours that all viewers watch together"),
    },
    lines=_lines,
    warnings=_warnings,
)
