"""Managed Microsoft AD: two domain controllers by the hour. The Enterprise edition is the default, and the dearer.

Facts: https://aws.amazon.com/directoryservice/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, one_of

_CONTROLLERS = 2


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    known = ("Standard", "Enterprise")
    edition = one_of(resource, resource.properties.get("Edition", "Enterprise"), "Edition", known)
    fleet = zones.always(_CONTROLLERS, "domain controllers")
    key = f"directory.microsoft_ad.{edition.lower()}"
    yield from fleet.lines("Domain controllers", edition, "controller-hours", HOURS, key)


ROOM = Room(type="AWS::DirectoryService::MicrosoftAD", classification="baseline", lines=_lines)
