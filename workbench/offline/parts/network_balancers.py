"""The Network Load Balancer's data plane: connections, each carried to one target for as long as it lives.

Each listener has a port on loopback; the command `balancers/address` says which, for who connects by TCP. HTTP and
WebSockets find a load balancer by its DNS name, as they find an ALB: which listener is meant is told by the port in
the Host header. CloudFront reaches it as an origin, also with WebSockets, in whose handshake it shows the origin's
own headers.

* A new connection goes to the healthy targets in turn (on AWS, by a hash of where it comes from), and to all of them
  where none is healthy; to nobody, it is closed.
* It ends with its target's registration, once that has drained, where the group's
  `deregistration_delay.connection_termination.enabled` says so, and when its target becomes unhealthy, unless
  `target_health_state.unhealthy.connection_termination.enabled` is false ("Edit target group attributes for your
  Network Load Balancer", Elastic Load Balancing).
* A TLS listener ends TLS, with the offline AWS's certificate; targets are talked to in the clear.

Not as on AWS: UDP listeners carry nothing, an idle connection does not end, security groups are not looked at, and a
zone is none of a load balancer's. A WebSocket by way of the API's own port is taken apart into messages and put
together again; where its target breaks it off, the client is told so with code 1011.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import ministack.app as app
from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import alb, cloudfront

from workbench.offline.control import Refused, command
from workbench.offline.engines.listeners import Listener, on_loop, spliced
from workbench.offline.parts.load_balancers import (
    Address,
    address_in,
    health_of,
    load_balancer_named,
    next_target,
)
from workbench.offline.socket_apis import ABNORMAL, end_of, watch_the_end
from workbench.offline.surroundings import LOOPBACK, surroundings

PROTOCOLS = ("TCP", "TLS")
_LOOK_EVERY = 0.05
_TERMINATION = "deregistration_delay.connection_termination.enabled"
_UNHEALTHY_TERMINATION = "target_health_state.unhealthy.connection_termination.enabled"
_OF_ONE_HANDSHAKE = ("connection", "upgrade", "host")  # and all that begins with this:
_OF_WEBSOCKETS = "sec-websocket-"
_NO_CODE, _BROKEN_OFF = 1005, 1011
_ANSWERS_WITHIN = (
    30.0  # seconds: how long CloudFront waits for an origin that says nothing, if nothing is said
)

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Connection:
    """A connection that is carried to a target of a group; `abort` ends it, in the listeners' loop."""

    group: str
    target: str
    abort: Callable[[], None]
    began: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class _Entry:
    """Where a listener listens, and what it carries."""

    arn: str
    protocol: str
    listener: Listener
    connections: set[_Connection] = field(default_factory=set)


_entries: dict[str, _Entry] = {}  # by the listener's ARN
_keeping = threading.Lock()


def extend() -> None:
    """Carry connections, and pass on requests to the names of network load balancers."""
    dispatch = alb.dispatch_request

    async def dispatch_by_type(balancer: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        if balancer["Type"] != "network":
            return await dispatch(balancer, *arguments, **options)
        return await _pass_on(balancer, *arguments, **options)

    alb.dispatch_request = dispatch_by_type
    app.app = _in_front_of(app.app)
    threading.Thread(target=_keep_for_ever, daemon=True, name="network-balancers").start()


@command("balancers/address")
def address_of_listener(host: str, port: int) -> dict[str, Any]:
    """Where a network load balancer's listener really listens: host and port, by its DNS name and its own port."""
    balancer = load_balancer_named(host)
    if balancer is None or balancer["Type"] != "network":
        raise Refused(f"there is no network load balancer {host}")
    entry = _entry_of(balancer, port)
    if entry is None:
        raise Refused(f"{host} has no TCP or TLS listener on port {port}")
    return {"host": LOOPBACK, "port": entry.listener.port}


# Listeners.


def _keep_for_ever() -> None:
    while True:
        try:
            _keep()
        except Exception:
            _log.exception("the listeners of network load balancers")
        time.sleep(_LOOK_EVERY)


def _keep() -> None:
    """Have a port for each listener, and end the connections that must end."""
    with _keeping:
        wanted = {
            arn: listener
            for (_, _, arn), listener in alb._listeners.all_items()
            if listener["Protocol"] in PROTOCOLS and _balancer(listener)
        }
        for arn, entry in list(_entries.items()):
            if arn not in wanted or wanted[arn]["Protocol"] != entry.protocol:
                del _entries[arn]
                entry.listener.close()
        for arn, listener in wanted.items():
            if arn not in _entries:
                _entries[arn] = _open(arn, listener["Protocol"])
    for entry in list(_entries.values()):
        for connection in list(entry.connections):
            if _must_end(connection):
                on_loop(connection.abort)


def _balancer(listener: Mapping[str, Any]) -> dict[str, Any] | None:
    """The network load balancer of a listener, while there is one."""
    arn = parse_arn(listener["LoadBalancerArn"])
    with request_scope(arn.account_id, arn.region):
        found: dict[str, Any] | None = alb._lbs.get(listener["LoadBalancerArn"])
    return found if found and found["Type"] == "network" else None


def _open(arn: str, protocol: str) -> _Entry:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _carry(entry, reader, writer)

    entry = _Entry(arn, protocol, Listener(serve, tls=protocol == "TLS"))
    entry.listener.open()
    return entry


def _entry_of(balancer: Mapping[str, Any], port: int) -> _Entry | None:
    """The listener of a load balancer on a port of its own; None where it has none there."""
    arns = [
        arn
        for (_, _, arn), listener in alb._listeners.all_items()
        if listener["LoadBalancerArn"] == balancer["LoadBalancerArn"] and listener["Port"] == port
    ]
    if arns and arns[0] not in _entries:
        _keep()  # it was made a moment ago
    return _entries.get(arns[0]) if arns else None


# Connections.


async def _carry(entry: _Entry, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect to a target and pass on bytes both ways, until one side ends or the load balancer ends it."""
    chosen = _choose(entry.arn)
    if chosen is None:
        writer.transport.abort()
        return
    group, target, address = chosen
    connection = _Connection(group, target, writer.transport.abort)
    entry.connections.add(connection)
    try:
        await spliced((reader, writer), await asyncio.open_connection(*address))
    finally:
        entry.connections.discard(connection)


def _choose(listener_arn: str) -> tuple[str, str, Address] | None:
    """The group, the id and the address of the target that a new connection goes to; None where nobody is."""
    arn = parse_arn(listener_arn)
    with request_scope(arn.account_id, arn.region):
        listener = alb._listeners.get(listener_arn) or {}
        group = _group(listener)
        targets = alb._targets.get(group["TargetGroupArn"], []) if group else []
        if not group or not targets:
            return None
        target = next_target(group, targets)
        address = address_in(group, target)
        return (group["TargetGroupArn"], str(target["Id"]), address) if address else None


def _group(listener: Mapping[str, Any]) -> dict[str, Any] | None:
    """The target group that a listener forwards to. In the scope of its region."""
    for action in listener.get("DefaultActions", []):
        if found := alb._tgs.get(action.get("TargetGroupArn", "")):
            return dict(found)
    return None


def _must_end(connection: _Connection) -> bool:
    health = health_of(connection.group, connection.target)
    # One that was made to an unhealthy target, where there was no other, goes on.
    if health is not None and (health.state != "unhealthy" or connection.began > health.since):
        return False
    arn = parse_arn(connection.group)
    with request_scope(arn.account_id, arn.region):
        if connection.group not in alb._tgs:
            return True
        said = {each["Key"]: str(each["Value"]) for each in alb._tg_attrs.get(connection.group, [])}
    if health is None:  # it is no target any more, and has drained
        return said.get(_TERMINATION) == "true"
    return said.get(_UNHEALTHY_TERMINATION, "true") == "true"


# Requests to the name of a load balancer.


async def _pass_on(
    balancer: dict[str, Any],
    method: str,
    path: str,
    headers: dict[str, Any],
    body: Any,
    parameters: Any,
    port: int = 80,
    raw_query_string: str | None = None,
    raw_path: str | None = None,
    **_: Any,
) -> Any:
    """A request to a target, as it came: a network load balancer does not look into it."""
    entry = _entry_of(balancer, port)
    chosen = _choose(entry.arn) if entry is not None else None
    if chosen is None:
        # On AWS there is no answer at all: the connection fails.
        words = f"{balancer['DNSName']} has no target behind port {port}".encode()
        return 503, {"Content-Type": "text/plain"}, words
    group, _target, (host, at) = chosen
    target = {"Id": host, "Port": at}
    return await alb._proxy_http_target(
        target,
        {"TargetGroupArn": group},
        method,
        raw_path or path,
        headers,
        body,
        parameters,
        raw_query_string,
    )


@dataclass(frozen=True)
class _Way:
    """Where a WebSocket leads: through a listener, with these headers, to this path and query."""

    entry: _Entry | None
    host: str
    headers: dict[str, str]
    path: str


def _in_front_of(served: Any) -> Any:
    """The ASGI app that carries WebSockets to network load balancers, and passes everything else on to `served`."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        way = _way(scope) if scope["type"] == "websocket" else None
        if way is None:
            await served(scope, receive, send)
        else:
            await _relay(way, scope, receive, send)

    return answer


def _way(scope: Mapping[str, Any]) -> _Way | None:
    """The way of a WebSocket that is for a network load balancer, by its name or through a distribution."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    host = headers.get("host", "")
    balancer = load_balancer_named(host)
    if balancer is not None and balancer["Type"] == "network":
        named = host.partition(":")[2]
        entry = _entry_of(balancer, int(named) if named.isdigit() else _only_port(balancer))
        return _Way(entry, host, headers, _target(path, query))
    label = app._parse_cloudfront_dataplane_host(host)
    distribution = cloudfront.find_distribution_for_label(label) if label else None
    return _way_through(distribution, scope, headers, path, query) if distribution else None


def _way_through(
    distribution: dict[str, Any], scope: Mapping[str, Any], headers: dict[str, str], path: str, query: str
) -> _Way | None:
    """By the behaviour for its path, with what that forwards; None where its origin is no network load balancer.

    Functions at the edge are not asked. Whether the address is signed has been asked before (`signatures.py`).
    """
    parsed = cloudfront.parse_distribution_dataplane_config(distribution)
    behaviour = cloudfront._match_behavior(parsed, scope["path"])
    origin = parsed["origins"].get(behaviour["target_origin_id"]) if behaviour else None
    balancer = load_balancer_named(origin["domain_name"]) if origin else None
    if origin is None or balancer is None or balancer["Type"] != "network":
        return None
    header, cookie, parameter = cloudfront._forwarding_predicates(behaviour)
    sent = {name: value for name, value in headers.items() if header(name) and name != "cookie"}
    cookies = [
        pair for pair in headers.get("cookie", "").split("; ") if pair and cookie(pair.partition("=")[0])
    ]
    if cookies:
        sent["cookie"] = "; ".join(cookies)
    if "sec-websocket-protocol" in headers and header("sec-websocket-protocol"):
        sent["sec-websocket-protocol"] = headers["sec-websocket-protocol"]
    client = (scope.get("client") or (LOOPBACK, 0))[0]
    sent = cloudfront._origin_request_headers(origin, sent, client, headers.get("x-forwarded-for", ""))
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if parameter(name)]
    _, port, _ = cloudfront._origin_connect_target(origin, scope["scheme"] == "wss")
    lowered = {name.lower(): value for name, value in sent.items()}
    whole = (origin.get("origin_path") or "") + path
    return _Way(_entry_of(balancer, port), lowered["host"], lowered, _target(whole, urlencode(kept)))


def _target(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _only_port(balancer: Mapping[str, Any]) -> int:
    """The port of a load balancer's one listener; 80 where it has several."""
    ports = [
        int(listener["Port"])
        for _, listener in alb._listeners.all_items()
        if listener["LoadBalancerArn"] == balancer["LoadBalancerArn"]
    ]
    return ports[0] if len(ports) == 1 else 80


async def _relay(way: _Way, scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Shake hands with the target as the client did, and pass on messages until either side ends."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus

    await receive()  # "websocket.connect"
    if way.entry is None:
        await _refuse(send, 503, b"no listener is there")
        return
    try:
        upstream = await _connect(way)
    except InvalidStatus as refused:
        await _refuse(send, refused.response.status_code, bytes(refused.response.body or b""))
        return
    except (OSError, EOFError, TimeoutError, InvalidHandshake) as problem:
        await _refuse(send, 502, str(problem).encode())
        return
    watch_the_end(scope)
    await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
    upwards = asyncio.create_task(_upwards(upstream, scope, receive))
    try:
        await _downwards(upstream, send)
    finally:
        upwards.cancel()
        await asyncio.gather(upwards, return_exceptions=True)
        upstream.transport.abort()


def _connect(way: _Way) -> Any:
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    assert way.entry is not None
    offered = [each.strip() for each in way.headers.get("sec-websocket-protocol", "").split(",")]
    headers = {
        name: value
        for name, value in way.headers.items()
        if name not in _OF_ONE_HANDSHAKE and not name.startswith(_OF_WEBSOCKETS)
    }
    by_tls = way.entry.protocol == "TLS"
    secure: dict[str, Any] = (
        {"ssl": ssl.create_default_context(cafile=surroundings().ca_bundle), "server_hostname": "localhost"}
        if by_tls
        else {}
    )
    return connect(
        f"{'wss' if by_tls else 'ws'}://{way.host}{way.path}",
        host=LOOPBACK,
        port=way.entry.listener.port,
        additional_headers=headers,
        user_agent_header=None,
        subprotocols=[Subprotocol(each) for each in offered if each] or None,
        compression=None,
        open_timeout=_ANSWERS_WITHIN,
        max_size=None,
        ping_interval=None,
        proxy=None,
        **secure,
    )


async def _upwards(upstream: Any, scope: dict[str, Any], receive: Any) -> None:
    """What the client says, and how it ended: with a close frame where it sent one, else at once."""
    from websockets.exceptions import ConnectionClosed

    with suppress(ConnectionClosed):
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            await upstream.send(text if text is not None else message["bytes"])
        code, reason = end_of(scope)
        if code == ABNORMAL:
            upstream.transport.abort()
        else:
            await upstream.close(*((code, reason) if code != _NO_CODE else ()))


async def _downwards(upstream: Any, send: Any) -> None:
    """What the target says, until it ends, and how it did."""
    from websockets.exceptions import ConnectionClosed

    try:
        while True:
            message = await upstream.recv()
            await send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})
    except ConnectionClosed as ended:
        code = ended.rcvd.code if ended.rcvd else _BROKEN_OFF
        reason = ended.rcvd.reason if ended.rcvd else ""
        await send({"type": "websocket.close", "code": code, "reason": reason})


async def _refuse(send: Any, status: int, content: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(content))]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": content})
