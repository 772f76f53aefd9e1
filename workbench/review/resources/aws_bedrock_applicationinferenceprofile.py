"""Application inference profiles: the resource of a template that stands for the use of a model, with its tokens.

A function that calls a model by its id alone leaves no trace in the template; with a profile, which costs nothing,
its use can be declared, priced and, on AWS, told apart in the bill:
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-create.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import bedrock
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    source = (resource.properties.get("ModelSource") or {}).get("CopyFrom")
    yield from bedrock.token_lines(resource, context, source, "ModelSource.CopyFrom")


ROOM = Room(
    type="AWS::Bedrock::ApplicationInferenceProfile",
    classification="usage",
    usage=bedrock.USAGE,
    lines=_lines,
)
