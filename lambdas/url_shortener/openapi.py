"""The OpenAPI document of the whole system: the owners' API as its resolver knows it, and the redirect."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer

from lambdas.shared import problems
from lambdas.url_shortener.links import app
from lambdas.url_shortener.redirect import GONE_CACHE_CONTROL

TITLE = "URL shortener"
VERSION = "1.0.0"


def document() -> dict[str, Any]:
    """OpenAPI 3.1, as plain data."""
    schema = app.get_openapi_schema(
        title=TITLE,
        version=VERSION,
        description="Short links: owners make them, visitors follow them, clicks are counted.",
        security_schemes={
            "owner": HTTPBearer(bearerFormat="JWT", description="Cognito; the owner is `sub`.")
        },
        security=[{"owner": []}],
    )
    whole: dict[str, Any] = json.loads(schema.model_dump_json(by_alias=True, exclude_none=True))
    # The resolver adds its own shape of validation errors, which this API never answers.
    for unused in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        whole["components"]["schemas"].pop(unused, None)
    # It also gives every answer a body, and every route a 422, even a route that has nothing to validate.
    deletion = whole["paths"]["/api/links/{code}"]["delete"]["responses"]
    del deletion["204"]["content"], deletion["422"]
    whole["paths"]["/{code}"] = {
        method: _redirect(method, operation_id)
        for method, operation_id in (("get", "follow"), ("head", "peek"))
    }
    for operations in whole["paths"].values():
        for operation in operations.values():
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return whole


def _redirect(method: str, operation_id: str) -> dict[str, Any]:
    def refused(
        description: str, cache_control: str = "no-store", retry_after: str | None = None
    ) -> dict[str, Any]:
        content = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        return {
            "description": description,
            "headers": {
                "Cache-Control": _header(cache_control),
                **({"Retry-After": _header(retry_after)} if retry_after else {}),
            },
            **({"content": content} if method == "get" else {}),  # HEAD: the same without a body
        }

    return {
        "summary": "Follow a short link" if method == "get" else "See where a short link leads, uncounted",
        "operationId": operation_id,
        "security": [],
        "parameters": [{"name": "code", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {
            "302": {
                "description": "Where the link points.",
                "headers": {
                    "Location": {"required": True, "schema": {"type": "string", "format": "uri"}},
                    "Cache-Control": _header("no-store"),
                },
            },
            "404": refused("The code was never given out."),
            "410": refused("The link was deleted or has expired, for ever.", GONE_CACHE_CONTROL),
            "503": refused("The store is busy.", retry_after=str(problems.RETRY_AFTER_S)),
        },
    }


def _header(value: str) -> dict[str, Any]:
    return {"required": True, "schema": {"type": "string", "const": value}}
