"""Faults on AWS calls, regions and zones: made where every call passes, in front of MiniStack's API.

A call is known by the session that signed it, so a fault strikes one function, program or role and no other,
at once and without a new process.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import parse_qs

import ministack.app as app
from hypercorn.protocol.http_stream import HTTPStream
from ministack.core import iam_actions, router
from ministack.services import iam, lambda_svc, sts

from workbench.offline.call_rules import Answer, Call, Effect, Rule, failed, throttled
from workbench.offline.control import Refused, command, whole_body
from workbench.offline.engines import LOST_ZONES, RUNNING, kubernetes
from workbench.offline.identity import session_name
from workbench.offline.parts import workers
from workbench.offline.standing import Fault, stand

Processes = Callable[[int], list[int]]  # of a caller, by the port that its connection comes from

ABORTED = "blueprint.aborted"  # in a scope's extensions: its connection ends without an answer
_REGION_IN_HOST = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.")
_rules: list[Rule] = []
_cut_off: dict[str, Fault] = {}  # by region


@command("calls/strike")
def strike_calls(who: str, effect: Effect, **how: Any) -> dict[str, str]:
    """Let calls of a function, program or role meet `effect`; `how` as in `Rule`."""
    if effect not in get_args(Effect):
        raise Refused(f"no call can be {effect}, only {', '.join(get_args(Effect))}")
    session, processes = _caller(who)
    if effect in ("killed", "frozen") and processes is None:
        raise Refused(f"{who} is a role and has no process: name a function or a program")
    rule = Rule(effect=effect, caller=session, end=lambda: _end(rule), processes=processes, **how)
    _rules.append(rule)
    return stand(rule)


def _end(rule: Rule) -> None:
    _rules.remove(rule)
    workers.thaw(rule.frozen)


@command("region/cut")
def cut_region(region: str) -> dict[str, str]:
    """Let nobody reach the region, and none of its functions be invoked."""
    if region in _cut_off:
        raise Refused(f"{region} is cut off already")
    _cut_off[region] = Fault(end=lambda: _restore(region))
    return stand(_cut_off[region])


def _restore(region: str) -> None:
    del _cut_off[region]


@command("zone/lose")
def lose_zone(zone: str) -> dict[str, list[str]]:
    """Stop what stands in the availability zone, of every engine; nothing starts there until it is back."""
    LOST_ZONES.add(zone)
    return {"stopped": [name for engine in list(RUNNING.values()) for name in engine.lose_zone(zone)]}


@command("zone/restore")
def restore_zone(zone: str) -> dict[str, list[str]]:
    """Start again what `zone/lose` stopped: all of it, also where something of it cannot be started."""
    if zone not in LOST_ZONES:
        return {"started": []}
    LOST_ZONES.remove(zone)
    started: list[str] = []
    problems: list[Exception] = []
    for engine in list(RUNNING.values()):
        try:
            started += engine.restore_zone(zone)
        except Exception as problem:
            problems.append(problem)
    if problems:
        raise problems[0]
    return {"started": started}


def extend() -> None:
    """Put the faults in front of the API, and between event sources and the functions of a lost region."""
    app.app = in_front_of(app.app)
    stream: Any = HTTPStream
    stream._send_error_response = _none_when_aborted(stream._send_error_response)
    mappings, acquire = lambda_svc._iter_all_esms, lambda_svc._acquire_execution_slot

    def mappings_of_reachable_regions() -> Any:
        return (each for each in mappings() if each[1] not in _cut_off)

    def acquire_where_reachable(function: Any, config: dict[str, Any]) -> Any:
        region = str(config.get("FunctionArn", ":::")).split(":")[3]
        return (None, "account") if region in _cut_off else acquire(function, config)

    lambda_svc._iter_all_esms = mappings_of_reachable_regions
    lambda_svc._acquire_execution_slot = acquire_where_reachable


@dataclass(frozen=True)
class _Request:
    """A request whose body is read: the call that it is, and MiniStack's name of the service."""

    call: Call
    service: str
    headers: dict[str, str]
    body: bytes
    scope: dict[str, Any]

    @classmethod
    def of(
        cls,
        scope: dict[str, Any],
        headers: dict[str, str],
        query: dict[str, list[str]],
        body: bytes,
        caller: str,
    ) -> _Request:
        """As MiniStack itself takes it, to route it and to ask IAM about it."""
        method, path = scope["method"], scope["path"]
        parameters = app._routing_params(method, path, headers, body, query)
        service = str(router.detect_service(method, path, headers, parameters))
        name = _api_action(headers, path) or iam_actions.extract_iam_action(
            service, method, path, headers, body, parameters
        )
        prefix, _, action = str(name or service).partition(":")
        return cls(Call(caller, prefix, action), service, headers, body, scope)


def in_front_of(served: Any) -> Any:
    """The ASGI app that makes the faults which stand, and passes everything else on to `served`."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not (_rules or _cut_off) or scope["type"] not in ("http", "websocket"):
            await served(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if cut := _cut_off.get(_region(headers, query)):
            cut.struck += 1
            await _refuse(scope, receive, send)
            return
        session = sts._sessions.get(router.extract_access_key_id(headers, query)) or {}
        caller = str(session.get("Arn", ""))
        rules = [rule for rule in _rules if rule.caller.search(caller)]
        if not rules or scope["type"] == "websocket":
            await served(scope, receive, send)
            return
        body = await whole_body(receive)
        if body is not None:
            await _strike(rules, _Request.of(scope, headers, query, body, caller), served, receive, send)

    return answer


async def _strike(rules: list[Rule], request: _Request, served: Any, receive: Any, send: Any) -> None:
    """Carry a call out as the rules have it."""
    for rule in _striking(rules, request.call, "slow"):
        await asyncio.sleep(rule.seconds)
    for rule in _striking(rules, request.call, "throttled", "failing"):
        service = request.call.service
        answer = throttled(service) if rule.effect == "throttled" else failed(service, rule.status)
        await _send(answer, request, send)
        return
    later = list(_striking(rules, request.call, "reply_lost", "killed", "frozen"))
    held: list[dict[str, Any]] = []

    async def hold(message: dict[str, Any]) -> None:
        held.append(message)

    await served(request.scope, _again(request.body, receive), hold if later else send)
    for rule in later:
        _strike_process(rule, request.scope["client"][1])
    if any(rule.effect != "frozen" for rule in later):
        request.scope["extensions"][ABORTED] = True
        return
    for message in held:
        await send(message)


def _striking(rules: list[Rule], call: Call, *effects: Effect) -> Iterator[Rule]:
    """Of the rules with these effects, those that strike the call, asked one after the other."""
    for rule in rules:
        if rule.effect in effects and rule.strikes(call):
            rule.struck += 1
            yield rule


def _strike_process(rule: Rule, port: int) -> None:
    """Kill or freeze the process that a call came from, when its rule says so."""
    if rule.effect == "reply_lost" or rule.processes is None:
        return
    pids = rule.processes(port)
    if not pids:
        rule.struck -= 1  # which process it was cannot be told; that it never struck will be
    elif rule.effect == "killed":
        workers.kill(pids)
    else:
        workers.freeze(pids)
        rule.frozen += pids


async def _send(answer: Answer, request: _Request, send: Any) -> None:
    """Give the answer in the protocol of the service."""
    number = str(uuid.uuid4())
    _, headers, content = iam_actions.access_denied_response(
        request.service,
        "",
        "",
        number,
        error_code=answer.code,
        message=answer.message,
        headers=request.headers,
    )
    headers = {**headers, "x-amzn-requestid": number, "content-length": str(len(content))}
    sent = [(name.lower().encode(), str(value).encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": sent})
    await send({"type": "http.response.body", "body": content})


async def _refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """End the connection without an answer."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1013})
    else:
        scope["extensions"][ABORTED] = True


def _none_when_aborted(send_error: Any) -> Any:
    """Hypercorn answers 500 for an app that has not answered; after an aborted call it closes alone."""

    async def send(stream: Any, status: int) -> None:
        if ABORTED not in stream.scope["extensions"]:
            await send_error(stream, status)

    return send


def _region(headers: dict[str, str], query: dict[str, list[str]]) -> str:
    """The region that a request is for: the one it is signed for, or the one in its host's name."""
    if signed := router.extract_signed_region(headers, query):
        return str(signed)
    named = _REGION_IN_HOST.search(headers.get("host", ""))
    return named[1] if named else ""


def _caller(who: str) -> tuple[re.Pattern[str], Processes | None]:
    """What the ARN of the sessions of a function, program or role looks like, and how to find their processes.

    The programs of a Deployment ("namespace/name") are one caller, whichever pod calls.
    """
    if found := workers.function(who):
        return workers.session_of(found), found.behind
    if pods := kubernetes.program(who):
        return pods.sessions, lambda port: workers.holders(port, pods.pids())
    if program := RUNNING.get(f"program/{who}"):
        return re.compile(rf":assumed-role/[^/]+/{re.escape(session_name(who))}$"), lambda _: list(
            program.pids
        )
    role = who.rpartition("/")[2]
    if any(name == role for _, name in iam._roles._data):
        return re.compile(rf":assumed-role/{re.escape(role)}/"), None
    raise Refused(f"there is no function, program or role {who}")


def _api_action(headers: dict[str, str], path: str) -> str | None:
    """The action of a request to a deployed API, or to the connections of one; None for every other."""
    called = app._parse_execute_api_url(headers.get("host", ""), path)
    if called is None:
        return None
    return f"execute-api:{'ManageConnections' if called[2].startswith('/@connections/') else 'Invoke'}"


def _again(body: bytes, receive: Any) -> Any:
    """A `receive` that has the body to give once more."""
    whole = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Any:
        return whole.pop() if whole else await receive()

    return received
