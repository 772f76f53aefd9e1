"""What fan-out asks of presence (who gave a sign of life, who watches, who may see whom), and what it tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lambdas.messaging_platform.presence import logic
from lambdas.messaging_platform.presence.logic import Sight
from lambdas.messaging_platform.records import Presence


class Noted(Protocol):
    """Where presence is noted, with or without the cache; presence.store.Store keeps it."""

    def is_alive(self, inboxes: Sequence[str]) -> set[str]: ...
    def sights(self, watcher: str, users: Sequence[str]) -> dict[str, Sight]: ...


class Cache(Protocol):
    """Who watches, which the cache alone knows; presence.cache.PresenceCache keeps it."""

    def watchers(self, user: str) -> list[str]: ...
    def gone(self, user: str, device: str, connection: str = "") -> int | None: ...


class Telling(Protocol):
    """The topic of presence, with best effort; presence.store.Topic keeps it."""

    def tell(self, record: Presence) -> None: ...


class Presences:
    """All of it raises `Unavailable` where nobody knows."""

    def __init__(self, noted: Noted, cache: Cache, topic: Telling) -> None:
        self._noted = noted
        self._cache = cache
        self._topic = topic

    def is_alive(self, inboxes: Sequence[str]) -> set[str]:
        """Those of the devices that were heard of in time."""
        return self._noted.is_alive(inboxes)

    def watchers(self, user: str) -> list[str]:
        """The devices, by their inboxes, that watch a user now."""
        return self._cache.watchers(user)

    def may_see(self, watcher: str, user: str) -> bool:
        """Whether `watcher` may see, as things are now, that `user` came or went."""
        if watcher == user:
            return True
        sight = self._noted.sights(watcher, [user])[user]
        return logic.visible(sight.profile, sight.is_contact, sight.is_blocked)

    def gone(self, user: str, device: str, connection: str) -> None:
        """A device's connection was found dead: take it out now, and tell it if its user went offline by that.

        Not a device that is there by another connection. What is not told here is found when its time is up.
        """
        seen = self._cache.gone(user, device, connection)
        if seen is not None:
            self._topic.tell(Presence(user, online=False, last_seen=seen))
