"""The handlers of the catalogue, found in its source, and events to call them with."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from workbench import catalogue

ENTRY_POINT = "handler"
SHARED = "shared"  # under `lambdas`


def every() -> list[str]:
    """Every handler of the catalogue, `lambdas.<system>.<module>.handler`, and those that systems share, sorted."""
    return sorted(
        f"lambdas.{name}.{file.stem}.{ENTRY_POINT}"
        for name in (*catalogue.names(), SHARED)
        for file in (catalogue.ROOT / "lambdas" / name).glob("*.py")
        if _is_entry_point(file.read_text(encoding="utf-8"))
    )


def _is_entry_point(source: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef) and node.name == ENTRY_POINT for node in ast.parse(source).body
    )


def _http(route: str, path: str, **more: Any) -> dict[str, Any]:
    method = route.partition(" ")[0]
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {},
        "requestContext": {
            "requestId": "bench",
            "stage": "$default",
            "domainName": "bench.execute-api.us-east-1.amazonaws.com",
            "http": {"method": method, "path": path},
            "authorizer": {"jwt": {"claims": {"sub": "bench"}, "scopes": []}},
        },
        "isBase64Encoded": False,
        **more,
    }


def _redirect(n: int) -> dict[str, Any]:
    code = f"nothing{n}"
    return _http("GET /{code}", f"/{code}", pathParameters={"code": code})


def _list_links(_: int) -> dict[str, Any]:
    return _http("GET /api/links", "/api/links")


def _click(n: int) -> dict[str, Any]:
    body = f'{{"v": 1, "id": "bench-{n}", "code": "nothing{n}", "at": "2026-03-01T12:00:00.000Z"}}'
    return {"Records": [{"messageId": f"bench-{n}", "body": body, "eventSource": "aws:sqs"}]}


# Handler → its nth event. Each event makes the handler call its store.
EVENTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "lambdas.url_shortener.redirect.handler": _redirect,
    "lambdas.url_shortener.links.handler": _list_links,
    "lambdas.url_shortener.clicks.handler": _click,
}
