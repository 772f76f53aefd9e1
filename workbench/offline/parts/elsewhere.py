"""Services that MiniStack lacks and moto has: requests for them are answered by moto's server (`engines/moto.py`).

Which these are is computed from both packages and botocore's service models, when the first request comes that
MiniStack has no handler for; by the service that a request is signed for. Clients need nothing but the one endpoint.

IAM is asked before a request is passed on. The action is known from botocore's model. The resource is not: MiniStack
builds no ARNs of these services. So a caller whose policies allow the action on some resource is let through, and the
decision is logged with the resource as the policy names it; conditions on the resource are not checked. Where the
action is not known either, the call is only authenticated, and a warning in the log of the offline AWS says so.

What moto holds and what MiniStack holds do not know of each other: a target of Application Auto Scaling, say, is a
record that scales nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import gzip
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore
import ministack.app as app
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_account_id, get_region

from workbench.errors import Misuse
from workbench.offline.control import Refused, command
from workbench.offline.engines import moto
from workbench.offline.identity import NotSigned, may, principal_of
from workbench.offline.parts import Answer

_PAGE_OF_AN_EXCEPTION = b"<!doctype html>"  # as moto's server gives, also for what is not implemented
_BEGINNING = 4096  # bytes of a service model: its metadata come first
_XML_PROTOCOLS = {"query": "query-xml", "ec2": "ec2-xml", "rest-xml": "rest-xml"}  # as MiniStack calls them
_log = logging.getLogger(__name__)
_target: contextvars.ContextVar[str] = contextvars.ContextVar("target", default="")


@dataclass(frozen=True)
class Model:
    """What botocore says of a service: its names, and how it is spoken to."""

    name: str
    signing_name: str
    endpoint_prefix: str
    protocol: str


def extend() -> None:
    """Let MiniStack find a handler for the services that it lacks."""
    app.app = _remembering_the_target(app.app)
    # MiniStack reads every service model whole to know the names of services, which takes it seven seconds.
    router._is_aws_service_name = _is_a_service
    router.detect_service = app.detect_service = _with_ours(router.detect_service)
    iam_actions.extract_resource_arn = _with_resources(iam_actions.extract_resource_arn)


def service_endpoint(service: str) -> str | None:
    """Where moto itself answers `service` (its signing name, such as "rekognition"); it is started for that.

    For programs that cannot sign what they send; None where MiniStack answers, or nobody does. Raises `Misuse`
    where moto is not installed, `TimeoutError` when it does not start.
    """
    return moto.url() if service in lacking() else None


@command("elsewhere/endpoint")
def endpoint(service: str) -> dict[str, str | None]:
    """`service_endpoint`, for who is outside of this process."""
    try:
        return {"endpoint": service_endpoint(service)}
    except Misuse as problem:
        raise Refused(str(problem)) from None


@cache
def lacking() -> dict[str, tuple[Model, ...]]:
    """The services that MiniStack lacks and moto has, by signing name; without moto, all that MiniStack lacks."""
    models = _models()
    ours = {name for name in models if _detected(name) in app.SERVICE_HANDLERS}
    if not moto.is_installed():
        return {name: found for name, found in models.items() if name not in ours}
    # Where a pattern of moto's for one of MiniStack's services also fits another service's address, it is no answer.
    taken = {backend for name in ours & models.keys() for backend in _backends(models[name])}
    found = {}
    for name in models.keys() - ours:
        known = tuple(model for model in models[name] if set(_backends((model,))) - taken)
        if known:
            found[name] = known
    return found


_served: set[str] = set()  # by moto, since a request for them came


def _detected(signing_name: str) -> str:
    credential = f"AWS4-HMAC-SHA256 Credential=test/20170829/us-east-1/{signing_name}/aws4_request"
    return str(_detect("POST", "/", {"authorization": credential, "host": ""}, {}))


_detect = router.detect_service


@cache
def _models() -> dict[str, tuple[Model, ...]]:
    """Every service that botocore knows, by signing name."""
    found: dict[str, tuple[Model, ...]] = {}
    for folder in sorted((Path(botocore.__file__).parent / "data").iterdir()):
        versions = sorted(folder.glob("*/service-2.json.gz"))
        if versions:
            with gzip.open(versions[-1], "rt") as file:
                beginning = file.read(_BEGINNING)
            prefix = _said(beginning, "endpointPrefix")
            signing_name = _said(beginning, "signingName") or prefix
            model = Model(folder.name, signing_name, prefix, _said(beginning, "protocol"))
            found[signing_name] = (*found.get(signing_name, ()), model)
    return found


def _said(beginning: str, name: str) -> str:
    found = re.search(rf'"{name}"\s*:\s*"([^"]+)"', beginning)
    return found[1] if found else ""


def _backends(models: tuple[Model, ...]) -> Iterator[str]:
    """What of moto answers at the services' addresses."""
    from moto.backend_index import backend_url_patterns

    for model in models:
        domains = ("us-east-1.amazonaws.com", "us-east-1.api.aws", "amazonaws.com")
        addresses = [f"https://{model.endpoint_prefix}.{domain}" for domain in domains]
        for backend, pattern in backend_url_patterns:
            if any(pattern.match(address) for address in addresses):
                yield backend
                break


def _is_a_service(name: str) -> bool:
    """MiniStack's `_is_aws_service_name`, from the beginnings of the models alone."""
    return any(
        name in (signing_name, model.name, model.endpoint_prefix)
        for signing_name, models in _models().items()
        for model in models
    )


def _with_ours(detect: Callable[..., Any]) -> Callable[..., str]:
    def detect_and_serve(method: str, path: str, headers: Any, query: Any) -> str:
        service = str(detect(method, path, headers, query))
        if service not in app.SERVICE_HANDLERS and service != "unknown_query" and service in lacking():
            _serve(service)
        return service

    return detect_and_serve


def _serve(service: str) -> None:
    """Have moto answer the service from now on, and IAM asked about it before."""
    models = lacking()[service]
    _served.add(service)
    # IAM's names of these services are those that requests are signed for.
    iam_actions.SERVICE_TO_IAM_NAMESPACE[service] = service
    iam_actions._BOTOCORE_SERVICE_MAP[service] = [model.name for model in models]
    if models[0].protocol in _XML_PROTOCOLS:
        iam_actions._SERVICE_PROTOCOL[service] = _XML_PROTOCOLS[models[0].protocol]
    app.SERVICE_HANDLERS[service] = _handler(service)


def _handler(service: str) -> Callable[..., Any]:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Answer:
        """As MiniStack calls the handler of a service; it has asked IAM before."""
        if iam_actions.extract_iam_action(service, method, path, headers, body, query) is None:
            _log.warning(
                "%s %s of %s: no IAM action is known for it, none was checked", method, path, service
            )
        return await asyncio.to_thread(_answer, service, method, headers, body)

    return handle


def _answer(service: str, method: str, headers: Mapping[str, str], body: bytes) -> Answer:
    # MiniStack has unpacked the body already; and moto keeps accounts apart by this header.
    passed = {name: value for name, value in headers.items() if name != "content-encoding"}
    try:
        found = moto.ask(method, _target.get(), {**passed, "x-moto-account-id": get_account_id()}, body)
    except Misuse as problem:
        return _refusal(501, "NotImplemented", f"the offline AWS answers {service} by moto, and {problem}")
    except OSError as problem:
        words = f"moto, which answers {service}, cannot be reached: {problem}"
        return _refusal(503, "ServiceUnavailable", words)
    if found.status == 500 and found.body.startswith(_PAGE_OF_AN_EXCEPTION):
        words = f"moto, which answers {service}, does not offer this; its log is {moto.log_file()}"
        return _refusal(501, "NotImplemented", words)
    return found.status, found.headers, found.body


def _refusal(status: int, code: str, words: str) -> Answer:
    said = json.dumps({"__type": code, "message": words}).encode()
    return status, {"Content-Type": "application/json", "x-amzn-ErrorType": code}, said


def _remembering_the_target(served: Any) -> Any:
    """The path and query as they came: MiniStack's handlers get them decoded, which cannot be undone."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
            _target.set(f"{path}?{query}" if query else path)
        await served(scope, receive, send)

    return answer


def _with_resources(extract: Any) -> Any:
    """MiniStack's `extract_resource_arn`, with a resource that the caller's policies name where it knows none."""

    def extract_or_choose(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> str:
        if service not in _served:
            return str(extract(service, method, path, headers, body, query, region, account))
        action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
        access_key = router.extract_access_key_id(headers, query)
        return _allowed_resource(str(access_key), account, str(action))

    return extract_or_choose


def _allowed_resource(access_key: str, account: str, action: str) -> str:
    """A resource on which the caller's policies allow the action; "*" where there is none."""
    try:
        principal = principal_of(access_key, account, get_region())
    except NotSigned:
        return "*"
    for resource in _resources_named(principal.policies or [], action):  # root has none, and needs none
        if may(principal, action, resource, get_region()):
            return resource
    return "*"


def _resources_named(policies: list[list[Any]], action: str) -> Iterator[str]:
    for statement in (each for policy in policies for each in policy):
        if iam_evaluator._action_matches(action, statement.actions, statement.not_actions):
            yield from map(str, statement.resources)
