"""The Kubernetes client of deployment steps, against an API server that answers what it is told to."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from botocore.exceptions import NoCredentialsError
from botocore.session import Session

from lambdas.shared.kubernetes import Kubernetes, KubernetesError, connect, token

pytestmark = pytest.mark.fast

APPS = {
    "resources": [
        {"name": "deployments", "kind": "Deployment", "namespaced": True},
        {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
    ]
}
CORE = {"resources": [{"name": "namespaces", "kind": "Namespace", "namespaced": False}]}
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
PATH = "/apis/apps/v1/namespaces/shop/deployments/web"


class Server:
    """`answers` are (status, document, headers) by method and path; `requests` is what came."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, Any, dict[str, str]]] = {
            ("GET", "/apis/apps/v1"): (200, APPS, {}),
            ("GET", "/api/v1"): (200, CORE, {}),
        }
        self.requests: list[dict[str, Any]] = []
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.authority = base64.b64encode(authority.cert_pem.bytes()).decode()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            server.requests.append(
                {
                    "what": f"{self.command} {path}",
                    "query": query,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": json.loads(body) if body else None,
                }
            )
            status, document, headers = server.answers[self.command, path]
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = do_DELETE = _serve  # noqa: N815 (their names there)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(running: Server) -> Server:
    running.requests.clear()
    for key in [key for key in running.answers if key[1] not in ("/apis/apps/v1", "/api/v1")]:
        del running.answers[key]
    return running


@pytest.fixture
def client(server: Server) -> Kubernetes:
    return Kubernetes(server.url, server.authority, "k8s-aws-v1.token")


def test_applying_is_a_forced_server_side_apply_by_the_field_manager_blueprint(
    server: Server, client: Kubernetes
) -> None:
    server.answers["PATCH", PATH] = (201, {**WEB, "status": {}}, {})
    assert client.apply(WEB)["status"] == {}
    asked, sent = server.requests
    assert asked["what"] == "GET /apis/apps/v1"
    assert (sent["what"], sent["query"]) == (f"PATCH {PATH}", "fieldManager=blueprint&force=true")
    assert sent["headers"]["content-type"] == "application/apply-patch+yaml"
    assert sent["headers"]["authorization"] == "Bearer k8s-aws-v1.token"
    assert sent["body"] == WEB


def test_what_kinds_are_called_is_asked_once(server: Server, client: Kubernetes) -> None:
    server.answers["GET", PATH] = (200, WEB, {})
    assert client.read(WEB) == client.read(WEB) == WEB
    assert [each["what"] for each in server.requests] == ["GET /apis/apps/v1", *[f"GET {PATH}"] * 2]


def test_what_lives_in_no_namespace_is_found_without_one(server: Server, client: Kubernetes) -> None:
    server.answers["GET", "/api/v1/namespaces/shop"] = (200, SHOP, {})
    assert client.read(SHOP) == SHOP


def test_a_manifest_without_a_namespace_means_the_default_one(server: Server, client: Kubernetes) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    server.answers["GET", path] = (200, WEB, {})
    client.read({**WEB, "metadata": {"name": "web"}})
    assert server.requests[-1]["what"] == f"GET {path}"


def test_a_refusal_has_the_status_and_the_words_of_the_api_server(server: Server, client: Kubernetes) -> None:
    status = {"kind": "Status", "reason": "Invalid", "message": "spec.replicas: Invalid value"}
    server.answers["PATCH", PATH] = (422, status, {})
    with pytest.raises(KubernetesError, match=r"Kubernetes answered 422: spec\.replicas") as refusal:
        client.apply(WEB)
    assert (refusal.value.status, refusal.value.message) == (422, "spec.replicas: Invalid value")


def test_a_refusal_that_is_no_status_has_at_least_its_number(server: Server, client: Kubernetes) -> None:
    server.answers["GET", PATH] = (503, b"<html>no</html>", {})
    with pytest.raises(KubernetesError, match="503: Service Unavailable"):
        client.read(WEB)


def test_an_unknown_kind_is_refused_before_it_is_sent(server: Server, client: Kubernetes) -> None:
    with pytest.raises(KubernetesError, match=r"no Doployment in apps/v1"):
        client.apply({**WEB, "kind": "Doployment"})
    assert [each["what"] for each in server.requests] == ["GET /apis/apps/v1"]


def test_deleting_what_is_gone_is_well_and_other_refusals_are_not(server: Server, client: Kubernetes) -> None:
    server.answers["DELETE", PATH] = (404, {"message": "not found"}, {})
    client.delete(WEB)
    server.answers["DELETE", PATH] = (403, {"message": "forbidden"}, {})
    with pytest.raises(KubernetesError, match="forbidden"):
        client.delete(WEB)


def test_warnings_are_kept_in_their_own_words(server: Server, client: Kubernetes) -> None:
    server.answers["PATCH", PATH] = (200, WEB, {"Warning": r'299 - "unknown \"x\""'})
    client.apply(WEB)
    assert client.warnings == ['unknown "x"']


def test_a_server_that_the_authority_did_not_sign_is_not_talked_to(server: Server) -> None:
    other = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        Kubernetes(server.url, other, "secret").read(WEB)
    assert server.requests == []


def test_a_token_is_a_presigned_call_that_names_the_cluster_in_a_signed_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS", raising=False)
    made = token("main", _session(), "eu-west-1")
    assert made.startswith("k8s-aws-v1.")
    assert "=" not in made
    url = _url(made)
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc) == ("https", "sts.eu-west-1.amazonaws.com")
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-Credential"][0].split("/")[2:] == ["eu-west-1", "sts", "aws4_request"]
    other = parse_qs(_url(token("other", _session(), "eu-west-1")).query)
    assert other["X-Amz-Signature"] != query["X-Amz-Signature"]


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"])
def test_a_token_is_addressed_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "https://127.0.0.1:4566")
    assert _url(token("main", _session(), "us-east-1")).netloc == "127.0.0.1:4566"


def test_without_credentials_there_is_no_token() -> None:
    session = Session()
    session.get_component("credential_provider").providers = []
    with pytest.raises(NoCredentialsError):
        token("main", session, "us-east-1")


def test_connecting_takes_the_credentials_and_the_region_of_the_function(
    monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    server.answers["GET", PATH] = (200, WEB, {})
    connect("main", server.url, server.authority).read(WEB)
    bearer = server.requests[-1]["headers"]["authorization"].removeprefix("Bearer ")
    assert "AKIAEXAMPLE" in _url(bearer).query
    assert "eu-west-1" in _url(bearer).query


def test_importing_it_imports_no_sdk() -> None:
    script = "import sys, lambdas.shared.kubernetes; print('botocore' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def _session() -> Session:
    session = Session()
    session.set_credentials("AKIAEXAMPLE", "secret")
    return session


def _url(made: str) -> Any:
    encoded = made.removeprefix("k8s-aws-v1.")
    return urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
