"""Errors as HTTP answers: the only place that knows which error has which status.

The shape is RFC 9457's (`application/problem+json`): {"title": str, "detail": str, "status": int}.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from lambdas.shared.errors import (
    Conflict,
    DomainError,
    Gone,
    Malformed,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
WINDOW_S = 60  # of what is counted by the minute

STATUS = {
    Malformed: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Gone: HTTPStatus.GONE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Refused: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: DomainError) -> HTTPStatus:
    """The status of an error: its own type's, or that of the nearest type it derives from."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(error: DomainError) -> str:
    """The JSON text of an error."""
    status = status_of(error)
    return json.dumps({"title": status.phrase, "detail": str(error), "status": int(status)})


def headers_of(error: DomainError) -> dict[str, str]:
    """The headers, apart from the content type. Errors are not cached unless a handler says otherwise."""
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(WINDOW_S)
    return headers


def as_response(error: DomainError) -> dict[str, Any]:
    """The answer to API Gateway (payload 2.0) for handlers that have no resolver."""
    return {
        "statusCode": int(status_of(error)),
        "headers": {"Content-Type": CONTENT_TYPE, **headers_of(error)},
        "body": body_of(error),
    }
