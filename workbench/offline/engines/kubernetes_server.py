"""The HTTP side of an offline cluster's API server: TLS on loopback, paths, bodies, and who may.

Served are discovery, and of every kind get, list (by namespace, `labelSelector`, and `fieldSelector` on name and
namespace), create, server-side apply, delete, the status subresource to read, and a pod's log. `kubectl` itself
asks for more (watches, the other patches, OpenAPI), and is told so.

Source: "Kubernetes API Concepts", Kubernetes documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from workbench.offline.certificates import server_tls
from workbench.offline.engines.kubernetes_access import Access, Action
from workbench.offline.engines.kubernetes_kinds import Kind, kinds_of
from workbench.offline.engines.kubernetes_objects import Failure, Object, Objects, matches, parse_selector
from workbench.offline.engines.listeners import HttpListener

APPLY = "application/apply-patch+yaml"
_LARGEST_BODY = 3 * 1024 * 1024  # as etcd's limit lets the API server take
_READ_WITHIN = 30.0


@dataclass(frozen=True)
class Answer:
    """A status code with its document (or plain text), and warnings for whoever asked."""

    code: int
    document: Object | str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """A request, its path apart: "" stands for what it does not name."""

    method: str
    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Api:
    """Answers requests from `objects`, for whom `access` lets in.

    `unheeded(kind, manifest)` names what of an applied manifest has no effect here; `log_of(namespace, pod)` is
    what a pod has written.
    """

    def __init__(
        self,
        objects: Objects,
        access: Access,
        unheeded: Callable[[Kind, Object], list[str]],
        log_of: Callable[[str, str], str],
    ) -> None:
        self._objects, self._access = objects, access
        self._unheeded, self._log_of = unheeded, log_of

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one request; what is refused is a Status."""
        try:
            return self._answer(method, target, headers, body)
        except Failure as failure:
            return Answer(failure.code, failure.status())

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        url = urlsplit(target)
        if url.path == "/version":
            major, minor = self._objects.version.split(".")
            return Answer(200, {"major": major, "minor": minor, "gitVersion": f"v{major}.{minor}.0-offline"})
        request = _parse(method, url.path, parse_qs(url.query, keep_blank_values=True), headers, body)
        caller = self._access.authenticate(headers.get("authorization", ""))
        known = kinds_of(self._objects.version, request.group, request.version)
        if known and not request.plural and method == "GET":
            return Answer(200, _discovery(request, known))
        kind = known.get(request.plural)
        if kind is None:
            raise Failure(404, "NotFound", "the server could not find the requested resource")
        namespace = request.namespace if kind.namespaced or kind.name == "Namespace" else ""
        action = Action(_verb(request), kind, namespace, request.name, request.subresource)
        self._access.authorize(caller, action)
        if action.verb == "create":
            return self._create(kind, request)
        if action.verb == "patch":
            return self._apply(kind, request)
        if action.verb == "delete":
            self._objects.delete(kind, request.namespace, request.name)
            return Answer(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        return self._read(kind, request)

    def _read(self, kind: Kind, request: Request) -> Answer:
        if not request.name:
            return Answer(200, self._list(kind, request))
        if (kind.name, request.subresource) == ("Pod", "log"):
            self._objects.get(kind, request.namespace, request.name)
            return Answer(200, self._log_of(request.namespace, request.name))
        if request.subresource not in ("", "status"):
            raise Failure(404, "NotFound", "the server could not find the requested resource")
        return Answer(200, self._objects.get(kind, request.namespace, request.name))

    def _list(self, kind: Kind, request: Request) -> Object:
        if request.query.get("watch") in ("1", "true"):
            raise Failure(405, "MethodNotAllowed", "offline there are no watches: list again")
        selector = parse_selector(request.query.get("labelSelector", ""))
        fields = _field_selector(request.query.get("fieldSelector", ""))
        items = [
            each
            for each in self._objects.list(kind, request.namespace or None)
            if matches(each["metadata"].get("labels", {}), selector)
            and all(each["metadata"].get(name) == value for name, value in fields.items())
        ]
        return {
            "kind": f"{kind.name}List",
            "apiVersion": kind.api_version,
            "metadata": {"resourceVersion": ""},
            "items": items,
        }

    def _create(self, kind: Kind, request: Request) -> Answer:
        manifest = _manifest(kind, request)
        manager = request.query.get("fieldManager") or request.headers.get("user-agent", "unknown")
        made = self._objects.create(kind, request.namespace, manifest, manager)
        return Answer(201, made, tuple(self._unheeded(kind, made)))

    def _apply(self, kind: Kind, request: Request) -> Answer:
        if request.headers.get("content-type", "").partition(";")[0] != APPLY:
            raise Failure(
                415, "UnsupportedMediaType", f"offline the only patch is server-side apply ({APPLY})"
            )
        manager = request.query.get("fieldManager")
        if not manager:
            raise Failure(422, "Invalid", "PatchOptions is invalid: fieldManager: Required value")
        manifest, existed = (
            _manifest(kind, request),
            self._objects.find(kind, request.namespace, request.name),
        )
        force = request.query.get("force") == "true"
        made = self._objects.apply(kind, request.namespace, request.name, manifest, manager, force=force)
        return Answer(200 if existed else 201, made, tuple(self._unheeded(kind, made)))


def _parse(
    method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str], body: bytes
) -> Request:
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 1:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 2:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise Failure(404, "NotFound", "the server could not find the requested resource")
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = [*rest, "", "", ""][:3]
    if plural == "namespaces":
        namespace = name  # access to a namespace is access within it
    single = {key: values[0] for key, values in query.items()}
    return Request(method, group, version, plural, namespace, name, subresource, single, headers, body)


def _verb(request: Request) -> str:
    if request.method == "GET":
        return "get" if request.name else "list"
    verbs = {"POST": "create"} if not request.name else {"PATCH": "patch", "DELETE": "delete"}
    if request.subresource or request.method not in verbs:
        raise Failure(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
        )
    return verbs[request.method]


def _manifest(kind: Kind, request: Request) -> Object:
    """The manifest in a request's body. Raises `Failure` 400 where it is none, or of something else."""
    try:
        text = request.body.decode()
        manifest = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as problem:
        raise Failure(400, "BadRequest", f"the body is no manifest: {problem}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("metadata"), dict):
        raise Failure(400, "BadRequest", "the body is no manifest: it has no metadata")
    said = (manifest.get("apiVersion"), manifest.get("kind"))
    if said != (kind.api_version, kind.name):
        raise Failure(400, "BadRequest", f"the body is {said}, the URL means {(kind.api_version, kind.name)}")
    metadata = manifest["metadata"]
    for name, value in (("name", request.name), ("namespace", request.namespace if kind.namespaced else "")):
        if value and metadata.get(name, value) != value:
            raise Failure(400, "BadRequest", f"metadata.{name} is {metadata[name]!r}, the URL says {value!r}")
    return manifest | {"metadata": metadata | ({"name": request.name} if request.name else {})}


def _field_selector(text: str) -> dict[str, str]:
    pairs = [term.partition("=") for term in text.split(",") if term]
    for field, _, _ in pairs:
        if field not in ("metadata.name", "metadata.namespace"):
            raise Failure(400, "BadRequest", f"field label not supported: {field}")
    return {field.removeprefix("metadata."): value.lstrip("=") for field, _, value in pairs}


def _discovery(request: Request, known: Mapping[str, Kind]) -> Object:
    verbs = ["create", "delete", "get", "list", "patch"]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{request.group}/{request.version}" if request.group else request.version,
        "resources": [
            {
                "name": kind.plural,
                "singularName": kind.name.lower(),
                "namespaced": kind.namespaced,
                "kind": kind.name,
                "verbs": verbs,
            }
            for kind in known.values()
        ],
    }


class Server(HttpListener):
    """The API server's port."""

    def __init__(self, api: Api) -> None:
        super().__init__(_handler(api), name="kubernetes")


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "offline-kubernetes", ""
        timeout = _READ_WITHIN
        disable_nagle_algorithm = True  # head and body are two writes

        def setup(self) -> None:
            # In the connection's own thread: whoever is slow to shake hands keeps nobody waiting.
            self.request.settimeout(_READ_WITHIN)
            self.request = server_tls().wrap_socket(self.request, server_side=True)
            super().setup()

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            if length > _LARGEST_BODY:
                self.close_connection = True
                failure = Failure(413, "RequestEntityTooLarge", f"a body is at most {_LARGEST_BODY} bytes")
                self._send(Answer(413, failure.status()))
                return
            self._send(api.answer(self.command, self.path, headers, self.rfile.read(length)))

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 (their names there)

        def _send(self, answer: Answer) -> None:
            plain = isinstance(answer.document, str)
            content = (str(answer.document) if plain else json.dumps(answer.document)).encode()
            self.send_response(answer.code)
            self.send_header("Content-Type", "text/plain" if plain else "application/json")
            self.send_header("Content-Length", str(len(content)))
            for warning in answer.warnings:
                quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
                self.send_header("Warning", f'299 - "{quoted}"')
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: requests are no news."""

    return Handler
