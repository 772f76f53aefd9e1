"""How a dry run talks to its offline AWS beside the AWS API: `POST /_blueprint/<command>`, JSON in, JSON out.

    @command("redis/restart")
    def restart(name: str) -> dict[str, Any]: ...

Commands are called in a thread with the JSON object of the request as keyword arguments. One that cannot do
what it is asked raises `Refused`, and the caller gets status 400 and its words. The port is loopback's.
"""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from typing import Any

PREFIX = "/_blueprint/"
COMMANDS: dict[str, Callable[..., Any]] = {}


class Refused(Exception):
    """A command cannot be carried out; its text says why, in one line."""


def command(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answer `POST /_blueprint/<name>` with the decorated function."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if name in COMMANDS:
            raise ValueError(f"two commands are called {name}")
        COMMANDS[name] = function
        return function

    return register


def in_front_of(app: Any) -> Any:
    """The ASGI app that answers commands, and passes everything else on to `app`."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not str(scope["path"]).startswith(PREFIX):
            await app(scope, receive, send)
            return
        if (body := await whole_body(receive)) is None:
            return
        status, document = await asyncio.to_thread(_carry_out, str(scope["path"]).removeprefix(PREFIX), body)
        content = json.dumps(document).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return answer


async def whole_body(receive: Any) -> bytes | None:
    """The body of an HTTP request; None when the client has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _carry_out(name: str, body: bytes) -> tuple[int, Any]:
    if name not in COMMANDS:
        return 404, {"error": f"there is no command {name}; there are: {', '.join(sorted(COMMANDS))}"}
    try:
        return 200, COMMANDS[name](**json.loads(body or b"{}"))
    except Refused as refusal:
        return 400, {"error": str(refusal)}
    except Exception as problem:
        return 500, {"error": f"{type(problem).__name__}: {problem}", "trace": traceback.format_exc()}
