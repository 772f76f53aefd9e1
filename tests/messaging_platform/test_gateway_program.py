"""Both programs with all that they are wired of: a gateway as a process, fan-out, and an AWS on loopback.

Kafka and the cache are away here: fan-out is handed its records, and presence goes by its table. With both they run
on the offline AWS, in the system's scenario.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
import urllib3
from moto.server import ThreadedMotoServer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from lambdas.messaging_platform import keys, records
from lambdas.messaging_platform.records import Event
from lambdas.messaging_platform.settings import FanOutSettings, GatewaySettings
from lambdas.shared.kafka import Record
from services.messaging_platform.fanout import __main__ as fanout
from services.messaging_platform.fanout.lanes import Place
from services.messaging_platform.gateway import __main__ as gateway
from services.messaging_platform.telemetry import Metrics
from tests.conftest import ROOT
from tests.messaging_platform.quiet import Nowhere, quiet_log

WITHIN_S = 20.0
CHAT = "g-" + "0" * 32
SECRET, ORIGIN = "the inner secret", "the origin's secret"
TABLES = {
    "messages": ("chat", "entry"),
    "sent": ("key",),
    "chats": ("chat", "entry"),
    "people": ("user", "entry"),
    "inboxes": ("device", "entry"),
    "tickets": ("ticket",),
    "presence": ("user", "device"),
    "media": ("media",),
    "limits": ("key",),
}


def eventually(condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + WITHIN_S
    while not (found := condition()):
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.02)
    return found


class Aws:
    """Tables, queues and secrets, and what the directory would have put there: ann, bob, and their group."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.dynamodb = cast(Any, boto3.client("dynamodb", endpoint_url=url))
        self.sqs: Any = boto3.client("sqs", endpoint_url=url)
        secrets: Any = boto3.client("secretsmanager", endpoint_url=url)
        for name, attributes in TABLES.items():
            self.dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": each, "KeyType": kind}
                    for each, kind in zip(attributes, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in attributes],
            )
        self.secret = secrets.create_secret(Name="inner", SecretString=SECRET)["ARN"]
        self.origin = secrets.create_secret(Name="origin", SecretString=ORIGIN)["ARN"]
        self.pushes = self.sqs.create_queue(QueueName="pushes")["QueueUrl"]
        self.parked = self.sqs.create_queue(QueueName="parked")["QueueUrl"]
        self.put("chats", chat=CHAT, entry=keys.HEAD, kind="group", name="all", seq=0, members=2, version=1)
        for user in ("ann", "bob"):
            self.put("people", user=user, entry=keys.PROFILE, name=user, last_seen="everyone")
            self.put("people", user=user, entry=keys.device("d1"), platform="ios", registered_at=1)
            self.put(
                "chats",
                chat=CHAT,
                entry=keys.member(user),
                user=user,
                role="member",
                since=1,
                delivered=0,
                read=0,
            )

    def put(self, table: str, **item: str | int) -> None:
        typed = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in item.items()}
        self.dynamodb.put_item(TableName=table, Item=typed)

    def items(self, table: str) -> list[dict[str, Any]]:
        return [
            {name: next(iter(value.values())) for name, value in item.items()}
            for item in self.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
        ]

    def device(self, user: str) -> dict[str, Any]:
        return next(
            each
            for each in self.items("people")
            if each["user"] == user and each["entry"] == keys.device("d1")
        )

    def ticket(self, user: str) -> str:
        name = f"ticket-of-{user}-{time.monotonic_ns()}"
        self.put("tickets", ticket=name, user=user, device="d1", expires_at=int(time.time()) + 60)
        return name


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    try:
        urllib3.request("POST", f"http://127.0.0.1:{port}/moto-api/reset")
        yield Aws(f"http://127.0.0.1:{port}")
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(port: int, path: str) -> int:
    """What a program answers to a probe; 0 where it does not."""
    try:
        with urllib3.PoolManager() as http:
            return http.request("GET", f"http://127.0.0.1:{port}{path}", retries=False, timeout=1).status
    except urllib3.exceptions.HTTPError:
        return 0


class Program:
    """The gateway as a process of its own."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.port, self.log = free_port(), folder / "gateway.log"
        settings = GatewaySettings(
            messages_table="messages",
            sent_table="sent",
            chats_table="chats",
            people_table="people",
            inboxes_table="inboxes",
            tickets_table="tickets",
            presence_table="presence",
            media_table="media",
            limits_table="limits",
            kafka_cluster_arn="arn:aws:kafka:eu-central-1:123456789012:cluster/none/0",
            presence_topic="presence",
            cache_host="127.0.0.1",
            cache_port=str(free_port()),
            cache_token_secret_arn=aws.secret,
            gateway_secret_arn=aws.secret,
            origin_secret_arn=aws.origin,
        )
        place = {"HOST": "127.0.0.1", "PORT": str(self.port), "DRAIN_SECONDS": "0.2"}
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.messaging_platform.gateway"],
                env={**os.environ, **settings.as_environment(), **place},
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        eventually(lambda: self.process.poll() is not None or status_of(self.port, "/health") == 200)
        assert self.process.poll() is None, self.log.read_text()

    def client(self, aws: Aws, user: str) -> ClientConnection:
        return connect(
            f"ws://127.0.0.1:{self.port}/?ticket={aws.ticket(user)}",
            additional_headers={"X-Origin-Verify": ORIGIN},
            legacy=True,
        )


@pytest.fixture
def program(aws: Aws, tmp_path: Path) -> Iterator[Program]:
    made = Program(aws, tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.wait()


def asked(client: ClientConnection, **frame: Any) -> Any:
    client.send(json.dumps(frame))
    return json.loads(client.recv(WITHIN_S))


class Handed:
    """A consumer that brings what the test hands it."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[bytes] = queue.Queue()
        self.committed = -1
        self.offset = 0

    def poll(self, most: int, within_s: float) -> list[Record]:
        try:
            value = self.waiting.get(timeout=within_s)
        except queue.Empty:
            return []
        self.offset += 1
        return [Record("messages", 0, self.offset - 1, b"", value)]

    def commit(self, *given: Record) -> bool:
        self.committed = max(each.offset for each in given)
        return True

    def assigned(self) -> list[Place]:
        return [("messages", 0)]

    def close(self) -> None:
        """Nothing."""


def fan_out_settings(aws: Aws) -> FanOutSettings:
    return FanOutSettings(
        messages_table="messages",
        chats_table="chats",
        people_table="people",
        inboxes_table="inboxes",
        presence_table="presence",
        kafka_cluster_arn="arn:aws:kafka:eu-central-1:123456789012:cluster/none/0",
        messages_topic="messages",
        receipts_topic="receipts",
        presence_topic="presence",
        cache_host="127.0.0.1",
        cache_port=str(free_port()),
        cache_token_secret_arn=aws.secret,
        push_queue_url=aws.pushes,
        parked_queue_url=aws.parked,
        gateway_secret_arn=aws.secret,
        grace_seconds=0,
    )


@pytest.fixture
def handed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handed]:
    """Fan-out, running; what it is handed it delivers."""
    made, stopping = Handed(), threading.Event()
    monkeypatch.setattr(fanout, "Consumer", lambda *_: made)
    settings = fan_out_settings(aws)
    metrics = Metrics("fanout", Nowhere())
    working = threading.Thread(
        target=fanout.run, args=(settings, [], stopping, quiet_log(), metrics), name="fanout"
    )
    working.start()
    yield made
    stopping.set()
    working.join(WITHIN_S)
    assert not working.is_alive()


def test_a_message_goes_from_one_client_through_both_programs_to_the_other(
    aws: Aws, program: Program, handed: Handed
) -> None:
    with program.client(aws, "ann") as ann, program.client(aws, "bob") as bob:
        assert asked(bob, action="sync", after=None, limit=10)["events"] == []
        assert aws.device("bob")["gateway"].startswith("http://127.0.0.1:")
        assert asked(bob, action="heartbeat", watch=[]) == {"type": "alive", "users": {}}
        sent = asked(ann, action="send", chat=CHAT, id="i1", body={"text": "hello"})
        assert (sent["type"], sent["seq"], sent["repeated"]) == ("sent", 1, False)
        event = Event(CHAT, 1, "message", "ann", "d1", "i1", sent["at"], {"text": "hello"})
        handed.waiting.put(records.encode(event))
        for client in (ann, bob):  # ann's own device as well: it drops what it has
            assert json.loads(client.recv(WITHIN_S)) == records.as_document(event)
        assert asked(bob, action="ack", chat=CHAT, seq=1)["delivered"] == 1
        eventually(lambda: handed.committed == 0)
    eventually(lambda: "connection" not in aws.device("ann") and "connection" not in aws.device("bob"))
    # They are away: the next one waits in the inbox, and is pushed.
    handed.waiting.put(records.encode(Event(CHAT, 2, "message", "ann", "d1", "i2", 5, {"text": "more"})))
    eventually(lambda: handed.committed == 1)
    assert ("bob#d1", keys.inbox_entry(CHAT, 2)) in {
        (each["device"], each["entry"]) for each in aws.items("inboxes")
    }
    [push] = aws.sqs.receive_message(QueueUrl=aws.pushes)["Messages"]
    assert json.loads(push["Body"])["user"] == "bob"
    with program.client(aws, "bob") as bob:
        page = asked(bob, action="sync", after=None, limit=10)
        assert [each["seq"] for each in page["events"]] == [2]


def test_what_cannot_be_read_is_parked_and_what_comes_after_it_delivered(aws: Aws, handed: Handed) -> None:
    handed.waiting.put(b"no record")
    handed.waiting.put(records.encode(Event(CHAT, 1, "message", "ann", "d1", "i1", 5, {"text": "hello"})))
    eventually(lambda: handed.committed == 1)
    [parked] = aws.sqs.receive_message(QueueUrl=aws.parked)["Messages"]
    assert json.loads(parked["Body"])["record"]["offset"] == 0
    assert len(aws.items("inboxes")) == 2


def test_a_gateway_that_is_told_to_end_drains_and_ends_well(aws: Aws, program: Program) -> None:
    with program.client(aws, "ann") as ann:
        asked(ann, action="sync", after=None, limit=10)
        program.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            ann.recv(WITHIN_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert program.process.wait(WITHIN_S) == 0, program.log.read_text()
    assert "connection" not in aws.device("ann")
    lines = [json.loads(line) for line in program.log.read_text().splitlines()]
    assert {each.get("message") for each in lines} >= {"serving", "draining", "connection opened", "ended"}
    # Neither a ticket nor a text is ever in a log.
    assert "ticket-of" not in program.log.read_text()


def test_fan_out_waits_for_kafka_and_ends_well_when_it_is_told_to(aws: Aws, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "fanout.log"
    place = {"HOST": "127.0.0.1", "PORT": str(port)}
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.messaging_platform.fanout"],
            env={**os.environ, **fan_out_settings(aws).as_environment(), **place},
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: status_of(port, "/health") == 200)
        eventually(lambda: log.read_text().count('"what":"Kafka"') > 1)
        assert status_of(port, "/ready") == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["fanout", "gateway"])
def test_a_program_whose_environment_is_not_whole_says_what_is_missing(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"services.messaging_platform.{name}"],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is not set" in done.stderr


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"POD_IP": "10.0.0.7"}, gateway.Place("", 8080, "10.0.0.7", 8081, 15.0)),
        (
            {"POD_IP": "fd00::7", "PORT": "80", "INTERNAL_PORT": "9", "DRAIN_SECONDS": "1.5"},
            gateway.Place("", 80, "[fd00::7]", 9, 1.5),
        ),
        (
            {"POD_IP": "10.0.0.7", "HOST": "127.0.0.1", "INTERNAL_PORT": "8081"},
            gateway.Place("127.0.0.1", 8080, "127.0.0.1", 0, 15.0),
        ),
    ],
)
def test_a_gateway_tells_where_others_reach_it(environment: dict[str, str], expected: gateway.Place) -> None:
    assert gateway.Place.from_environment(environment) == expected
