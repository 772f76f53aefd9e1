"""Starts and stops the offline AWS: one MiniStack process, bound to loopback, with IAM and TLS on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from workbench.assembly import DEFAULT_REGION
from workbench.dryrun.localise import KnownTypes
from workbench.errors import DryRunFailed, Misuse
from workbench.node import use_supported_node

if TYPE_CHECKING:
    import boto3

# The SDK, urllib3 and trustme are imported where they are used: by then the offline AWS is starting.
LOOPBACK = "127.0.0.1"
READY_WITHIN = 60.0

_CERTIFICATE_NAMES = (
    "localhost",
    LOOPBACK,
    "*.execute-api.localhost",
    f"cognito-idp.{DEFAULT_REGION}.amazonaws.com",
)


_making = threading.Lock()  # a session makes one client at a time


@cache
def _session() -> boto3.Session:
    """One for all: what it reads to make a client, it reads once."""
    import boto3

    return boto3.Session("test", "test")


@dataclass(frozen=True)
class Endpoint:
    """Where an AWS answers: `url`, and the certificate authority to trust there (None: the usual ones).

    Clients have the emulators' usual credentials.
    """

    url: str
    ca_bundle: str | None = None

    def client(self, service: str, region: str = DEFAULT_REGION, **config: Any) -> Any:
        """A client of `service` at this endpoint; `config` goes to botocore's Config."""
        from botocore.config import Config

        settings = Config(retries={"mode": "standard", "total_max_attempts": 4}, max_pool_connections=64)
        with _making:
            make: Any = _session().client  # too many overloads to check
            return make(
                service,
                region_name=region,
                endpoint_url=self.url,
                verify=self.ca_bundle or True,
                config=settings.merge(Config(**config)),
            )


def endpoint_at(url: str) -> Endpoint:
    """A LocalStack-compatible endpoint, by localstack-client's conventions.

    These are: one URL for every service, the credentials `test` and `test`, us-east-1; and, as everywhere,
    `AWS_CA_BUNDLE` for who is trusted there. Raises `Misuse` when nothing answers.
    """
    endpoint = Endpoint(url, os.environ.get("AWS_CA_BUNDLE"))
    try:
        endpoint.client("sts", connect_timeout=3, read_timeout=10).get_caller_identity()
    except Exception as problem:
        raise Misuse(f"nothing like an AWS answers at {url}: {problem}") from None
    return endpoint


class Emulator:
    """The offline AWS, as a context manager: ready inside the `with`, gone after it.

    `folder` takes its certificate, log and temporary files. `keep` leaves the process running afterwards; it
    then removes `folder` itself when it is told to end.
    """

    program: tuple[str, ...] = ("-m", "workbench.offline.gateway")  # what Python runs

    def __init__(self, folder: Path, *, port: int | None = None, keep: bool = False) -> None:
        self.folder = folder
        self.keep = keep
        self.port = _free_port() if port is None else _claimed(port)
        self.log_file = folder / "aws.log"
        self.iam_log = folder / "iam.jsonl"
        self.types_file = folder / "types.json"
        self.endpoint = Endpoint(f"https://{LOOPBACK}:{self.port}", str(folder / "ca.pem"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.keep or kind is not None:
            self.stop()

    def start(self) -> None:
        """Start the process; `wait_until_ready` says when it answers."""
        self.iam_log.touch()
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.program],
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL if self.keep else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id; only after `start`."""
        assert self._process is not None
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return once the offline AWS answers. Raises `DryRunFailed` when it ends or takes too long."""
        import urllib3

        health = f"{self.endpoint.url}/_ministack/health"
        pool = urllib3.PoolManager(ca_certs=self.endpoint.ca_bundle)
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            if self._process is not None and self._process.poll() is not None:
                raise DryRunFailed(f"the offline AWS ended while it started: {self._last_words()}")
            try:
                answer = pool.request("GET", health, timeout=2.0, retries=False)
                if answer.status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.02)
        raise DryRunFailed(
            f"the offline AWS did not answer within {READY_WITHIN:.0f} s: {self._last_words()}"
        )

    def stop(self) -> None:
        """End the process and everything it started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._process = None

    def known_types(self) -> KnownTypes:
        """The CloudFormation types that it provisions."""
        written = json.loads(self.types_file.read_text())
        return KnownTypes(frozenset(written["provisioned"]), written["stand_ins"])

    def decisions(self) -> list[dict[str, Any]]:
        """Every IAM decision so far: principal, action, resource, allowed."""
        return [json.loads(line) for line in self.iam_log.read_text().splitlines() if line.endswith("}")]

    def _last_words(self) -> str:
        lines = self.log_file.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"

    def _environment(self) -> dict[str, str]:
        certificate, bundle = _write_certificates(self.folder)
        node = str(Path(use_supported_node()).parent)  # CloudFront functions run in it
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINISTACK_"))
        }
        return inherited | {
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": certificate,
            "MINISTACK_SSL_KEY": certificate,
            "AWS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "REQUESTS_CA_BUNDLE": bundle,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": LOOPBACK,
            "LAMBDA_EXECUTOR": "local",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(self.folder),
            "PATH": os.pathsep.join([node, os.environ.get("PATH", os.defpath)]),
            "BLUEPRINT_IAM_LOG": str(self.iam_log),
            "BLUEPRINT_TYPES_FILE": str(self.types_file),
            "BLUEPRINT_REMOVE_AT_END": str(self.folder) if self.keep else "",
        }


def _write_certificates(folder: Path) -> tuple[str, str]:
    """A server certificate with its key, and the authority's: paths of both files.

    The authority's own key is beside them, as `ca-key.pem`: engines issue further certificates with it.
    """
    import trustme

    from workbench.review.prices import known_regions

    authority = trustme.CA()
    apis = (f"*.execute-api.{region}.amazonaws.com" for region in known_regions())
    server = authority.issue_cert(*_CERTIFICATE_NAMES, *apis)
    certificate, key, bundle = (folder / name for name in ("server.pem", "ca-key.pem", "ca.pem"))
    for private in (certificate, key):
        private.touch()
        private.chmod(0o600)
    server.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(certificate), append=True)
    authority.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(bundle))
    return str(certificate), str(bundle)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _claimed(port: int) -> int:
    if not 0 < port < 65_536:
        raise Misuse(f"a port is a number from 1 to 65535; got {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as problem:
            raise Misuse(
                f"port {port} cannot be used ({problem.strerror}); leave --port away to have a free one chosen"
            ) from None
    return port
