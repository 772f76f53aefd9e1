"""How keys of the tables are written. Pure.

All keys are strings. A user is a Cognito `sub`; a device's id is its client's own, of `DEVICE_ID`'s shape.

    table      partition key             sort key
    messages   chat                      entry     a sequence number, 16 digits
    sent       key                                 "<chat>#<user>#<client id>"; time to live: expires_at
    chats      chat                      entry     "#head" or "member#<user>"; index `by_user`: user, chat
    people     user                      entry     "profile", "device#<device>", "contact#<user>", "blocked#<user>"
    inboxes    device "<user>#<device>"  entry     "<chat>#<sequence number>"; time to live: expires_at
    tickets    ticket                              time to live: expires_at
    presence   user                      device    time to live: expires_at
    media      media
    pushes     device "<user>#<device>"  chat      time to live: expires_at
    limits     key                                 "<user>#<window>"; time to live: expires_at
"""

from __future__ import annotations

import hashlib
import re

HEAD = "#head"
PROFILE = "profile"

DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
CHAT_ID = re.compile(r"(d|g)-[0-9a-f]{32}")
USER_ID = re.compile(r"[0-9a-zA-Z-]{1,64}")
_DIGITS = 16


def sequence(seq: int) -> str:
    """A sequence number as a sort key: 16 digits, so that text sorts as numbers do."""
    return f"{seq:0{_DIGITS}d}"


def member(user: str) -> str:
    return f"member#{user}"


def device(device: str) -> str:
    return f"device#{device}"


def contact(user: str) -> str:
    return f"contact#{user}"


def blocked(user: str) -> str:
    return f"blocked#{user}"


def inbox(user: str, device: str) -> str:
    """The partition of a device's inbox; also how a device is named among all users'."""
    return f"{user}#{device}"


def owner_of(inbox: str) -> tuple[str, str]:
    """The user and the device of an inbox's partition key."""
    user, _, device = inbox.partition("#")
    return user, device


def inbox_entry(chat: str, seq: int) -> str:
    return f"{chat}#{sequence(seq)}"


def sent(chat: str, user: str, client_id: str) -> str:
    return f"{chat}#{user}#{client_id}"


def direct_chat(one: str, other: str) -> str:
    """The chat of two people: the same whichever of them asks first."""
    pair = "\n".join(sorted((one, other)))
    return f"d-{hashlib.sha256(pair.encode()).hexdigest()[:32]}"


def is_direct(chat: str) -> bool:
    return chat.startswith("d-")
