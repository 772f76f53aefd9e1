"""Versions of Lambda functions: free, but for environments kept ready.

What a version of SnapStart keeps is a line of its function.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import provisioned_concurrency
from workbench.review.resources import aws_lambda_alias
from workbench.review.room import Context, CostLine, Room, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("FunctionScalingConfig"):
        raise refuse(resource, "FunctionScalingConfig runs on managed instances, which pay by the hour")
    yield from aws_lambda_alias.lines(resource, context)


ROOM = Room(
    type="AWS::Lambda::Version",
    classification="mixed",
    usage=provisioned_concurrency.USAGE,
    lines=_lines,
)
