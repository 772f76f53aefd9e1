"""Serverless namespaces of Redshift: data in managed storage.

Facts: https://aws.amazon.com/redshift/pricing/ ; the secret: https://aws.amazon.com/secrets-manager/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage, each, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("SnapshotCopyConfigurations"):
        raise refuse(resource, "SnapshotCopyConfigurations keep snapshots in another region")
    yield from by_use.lines(resource, context, ("Managed storage", "GB-months", "stored_gb", "redshift.rms"))
    if by_use.is_true(resource.properties.get("ManageAdminPassword")):
        yield CostLine("Secrets (admin password)", "secrets", each(1, "secret"), "secretsmanager.secret")


ROOM = Room(
    type="AWS::RedshiftServerless::Namespace",
    classification="usage",
    usage={"stored_gb": Usage("GB", "data in managed storage")},
    lines=_lines,
)
