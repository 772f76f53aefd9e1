"""The real servers behind the offline AWS: started when the first resource needs one, ended with the process.

An engine is a child process of the offline AWS, in its process group, bound to loopback on a free port: it
ends with the group however that ends.
"""

from __future__ import annotations

import socket
from typing import Protocol, TypeVar

from workbench.offline.surroundings import LOOPBACK


class Engine(Protocol):
    """A server behind a resource. `stop` and `start` are what faults use: its data outlives them."""

    kind: str  # what faults and the report call it: "postgres", "redis", "kafka", "program", "kubernetes"
    name: str  # the resource that it stands behind, such as a DB instance's identifier
    pids: list[int]  # of its processes, to weigh them

    def start(self) -> None:
        """Start it, or start it again; return when it answers. Nothing happens when it runs."""

    def stop(self) -> None:
        """Stop it at once, as a crash would; what it has acknowledged is kept."""

    def lose_zone(self, zone: str) -> list[str]:
        """Stop what of it stands in the availability zone ("us-east-1a"), and name it."""

    def restore_zone(self, zone: str) -> list[str]:
        """Start again what `lose_zone` stopped, and name it."""


RUNNING: dict[str, Engine] = {}  # by "<kind>/<name>"; a resource that is deleted takes its engine out
LOST_ZONES: set[str] = set()  # nothing starts in these availability zones, until they are back
_E = TypeVar("_E", bound=Engine)


def find(kind: type[_E], name: str) -> _E | None:
    """The engine of a kind that is called `name`; None where there is none."""
    found = RUNNING.get(f"{kind.kind}/{name}")
    return found if isinstance(found, kind) else None


def free_name(kind: str, name: str, region: str) -> str:
    """What to call an engine: as its resource, with the region where one of another region has that name."""
    return name if f"{kind}/{name}" not in RUNNING else f"{name}.{region}"


def free_port() -> int:
    """A port on loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
