"""How soon things happen, by stage."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.blueprint import Stage


@dataclass(frozen=True)
class Pace:
    """What several programs must agree on.

    A device is away when nothing was heard of it for `alive_seconds`, and is pushed to after `grace_seconds` more; a
    user sends so many `messages_a_minute`.
    """

    alive_seconds: int
    grace_seconds: int
    messages_a_minute: int


# A sandbox notices soon who is gone, for those who try it out; each heartbeat is paid, so production waits. A script
# is quicker than a thumb.
PACES: dict[Stage, Pace] = {
    "sandbox": Pace(alive_seconds=10, grace_seconds=3, messages_a_minute=120),
    "production": Pace(alive_seconds=150, grace_seconds=15, messages_a_minute=60),
}
