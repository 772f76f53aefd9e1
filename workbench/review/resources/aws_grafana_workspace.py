"""Workspaces of Managed Grafana: each user who signs in during the month.

Facts: https://aws.amazon.com/grafana/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    editors = context.derive(resource, "editors")
    yield CostLine("Editors", "users", editors, "grafana.editor")
    viewers = context.derive(resource, "viewers")
    yield CostLine("Viewers", "users", viewers, "grafana.viewer")


ROOM = Room(
    type="AWS::Grafana::Workspace",
    classification="usage",
    usage={
        "editors": Usage("users", "administrators and editors who sign in during a month", scales=False),
        "viewers": Usage("users", "viewers who sign in during a month", scales=False),
    },
    lines=_lines,
)
