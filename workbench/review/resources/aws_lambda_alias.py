"""Aliases of Lambda functions: a name is free, environments kept ready behind it are paid by the second."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import provisioned_concurrency
from workbench.review.resources.aws_lambda_function import architecture, gigabytes
from workbench.review.room import Context, CostLine, Room, refuse


def lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """What an alias or a version keeps ready."""
    if provisioned_concurrency.kept_ready(resource, context) is None:
        return
    function = provisioned_concurrency.function_of(resource, context)
    if function is None:
        raise refuse(resource, "it keeps environments ready of a function outside this assembly")
    memory, arch = gigabytes(function), architecture(function)
    yield from provisioned_concurrency.lines(resource, context, memory, arch)


ROOM = Room(
    type="AWS::Lambda::Alias",
    classification="mixed",
    usage=provisioned_concurrency.USAGE,
    lines=lines,
)
