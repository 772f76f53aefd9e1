"""Dashboards: three of an account are free, which only a bill with the free tier takes off.

Facts: https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, each


def _lines(_resource: Resource, _context: Context) -> Iterator[CostLine]:
    yield CostLine("Dashboards", "dashboards", each(1, "dashboard"), "cloudwatch.dashboard")


ROOM = Room(type="AWS::CloudWatch::Dashboard", classification="baseline", lines=_lines)
