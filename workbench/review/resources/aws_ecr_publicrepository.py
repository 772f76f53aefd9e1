"""Public image repositories: what they hold. AWS gives 50 GB for nothing, which is not taken off.

Pulls from outside AWS pay beyond 5 TB a month, which is not counted. Facts: https://aws.amazon.com/ecr/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    stored = context.derive(resource, "stored_gb")
    yield CostLine("Stored images (public)", "GB-months", stored, "ecr.storage")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: pulls from outside AWS pay beyond 5 TB a month, and are not counted"


ROOM = Room(
    type="AWS::ECR::PublicRepository",
    classification="usage",
    usage={"stored_gb": Usage("GB", "layers of all images, compressed, each layer once", scales=False)},
    lines=_lines,
    warnings=_warnings,
)
