"""Pipelines: of type V1 each pays by the month in which it runs, of type V2 each minute of an action does.

Manual approvals and actions of the account's own are free in V2. A pipeline without a type is V1, but for one with
triggers or variables, which only V2 has:
https://docs.aws.amazon.com/codepipeline/latest/userguide/pipeline-types.html Facts:
https://aws.amazon.com/codepipeline/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, each, one_of


def _kind(resource: Resource) -> str:
    properties = resource.properties
    implied = "V2" if properties.get("Triggers") or properties.get("Variables") else "V1"
    return one_of(resource, properties.get("PipelineType", implied), "PipelineType", ("V1", "V2"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if _kind(resource) == "V2":
        minutes = context.derive(resource, "action_minutes_per_month")
        yield CostLine("Action minutes (V2)", "minutes", minutes, "codepipeline.v2.action_minute")
        return
    refuse_keys(resource, "it is of type V1", "action_minutes_per_month")
    yield CostLine("Pipelines (V1)", "pipelines", each(1, "pipeline"), "codepipeline.v1.active_pipeline")


ROOM = Room(
    type="AWS::CodePipeline::Pipeline",
    classification="baseline",
    usage={
        "action_minutes_per_month": Usage("minutes", "V2: minutes that its actions take", scales=False),
    },
    lines=_lines,
)
