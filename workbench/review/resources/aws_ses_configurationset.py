"""Configuration sets of SES: free, but they carry the emails where the template has no identity that does."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ses
from workbench.review.room import Context, CostLine, Room, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("ArchivingOptions"):
        raise refuse(resource, "ArchivingOptions pays by the gigabyte kept")
    if (properties.get("SuppressionOptions") or {}).get("ValidationOptions"):
        raise refuse(resource, "ValidationOptions pays by the address validated")
    if ses.is_sender(resource, context):
        _refuse_twice(resource, context)
        yield from ses.lines(resource, context)


def _refuse_twice(resource: Resource, context: Context) -> None:
    for identity in context.all_of(ses.IDENTITY):
        settings = identity.properties.get("ConfigurationSetAttributes") or {}
        named = context.target(identity, settings.get("ConfigurationSetName"))
        if named is resource and "emails_per_month" in identity.workload:
            raise refuse(
                resource, f"its emails are declared here and at {context.name_of(identity)}, which uses it"
            )


ROOM = Room(type=ses.SET, classification="usage", usage=ses.USAGE, lines=_lines)
