"""Real-time logs of CloudFront: each line pays; the stream that receives them is a line of its own.

Facts: https://aws.amazon.com/cloudfront/pricing/ , "Real-time log requests"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    logged = context.derive(resource, "log_lines_per_month")
    yield CostLine("Real-time log lines", "log lines", logged, "cloudfront.realtime_logs")


ROOM = Room(
    type="AWS::CloudFront::RealtimeLogConfig",
    classification="usage",
    usage={"log_lines_per_month": Usage("log lines", "requests of viewers × SamplingRate")},
    lines=_lines,
)
