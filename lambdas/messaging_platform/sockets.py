"""Connections from the server's side: a frame is posted to one, or it is closed, whoever holds it.

API Gateway holds a connection (gateway ""), and is asked by its management API; or a gateway of the fleet does, and
is asked at its own URL, with a secret that only the programs of this system know:

    POST   {gateway}/connections/{id}    the frame is the body: 204; 404 or 410: it is gone
    DELETE {gateway}/connections/{id}    204, also where there is none

A post ends within `POST_WITHIN_S`, whatever its connection does, and never raises: one that hangs must not hold up
the others. Sources: "Use @connections commands in your backend service", "Quotas for configuring and running a
WebSocket API" (API Gateway Developer Guide); the errors of "ApiGatewayManagementApi" (API reference).
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from lambdas.shared.sdk import bounded_client

if TYPE_CHECKING:
    import urllib3
    from botocore.awsrequest import AWSPreparedRequest

Outcome = Literal["sent", "gone", "failed"]

SECRET_HEADER = "X-Gateway-Secret"  # noqa: S105  a header's name
POST_WITHIN_S = 2.0
CONNECT_S, READ_S = 0.3, 0.6
TRIES = 3  # of what failed; what was throttled is tried for as long as there is time
BACKOFF_S = 0.05
CONNECTIONS = 64

_GONE = frozenset({404, 410})
_THROTTLED = 429  # LimitExceededException: too many calls, or the client's own buffer is full
_IN_VAIN = frozenset({400, 401, 403, 413})  # asked again, the answer is the same


class Sockets:
    """All connections. Safe to use from `connections` threads at once; one for the life of the process.

    `management_url` is `https://{api}.execute-api.{region}.amazonaws.com/{stage}`, "" where there is no such API;
    `secret` is what the gateways of the fleet know callers by, "" where there is no fleet.
    """

    def __init__(
        self,
        management_url: str,
        secret: str = "",
        *,
        connections: int = CONNECTIONS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._management_url = management_url
        self._secret = secret
        self._connections = connections
        self._sleep = sleep
        self._clock = clock
        self._making = threading.Lock()

    def post(self, connection: str, gateway: str, data: bytes) -> Outcome:
        """Send a text frame: "sent", "gone" (there is no such connection), or "failed", having tried."""
        self._prepare(gateway)
        until = self._clock() + POST_WITHIN_S
        tries = throttled = 0
        while True:
            status = self._ask("POST", connection, gateway, data)
            if status is not None and status < 300:
                return "sent"
            if status in _GONE:
                return "gone"
            if status in _IN_VAIN:
                return "failed"
            if status == _THROTTLED:
                throttled += 1
            else:
                tries += 1
            # Chance only spreads the callers; nothing is kept secret by it.
            pause = random.uniform(0.5, 1) * BACKOFF_S * 2 ** (tries + throttled)  # noqa: S311
            if tries == TRIES or self._clock() + pause + CONNECT_S + READ_S > until:
                return "failed"
            self._sleep(pause)

    def close(self, connection: str, gateway: str) -> bool:
        """End a connection, so that its client comes back; return whether it is known to be gone. Never raises."""
        status = self._ask("DELETE", connection, gateway, b"")
        return status is not None and (status < 300 or status in _GONE)

    def _prepare(self, gateway: str) -> None:
        """Make the client that is needed, before any time is counted: that alone takes a tenth of a second."""
        if gateway:
            _ = self._http
        elif self._management_url:
            _ = self._api

    def _ask(self, method: str, connection: str, gateway: str, data: bytes) -> int | None:
        """The status of the answer; None where there was none."""
        if gateway:
            return self._ask_gateway(method, connection, gateway, data)
        if not self._management_url:
            return 410  # of an API that was taken away: a fleet has its place now
        return self._ask_management_api(method, connection, data)

    def _ask_gateway(self, method: str, connection: str, gateway: str, data: bytes) -> int | None:
        import urllib3

        try:
            return self._http.request(
                method,
                f"{gateway}/connections/{quote(connection, safe='')}",
                body=data,
                headers={SECRET_HEADER: self._secret, "Content-Type": "application/json"},
            ).status
        except urllib3.exceptions.HTTPError as error:
            # Nobody listens there any more, and a connection never moves to another gateway. Other failures to
            # connect may be this side's own, such as having no descriptor or port left.
            return 410 if isinstance(error.__cause__, ConnectionRefusedError) else None

    def _ask_management_api(self, method: str, connection: str, data: bytes) -> int | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if method == "POST":
                self._api.post_to_connection(ConnectionId=connection, Data=data)
            else:
                self._api.delete_connection(ConnectionId=connection)
        except ClientError as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        except BotoCoreError:
            return None
        return 200

    @property
    def _http(self) -> urllib3.PoolManager:
        with self._making:
            return self._only_http

    @property
    def _api(self) -> Any:
        # Of many threads that need it first at once, one makes it.
        with self._making:
            return self._only_api

    @cached_property
    def _only_http(self) -> urllib3.PoolManager:
        import urllib3

        return urllib3.PoolManager(
            num_pools=256,  # gateways, each with a pool of its own
            maxsize=self._connections,
            retries=False,
            timeout=urllib3.Timeout(total=CONNECT_S + READ_S, connect=CONNECT_S, read=READ_S),
        )

    @cached_property
    def _only_api(self) -> Any:
        client: Any = bounded_client(
            "apigatewaymanagementapi",
            CONNECT_S,
            READ_S,
            attempts=1,  # tries are counted here
            connections=self._connections,
            endpoint_url=self._management_url,
        )
        if elsewhere := os.environ.get("AWS_ENDPOINT_URL"):
            client.meta.events.register("before-send.apigatewaymanagementapi", _sent_to(elsewhere))
        return client


def _sent_to(endpoint: str) -> Callable[..., None]:
    """Send a signed request to another AWS, which knows the API by its name: that name leads to AWS alone."""
    place = urlsplit(endpoint)

    def redirect(request: AWSPreparedRequest, **_: Any) -> None:
        meant = urlsplit(request.url)
        request.headers["Host"] = meant.netloc
        request.url = meant._replace(scheme=place.scheme, netloc=place.netloc).geturl()

    return redirect
