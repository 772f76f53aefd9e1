"""Rules of AWS Config: each evaluation of a resource pays. A rule's own function is that function's line.

Facts: https://aws.amazon.com/config/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    evaluations = context.derive(resource, "evaluations_per_month")
    yield CostLine("Rule evaluations", "evaluations", evaluations, "config.rule_evaluation")


ROOM = Room(
    type="AWS::Config::ConfigRule",
    classification="usage",
    usage={
        "evaluations_per_month": Usage("evaluations", "resources evaluated, each time", scales=False),
    },
    lines=_lines,
)
