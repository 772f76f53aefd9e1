"""The WebSocket APIs of API Gateway: their connections, what comes over them, and `@connections`.

MiniStack keeps the APIs, routes, integrations and authorizers; it answers on every route, in turn, and past Lambda's
accounting. Here

* `$connect` is authorized and invoked before the handshake is answered: 401 without an identity source, 403 where the
  authorizer denies, else the status that the route's integration gave; a stage that is not there is 403;
* what a route's function returns goes to the client only where the route has a route response;
* a function that fails, that returns no proxy response, or that may not run now is `Internal server error` to the
  client, and a message without a route `Forbidden`, whatever its route response;
* the messages of a connection are served side by side, as they come: API Gateway promises no order among them;
* a message of more than 128 KB or a frame of more than 32 KB ends the connection with code 1009, a binary frame with
  1003;
* functions are invoked as by everybody else: with their concurrency, their log and their role.

Not as on AWS: a connection does not end after two hours, nor after ten idle minutes; throttling and access logs of a
stage are kept and do nothing, and neither do API keys, models and mapping templates; only Lambda functions and mocks
are integrations.

Sources: "Overview of WebSocket APIs in API Gateway", "Create routes for WebSocket APIs", "Set up route responses for
WebSocket APIs", "Control access to WebSocket APIs with AWS Lambda REQUEST authorizers", "Quotas for configuring and
running a WebSocket API", "Binary media types for WebSocket APIs" and "Use @connections commands in your backend
service", all in the API Gateway Developer Guide. That the client is told of failures in JSON with `message`,
`connectionId` and `requestId` is what AWS is seen to do.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.ws_stream import FrameTooLargeError, WSStream
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import new_uuid, request_scope
from ministack.services import apigateway, lambda_svc
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping

from workbench.offline.parts import Answer

LARGEST_MESSAGE = 128 * 1024
LARGEST_FRAME = 32 * 1024
LONGEST_INTEGRATION = 29.0
TOO_BIG, NOT_ACCEPTED, ABNORMAL = 1009, 1003, 1006
INTERNAL_ERROR = "Internal server error"
_LIMITED = (
    "blueprint.limits"  # in a scope's extensions: frames and messages are as long as API Gateway takes them
)
_CLOSED = "blueprint.closed"  # in a scope's extensions: the code and reason of the close frame
_WATCHED = "blueprint.watched"  # in a scope's extensions: that is noted, though nothing is limited
_log = logging.getLogger(__name__)

Event: TypeAlias = dict[str, Any]
DisconnectLost: TypeAlias = Callable[[str], bool]

CONNECTIONS: dict[str, Connection] = {}  # those that are open, by id
_running: set[asyncio.Task[None]] = set()  # a task that nobody holds may vanish


def extend(disconnect_lost: DisconnectLost) -> None:
    """Serve WebSocket APIs in MiniStack's place. `disconnect_lost(api)` says whether nobody hears of an end now."""

    async def serve_connection(
        scope: dict[str, Any], receive: Any, send: Any, api_id: str, path_override: str | None = None
    ) -> None:
        await _serve(scope, receive, send, api_id, path_override or str(scope["path"]), disconnect_lost)

    apigateway.handle_websocket = serve_connection
    apigateway.handle_connections_api = _manage
    stream: Any = WSStream
    stream._handle_events = _keeping_limits(stream._handle_events)


def watch_the_end(scope: dict[str, Any]) -> None:
    """Have it noted how the client of a WebSocket ends it; `end_of` tells, afterwards."""
    scope["extensions"][_WATCHED] = True


def end_of(scope: dict[str, Any]) -> tuple[int, str]:
    """The code and the reason of the close frame that came, or should have; 1006 where there was none."""
    code, reason = scope["extensions"].get(_CLOSED, (ABNORMAL, ""))
    return int(code), str(reason or "")


async def _serve(
    scope: dict[str, Any], receive: Any, send: Any, api_id: str, path: str, disconnect_lost: DisconnectLost
) -> None:
    await receive()  # "websocket.connect"
    owner = apigateway._api_owner(api_id)
    if owner is None or owner[0] != "WEBSOCKET":
        await _refuse(send, 403, "Forbidden", "", new_uuid())
        return
    _, account, region = owner
    with request_scope(account, region):
        stages = apigateway._stages.get(api_id, {})
        stage = path.lstrip("/").partition("/")[0]
        if stage not in stages:
            await _refuse(send, 403, "Forbidden", "", new_uuid())
            return
        scope["extensions"][_LIMITED] = True
        await Connection(scope, send, api_id, stage, account, region).live(receive, disconnect_lost)


@dataclass(frozen=True)
class _Outcome:
    """What came of a route's integration: the status that it gave, and a body, unless it gave none."""

    status: int
    body: str | None = None
    failed: bool = False


_NOT_INVOKED = _Outcome(500, failed=True)
_FAILED = _Outcome(502, failed=True)


@dataclass
class Connection:
    """One client of a stage, from its handshake on."""

    scope: dict[str, Any]
    send: Any
    api: str
    stage: str
    account: str
    region: str
    id: str = field(default_factory=lambda: base64.urlsafe_b64encode(os.urandom(11)).decode())
    connected_at: float = field(default_factory=time.time)
    authorizer: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.last_active_at = self.connected_at
        self._headers = _headers_of(self.scope)
        self._query = parse_qs(self.scope["query_string"].decode(), keep_blank_values=True)
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._deleted = asyncio.Event()

    @property
    def identity(self) -> dict[str, str]:
        """Who is at the other end, as events and GetConnection name it."""
        client = self.scope.get("client") or ("127.0.0.1", 0)
        return {"sourceIp": str(client[0]), "userAgent": self._headers.get("user-agent", "")}

    def post(self, text: str) -> None:
        """Send the client a message."""
        self.last_active_at = time.time()
        self._outgoing.put_nowait(text)

    def delete(self) -> None:
        """End the connection."""
        CONNECTIONS.pop(self.id, None)
        self._deleted.set()

    async def live(self, receive: Any, disconnect_lost: DisconnectLost) -> None:
        """From the handshake to `$disconnect`."""
        if not await self._may_connect():
            return
        await self.send({"type": "websocket.accept"})
        CONNECTIONS[self.id] = self
        sending = asyncio.create_task(self._send_what_is_posted())
        try:
            code, reason = await self._until_its_end(receive)
        finally:
            CONNECTIONS.pop(self.id, None)
            sending.cancel()
        await self._say_that_it_ended(code, reason, disconnect_lost)

    # Its beginning and its end.

    async def _may_connect(self) -> bool:
        """Ask the authorizer and the integration of `$connect`; refuse the handshake where one of them does."""
        route = self._route("$connect")
        if route is None:
            return True
        event = self._event("$connect", "CONNECT")
        if refusal := await self._unauthorized(route, event["requestContext"]):
            await self._refuse(*refusal, event)
            return False
        if self.authorizer is not None:
            event["requestContext"]["authorizer"] = self.authorizer
        outcome = await self._integrate(route, event)
        if not 200 <= outcome.status < 300:
            await self._refuse(outcome.status, INTERNAL_ERROR if outcome.failed else "Forbidden", event)
            return False
        return True

    async def _unauthorized(self, route: Mapping[str, Any], context: Event) -> tuple[int, str] | None:
        """The status and the words of a refusal; None where the client may connect."""
        kind = str(route.get("authorizationType") or "NONE").upper()
        if kind == "CUSTOM":
            refusal, self.authorizer = await apigateway._authorize_ws_connect(
                self.api, route, context, self._headers, self._query, self.account, self.region
            )
        elif kind == "AWS_IAM":
            arn = apigateway.execute_api_route_arn(
                self.region, self.account, self.api, self.stage, "$connect"
            )
            refusal = apigateway._authorize_ws_iam(self.scope, arn, self._headers, self._query, self.region)
        else:
            return None
        return (int(refusal[0]), str(refusal[1])) if refusal else None

    async def _refuse(self, status: int, words: str, event: Event) -> None:
        await _refuse(self.send, status, words, self.id, event["requestContext"]["requestId"])

    async def _say_that_it_ended(self, code: int, reason: str, disconnect_lost: DisconnectLost) -> None:
        route = self._route("$disconnect")
        if route is None or disconnect_lost(self.api):
            return
        event = self._event("$disconnect", "DISCONNECT")
        event["requestContext"] |= {"disconnectStatusCode": code, "disconnectReason": reason}
        await self._integrate(route, event)

    # What comes and what goes.

    async def _until_its_end(self, receive: Any) -> tuple[int, str]:
        """Serve its messages until it ends; the code and the reason of that."""
        deleted = asyncio.ensure_future(self._deleted.wait())
        try:
            while True:
                received = asyncio.ensure_future(receive())
                await asyncio.wait({received, deleted}, return_when=asyncio.FIRST_COMPLETED)
                if not received.done():
                    received.cancel()
                    return await self._close(1000, "Connection Closed Normally")
                message = received.result()
                if message["type"] == "websocket.disconnect":
                    return end_of(self.scope)
                if message.get("text") is None:
                    return await self._close(NOT_ACCEPTED, "Binary data is not supported")
                self.last_active_at = time.time()
                task = asyncio.create_task(self._answer(str(message["text"])))
                _running.add(task)
                task.add_done_callback(_running.discard)
        finally:
            deleted.cancel()

    async def _close(self, code: int, reason: str) -> tuple[int, str]:
        await self.send({"type": "websocket.close", "code": code, "reason": reason})
        return code, reason

    async def _send_what_is_posted(self) -> None:
        while True:
            await self.send({"type": "websocket.send", "text": await self._outgoing.get()})

    async def _answer(self, text: str) -> None:
        """Let the route of a message be integrated, and give the client what it is owed."""
        chosen = apigateway._evaluate_route_selection(self._selection(), text)
        route = None if chosen in ("$connect", "$disconnect") else self._route(chosen)
        route = route or self._route("$default")
        event = self._event(route["routeKey"] if route else chosen, "MESSAGE", text)
        number = event["requestContext"]["requestId"]
        if route is None:
            self._tell_failure("Forbidden", number)
            return
        outcome = await self._integrate(route, event)
        if outcome.failed:
            self._tell_failure(INTERNAL_ERROR, number)
        elif outcome.body and self._has_response(route):
            self.post(outcome.body)

    def _tell_failure(self, words: str, number: str) -> None:
        self.post(_failure(words, self.id, number))

    # Its routes.

    def _selection(self) -> str:
        return str(apigateway._apis.get(self.api, {}).get("routeSelectionExpression", ""))

    def _route(self, key: str) -> dict[str, Any] | None:
        routes = apigateway._routes.get(self.api, {}).values()
        return next((route for route in routes if route["routeKey"] == key), None)

    def _has_response(self, route: Mapping[str, Any]) -> bool:
        return bool(apigateway._route_responses.get(self.api, {}).get(route["routeId"]))

    async def _integrate(self, route: Mapping[str, Any], event: Event) -> _Outcome:
        """What the integration of a route makes of an event; one that takes too long goes on without us."""
        name = str(route.get("target", "")).rpartition("/")[2]
        integration = apigateway._integrations.get(self.api, {}).get(name)
        if integration is None:
            return _NOT_INVOKED
        if integration["integrationType"] == "MOCK":
            return _Outcome(200, _mocked(self.api, name))
        task = asyncio.ensure_future(_invoke(integration, event, self.account, self.region))
        longest = float(integration.get("timeoutInMillis") or 1000 * LONGEST_INTEGRATION) / 1000
        done, _ = await asyncio.wait({task}, timeout=min(longest, LONGEST_INTEGRATION))
        return task.result() if done else _Outcome(504, failed=True)

    def _event(self, route_key: str, kind: str, body: str | None = None) -> Event:
        """What a function is told: of the handshake, of a message, or of the end."""
        now = datetime.datetime.now(datetime.UTC)
        number = new_uuid()
        context: Event = {
            "routeKey": route_key,
            "eventType": kind,
            "extendedRequestId": number,
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "messageDirection": "IN",
            "stage": self.stage,
            "connectedAt": int(self.connected_at * 1000),
            "requestTimeEpoch": int(now.timestamp() * 1000),
            "identity": self.identity,
            "requestId": number,
            "domainName": f"{self.api}.execute-api.{self.region}.amazonaws.com",
            "connectionId": self.id,
            "apiId": self.api,
        }
        if self.authorizer is not None:
            context["authorizer"] = self.authorizer
        event: Event = {"requestContext": context, "isBase64Encoded": False}
        if kind == "MESSAGE":
            context["messageId"] = new_uuid()
            event["body"] = body
        else:
            event["headers"] = dict(self._headers)
            event["multiValueHeaders"] = {name: [value] for name, value in self._headers.items()}
        if kind == "CONNECT" and self._query:
            event["queryStringParameters"] = {name: values[-1] for name, values in self._query.items()}
            event["multiValueQueryStringParameters"] = self._query
        if variables := apigateway._get_stage_variables(self.api, self.stage):
            event["stageVariables"] = variables
        return event


async def _invoke(integration: Mapping[str, Any], event: Event, account: str, region: str) -> _Outcome:
    """Invoke the function of an integration, as `Invoke` does."""
    reference = apigateway._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
        reference, account_id=account, region=region
    )
    if function is None or config is None:
        return _NOT_INVOKED
    record = lambda_svc._execution_record_for_config(function, config)
    try:
        result = await run_reentrant(
            lambda_svc._execute_function_with_config_scope, record, event, thread_name="websocket-invoke"
        )
    except Exception as problem:
        _log.warning("%s could not be invoked: %r", reference, problem)
        return _NOT_INVOKED
    return _outcome(result)


def _outcome(result: Mapping[str, Any]) -> _Outcome:
    """What MiniStack's record of an invocation means to the API."""
    if result.get("throttle"):
        return _NOT_INVOKED
    payload = result.get("body")
    if isinstance(payload, (str, bytes)):
        with contextlib.suppress(ValueError):
            payload = json.loads(payload)
    if result.get("error") or not isinstance(payload, dict):
        return _FAILED
    status, body = payload.get("statusCode"), payload.get("body")
    if not re.fullmatch(r"[1-5]\d\d", str(status)) or not isinstance(body, (str, type(None))):
        return _FAILED
    if body and payload.get("isBase64Encoded"):
        body = base64.b64decode(body).decode(errors="replace")
    return _Outcome(int(str(status)), body)


def _mocked(api: str, integration: str) -> str | None:
    """What a mock answers: the template of its first response."""
    responses = apigateway._integration_responses.get(api, {}).get(integration, {}).values()
    templates = [each for response in responses for each in (response["responseTemplates"] or {}).values()]
    return str(templates[0]) if templates else None


# The handshake.


def _headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _failure(words: str, connection: str, number: str) -> str:
    return json.dumps({"message": words, "connectionId": connection, "requestId": number})


async def _refuse(send: Any, status: int, words: str, connection: str, number: str) -> None:
    """Answer the handshake with an HTTP error."""
    content = _failure(words, connection, number).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": content})


def _keeping_limits(handle: Any) -> Any:
    """Hypercorn's way with frames, but that long ones end the connection, and that the app learns how it was closed.

    Hypercorn itself tells an app of every end as of a lost connection.
    """

    async def handle_events(stream: Any) -> None:
        extensions = stream.scope["extensions"]
        if not extensions.keys() & {_LIMITED, _WATCHED}:
            await handle(stream)
            return
        for event in stream.connection.events():
            if isinstance(event, Message):
                if _CLOSED in extensions:
                    continue  # the rest of what was too long
                if not _takes(stream, event):
                    extensions[_CLOSED] = (TOO_BIG, "Message too long")
                    await stream._send_wsproto_event(CloseConnection(TOO_BIG, "Message too long"))
                    continue
                if event.message_finished:
                    await stream.app_put(stream.buffer.to_message())
                    stream.buffer.clear()
            elif isinstance(event, Ping):
                await stream._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                extensions.setdefault(_CLOSED, (event.code, event.reason))
                if stream.connection.state == ConnectionState.REMOTE_CLOSING:
                    await stream._send_wsproto_event(event.response())
                await stream.send(StreamClosed(stream_id=stream.stream_id))

    return handle_events


def _takes(stream: Any, event: Message[Any]) -> bool:
    """Put a part of a message with those that came before it, unless that is too long."""
    extensions = stream.scope["extensions"]
    if _LIMITED in extensions and _is_too_long(extensions, event):
        return False
    try:
        stream.buffer.extend(event)
    except FrameTooLargeError:
        return False
    return True


def _is_too_long(extensions: dict[str, Any], event: Message[Any]) -> bool:
    """Count what has come of a frame and of a message, and say whether that is more than API Gateway takes."""
    size = len(event.data.encode()) if isinstance(event.data, str) else len(event.data)
    frame, message = extensions.get("blueprint.lengths", (0, 0))
    frame, message = frame + size, message + size
    extensions["blueprint.lengths"] = (
        0 if event.frame_finished else frame,
        0 if event.message_finished else message,
    )
    return bool(frame > LARGEST_FRAME or message > LARGEST_MESSAGE)


# `@connections`.


async def _manage(
    method: str, api_id: str, stage: str, connection_id: str, body: bytes, _headers: Mapping[str, str]
) -> Answer:
    """PostToConnection, GetConnection and DeleteConnection; IAM has been asked before."""
    found = CONNECTIONS.get(connection_id)
    if found is None or (found.api, found.stage) != (api_id, stage):
        return _error(410, "GoneException", "GoneException")
    if method == "POST":
        if len(body) > LARGEST_MESSAGE:
            return _error(413, "PayloadTooLargeException", "Message too long")
        if body:
            found.post(apigateway._post_to_connection_text(body))
        return 200, {"Content-Type": "application/json"}, b""
    if method == "GET":
        told = {
            "connectedAt": _iso(found.connected_at),
            "identity": found.identity,
            "lastActiveAt": _iso(found.last_active_at),
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()
    if method == "DELETE":
        found.delete()
        return 204, {}, b""
    return _error(403, "ForbiddenException", "Forbidden")


def _iso(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds")


def _error(status: int, code: str, words: str) -> Answer:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return status, headers, json.dumps({"message": words}).encode()
