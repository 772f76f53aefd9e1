"""The OpenAPI document and the handlers say the same.

That no handler answers anything undocumented is checked at every answer of every test (`conftest.Api`);
here is that the document is sound, and that everything in it is true.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from lambdas.url_shortener import clicks, links, redirect
from lambdas.url_shortener.settings import Settings

pytestmark = pytest.mark.fast

URL = "https://example.com/"
BUSY = "ProvisionedThroughputExceededException"


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_is_plain_data(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document)) == document


def test_the_document_is_the_same_each_time(document: dict[str, Any]) -> None:
    from lambdas.url_shortener import openapi

    assert openapi.document() == document


def test_owners_need_a_token_and_visitors_none(document: dict[str, Any]) -> None:
    assert document["security"] == [{"owner": []}]
    assert document["components"]["securitySchemes"]["owner"]["scheme"] == "bearer"
    for template, operations in document["paths"].items():
        for operation in operations.values():
            assert operation.get("security", document["security"]) == (
                [] if template == "/{code}" else document["security"]
            )


def test_every_schema_is_used(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text


# Each documented answer, and a way to get it: what is there before, and the call.
ANSWERS: dict[tuple[str, int], tuple[str | None, Callable[[Any], Any]]] = {
    ("createLink", 201): (None, lambda api: api.create(URL)),
    ("createLink", 400): (None, lambda api: api.call("POST", "/api/links", owner="ann", body="{")),
    ("createLink", 401): (None, lambda api: api.create(URL, owner=None)),
    ("createLink", 409): (None, lambda api: api.create(URL, alias="mine")),
    ("createLink", 413): (None, lambda api: api.create("a" * 20_000)),
    ("createLink", 415): (None, lambda api: api.create(URL, headers={"content-type": "text/csv"})),
    ("createLink", 422): (None, lambda api: api.create("javascript:alert(1)")),
    ("createLink", 503): ("dynamodb.PutItem", lambda api: api.create(URL)),
    ("listLinks", 200): (None, lambda api: api.page()),
    ("listLinks", 400): (None, lambda api: api.page(cursor="x")),
    ("listLinks", 401): (None, lambda api: api.page(owner=None)),
    ("listLinks", 422): (None, lambda api: api.page(limit=0)),
    ("listLinks", 503): ("dynamodb.Query", lambda api: api.page()),
    ("deleteLink", 204): (None, lambda api: api.delete("mine")),
    ("deleteLink", 401): (None, lambda api: api.delete("mine", owner=None)),
    ("deleteLink", 404): (None, lambda api: api.delete("other")),
    ("deleteLink", 503): ("dynamodb.UpdateItem", lambda api: api.delete("mine")),
    ("getClicks", 200): (None, lambda api: api.stats("mine")),
    ("getClicks", 401): (None, lambda api: api.stats("mine", owner=None)),
    ("getClicks", 404): (None, lambda api: api.stats("other")),
    ("getClicks", 422): (None, lambda api: api.stats("mine", to="never")),
    ("getClicks", 503): ("dynamodb.Query", lambda api: api.stats("mine")),
    ("follow", 302): (None, lambda api: api.visit("mine")),
    ("follow", 404): (None, lambda api: api.visit("other")),
    ("follow", 410): (None, lambda api: api.delete("mine") and api.visit("mine")),
    ("follow", 503): ("dynamodb.GetItem", lambda api: api.visit("mine")),
    ("peek", 302): (None, lambda api: api.visit("mine", "HEAD")),
    ("peek", 404): (None, lambda api: api.visit("other", "HEAD")),
    ("peek", 410): (None, lambda api: api.delete("mine") and api.visit("mine", "HEAD")),
    ("peek", 503): ("dynamodb.GetItem", lambda api: api.visit("mine", "HEAD")),
}


@pytest.mark.parametrize(("operation", "status"), ANSWERS)
def test_every_documented_answer_can_be_had(operation: str, status: int, api: Any, faults: Any) -> None:
    busy, call = ANSWERS[operation, status]
    assert api.create(URL, alias="mine").status == 201
    if busy:
        faults.answer(busy, BUSY)
    assert call(api).status == status
    assert (operation, status) in api.met


def test_no_documented_answer_is_left_out_above(document: dict[str, Any]) -> None:
    documented = {
        (operation["operationId"], int(status))
        for operations in document["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
    }
    assert documented == set(ANSWERS)


def test_every_route_of_the_resolver_is_documented(document: dict[str, Any]) -> None:
    routes = {
        (route.method.lower(), route.openapi_path)
        for route in [*links.app._static_routes, *links.app._dynamic_routes]
    }
    documented = {
        (method, template)
        for template, operations in document["paths"].items()
        for method in operations
        if template != "/{code}"
    }
    assert routes == documented


def test_a_header_named_in_the_document_is_read_in_any_case(api: Any, settings: Settings) -> None:
    first = api.create(URL, headers={"Idempotency-Key": "k"}).json
    assert api.create(URL, headers={"idempotency-key": "k"}).json == first


def test_the_entry_points_are_where_the_stack_looks_for_them() -> None:
    assert all(callable(module.handler) for module in (links, redirect, clicks))


@pytest.mark.golden
def test_the_exported_document_is_current(document: dict[str, Any], golden: Any) -> None:
    """`stacks/url_shortener/openapi.json` is for clients and their generators; `make golden` writes it."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    golden(Path(__file__).parents[2] / "stacks" / "url_shortener" / "openapi.json", text)
