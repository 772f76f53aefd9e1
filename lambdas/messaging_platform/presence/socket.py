"""`$connect`, `$disconnect`, heartbeats and typing, behind API Gateway's WebSocket API.

The routes `$connect` (with the authorizer of tickets) and `$disconnect`, and the actions `heartbeat` and `typing`,
whose answer goes back on the same socket by their route responses.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lambdas.messaging_platform.frames import Frame, read_frame, refusal
from lambdas.messaging_platform.presence import logic
from lambdas.messaging_platform.presence.store import people, store, topic
from lambdas.messaging_platform.sockets import Sockets
from lambdas.shared import problems
from lambdas.shared.errors import DomainError, Malformed
from lambdas.shared.observability import count, logger, observed


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """A WebSocket event. `$connect` is refused with the status of what went wrong; an action answers a frame."""
    context = event["requestContext"]
    socket, services = socket_of(context), services_of(context)
    route = context["routeKey"]
    if route == "$connect":
        return _connected(socket, services)
    if route == "$disconnect":
        logic.disconnect(socket, services)
        return {"statusCode": 200}
    return acted(route, event.get("body"), socket, services)


def acted(route: str, body: str | None, socket: logic.Socket, services: logic.Services) -> dict[str, Any]:
    """The answer to an action: a frame, or nothing for what is not answered."""
    frame: Frame = {}
    try:
        frame = read_frame(body)
        if route == "heartbeat":
            return _answer(logic.heartbeat(socket, logic.watched_in(frame), services))
        if route == "typing":
            logic.typing(socket, *logic.typed_in(frame), int(time.time() * 1000), services)
            return {"statusCode": 200}
        raise Malformed("there is no such action")
    except DomainError as problem:
        return _answer(refusal(frame, problem, route))


def socket_of(context: Mapping[str, Any]) -> logic.Socket:
    """The connection of an event, and whose it is."""
    caller = context["authorizer"]
    return logic.Socket(
        str(caller["user"]), str(caller["device"]), context["connectionId"], "", int(context["connectedAt"])
    )


def services_of(context: Mapping[str, Any]) -> logic.Services:
    """What the logic needs, in this process. The API's own name leads to its connections."""
    return logic.Services(
        people(), store(), topic(), _sockets(f"https://{context['domainName']}/{context['stage']}")
    )


def _connected(socket: logic.Socket, services: logic.Services) -> dict[str, Any]:
    try:
        logic.connect(socket, services)
    except DomainError as problem:
        logger.warning("a connection was refused", reason=str(problem))
        count("ConnectionRefused")
        return problems.as_response(problem)
    return {"statusCode": 200}


def _answer(frame: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200, "body": json.dumps(frame, separators=(",", ":"), ensure_ascii=False)}


@lru_cache(maxsize=4)
def _sockets(management_url: str) -> Sockets:
    return Sockets(management_url)
