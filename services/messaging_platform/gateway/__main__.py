"""`python -m services.messaging_platform.gateway`: the environment is `GatewaySettings`, and of the pod:

PORT             where clients come, and /health and /ready are; 8080 unless told
POD_IP           where other programs reach this one
INTERNAL_PORT    on which port they do; 8081 unless told
HOST             set where programs share an address, as offline: it is told instead of POD_IP, with a free port
DRAIN_SECONDS    over how long connections are closed at the end; 15 unless told
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

from lambdas.messaging_platform.messaging.store import Messages
from lambdas.messaging_platform.people import People
from lambdas.messaging_platform.presence.logic import Services
from lambdas.messaging_platform.presence.store import Topic, store_at
from lambdas.messaging_platform.settings import GatewaySettings
from lambdas.messaging_platform.sign_in.store import Tickets
from lambdas.messaging_platform.sockets import Sockets
from lambdas.shared.errors import Unavailable
from lambdas.shared.kafka import Producer
from lambdas.shared.sdk import bounded_client, secret_of
from lambdas.shared.settings import SettingsError
from services.messaging_platform.gateway.actions import Actions
from services.messaging_platform.gateway.http import InnerServer
from services.messaging_platform.gateway.server import THREADS, Gateway
from services.messaging_platform.telemetry import Metrics, count_here, logger_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NAME = "gateway"
FLUSH_S = 10.0
READ_S = 2.0  # of an answer of DynamoDB's
TELLING_THREADS = 8


@dataclass(frozen=True)
class Place:
    """Where the program listens: `host` ("" is every address), and at which address others reach it."""

    host: str
    port: int
    address: str
    inner_port: int
    drain_s: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """As the pod's environment says. Raises `SettingsError`."""
        host = environment.get("HOST", "")
        address = host or environment.get("POD_IP", "")
        if not address:
            raise SettingsError("environment variable POD_IP is not set")
        try:
            return cls(
                host,
                port=int(environment.get("PORT", "8080")),
                address=f"[{address}]" if ":" in address else address,
                inner_port=0 if host else int(environment.get("INTERNAL_PORT", "8081")),
                drain_s=float(environment.get("DRAIN_SECONDS", "15")),
            )
        except ValueError as problem:
            raise SettingsError(f"a port, or DRAIN_SECONDS, is not a number ({problem})") from None


def main() -> int:
    """0 when it was told to end, 1 when it could not begin, 2 when its environment is not whole."""
    try:
        settings, place = GatewaySettings.from_environment(), Place.from_environment(os.environ)
    except SettingsError as problem:
        print(f"{NAME}: {problem}", file=sys.stderr)  # noqa: T201  there is no log yet
        return 2
    log, metrics = logger_of(NAME), Metrics(NAME)
    count_here(metrics)
    try:
        asyncio.run(run(settings, place, metrics))
    except (Unavailable, OSError, ValueError):
        log.exception("the program cannot begin")  # whoever looks after it starts it again
        return 1
    finally:
        metrics.flush()
    log.info("ended")
    return 0


async def run(settings: GatewaySettings, place: Place, metrics: Metrics) -> None:
    """Serve until told to end; then drain, and return."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    log = logger_of(NAME)
    secret = await asyncio.to_thread(secret_of, settings.gateway_secret_arn)
    origin_secret = await asyncio.to_thread(secret_of, settings.origin_secret_arn)
    actions = wire(settings, secret)
    gateway = Gateway(actions, log, metrics, _now_ms, origin_secret=origin_secret)
    inner = InnerServer(gateway, secret)
    inner_port = await inner.listen(place.host, place.inner_port)
    gateway.url = f"http://{place.address}:{inner_port}"
    port = await gateway.listen(place.host, place.port)
    log.info("serving", port=port, url=gateway.url)
    flushing = asyncio.create_task(_flush(metrics, gateway))
    await told.wait()
    await gateway.drain(place.drain_s)
    await gateway.close()
    await inner.close()
    flushing.cancel()


def wire(settings: GatewaySettings, secret: str) -> Actions:
    """The actions, with their stores. Nothing is asked yet; the connection to Kafka is begun."""
    client = cast("DynamoDBClient", bounded_client("dynamodb", read_s=READ_S, connections=THREADS))

    def dynamodb() -> DynamoDBClient:
        return client

    topic = Topic(Producer(settings.kafka_cluster_arn), settings.presence_topic, threads=TELLING_THREADS)
    topic.prepare()
    services = Services(
        People(settings.people_table, dynamodb),
        store_at(settings, client=dynamodb),
        topic,
        Sockets("", secret, connections=THREADS),
    )
    return Actions(
        Tickets(settings.tickets_table, dynamodb),
        Messages(settings, dynamodb),
        services,
        logger_of(NAME),
        _now_ms,
    )


async def _flush(metrics: Metrics, gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(FLUSH_S)
        metrics.count("Connections", gateway.connected)
        metrics.flush()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
