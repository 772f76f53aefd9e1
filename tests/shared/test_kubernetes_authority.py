"""EKS's own authority has no key identifiers: a Python that asks for them must not refuse it."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lambdas.shared.kubernetes import Kubernetes, KubernetesError

pytestmark = pytest.mark.fast

SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
NOW = datetime.datetime.now(datetime.UTC)


class Absent(BaseHTTPRequestHandler):
    """A server that has nothing, and says so."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    """As EKS's: with `basicConstraints`, a name, and no key identifiers."""

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    built = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(hours=1))
        .not_valid_after(NOW + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        built = built.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return built.sign(signer, hashes.SHA256())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(its address, its authority as EKS gives it) of a server with such a certificate."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("kubernetes", authority_key, "kubernetes", authority_key, is_authority=True)
    certificate = _certificate("api", key, "kubernetes", authority_key, is_authority=False)
    pem: Path = tmp_path_factory.mktemp("eks") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Absent)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    given = base64.b64encode(authority.public_bytes(serialization.Encoding.PEM)).decode()
    yield f"https://127.0.0.1:{http.server_port}", given
    http.shutdown()
    http.server_close()


@pytest.fixture
def as_python_3_13_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every default context asks for key identifiers."""
    create = ssl.create_default_context

    def strict(*arguments: object, **options: object) -> ssl.SSLContext:
        context = create(*arguments, **options)  # type: ignore[arg-type]
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


def test_the_client_talks_to_it(server: tuple[str, str], as_python_3_13_does: None) -> None:
    address, authority = server
    with pytest.raises(KubernetesError) as refused:
        Kubernetes(address, authority, "token").read(SHOP)
    assert refused.value.status == 404, "it came to the server, which has nothing"


def test_a_strict_context_would_refuse_it(server: tuple[str, str], as_python_3_13_does: None) -> None:
    address, authority = server
    host, port = address.removeprefix("https://").split(":")
    context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    import socket

    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="Key Identifier"),
    ):
        context.wrap_socket(plain, server_hostname=host)
