"""Namespaces of Cloud Map with public DNS: the hosted zone that each makes, and its queries."""

from __future__ import annotations

from workbench.review import cloud_map
from workbench.review.room import Room

ROOM = Room(
    type="AWS::ServiceDiscovery::PublicDnsNamespace",
    classification="mixed",
    usage=cloud_map.ZONE_USAGE,
    lines=cloud_map.zone_lines,
)
