"""Every fault really happens on the running offline AWS, and all is as before when it is over."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from socket import create_connection
from ssl import create_default_context
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError, HTTPClientError
from urllib3.exceptions import HTTPError
from websockets.sync.client import ClientConnection, connect

from tests.offline import ACCOUNT, client_with, create_function, create_role, session_keys
from tests.templates import LAMBDA, allow
from workbench.dryrun import faults
from workbench.dryrun.control import CommandRefused, Control
from workbench.dryrun.emulator import Emulator, Endpoint
from workbench.dryrun.faults import Faults
from workbench.dryrun.http import Http
from workbench.dryrun.world import World

REGION, OTHER_REGION = "us-east-1", "eu-west-1"

# One function that does what it is asked: each entry of "calls" is a service, an operation and its parameters.
HANDLER = """
import base64, datetime, os, time
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

clients = {}


def client(place, attempts):
    if (place, attempts) not in clients:
        service, _, region = place.partition(" in ")
        retries = Config(retries={"mode": "standard", "total_max_attempts": attempts})
        clients[place, attempts] = boto3.client(service, region or os.environ["AWS_REGION"], config=retries)
    return clients[place, attempts]


def handler(event, context):
    if "Records" in event:
        for record in event["Records"]:
            body = record["body"] if "body" in record else base64.b64decode(record["kinesis"]["data"]).decode()
            key = {"id": {"S": body}}
            update = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
            client("dynamodb", 1).update_item(TableName=os.environ["TABLE"], Key=key, **update)
        return None
    if "requestContext" in event:
        connection = {"id": {"S": event["requestContext"]["connectionId"]}}
        rows = client("dynamodb", 1)
        if event["requestContext"]["eventType"] == "CONNECT":
            rows.put_item(TableName=os.environ["TABLE"], Item={**connection, "n": {"N": "1"}})
        elif event["requestContext"]["eventType"] == "DISCONNECT":
            rows.delete_item(TableName=os.environ["TABLE"], Key=connection)
        return {"statusCode": 200, "body": connection["id"]["S"]}
    began, outcomes = time.monotonic(), []
    for service, operation, parameters in event.get("calls", []):
        try:
            getattr(client(service, event.get("attempts", 1)), operation)(**parameters)
            outcomes.append("ok")
        except ClientError as problem:
            status = problem.response["ResponseMetadata"]["HTTPStatusCode"]
            outcomes.append([status, problem.response["Error"]["Code"]])
        except BotoCoreError as problem:
            outcomes.append(type(problem).__name__)
    clock = {
        "time": time.time(),
        "gmtime": time.mktime(time.localtime()),
        "now": datetime.datetime.now().timestamp(),
        "utcnow": datetime.datetime.now(datetime.timezone.utc).timestamp(),
        "today": datetime.datetime.today().timestamp(),
    }
    return {"outcomes": outcomes, "seconds": time.monotonic() - began, "pid": os.getpid(), "clock": clock}
"""


class System:
    """What the faults are made on: a function, its table, a queue that feeds it, and a bucket and a topic."""

    def __init__(self, endpoint: Endpoint, control: Control, http: Http) -> None:
        self.endpoint = endpoint
        self.client: Callable[..., Any] = cache(endpoint.client)  # one of each
        self.world = World({}, self.client, http, control=control)
        self.faults: Faults = self.world.faults
        self.table, self.bucket = "counters", "a-bucket"
        self.create_table(REGION)
        self.client("s3").create_bucket(Bucket=self.bucket)
        self.topic = self.client("sns").create_topic(Name="news")["TopicArn"]
        self.function = self.deploy("worker")
        self.bystander = self.deploy("bystander")

    def create_table(self, region: str) -> None:
        key = {"AttributeName": "id"}
        self.client("dynamodb", region).create_table(
            TableName=self.table,
            KeySchema=[{**key, "KeyType": "HASH"}],
            AttributeDefinitions=[{**key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def deploy(self, name: str, region: str = REGION, timeout: int = 20) -> str:
        """A function with a role of its own; its ARN."""
        role = create_role(self.endpoint, name, allow("*", Resource="*"), trusts=LAMBDA)
        variables = {"Variables": {"TABLE": self.table}}
        return create_function(
            self.endpoint, name, HANDLER, role, region=region, Environment=variables, Timeout=timeout
        )

    def call(self, *calls: Any, function: str = "", attempts: int = 1) -> dict[str, Any]:
        """Let the function make the calls; what came of each, and how long they took together."""
        event = {"calls": calls, "attempts": attempts}
        answer = self.client("lambda").invoke(
            FunctionName=function or self.function, Payload=json.dumps(event).encode()
        )
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, found
        return found

    def add(self, counter: str, times: int = 1, *, attempts: int = 1, function: str = "") -> int:
        """Let the function add 1 to a counter `times` times; how often it was told that this went well."""
        calls = [("dynamodb", "update_item", _adding(self.table, counter))] * times
        return int(self.call(*calls, attempts=attempts, function=function)["outcomes"].count("ok"))

    def count(self, counter: str) -> int:
        """What the counter really says."""
        found = self.client("dynamodb").get_item(
            TableName=self.table, Key={"id": {"S": counter}}, ConsistentRead=True
        )
        return int(found.get("Item", {}).get("n", {}).get("N", 0))

    @contextmanager
    def queue(self, *, feeds: bool = True, visibility: int = 30, **attributes: str) -> Iterator[str]:
        """A queue, which feeds the function one message at a time if `feeds`; its URL."""
        name = f"q-{uuid.uuid4().hex[:8]}" + (".fifo" if "FifoQueue" in attributes else "")
        settings = {"VisibilityTimeout": str(visibility), **attributes}
        url = self.client("sqs").create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
        mapping = None
        if feeds:
            mapping = self.client("lambda").create_event_source_mapping(
                EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
                FunctionName=self.function,
                BatchSize=10,
            )["UUID"]
        try:
            yield url
        finally:
            if mapping:
                self.client("lambda").delete_event_source_mapping(UUID=mapping)
            self.client("sqs").delete_queue(QueueUrl=url)

    @contextmanager
    def web_socket_api(self) -> Iterator[str]:
        """A WebSocket API whose every route is the function, which has a row for each connection; its endpoint."""
        gateway = self.client("apigatewayv2")
        made = gateway.create_api(
            Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
        )
        api = {"ApiId": made["ApiId"]}
        invocation = (
            f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{self.function}/invocations"
        )
        integration = gateway.create_integration(
            **api, IntegrationType="AWS_PROXY", IntegrationUri=invocation
        )
        for route in ("$connect", "$disconnect", "$default"):
            target = f"integrations/{integration['IntegrationId']}"
            made_route = gateway.create_route(**api, RouteKey=route, Target=target)
        gateway.create_route_response(**api, RouteId=made_route["RouteId"], RouteResponseKey="$default")
        gateway.create_stage(**api, StageName="live", AutoDeploy=True)
        self.client("lambda").add_permission(
            FunctionName=self.function,
            StatementId=made["ApiId"],
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{made['ApiId']}/*",
        )
        try:
            yield made["ApiEndpoint"]
        finally:
            gateway.delete_api(**api)

    @contextmanager
    def connection(self, api: str) -> Iterator[tuple[str, ClientConnection]]:
        """A connection to the WebSocket API: its id, and the client."""
        host = str(urlsplit(api).hostname)
        at = urlsplit(self.endpoint.url)
        socket = create_connection((at.hostname, at.port), timeout=20)
        trusted = create_default_context(cafile=self.endpoint.ca_bundle)
        with connect(f"wss://{host}/live", sock=socket, ssl=trusted, server_hostname=at.hostname) as client:
            client.send("who am I?")
            yield str(client.recv(20)), client

    def posts(self, api: str, connection: str, text: str) -> int:
        """The status that sending the text to a connection is answered with."""
        name = str(urlsplit(api).hostname).partition(".")[0]
        management = boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=f"{self.endpoint.url}/_aws/execute-api/{name}/live",
            region_name=REGION,
            verify=self.endpoint.ca_bundle,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        try:
            management.post_to_connection(ConnectionId=connection, Data=text.encode())
        except management.exceptions.GoneException:
            return 410
        return 200

    def send(self, queue: str, *bodies: str) -> None:
        for body in bodies:
            self.client("sqs").send_message(QueueUrl=queue, MessageBody=body)

    def receive(self, queue: str, *, delete: bool = True) -> list[str]:
        """The messages that are there now, in the order in which they came."""
        sqs = self.client("sqs")
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages if delete else []:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]


@pytest.fixture(scope="module")
def system(emulator: Emulator, control: Control, http: Http) -> System:
    made = System(emulator.endpoint, control, http)
    assert made.add("warm") == made.add("warm", function=made.bystander) == 1
    return made


@pytest.fixture(autouse=True)
def _nothing_stays(system: System, control: Control) -> Iterator[None]:
    """Whatever a test does, no fault stands after it, and the function does its work."""
    yield
    assert control.call("faults/standing") == {"faults": []}
    assert system.add("afterwards") == 1


# Calls.


def test_a_lost_reply_is_of_a_call_that_was_carried_out(system: System) -> None:
    with system.faults.replies_lost(system.function, "dynamodb", action="UpdateItem", share=0.3) as lost:
        acknowledged = system.add("plain", 40)
        struck = lost()
    assert 0 < struck < 40
    assert acknowledged == 40 - struck
    assert system.count("plain") == 40


def test_retries_after_lost_replies_count_twice_unless_the_write_is_idempotent(system: System) -> None:
    with system.faults.replies_lost(system.function, "dynamodb", first=1):
        assert system.add("retried", 5, attempts=2) == 5
    assert system.count("retried") == 6
    guarded = {"TransactItems": [{"Update": _adding(system.table, "guarded")}]}
    calls = [
        ("dynamodb", "transact_write_items", {**guarded, "ClientRequestToken": f"t{n}"}) for n in range(5)
    ]
    with system.faults.replies_lost(system.function, "dynamodb", first=1):
        assert system.call(*calls, attempts=2)["outcomes"] == ["ok"] * 5
    assert system.count("guarded") == 5


def test_a_lost_reply_is_a_connection_that_ends(system: System) -> None:
    with system.faults.replies_lost(system.function, "dynamodb", first=1):
        assert system.call(_call(system, "cut"))["outcomes"] == ["ConnectionClosedError"]


def test_each_service_throttles_in_its_own_words_and_carries_nothing_out(system: System) -> None:
    with system.queue(feeds=False) as queue:
        calls = {
            "dynamodb": _call(system, "throttled"),
            "sqs": ("sqs", "send_message", {"QueueUrl": queue, "MessageBody": "x"}),
            "s3": ("s3", "put_object", {"Bucket": system.bucket, "Key": "k", "Body": "x"}),
            "sns": ("sns", "publish", {"TopicArn": system.topic, "Message": "x"}),
            "lambda": ("lambda", "get_function", {"FunctionName": system.bystander}),
            "cloudwatch": ("cloudwatch", "list_metrics", {}),
            "events": ("events", "list_rules", {}),
        }
        heard = {}
        for service, call in calls.items():
            with system.faults.throttled(system.function, service):
                [heard[service]] = system.call(call)["outcomes"]
        assert heard == {
            "dynamodb": [400, "ProvisionedThroughputExceededException"],
            "sqs": [400, "RequestThrottled"],
            "s3": [503, "SlowDown"],
            "sns": [400, "ThrottlingException"],
            "lambda": [429, "TooManyRequestsException"],
            "cloudwatch": [400, "ThrottlingException"],
            "events": [400, "ThrottlingException"],
        }
        assert system.receive(queue) == []
    assert system.count("throttled") == 0


def test_the_sdk_gets_over_throttling(system: System) -> None:
    with system.faults.throttled(system.function, "dynamodb", first=1) as throttled:
        assert system.add("patient", attempts=3) == 1
        assert throttled() == 1
    assert system.count("patient") == 1


def test_a_share_of_the_calls_is_chosen_alike_in_every_run(system: System) -> None:
    outcomes = []
    for _ in range(2):
        with system.faults.failing(system.function, "dynamodb", share=0.5, seed=7):
            outcomes.append(system.call(*[_call(system, "shared")] * 12)["outcomes"])
    assert outcomes[0] == outcomes[1]
    assert {str(each) for each in outcomes[0]} == {"ok", "[500, 'InternalServerError']"}


def test_a_failing_service_answers_with_the_status_it_is_told(system: System) -> None:
    with system.faults.failing(system.function, "dynamodb", status=503):
        assert system.call(_call(system, "failing"))["outcomes"] == [[503, "ServiceUnavailable"]]
    assert system.count("failing") == 0


def test_a_slow_service_is_slow_for_one_function_and_one_action(system: System) -> None:
    get = ("dynamodb", "get_item", {"TableName": system.table, "Key": {"id": {"S": "slow"}}})
    with system.faults.slow(system.function, "dynamodb", action="UpdateItem", seconds=0.6) as slow:
        assert system.call(_call(system, "slow"))["seconds"] > 0.6
        system.call(get)
        system.call(_call(system, "slow"), function=system.bystander)
        assert slow() == 1


def test_a_fault_that_strikes_nothing_says_so(system: System) -> None:
    with (
        pytest.raises(AssertionError, match="throttled struck nothing"),
        system.faults.throttled(system.function, "kinesis"),
    ):
        system.add("unstruck")


def test_every_session_of_a_role_can_be_struck(system: System) -> None:
    role = system.client("iam").get_role(RoleName="bystander")["Role"]["Arn"]
    with system.faults.failing(role, "dynamodb"):
        assert system.call(_call(system, "role"), function=system.bystander)["outcomes"] != ["ok"]
        assert system.add("role") == 1


def test_who_is_to_be_struck_must_exist(system: System) -> None:
    with (
        pytest.raises(CommandRefused, match="no function, program or role nobody"),
        system.faults.throttled("nobody", "sqs"),
    ):
        pytest.fail("nothing was to run")


# Processes.


def test_a_worker_killed_in_mid_batch_leaves_its_batch_to_be_delivered_again(system: System) -> None:
    with (
        system.queue(visibility=1) as queue,
        system.faults.worker_killed(system.function, service="dynamodb", after=2) as killed,
    ):
        with system.faults.held(queue):
            system.send(queue, "m1", "m2", "m3")
        system.world.eventually(lambda: killed() == 1, what="the worker is killed")
        system.world.eventually(lambda: system.count("m3") == 1, what="the last record is written")
    assert [system.count("m1"), system.count("m2"), system.count("m3")] == [2, 2, 1]


def test_of_several_workers_the_one_that_called_is_killed(system: System) -> None:
    slow: tuple[Any, ...] = ("sqs", "list_queues", {})
    with (
        system.faults.slow(system.function, "sqs", seconds=1.0) as waiting,
        system.faults.worker_killed(system.function, service="dynamodb") as killed,
        ThreadPoolExecutor(1) as pool,
    ):
        other = pool.submit(system.call, slow)
        system.world.eventually(lambda: waiting() == 1, what="another worker is busy")
        with pytest.raises(AssertionError, match="Worker process died"):
            system.add("killed")
        assert killed() == 1
        assert other.result(10)["outcomes"] == ["ok"]
    assert system.count("killed") == 1


def test_a_frozen_worker_goes_on_when_the_fault_ends(system: System) -> None:
    calls = [_call(system, "frozen")] * 2
    with ThreadPoolExecutor(1) as pool:
        with system.faults.frozen(system.function, after=1) as frozen:
            paused = pool.submit(system.call, *calls)
            system.world.eventually(lambda: frozen() == 1, what="the worker is frozen")
            assert system.add("frozen") == 1  # a second one runs past it
            assert not paused.done()
            assert system.count("frozen") == 2
        assert paused.result(10)["outcomes"] == ["ok", "ok"]
    assert system.count("frozen") == 3


def test_what_runs_now_can_be_frozen(system: System) -> None:
    with ThreadPoolExecutor(1) as pool, system.faults.slow(system.function, "dynamodb", seconds=0.3, first=1):
        began = time.monotonic()
        running = pool.submit(system.add, "frozen-now")
        with system.faults.frozen(system.function) as frozen:
            assert frozen() == 1
            system.world.eventually(lambda: time.monotonic() - began > 0.6)
            assert not running.done()
        assert running.result(10) == 1


@pytest.mark.parametrize("seconds", [600.0, -600.0])
def test_a_shifted_clock_is_seen_by_the_function_and_its_calls_still_work(
    system: System, seconds: float
) -> None:
    before = system.call()
    with system.faults.clock_shifted(system.function, seconds) as shifted:
        seen = system.call(_call(system, "shifted"), ("s3", "list_buckets", {}))
        assert shifted() == 1
        assert {round((read - time.time()) / 10) for read in seen["clock"].values()} == {seconds / 10}
        assert seen["outcomes"] == ["ok", "ok"]
        bystander = system.call(function=system.bystander)
        assert abs(bystander["clock"]["time"] - time.time()) < 5
    after = system.call()
    assert abs(after["clock"]["now"] - time.time()) < 5
    assert len({before["pid"], seen["pid"], after["pid"]}) == 3


def test_calls_signed_too_far_off_are_refused_as_on_aws(system: System) -> None:
    with system.faults.clock_shifted(system.function, 3600):
        [(status, code)] = system.call(_call(system, "skewed"))["outcomes"]
    assert (status, code) == (400, "InvalidSignatureException")
    assert system.count("skewed") == 0


def test_an_invocation_that_runs_when_the_clock_changes_is_not_disturbed(system: System) -> None:
    with ThreadPoolExecutor(1) as pool, system.faults.slow(system.function, "dynamodb", seconds=0.5) as slow:
        running = pool.submit(system.add, "undisturbed")
        system.world.eventually(lambda: slow() == 1)
        with system.faults.clock_shifted(system.function, 60):
            assert running.result(10) == 1
            assert system.call()["clock"]["time"] > time.time() + 50


# WebSocket APIs.


def test_a_lost_disconnect_is_heard_of_by_nobody_and_the_connection_is_gone_all_the_same(
    system: System,
) -> None:
    with system.web_socket_api() as api, system.connection(api) as (stays, other):
        with system.connection(api) as (heard_of, client):
            assert system.count(heard_of) == 1
        system.world.eventually(lambda: system.count(heard_of) == 0, what="$disconnect is heard of")
        with system.faults.disconnects_lost(api) as lost:
            with system.connection(api) as (silent, client):
                assert system.posts(api, silent, "before") == 200
                assert client.recv(20) == "before"
            system.world.eventually(lambda: lost() == 1, what="$disconnect is lost")
            assert system.posts(api, silent, "after") == 410
        assert system.count(silent) == system.count(stays) == 1
        assert system.posts(api, stays, "still here") == 200
        assert other.recv(20) == "still here"
        with system.faults.disconnects_lost(api), system.connection(api):
            pass  # closed and left at once: the fault waits for the API to see it
        with system.connection(api) as (heard_of, client):
            pass
        system.world.eventually(lambda: system.count(heard_of) == 0, what="$disconnect is heard of again")


def test_only_the_disconnects_of_a_web_socket_api_can_be_lost_and_once_at_a_time(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "ENDED_WITHIN", 0)
    lose = system.faults.disconnects_lost
    with pytest.raises(CommandRefused, match="no WebSocket API nowhere"), lose("nowhere"):
        pass
    with system.web_socket_api() as api:
        with pytest.raises(AssertionError, match="struck nothing"), lose(api):
            pass
        with pytest.raises(CommandRefused, match="already"), lose(api), lose(api):
            pass


# Queues.


def test_a_deleted_message_is_delivered_again_once(system: System) -> None:
    with system.queue(feeds=False) as queue:
        with system.faults.delivered_again(queue) as again:
            system.send(queue, "a", "b")
            assert system.receive(queue) == ["a", "b"]
            assert system.receive(queue) == ["a", "b"]
            assert system.receive(queue) == []
            assert again() == 2
        system.send(queue, "c")
        assert system.receive(queue) == ["c"]
        assert system.receive(queue) == []


def test_a_message_is_delivered_again_to_a_function(system: System) -> None:
    with system.queue() as queue, system.faults.delivered_again(queue, times=2):
        system.send(queue, "thrice")
        system.world.eventually(lambda: system.count("thrice") == 3, what="the third delivery")


def test_a_message_is_delivered_while_its_first_receiver_has_it(system: System) -> None:
    with (
        system.queue() as queue,
        system.faults.delivered_again(queue, concurrent=True),
        system.faults.slow(system.function, "dynamodb", seconds=2.0) as both,
    ):
        system.send(queue, "at-once")
        system.world.eventually(lambda: both() == 2, within=5)
        assert system.count("at-once") == 0  # neither is done
        system.world.eventually(lambda: system.count("at-once") == 2)


def test_messages_come_in_another_order(system: System) -> None:
    with system.queue(feeds=False) as queue:
        with system.faults.reordered(queue, seconds=0.2):
            system.send(queue, "1", "2", "3")
            received = system.world.eventually(lambda: system.receive(queue))
            assert received == ["3", "2", "1"]
        system.send(queue, "1", "2", "3")
        assert system.receive(queue) == ["1", "2", "3"]


def test_a_held_queue_delivers_at_the_end(system: System) -> None:
    with system.queue(FifoQueue="true", ContentBasedDeduplication="true", feeds=False) as queue:
        with system.faults.held(queue):
            system.client("sqs").send_message(QueueUrl=queue, MessageBody="kept", MessageGroupId="g")
            assert system.receive(queue) == []
        assert system.receive(queue) == ["kept"]


def test_a_fifo_queue_keeps_its_order(system: System) -> None:
    with (
        system.queue(FifoQueue="true", feeds=False) as queue,
        pytest.raises(CommandRefused, match="is a FIFO queue"),
        system.faults.reordered(queue),
    ):
        pytest.fail("nothing was to run")


def test_dead_letters_are_redriven_as_new_messages(system: System) -> None:
    with system.queue(feeds=False) as dead:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{dead.rpartition('/')[2]}"
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
        with system.queue(feeds=False, visibility=0, RedrivePolicy=policy) as source:
            system.send(source, "poison", "more")
            assert sorted(system.receive(source, delete=False)) == ["more", "poison"]
            assert system.receive(source) == []
            assert system.faults.redriven(dead) == 2
            assert sorted(system.receive(source)) == ["more", "poison"]
            assert system.receive(dead) == []


def test_a_redrive_needs_a_grant_on_the_queue_that_it_empties(system: System) -> None:
    granted = f"arn:aws:sqs:{REGION}:{ACCOUNT}:granted"
    role = create_role(system.endpoint, "redriver", allow("sqs:StartMessageMoveTask", Resource=granted))
    redriver = client_with(session_keys(system.endpoint, role), system.endpoint, "sqs")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        redriver.start_message_move_task(SourceArn=granted)
    with pytest.raises(ClientError, match="not authorized"):
        redriver.start_message_move_task(SourceArn=f"{granted}-not")


def test_only_a_dead_letter_queue_is_redriven(system: System) -> None:
    with system.queue(feeds=False) as queue, pytest.raises(ClientError, match="Dead Letter Queue"):
        system.faults.redriven(queue)


# Streams.


def test_a_stream_is_held_and_delivers_a_batch_again(system: System) -> None:
    kinesis = system.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    stream = kinesis.describe_stream(StreamName="clicks")["StreamDescription"]["StreamARN"]
    mapping = system.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=system.function, StartingPosition="TRIM_HORIZON"
    )["UUID"]
    with system.faults.held(stream):
        kinesis.put_record(StreamName="clicks", Data=b"clicked", PartitionKey="p")
        assert system.add("meanwhile") == 1
        assert system.count("clicked") == 0
    system.world.eventually(lambda: system.count("clicked") == 1, what="the record is delivered")
    with system.faults.delivered_again(mapping) as again:
        assert again() == 1
        assert system.count("clicked") == 2
    system.client("lambda").delete_event_source_mapping(UUID=mapping)


# Regions.


def test_a_region_that_is_cut_off_answers_nobody_and_runs_nothing(system: System) -> None:
    queues, counters = system.client("sqs", OTHER_REGION), system.client("dynamodb", OTHER_REGION)
    queue = queues.create_queue(QueueName="far")["QueueUrl"]
    function = system.deploy("far", OTHER_REGION)
    system.create_table(OTHER_REGION)
    system.client("lambda", OTHER_REGION).create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{OTHER_REGION}:{ACCOUNT}:far", FunctionName=function
    )
    impatient = system.endpoint.client("sqs", OTHER_REGION, retries={"total_max_attempts": 1})
    queues.send_message(QueueUrl=queue, MessageBody="far", DelaySeconds=1)
    over = time.monotonic() + 1.5
    with system.faults.region_cut_off(OTHER_REGION):
        with pytest.raises(HTTPClientError, match="closed"):
            impatient.list_queues()
        with pytest.raises(HTTPError):
            system.world.http.get(f"https://abc.execute-api.{OTHER_REGION}.amazonaws.com/")
        there: tuple[Any, ...] = (f"sqs in {OTHER_REGION}", "list_queues", {})
        assert system.call(there, _call(system, "here"))["outcomes"] == ["ConnectionClosedError", "ok"]
        system.world.eventually(lambda: time.monotonic() > over)
    key = {"TableName": system.table, "Key": {"id": {"S": "far"}}}
    assert "Item" not in counters.get_item(**key)
    system.world.eventually(lambda: "Item" in counters.get_item(**key), what="the message is handled")
    assert "QueueUrls" in impatient.list_queues()


def _call(system: System, counter: str) -> tuple[str, str, dict[str, Any]]:
    return "dynamodb", "update_item", _adding(system.table, counter)


def _adding(table: str, counter: str) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": {"id": {"S": counter}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
