"""An AWS in the process, the three handlers as their callers see them, and faults to inject.

Every answer that a test gets passes through the OpenAPI document: a status or a body that is not documented
fails the test that met it, whatever the test is about.
"""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import botocore_stubber
from openapi_schema_validator import OAS31Validator

from lambdas.url_shortener import clicks, links, openapi, redirect, store
from lambdas.url_shortener.settings import OWNER_INDEX, OWNER_INDEX_ATTRIBUTES, Settings

API_HOST = "a1b2c3.execute-api.eu-central-1.amazonaws.com"


# The AWS


@pytest.fixture(scope="session")
def _aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        # One client of each kind for all tests: reading the SDK's service models costs more than any test.
        patch.setattr(store, "_client", lru_cache(store._client))
        # DynamoDB does each call whole; moto, called by several threads, would not.
        one_at_a_time = threading.Lock()
        respond = BotocoreStubber.__call__

        def respond_alone(self: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
            with one_at_a_time:
                return respond(self, *args, **kwargs)

        patch.setattr(BotocoreStubber, "__call__", respond_alone)
        with mock_aws():
            yield


@pytest.fixture
def settings(_aws: None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Fresh tables and a fresh queue, named in the environment."""
    run = uuid.uuid4().hex[:8]
    dynamodb: Any = store._client("dynamodb", store.CONNECT_TIMEOUT_S, store.READ_TIMEOUT_S, store.ATTEMPTS)
    sqs: Any = store._client("sqs", store.CLICK_TIMEOUT_S, store.CLICK_TIMEOUT_S, attempts=1)
    _make_table(
        dynamodb,
        f"links-{run}",
        ["code"],
        GlobalSecondaryIndexes=[
            {
                "IndexName": OWNER_INDEX,
                "KeySchema": _key_schema(["owner", "listed_at"]),
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": list(OWNER_INDEX_ATTRIBUTES),
                },
            }
        ],
    )
    _make_table(dynamodb, f"idempotency-{run}", ["key"])
    _make_table(dynamodb, f"clicks-{run}", ["code", "day"])
    _make_table(dynamodb, f"click-markers-{run}", ["click_id"])
    made = Settings(
        links_table=f"links-{run}",
        idempotency_table=f"idempotency-{run}",
        clicks_table=f"clicks-{run}",
        click_markers_table=f"click-markers-{run}",
        click_queue_url=sqs.create_queue(QueueName=f"clicks-{run}")["QueueUrl"],
    )
    for name, value in made.as_environment().items():
        monkeypatch.setenv(name, value)
    store.store.cache_clear()
    return made


def _key_schema(keys: list[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
    ]


def _make_table(dynamodb: Any, name: str, keys: list[str], **more: Any) -> None:
    index_keys = [key["AttributeName"] for index in more.values() for key in index[0]["KeySchema"]]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_key_schema(keys),
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in [*keys, *index_keys]],
        **more,
    )


@pytest.fixture
def naps() -> list[float]:
    """The seconds that the store would have waited between attempts."""
    return []


@pytest.fixture
def real_store(settings: Settings, naps: list[float]) -> store.Store:
    """The store on the test's tables; it notes its waits in `naps` and goes on at once."""
    return store.Store(settings, sleep=naps.append)


# Faults


@dataclass
class Faults:
    """Answers of AWS that never came from it. `waits` are the seconds that the SDK backed off."""

    waits: list[float]
    _undo: list[Callable[[], None]] = field(default_factory=list)

    def answer(self, operation: str, code: str, *, times: int = 1_000, **details: Any) -> list[str]:
        """Let the next `times` calls of "Service.Operation" fail with an error; returns the calls it met."""
        met: list[str] = []

        def fail(request: Any, event_name: str, **_: Any) -> AWSResponse | None:
            if len(met) == times:
                return None
            met.append(event_name)
            body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "injected", **details}).encode()
            status = 500 if code == "InternalServerError" else 400
            headers: Any = {"x-amzn-errortype": code}
            return AWSResponse(str(request.url), status, headers, _Raw(body))

        self._before(operation, fail)
        return met

    def lose_answer(self, operation: str, error: Exception) -> None:
        """Let the next call of an operation do its work, and its answer get lost."""
        met: list[str] = []

        def lose(request: Any, event_name: str, **_: Any) -> None:
            if not met:
                met.append(event_name)
                botocore_stubber(event_name, request)
                raise error

        self._before(operation, lose)

    def break_down(self, operation: str, error: Exception) -> None:
        """Let every call of an operation end in an error of the network."""

        def fail(request: Any, **_: Any) -> None:
            raise error

        self._before(operation, fail)

    def _before(self, operation: str, handler: Callable[..., Any]) -> None:
        service, name = operation.split(".")
        self._register(service, f"before-send.{service}.{name}", handler)

    def _register(self, service: str, event: str, handler: Callable[..., Any]) -> None:
        client: Any = store.store()._dynamodb if service == "dynamodb" else store.store()._sqs
        client.meta.events.register_first(event, handler)
        self._undo.append(lambda: client.meta.events.unregister(event, handler))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def faults(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Faults of AWS, mended after the test; nobody waits for the SDK's back-off."""
    made = Faults(waits=[])
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=made.waits.append))
    yield made
    for undo in made._undo:
        undo()


# The callers


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """The system as its clients see it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.met: set[tuple[str, int]] = set()

    def create(self, url: Any, *, owner: str | None = "ann", key: str | None = None, **more: Any) -> Answer:
        headers = more.pop("headers", {}) | ({"idempotency-key": key} if key else {})
        return self.call(
            "POST", "/api/links", owner=owner, headers=headers, body=json.dumps({"url": url, **more})
        )

    def page(self, owner: str | None = "ann", **query: Any) -> Answer:
        return self.call("GET", "/api/links", owner=owner, query=query)

    def delete(self, code: str, owner: str | None = "ann") -> Answer:
        return self.call("DELETE", "/api/links/{code}", owner=owner, code=code)

    def stats(self, code: str, owner: str | None = "ann", **query: Any) -> Answer:
        return self.call("GET", "/api/links/{code}/stats", owner=owner, code=code, query=query)

    def call(
        self,
        method: str,
        template: str,
        *,
        owner: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, Any] | None = None,
        body: str | None = None,
        base64: bool = False,
    ) -> Answer:
        event = http_event(method, template.replace("{code}", code or ""), headers or {}, owner)
        event |= {"body": body, "isBase64Encoded": base64}
        if query:
            event["queryStringParameters"] = {name: str(value) for name, value in query.items()}
            event["rawQueryString"] = "&".join(f"{name}={value}" for name, value in query.items())
        return self._checked(method, template, links.handler(event, CONTEXT))

    def visit(self, code: str, method: str = "GET", request_id: str | None = None) -> Answer:
        event = http_event(method, f"/{code}", {}, None)
        event["pathParameters"] = {"code": code}
        event["requestContext"]["requestId"] = request_id or event["requestContext"]["requestId"]
        return self._checked(method, "/{code}", redirect.handler(event, CONTEXT))

    def _checked(self, method: str, template: str, response: dict[str, Any]) -> Answer:
        headers = dict(response.get("headers") or {})
        headers |= {name: values[0] for name, values in (response.get("multiValueHeaders") or {}).items()}
        answer = Answer(response["statusCode"], headers, response.get("body") or "")
        operation = self._document["paths"][template][method.lower()]
        documented = operation["responses"].get(str(answer.status))
        assert documented, f"{method} {template} answers {answer.status}, which is not documented"
        self.met.add((operation["operationId"], answer.status))
        if content := documented.get("content"):
            media_type = answer.headers["Content-Type"]
            validate(
                {**content[media_type]["schema"], "components": self._document["components"]}, answer.json
            )
        else:
            assert answer.body == ""
        for name, header in documented.get("headers", {}).items():
            validate(header["schema"], answer.headers[name])
        return answer


def validate(schema: dict[str, Any], value: Any) -> None:
    OAS31Validator(schema).validate(value)


CONTEXT = SimpleNamespace(aws_request_id="function-request", get_remaining_time_in_millis=lambda: 30_000)


def http_event(method: str, path: str, headers: dict[str, str], owner: str | None) -> dict[str, Any]:
    """An event of API Gateway's HTTP API, payload 2.0."""
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": "a1b2c3",
        "domainName": API_HOST,
        "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        "requestId": f"{uuid.uuid4()}",
        "routeKey": f"{method} {path}",
        "stage": "$default",
    }
    if owner is not None:
        context["authorizer"] = {"jwt": {"claims": {"sub": owner, "token_use": "access"}, "scopes": None}}
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"} | headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    return openapi.document()


@pytest.fixture
def api(settings: Settings, document: dict[str, Any]) -> Api:
    return Api(document)


class Queue:
    """The click queue and its consumer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.context = SimpleNamespace(**vars(CONTEXT))

    def waiting(self) -> list[str]:
        """The messages that were sent, taken from the queue."""
        sqs: Any = store.store()._sqs
        taken: list[str] = []
        while batch := sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            taken += [message["Body"] for message in batch]
        return taken

    def deliver(self, bodies: Sequence[str]) -> list[int]:
        """Hand a batch to the consumer; returns the places of the messages that it reports as failed."""
        records = [
            {"messageId": f"message-{place}", "body": body, "eventSource": "aws:sqs"}
            for place, body in enumerate(bodies)
        ]
        failures = clicks.handler({"Records": records}, self.context)["batchItemFailures"]
        return [int(failure["itemIdentifier"].removeprefix("message-")) for failure in failures]


@pytest.fixture
def queue(settings: Settings) -> Queue:
    return Queue(settings.click_queue_url)


@pytest.fixture(scope="session")
def input_urls() -> list[str]:
    """URLs as people write them down, one a line."""
    return (Path(__file__).parent / "urls.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the time that the handlers see."""

    def set_to(moment: datetime) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return moment.astimezone(tz or UTC)

        for module in (links, redirect, clicks):
            monkeypatch.setattr(module, "datetime", Clock)

    return set_to
