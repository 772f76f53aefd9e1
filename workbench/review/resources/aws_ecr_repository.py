"""Image repositories: what they hold. Pulls inside the region are free.

Facts: https://aws.amazon.com/ecr/pricing/ ; enhanced scanning is Inspector's, a setting of the registry.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    stored = context.derive(resource, "stored_gb")
    yield CostLine("Stored images", "GB-months", stored, "ecr.storage")


ROOM = Room(
    type="AWS::ECR::Repository",
    classification="usage",
    usage={"stored_gb": Usage("GB", "layers of all images, compressed, each layer once", scales=False)},
    lines=_lines,
)
