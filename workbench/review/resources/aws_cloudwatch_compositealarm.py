"""Composite alarms: one price, however many alarms they combine.

Facts: https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, each


def _lines(_resource: Resource, _context: Context) -> Iterator[CostLine]:
    yield CostLine("Composite alarms", "alarms", each(1, "alarm"), "cloudwatch.alarm.composite")


ROOM = Room(type="AWS::CloudWatch::CompositeAlarm", classification="baseline", lines=_lines)
