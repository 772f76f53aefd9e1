"""A JSON API behind API Gateway's HTTP API: the resolver, what it reads, and how its errors look.

app = json_api()

@app.post("/api/things")
def create(...): ...

def handler(event, context):
    return answer(app, event, context)
"""

from __future__ import annotations

import base64
import json
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel

from lambdas.shared import problems
from lambdas.shared.errors import (
    DomainError,
    Malformed,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
    UnsupportedMedia,
)
from lambdas.shared.observability import count, logger

MAX_BODY_BYTES = 16 * 1024


class Problem(BaseModel):
    """Why a request was not done (RFC 9457)."""

    title: str
    detail: str
    status: int


def json_api() -> APIGatewayHttpResolver:
    """A resolver that validates requests and answers every error as a `Problem`."""
    app = APIGatewayHttpResolver(enable_validation=True)

    def explain(error: DomainError) -> Response[str]:
        status = problems.status_of(error)
        if isinstance(error, Refused):
            count("Refused")
        logger.info("request not done", status=int(status), reason=type(error).__name__)
        return Response(
            status_code=status,
            content_type=problems.CONTENT_TYPE,
            headers=problems.headers_of(error),
            body=problems.body_of(error),
        )

    def explain_validation(error: RequestValidationError) -> Response[str]:
        # Where and what kind only: the value that was sent may be a secret.
        places = (f"{'.'.join(map(str, one['loc']))} ({one['type']})" for one in error.errors())
        return explain(Refused("not as the API describes it: " + "; ".join(list(places)[:10])))

    def explain_missing_route(_: NotFoundError) -> Response[str]:
        return explain(NotFound("there is nothing at this address"))

    app.exception_handler(DomainError)(explain)
    app.exception_handler(RequestValidationError)(explain_validation)
    app.exception_handler(NotFoundError)(explain_missing_route)
    return app


def answer(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: Any, largest_body: int = MAX_BODY_BYTES
) -> dict[str, Any]:
    """What `app` answers to an event, having read its body in the one way that this API accepts.

    `largest_body` is in bytes, as they come.
    """
    try:
        event = _with_readable_body(event, largest_body)
    except DomainError as error:
        return problems.as_response(error)
    return app.resolve(event, context)


def caller(event: dict[str, Any]) -> str:
    """Who calls: the claim `sub` of the token that API Gateway's JWT authorizer has verified."""
    authorizer = event["requestContext"].get("authorizer") or {}
    subject = ((authorizer.get("jwt") or {}).get("claims") or {}).get("sub")
    if not subject:
        raise Unauthenticated("a valid token is required")
    return str(subject)


def _with_readable_body(event: dict[str, Any], largest: int) -> dict[str, Any]:
    """The event with its body as plain JSON text, known to be one JSON object.

    The resolver would also read forms and the first element of an array, and would fail on bytes that are not
    UTF-8, on numbers of thousands of digits and on nesting deeper than the stack.
    """
    body = event.get("body")
    if not body:
        return event
    content_type = next((v for k, v in event.get("headers", {}).items() if k.lower() == "content-type"), "")
    if content_type.partition(";")[0].strip().lower() not in ("", "application/json"):
        raise UnsupportedMedia("send application/json")
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        if len(raw) > largest:
            raise TooLarge(f"the body is larger than {largest} bytes")
        text = raw.decode()
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None
    if not is_object:
        raise Refused("the body is not a JSON object")
    return {**event, "body": text, "isBase64Encoded": False}
