"""Elastic addresses: a public IPv4 address pays by the hour, attached or not."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.room import Context, CostLine, Room


def _lines(_resource: Resource, _context: Context) -> Iterator[CostLine]:
    yield from zones.public_addresses(zones.always(1, "address"))


ROOM = Room(type="AWS::EC2::EIP", classification="baseline", lines=_lines)
