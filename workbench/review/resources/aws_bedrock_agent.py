"""Agents of Bedrock: free by themselves; the tokens of their model pay.

Those of an agent whose model is an inference profile of the template are that profile's. Functions and knowledge
bases that it calls pay for themselves. Facts: https://aws.amazon.com/bedrock/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import bedrock
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    for group in properties.get("ActionGroups") or []:
        if group.get("ParentActionGroupSignature") == "AMAZON.CodeInterpreter":
            raise refuse(resource, "AMAZON.CodeInterpreter pays by the session")
    model = properties.get("FoundationModel")
    for prompt in (properties.get("PromptOverrideConfiguration") or {}).get("PromptConfigurations") or []:
        if prompt.get("FoundationModel") not in (None, model):
            raise refuse(resource, "PromptOverrideConfiguration has another model for some of its tokens")
    if context.target(resource, model) is not None:
        refuse_keys(resource, "its tokens are its inference profile's", *bedrock.USAGE)
        return
    yield from bedrock.token_lines(resource, context, model, "FoundationModel")


ROOM = Room(type="AWS::Bedrock::Agent", classification="usage", usage=bedrock.USAGE, lines=_lines)
