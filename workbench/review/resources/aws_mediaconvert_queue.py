"""Queues of MediaConvert: what is transcoded on demand by jobs that no template of the assembly stands for.

Facts: https://aws.amazon.com/mediaconvert/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import mediaconvert
from workbench.review.room import Context, CostLine, Room, one_of


def _has_templates(resource: Resource, context: Context) -> bool:
    """Whether a job template sends its jobs here."""
    return bool(context.pointing_at(resource, "AWS::MediaConvert::JobTemplate", "Queue"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    # Reserved slots pay by the month, for a year.
    one_of(resource, resource.properties.get("PricingPlan", "ON_DEMAND"), "PricingPlan", ("ON_DEMAND",))
    if mediaconvert.declares(resource) or not _has_templates(resource, context):
        yield from mediaconvert.lines(resource, context)


ROOM = Room(
    type="AWS::MediaConvert::Queue",
    classification="usage",
    usage=mediaconvert.USAGE,
    lines=_lines,
    limits=mediaconvert.limits,
    limits_of_account=mediaconvert.limits_of_account,
)
