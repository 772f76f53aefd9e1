"""The actions send, edit, delete, ack, read and sync of the WebSocket API; the reply goes back over the same socket.

Who is at the other end was found out at `$connect`, and API Gateway says it with every frame.
"""

from __future__ import annotations

import json
import time
from typing import Any

from lambdas.messaging_platform.frames import Reply
from lambdas.messaging_platform.messaging import logic
from lambdas.messaging_platform.messaging.models import Caller
from lambdas.messaging_platform.messaging.store import store
from lambdas.shared.observability import count, logger, observed


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """API Gateway WebSocket API, a Lambda proxy integration with a route response."""
    at_the_door = event["requestContext"]["authorizer"]
    caller = Caller(at_the_door["user"], at_the_door["device"])
    reply = logic.answer(caller, event.get("body"), time.time_ns() // 1_000_000, store())
    report(caller, reply)
    return {"statusCode": 200, "body": json.dumps(reply, separators=(",", ":"), ensure_ascii=False)}


def report(caller: Caller, reply: Reply) -> None:
    """Log and count what came of a frame: which chat, event and id, and never what it said."""
    what = {
        name: reply[name] for name in ("action", "chat", "seq", "id", "reason", "repeated") if name in reply
    }
    logger.info(f"frame {reply['type']}", user=caller.user, device=caller.device, **what)
    if reply["type"] == "sent":
        count("MessageRepeated" if reply["repeated"] else "MessageStored")
    elif reply["type"] == "refused":
        count(f"Frame{''.join(part.capitalize() for part in reply['reason'].split('_'))}")
