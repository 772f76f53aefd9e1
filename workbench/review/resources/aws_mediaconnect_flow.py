"""Flows of MediaConnect: the hours that one runs, all of the month, and what leaves AWS.

Facts: https://aws.amazon.com/mediaconnect/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    one_of(resource, properties.get("FlowSize", "MEDIUM"), "FlowSize", ("MEDIUM",))
    for extra in ("EncodingConfig", "NdiConfig", "MediaStreams"):
        if properties.get(extra):
            raise refuse(resource, f"{extra} has a price of its own")
    yield CostLine("Flows", "flow-hours", HOURS, "mediaconnect.flow")
    row = ("Data out (internet)", "GB", "egress_gb_per_month", "transfer.internet_out")
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::MediaConnect::Flow",
    classification="mixed",
    usage={"egress_gb_per_month": Usage("GB", "bytes that its outputs send to the internet")},
    lines=_lines,
)
