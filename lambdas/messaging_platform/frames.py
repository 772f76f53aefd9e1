"""Frames of the sockets, whoever answers them: how one is read, and how one says that nothing was done.

A frame is a JSON object with an `action`. Whatever else comes, of any shape, is `Malformed`, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdas.messaging_platform import keys
from lambdas.shared.errors import Conflict, DomainError, Malformed, NotFound, Refused, TooMany, Unavailable

LARGEST_FRAME = 32 * 1024  # bytes; "Quotas for configuring and running a WebSocket API" (API Gateway)

REASONS: Mapping[type[DomainError], str] = {
    Malformed: "malformed",
    NotFound: "not_found",
    Refused: "refused",
    TooMany: "too_many",
    Conflict: "conflict",
    Unavailable: "unavailable",
}

Frame = Mapping[str, Any]
Reply = dict[str, Any]


def read_frame(text: str | bytes | None, largest: int = LARGEST_FRAME) -> Frame:
    """The JSON object that `text` is, of at most so many bytes. Raises `Malformed`."""
    try:
        # Half of a surrogate pair, which JSON can spell and no store takes, ends here too.
        size = len(text.encode() if isinstance(text, str) else text or b"")
        if size > largest:
            raise Malformed(f"a frame has at most {largest} bytes")
        frame = json.loads(text or "")
    except (ValueError, RecursionError):
        raise Malformed("the frame is not JSON") from None
    if not isinstance(frame, dict):
        raise Malformed("a frame is a JSON object")
    return frame


def action_of(frame: Frame) -> str:
    """Which action it asks for, "" where that is no text."""
    action = frame.get("action")
    return action if isinstance(action, str) else ""


def refusal(frame: Frame, error: DomainError, action: str) -> Reply:
    """The frame that says why nothing was done; of the request it repeats `action`, and the id if it is one."""
    client_id = frame.get("id")
    reason = next(REASONS[kind] for kind in type(error).__mro__ if kind in REASONS)
    reply: Reply = {"type": "refused", "reason": reason, "detail": str(error)}
    if action:
        reply["action"] = action
    if isinstance(client_id, str) and keys.CLIENT_ID.fullmatch(client_id):
        reply["id"] = client_id
    return reply
