"""Connections and presence: who may connect, who is told that somebody came or went, and who may see it.

connect, disconnect    a socket begins and ends
heartbeat              a device is here, and asks whom it sees
typing                 a member of a chat writes
visible                whether somebody may see a user; also asked by who tells watchers

Time, the stores, Kafka and the sockets are passed in, so that the functions behind API Gateway and the gateways of
the fleet do the same. What is told is told at most once and may be lost: clients see how things are in the answers to
their heartbeats, and so a lost event mends itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.frames import Frame
from lambdas.messaging_platform.people import Connection, Profile
from lambdas.messaging_platform.presence.cache import HIDDEN, Heard, State
from lambdas.messaging_platform.records import Presence, Typing
from lambdas.shared.errors import Conflict, Malformed, NotFound, Refused

MOST_WATCHED = 25  # users in one heartbeat: a page of chats; what decides over them is one call of DynamoDB
MOST_TOLD_OF_TYPING = 32  # members: in larger groups, nobody is told


@dataclass(frozen=True)
class Socket:
    """A connection and whose it is. `gateway` is "" where API Gateway holds it; `connected_at` is epoch ms."""

    user: str
    device: str
    connection: str
    gateway: str
    connected_at: int


@dataclass(frozen=True)
class Sight:
    """What decides whether a user may be seen by another: their profile (None where there is no such user), whether
    they have the other among their contacts, and whether one has blocked the other.
    """

    profile: Profile | None
    is_contact: bool
    is_blocked: bool


@dataclass(frozen=True)
class Place:
    """A chat, for one who may act in it. `partner` is the other one of a chat of two."""

    members: int
    partner: str | None


class Devices(Protocol):
    """Where devices and their connections are noted; its promises are at `people.People`."""

    def connect(
        self, user: str, device: str, connection: str, gateway: str, at: int
    ) -> Connection | None: ...
    def disconnect(self, user: str, device: str, connection: str) -> bool: ...
    def is_blocked(self, one: str, other: str) -> bool: ...


class Store(Protocol):
    """Where presence is noted; its promises are at `store.Store`."""

    def heartbeat_and_look(
        self, user: str, device: str, connection: str, users: Sequence[str], *, is_noted: bool = False
    ) -> tuple[Heard, dict[str, State | None]]: ...
    def look(self, user: str, device: str, users: Sequence[str]) -> dict[str, State | None]: ...
    def decide(self, user: str, device: str, verdicts: dict[str, bool]) -> None: ...
    def gone(self, user: str, device: str, connection: str, *, was_noted: bool) -> int | None: ...
    def may_type(self, user: str, device: str, chat: str) -> bool: ...
    def sights(self, watcher: str, users: Sequence[str]) -> dict[str, Sight]: ...
    def place(self, chat: str, user: str) -> Place | None: ...


class Telling(Protocol):
    """The topic of presence: best effort, and soon done with."""

    def tell(self, record: Presence | Typing) -> None: ...


class Closing(Protocol):
    """Who can end a connection, best effort; `sockets.Sockets` is one."""

    def close(self, connection: str, gateway: str) -> object: ...


@dataclass(frozen=True)
class Services:
    """What all of this needs."""

    devices: Devices
    store: Store
    topic: Telling
    sockets: Closing


def connect(socket: Socket, services: Services) -> None:
    """Note the connection as its device's, end the one before it, and count it as the first heartbeat.

    Raises `NotFound` for a device that is not registered, `Conflict` for a connection older than the one that is
    noted: it was overtaken, and its client has given it up. The same again changes nothing.
    """
    _note(socket, services)
    _beat_as_noted(socket, services)


def disconnect(socket: Socket, services: Services) -> None:
    """Forget the connection, if it is still its device's. Late, or again, it changes nothing."""
    was_noted = services.devices.disconnect(socket.user, socket.device, socket.connection)
    seen = services.store.gone(socket.user, socket.device, socket.connection, was_noted=was_noted)
    if seen is not None:
        services.topic.tell(Presence(socket.user, online=False, last_seen=seen))


def heartbeat(socket: Socket, watch: Sequence[str], services: Services) -> dict[str, Any]:
    """Note that the device is here. The frame to answer: how those are whom it watches.

    Whom it may not see looks like somebody who was never here. Raises `NotFound` where the device is found not to be
    registered any more.
    """
    store = services.store
    heard, seen = store.heartbeat_and_look(socket.user, socket.device, socket.connection, watch)
    _tell_of(heard, socket.user, services)
    if heard.moved:
        _settle(socket, services)
    undecided = [user for user, state in seen.items() if state is None]
    if undecided:
        seen |= _decided(socket, undecided, store)
    states = {user: state or HIDDEN for user, state in seen.items()}
    users = {user: {"online": each.online, "last_seen": each.last_seen} for user, each in states.items()}
    return {"type": "alive", "users": users}


def typing(socket: Socket, chat: str, on: bool, at: int, services: Services) -> None:
    """Tell the chat that its member writes, or has stopped; too often, or in a large group, nobody is told.

    Raises `NotFound` where the user may not act in the chat, as where there is none. What comes too often is looked
    at no further, so that nobody makes the table of chats busy by it.
    """
    if not services.store.may_type(socket.user, socket.device, chat):
        return
    place = services.store.place(chat, socket.user)
    if place is None:
        raise NotFound("there is no such chat")
    if place.members > MOST_TOLD_OF_TYPING:
        return
    if place.partner is not None and services.devices.is_blocked(socket.user, place.partner):
        return
    services.topic.tell(Typing(chat, socket.user, on, at))


def visible(profile: Profile | None, is_contact: bool, is_blocked: bool) -> bool:
    """Whether one may see when the user of `profile` is and was online.

    `is_contact`: the user has them among their contacts. `is_blocked`: either has blocked the other.
    """
    if profile is None or is_blocked:
        return False
    if profile.last_seen == "contacts":
        return is_contact
    return profile.last_seen == "everyone"


def watched_in(frame: Frame) -> list[str]:
    """Whom a frame of the action `heartbeat` asks for. Raises `Malformed`, `Refused` for too many."""
    watch = frame.get("watch", [])
    if not isinstance(watch, list) or not all(
        isinstance(user, str) and keys.USER_ID.fullmatch(user) for user in watch
    ):
        raise Malformed("`watch` is a list of users")
    users = list(dict.fromkeys(watch))
    if len(users) > MOST_WATCHED:
        raise Refused(f"a heartbeat watches at most {MOST_WATCHED} users")
    return users


def typed_in(frame: Frame) -> tuple[str, bool]:
    """The chat, and whether it began or stopped, of a frame of the action `typing`. Raises `Malformed`."""
    chat, on = frame.get("chat"), frame.get("on")
    if not isinstance(chat, str) or not keys.CHAT_ID.fullmatch(chat):
        raise Malformed("`chat` is the id of a chat")
    if not isinstance(on, bool):
        raise Malformed("`on` is true or false")
    return chat, on


def _note(socket: Socket, services: Services) -> None:
    """Note the connection, and end the one before it. Raises `NotFound`, and `Conflict` where a newer one is."""
    old = services.devices.connect(
        socket.user, socket.device, socket.connection, socket.gateway, socket.connected_at
    )
    if old is not None:
        services.sockets.close(old.id, old.gateway)


def _settle(socket: Socket, services: Services) -> None:
    """A device was heard by a connection that is not known to be noted: of two, the newer one stays.

    So a connection that is noted nowhere, because another one's beginning or end came late, is noted again with its
    next heartbeat, and does not stay deaf for as long as it is open.
    """
    try:
        _note(socket, services)
    except Conflict:
        services.sockets.close(socket.connection, socket.gateway)
    except NotFound:
        disconnect(socket, services)  # or it would be online for as long as it beats
        services.sockets.close(socket.connection, socket.gateway)
        raise
    else:
        _beat_as_noted(socket, services)


def _beat_as_noted(socket: Socket, services: Services) -> None:
    heard, _ = services.store.heartbeat_and_look(
        socket.user, socket.device, socket.connection, (), is_noted=True
    )
    _tell_of(heard, socket.user, services)


def _decided(socket: Socket, users: Sequence[str], store: Store) -> dict[str, State | None]:
    sights = store.sights(socket.user, users)
    verdicts = {
        user: user == socket.user or visible(sight.profile, sight.is_contact, sight.is_blocked)
        for user, sight in sights.items()
    }
    store.decide(socket.user, socket.device, verdicts)
    may = [user for user, verdict in verdicts.items() if verdict]
    return dict.fromkeys(users, HIDDEN) | (store.look(socket.user, socket.device, may) if may else {})


def _tell_of(heard: Heard, user: str, services: Services) -> None:
    if heard.came_online:
        services.topic.tell(Presence(user, online=True, last_seen=None))
