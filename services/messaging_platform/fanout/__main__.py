"""`python -m services.messaging_platform.fanout`: the environment is `FanOutSettings`, `PORT` and `HOST`."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.logging import Logger

from lambdas.messaging_platform.people import People
from lambdas.messaging_platform.presence.store import Topic, cache_at, store_at
from lambdas.messaging_platform.settings import FanOutSettings
from lambdas.messaging_platform.sockets import Sockets
from lambdas.shared.kafka import Consumer, Producer
from lambdas.shared.sdk import bounded_client, secret_of
from lambdas.shared.settings import SettingsError
from services.messaging_platform.fanout.delivery import Around, Delivery
from services.messaging_platform.fanout.expiry import TOLD_WITHIN_S, Expiry
from services.messaging_platform.fanout.handling import handler
from services.messaging_platform.fanout.lanes import Lanes
from services.messaging_platform.fanout.presences import Presences
from services.messaging_platform.fanout.store import Store
from services.messaging_platform.fanout.unseen import Unseen
from services.messaging_platform.health import serve
from services.messaging_platform.persistence import Persistence
from services.messaging_platform.pool import THREADS, Pool
from services.messaging_platform.running import until_told
from services.messaging_platform.telemetry import Metrics, count_here, logger_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NAME = "fanout"
GROUP = "fanout"
FLUSH_S = 10.0
TELLING_THREADS = 8
READ_S = 2.0  # of an answer of DynamoDB's or SQS's
STUCK_S = 30.0  # a loop that has not come round for so long is not ready


def main() -> int:
    """0 when it was told to end, 1 when it could not go on, 2 when its environment is not whole."""
    try:
        settings = FanOutSettings.from_environment()
    except SettingsError as problem:
        print(f"{NAME}: {problem}", file=sys.stderr)  # noqa: T201  there is no log yet
        return 2
    log, metrics, stopping = logger_of(NAME), Metrics(NAME), threading.Event()
    count_here(metrics)
    running: list[Lanes] = []

    def is_ready() -> bool:
        return bool(running) and running[0].turned_s_ago() < STUCK_S and not stopping.is_set()

    with serve(int(os.environ.get("PORT", "8080")), is_ready, os.environ.get("HOST", "")):
        log.info("started")
        well = until_told(lambda: run(settings, running, stopping, log, metrics), stopping, log)
        metrics.flush()
    log.info("ended")
    return 0 if well else 1


def run(
    settings: FanOutSettings,
    running: list[Lanes],
    stopping: threading.Event,
    log: Logger,
    metrics: Metrics,
) -> None:
    """Wire it, and work until it is to stop; `running` gets the loop. Raises `Stopped` if it never could begin."""
    clients = {
        service: bounded_client(service, read_s=READ_S, connections=THREADS)
        for service in ("dynamodb", "sqs")
    }

    def dynamodb() -> DynamoDBClient:
        return cast("DynamoDBClient", clients["dynamodb"])

    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    def tell(messages: Sequence[tuple[str, bytes]]) -> None:
        producer.send_all(settings.presence_topic, messages, TOLD_WITHIN_S)

    persistence = Persistence(stopping, log, lambda: metrics.count("StoreFailed"))
    secret = persistence.until_done("secret", lambda: secret_of(settings.gateway_secret_arn))
    people = People(settings.people_table, dynamodb)
    store = Store(settings, clients.__getitem__)
    sockets = Sockets(settings.management_url, secret, connections=THREADS)
    cache = cache_at(settings)
    noted = store_at(settings, cache, dynamodb)
    pool, producer = Pool(), Producer(settings.kafka_cluster_arn)
    topic = Topic(producer, settings.presence_topic, threads=TELLING_THREADS)
    topic.prepare()
    presences = Presences(noted, cache, topic)
    delivery = Delivery(Around(people, store, sockets, presences, pool, persistence, metrics, log, now_ms))
    expiry = Expiry(cache, noted, people, sockets, pool, tell, metrics, log, now_ms, settings.alive_seconds)
    unseen = Unseen(cache, store, pool, metrics, log)
    topics = [settings.messages_topic, settings.receipts_topic, settings.presence_topic]
    consumer: Any = persistence.until_done(
        "Kafka", lambda: Consumer(settings.kafka_cluster_arn, GROUP, topics)
    )
    lanes = Lanes(consumer, handler(delivery, store, persistence, metrics, log, now_ms), stopping, log)
    beside = [
        threading.Thread(target=expiry.run, args=(stopping,), name="expiry"),
        threading.Thread(target=unseen.run, args=(stopping,), name="unseen"),
        threading.Thread(target=_flush_until, args=(stopping, metrics, lanes.behind_s), name="metrics"),
    ]
    for each in beside:
        each.start()
    running.append(lanes)
    try:
        lanes.run()
    finally:
        stopping.set()
        for each in beside:
            each.join()
        pool.close()


def _flush_until(stopping: threading.Event, metrics: Metrics, behind_s: Callable[[], float]) -> None:
    while not stopping.wait(FLUSH_S):
        metrics.took("Behind", int(behind_s() * 1000))
        metrics.flush()


if __name__ == "__main__":
    sys.exit(main())
