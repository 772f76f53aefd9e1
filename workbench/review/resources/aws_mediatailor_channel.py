"""Channels that MediaTailor assembles: the hours that one runs, all of the month.

Facts: https://aws.amazon.com/mediatailor/pricing/ , channel assembly
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, one_of


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    tier = one_of(resource, resource.properties.get("Tier", "BASIC"), "Tier", ("BASIC", "STANDARD")).lower()
    yield CostLine(f"Channels ({tier})", "channel-hours", HOURS, f"mediatailor.channel_assembly.{tier}")


ROOM = Room(type="AWS::MediaTailor::Channel", classification="baseline", lines=_lines)
