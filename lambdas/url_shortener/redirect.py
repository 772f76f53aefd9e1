"""GET and HEAD /{code}: the hot path. Anonymous, one read of the store, no resolver, no models.

    302  Location: the URL, exactly (what is not ASCII percent-encoded); not cached: deletion is at once
    404  never given out, or no code at all
    410  deleted or expired; a browser may keep it for a day, safely: a code is never given out again
    503  the store is busy

A GET leaves a click in the queue. When the queue is slow or down the click is lost, not the visitor.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdas.shared import problems
from lambdas.shared.errors import DomainError, Gone
from lambdas.shared.observability import count, logger, observed, request_id_of
from lambdas.url_shortener import logic
from lambdas.url_shortener.store import store

GONE_CACHE_CONTROL = "public, max-age=86400"


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """API Gateway HTTP API, payload 2.0, route `GET /{code}` or `HEAD /{code}`."""
    try:
        response = redirect(event["pathParameters"]["code"], event, datetime.now(UTC))
    except DomainError as error:
        response = refusal(error)
    return response if method_of(event) != "HEAD" else {**response, "body": ""}


def redirect(code: str, event: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The 302 of `code`, its click reported; raises what `logic.follow` raises."""
    location = logic.follow(code, now, store())
    count("Redirected")
    if method_of(event) == "GET" and (
        failure := logic.report_click(code, request_id_of(event), now, store())
    ):
        count("ClickLost")
        logger.warning("click lost", code=code, reason=type(failure).__name__)
    return {"statusCode": 302, "headers": {"Location": location, "Cache-Control": "no-store"}, "body": ""}


def refusal(error: DomainError) -> dict[str, Any]:
    """The answer to a code that leads nowhere."""
    count(f"Redirect{type(error).__name__}")
    response = problems.as_response(error)
    if isinstance(error, Gone):
        response["headers"]["Cache-Control"] = GONE_CACHE_CONTROL
    return response


def method_of(event: dict[str, Any]) -> str:
    """The HTTP method, in upper case."""
    return str(event["requestContext"]["http"]["method"])
