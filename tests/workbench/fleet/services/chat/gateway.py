"""A WebSocket server that answers each message with who it is, and how many are connected; by HTTP, with who it is.

`GET /role` is as whom it calls AWS. To those who do not show the secret of `ORIGIN_SECRET_ARN`, where
it is told one, it answers 403.
A client of it that is connected when it is told to end hears code 1012. Its log says how each connection ended.
"""

import asyncio
import json
import os
import signal
from http import HTTPStatus

from shared.told import (  # type: ignore[import-not-found]  # it lies beside, where this runs
    identity,
    names,
    secret,
)
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

SECRET = secret()


async def answer(connection: ServerConnection) -> None:
    path = connection.request.path if connection.request else ""
    try:
        async for message in connection:
            told = {**names(), "said": message, "path": path, "open": len(connection.server.connections)}
            await connection.send(json.dumps(told))
    finally:
        print(path, "ended with", connection.close_code, connection.close_reason, flush=True)  # noqa: T201  its log


async def by_http(connection: ServerConnection, request: Request) -> Response | None:
    if request.path in ("/health", "/ready"):
        return connection.respond(HTTPStatus.OK, "")
    if SECRET and request.headers.get("X-Origin-Verify") != SECRET:
        return connection.respond(HTTPStatus.FORBIDDEN, "by way of the edge, please")
    if "Upgrade" in request.headers:
        return None
    told = {"role": await asyncio.to_thread(identity)} if request.path == "/role" else names()
    return connection.respond(HTTPStatus.OK, json.dumps(told))


async def main() -> None:
    host = os.environ.get("HOST", "0.0.0.0")
    server: Server
    async with serve(answer, host, int(os.environ["PORT"]), process_request=by_http) as server:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: server.close(code=1012))
        await server.wait_closed()


asyncio.run(main())
