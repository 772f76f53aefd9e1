"""Ad insertion by MediaTailor: the ads that are put into streams.

Facts: https://aws.amazon.com/mediatailor/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    ads = context.derive(resource, "ads_per_month", by=lambda count: count / constant(1_000, "1,000"))
    yield CostLine("Ads inserted", "thousand ads", ads, "mediatailor.ads")


ROOM = Room(
    type="AWS::MediaTailor::PlaybackConfiguration",
    classification="usage",
    usage={"ads_per_month": Usage("ads", "ads put into the streams of all viewers")},
    lines=_lines,
)
