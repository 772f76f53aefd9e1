"""CloudFront behaviors that trust key groups: they give nothing to who has not signed for it (`signed_urls.py`).

What is not as on AWS: the older trusted signers, which are accounts, are not asked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import ministack.app as app
from ministack.services import cloudfront

from workbench.offline.parts import Answer
from workbench.offline.signed_urls import NotSigned, Viewed, check, without_signature
from workbench.offline.surroundings import LOOPBACK


def extend() -> None:
    """Ask for a signature before the cache and the origin are asked for anything, by HTTP or for a WebSocket."""
    app.app = _in_front_of(app.app)
    cloudfront._dataplane_behavior = _with_trusted_groups(cloudfront._dataplane_behavior)
    forward = cloudfront.handle_viewer_request

    async def handle(
        dist: dict[str, Any],
        method: str,
        path: str,
        raw_uri: str,
        raw_query: str,
        headers: dict[str, Any],
        body: bytes,
        query: dict[str, Any],
        client_ip: str = "127.0.0.1",
    ) -> Any:
        behaviour = cloudfront._match_behavior(cloudfront.parse_distribution_dataplane_config(dist), path)
        if not trusted_keys(behaviour) or _is_elsewhere(behaviour, method, raw_uri, raw_query, headers):
            return await forward(dist, method, path, raw_uri, raw_query, headers, body, query, client_ip)
        try:
            check_signature(behaviour, raw_uri, raw_query, headers, client_ip)
        except NotSigned as problem:
            return _refusal(problem)
        kept = without_signature(raw_query)
        parameters = parse_qs(kept, keep_blank_values=True)
        return await forward(dist, method, path, raw_uri, kept, headers, body, parameters, client_ip)

    cloudfront.handle_viewer_request = handle


def trusted_keys(behaviour: Mapping[str, Any] | None) -> dict[str, str]:
    """The public keys (PEM) that may sign for a behavior, by id; none where it trusts no group."""
    groups = (behaviour or {}).get("trusted_key_groups", [])
    ids = {key for group in groups for key in cloudfront._key_groups[group]["Config"]["Items"]}
    return {key: str(cloudfront._public_keys[key]["Config"]["EncodedKey"]) for key in ids}


def check_signature(
    behaviour: Mapping[str, Any] | None,
    raw_uri: str,
    raw_query: str,
    headers: Mapping[str, Any],
    address: str,
) -> None:
    """Raises `NotSigned` where the request has no valid signature."""
    scheme = headers.get("x-forwarded-proto", "http")
    url = f"{scheme}://{headers.get('host', '')}{raw_uri}"
    viewed = Viewed(url, raw_query, str(headers.get("cookie", "")), address)
    check(viewed, trusted_keys(behaviour), time.time())


def _with_trusted_groups(read: Any) -> Any:
    def behaviour_of(element: Any, path_pattern: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = read(element, path_pattern)
        groups = cloudfront._find(element, "TrustedKeyGroups")
        items = cloudfront._find(groups, "Items") if groups is not None else None
        return found | {"trusted_key_groups": [each.text for each in items] if items is not None else []}

    return behaviour_of


def _in_front_of(served: Any) -> Any:
    """The ASGI app that lets WebSockets through to distributions if they are signed, and all else."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await served(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        label = app._parse_cloudfront_dataplane_host(headers.get("host", ""))
        distribution = cloudfront.find_distribution_for_label(label) if label else None
        parsed = cloudfront.parse_distribution_dataplane_config(distribution) if distribution else None
        behaviour = cloudfront._match_behavior(parsed, scope["path"]) if parsed else None
        if not trusted_keys(behaviour):
            await served(scope, receive, send)
            return
        headers["x-forwarded-proto"] = "https" if scope["scheme"] == "wss" else "http"
        query = scope["query_string"].decode("latin-1")
        try:
            address = str((scope.get("client") or (LOOPBACK, 0))[0])
            check_signature(behaviour, scope["raw_path"].decode("latin-1"), query, headers, address)
        except NotSigned as problem:
            await _refuse_handshake(problem, receive, send)
        else:
            kept = without_signature(query).encode("latin-1")
            await served({**scope, "query_string": kept}, receive, send)

    return answer


async def _refuse_handshake(problem: NotSigned, receive: Any, send: Any) -> None:
    await receive()  # "websocket.connect"
    status, headers, content = _refusal(problem)
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "websocket.http.response.start", "status": status, "headers": sent})
    await send({"type": "websocket.http.response.body", "body": content})


def _is_elsewhere(
    behaviour: dict[str, Any], method: str, raw_uri: str, raw_query: str, headers: dict[str, Any]
) -> bool:
    """Whether the viewer is sent away to HTTPS, whatever it asks for."""
    by_https = headers.get("x-forwarded-proto", "http") == "https"
    policy = (behaviour, method, by_https, raw_uri, raw_query, headers)
    return cloudfront._check_viewer_protocol_policy(*policy) is not None


def _refusal(problem: NotSigned) -> Answer:
    words = f"<Error><Code>{problem.code}</Code><Message>{escape(str(problem))}</Message></Error>"
    content = f'<?xml version="1.0" encoding="UTF-8"?>{words}'.encode()
    headers = cloudfront._add_cloudfront_headers({"content-type": "text/xml"}, "Error from cloudfront")
    return 403, cloudfront._render_headers(headers, title_case=True), content
