"""The HTTP client of scenarios: the same calls against AWS and against an offline endpoint.

Offline, the names that outputs hold (`….execute-api.us-east-1.amazonaws.com`, `….cloudfront.net`) are kept in
the `Host` header, and the connection goes to the endpoint. Redirects are never followed: a scenario looks at
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3

from workbench.dryrun.emulator import Endpoint
from workbench.dryrun.sockets import AWS_NAMES, Sockets

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Response:
    """An answer: `status`, `headers` (lower-cased names), `body` in bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON. Raises `ValueError`, showing the body, when it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise ValueError(f"status {self.status}, not JSON: {self.body[:200]!r}") from None


class Http:
    """`http.get(url)`, `http.post(url, json={…})` …; safe to use from several threads.

    `sockets` are the WebSocket connections to the same place; they end with it.
    """

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self.endpoint = endpoint
        self.sockets = Sockets(endpoint)
        self._direct = urllib3.PoolManager(maxsize=64, retries=False, timeout=TIMEOUT_SECONDS)
        self._offline: urllib3.HTTPConnectionPool | None = None
        if endpoint is not None:
            self._offline = _pool(endpoint)

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        bearer: str | None = None,
    ) -> Response:
        """Send one request; `json` is encoded as the body, `bearer` becomes the Authorization header."""
        parts = urlsplit(url)
        sent = {"Host": _host_of(parts), **(headers or {})}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        if json is not None:
            body = _encoded(json)
            sent.setdefault("Content-Type", "application/json")
        if self._offline is not None and self._is_offline(parts):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            answer = self._offline.urlopen(
                method, target, body=body, headers=sent, redirect=False, retries=False
            )
        else:
            answer = self._direct.urlopen(method, url, body=body, headers=sent, redirect=False)
        return Response(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data
        )

    def get(self, url: str, **options: Any) -> Response:
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> Response:
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Response:
        return self.request("PUT", url, **options)

    def delete(self, url: str, **options: Any) -> Response:
        return self.request("DELETE", url, **options)

    def _is_offline(self, parts: SplitResult) -> bool:
        """Whether a URL is AWS's, or the endpoint's own: what was presigned there has that."""
        ours = self.endpoint is not None and parts.netloc == urlsplit(self.endpoint.url).netloc
        return ours or AWS_NAMES.search(parts.hostname or "") is not None

    def close(self) -> None:
        """Close every connection."""
        self.sockets.close()
        self._direct.clear()
        if self._offline is not None:
            self._offline.close()


def _host_of(parts: SplitResult) -> str:
    """The host as it is sent: with its port to a load balancer, whose listeners are told apart by it."""
    if parts.netloc.endswith(".elb.amazonaws.com"):
        return f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"
    return parts.netloc


def _encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def _pool(endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(endpoint.url)
    host = parts.hostname or "localhost"
    common: dict[str, Any] = {"maxsize": 64, "timeout": urllib3.Timeout(TIMEOUT_SECONDS)}
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(host, parts.port or 80, **common)
    return urllib3.HTTPSConnectionPool(
        host,
        parts.port or 443,
        ca_certs=endpoint.ca_bundle,
        server_hostname=host,
        assert_hostname=host,
        **common,
    )
