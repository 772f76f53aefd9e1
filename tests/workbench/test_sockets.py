"""WebSockets: a chat that CDK made, its clients, its functions, and a program that sends to them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials
from websockets.sync.client import ClientConnection

from tests.offline import client_with, create_role, deployed, eventually, session_keys
from tests.templates import allow
from tests.workbench.socket_stack import STAGE, template_of
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator, Endpoint
from workbench.dryrun.http import Http
from workbench.dryrun.sockets import LARGEST_FRAME, Socket, SocketClosed, SocketRefused, Sockets
from workbench.dryrun.world import World
from workbench.offline.engines.program import RUN_FIRST

LARGEST_MESSAGE = 128 * 1024
WITHIN = 20.0  # a machine that is busy with other tests starts functions slowly
MANAGEMENT = "apigatewaymanagementapi"


@pytest.fixture(scope="module")
def world(
    emulator: Emulator, control: Control, http: Http, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """What a scenario has of the chat."""
    template = template_of(tmp_path_factory.mktemp("chat"))
    with deployed(emulator.endpoint, "chat", template) as outputs:
        yield World(outputs, emulator.endpoint.client, http, control=control)


@pytest.fixture
def alice(world: World) -> Iterator[Socket]:
    with _connected(world, "alice") as socket:
        yield socket


class _connected:  # noqa: N801 (used as a function)
    """A socket of `who`, closed at the end."""

    def __init__(self, world: World, who: str, **query: object) -> None:
        given = "".join(f"&{name}={value}" for name, value in query.items())
        self.socket = world.socket(f"{world.outputs['Url']}?ticket={who}{given}", {"X-Client": "tests"})

    def __enter__(self) -> Socket:
        return self.socket

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def _asked(socket: Socket, **what: Any) -> dict[str, Any]:
    """What the function answers, and nothing that came before."""
    mark = uuid.uuid4().hex
    socket.send({"action": "ask", "mark": mark, **what})
    answer = socket.receive(WITHIN)
    assert answer.get("mark") == mark, answer
    return answer


def _id(socket: Socket) -> str:
    return str(_asked(socket)["event"]["requestContext"]["connectionId"])


def _row(world: World, connection: str) -> dict[str, Any]:
    """The last event of `$connect` or `$disconnect` that a function had of the connection."""
    table = {"TableName": world.outputs["Rows"], "ConsistentRead": True}
    item = world.client("dynamodb").get_item(Key={"id": {"S": connection}}, **table).get("Item")
    event: dict[str, Any] = json.loads(item["event"]["S"]) if item else {}
    return event


def _ended(world: World, connection: str) -> dict[str, Any]:
    def disconnected() -> dict[str, Any] | None:
        event = _row(world, connection)
        return event if event["requestContext"]["eventType"] == "DISCONNECT" else None

    return eventually(disconnected, "$disconnect")


# What a function is told.


def test_every_event_says_who_the_authorizer_found(world: World, alice: Socket) -> None:
    context = _asked(alice)["event"]["requestContext"]
    assert context["authorizer"] == {"user": "alice", "device": "1", "principalId": "alice"}
    assert _row(world, context["connectionId"])["requestContext"]["authorizer"] == context["authorizer"]
    alice.close()
    assert _ended(world, context["connectionId"])["requestContext"]["authorizer"] == context["authorizer"]


def test_an_event_is_as_api_gateway_sends_it(world: World, alice: Socket) -> None:
    event = _asked(alice)["event"]
    context = event["requestContext"]
    assert (context["eventType"], context["routeKey"], context["messageDirection"]) == (
        "MESSAGE",
        "ask",
        "IN",
    )
    assert context["domainName"] == f"{world.outputs['Api']}.execute-api.us-east-1.amazonaws.com"
    assert (context["stage"], context["apiId"]) == (STAGE, world.outputs["Api"])
    assert json.loads(event["body"])["action"] == "ask"
    assert "headers" not in event
    first = _row(world, context["connectionId"])
    assert first["headers"]["x-client"] == "tests"
    assert first["queryStringParameters"] == {"ticket": "alice"}
    assert first["requestContext"]["connectedAt"] == context["connectedAt"]
    assert "body" not in first


def test_the_way_a_connection_ended_is_told(world: World) -> None:
    with _connected(world, "alice") as polite, _connected(world, "alice") as dropped:
        first, second = _id(polite), _id(dropped)
        polite.close()
        dropped.drop()
        assert polite.closed
        assert dropped.closed
    assert _ended(world, first)["requestContext"]["disconnectStatusCode"] == 1000
    assert _ended(world, second)["requestContext"]["disconnectStatusCode"] == 1006


# Who may connect.


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 401),
        ("?ticket=stranger", 403),
        ("?ticket=broken", 500),
        ("?ticket=alice&status=418", 418),
        ("?ticket=alice&status=302", 302),
        ("?ticket=alice&status=fails", 502),
    ],
)
def test_a_refused_connection_has_the_status_of_who_refused_it(world: World, query: str, status: int) -> None:
    with pytest.raises(SocketRefused) as refused:
        world.socket(world.outputs["Url"] + query)
    assert refused.value.status == status
    assert json.loads(refused.value.body).keys() == {"message", "connectionId", "requestId"}


def test_a_stage_that_is_not_there_is_forbidden(world: World) -> None:
    with pytest.raises(SocketRefused, match="403"):
        world.socket(world.outputs["Url"].replace(f"/{STAGE}", "/elsewhere") + "?ticket=alice")


# What a client is told.


def test_a_route_without_a_route_response_answers_nothing(alice: Socket) -> None:
    alice.send({"action": "tell", "mark": "unheard"})
    assert _asked(alice)["mark"] != "unheard"
    with pytest.raises(AssertionError, match=r"no message came over wss://.* within 0.2 s"):
        alice.receive(0.2)


def test_what_a_function_answers_is_told_whatever_its_status(alice: Socket) -> None:
    assert _asked(alice, status=500)["event"]["requestContext"]["routeKey"] == "ask"


@pytest.mark.parametrize("route", ["ask", "tell"])
@pytest.mark.parametrize("do", ["fail", "nothing", "dict"])
def test_a_failed_integration_is_an_internal_server_error(alice: Socket, route: str, do: str) -> None:
    connection = _id(alice)
    alice.send({"action": route, "do": do})
    told = alice.receive(WITHIN)
    assert told.pop("requestId")
    assert told == {"message": "Internal server error", "connectionId": connection}


@pytest.mark.parametrize("action", ["unknown", "$connect", None])
def test_a_message_that_no_route_takes_is_forbidden(alice: Socket, action: str | None) -> None:
    alice.send({"action": action})
    assert alice.receive(WITHIN)["message"] == "Forbidden"


def test_messages_of_one_connection_are_served_side_by_side(alice: Socket) -> None:
    mark = uuid.uuid4().hex
    alice.send({"action": "ask", "do": "wait", "mark": mark})
    alice.send({"action": "tell", "do": "put", "mark": mark})
    assert alice.receive(WITHIN).get("mark") == mark


def test_a_long_message_comes_whole_and_a_longer_one_ends_the_connection(world: World) -> None:
    with _connected(world, "alice") as socket:
        socket.send({"action": "tell", "filling": "x" * (LARGEST_MESSAGE - 100)})
        assert _asked(socket)
        socket.send({"action": "tell", "filling": "x" * LARGEST_MESSAGE})
        with pytest.raises(SocketClosed, match="1009"):
            socket.receive(WITHIN)
        assert socket.closed


@pytest.mark.parametrize(
    ("message", "code"), [("x" * (LARGEST_FRAME + 1), 1009), (b"{}", 1003)], ids=["frame", "binary"]
)
def test_a_frame_that_api_gateway_does_not_take_ends_the_connection(
    world: World, message: str | bytes, code: int
) -> None:
    with _connected(world, "alice") as socket:
        raw: ClientConnection = socket._connection
        raw.send(message)
        with pytest.raises(SocketClosed) as closed:
            socket.receive(WITHIN)
        assert closed.value.code == code
        with pytest.raises(SocketClosed):
            socket.send({})


# Invocations are as everybody's.


def test_an_invocation_has_its_log(world: World, alice: Socket) -> None:
    mark = _asked(alice)["mark"]
    asked = {"logGroupName": world.outputs["Logs"]}

    def lines() -> list[str]:
        return [each["message"] for each in world.client("logs").filter_log_events(**asked)["events"]]

    eventually(lambda: any(f"doing echo {mark}" in line for line in lines()), "the function's line")
    assert any(line.startswith("REPORT") for line in lines())


def test_a_function_without_concurrency_is_not_invoked(world: World, alice: Socket) -> None:
    assert _asked(alice)
    with world.faults.paused(world.outputs["Function"]):
        alice.send({"action": "ask"})
        assert alice.receive(WITHIN)["message"] == "Internal server error"
        with pytest.raises(SocketRefused, match="500"):
            world.socket(f"{world.outputs['Url']}?ticket=alice")
    assert _asked(alice)


def test_a_function_that_is_killed_fails_that_message_alone(world: World, alice: Socket) -> None:
    assert _asked(alice)
    function = world.outputs["Function"]
    with world.faults.worker_killed(function, service="dynamodb", action="PutItem"):
        alice.send({"action": "ask", "do": "put", "mark": "killed"})
        assert alice.receive(WITHIN)["message"] == "Internal server error"
    assert _asked(alice)


def test_calls_of_connections_are_struck_by_faults_under_the_name_of_iam(world: World, alice: Socket) -> None:
    function, to = world.outputs["Function"], _id(alice)
    with world.faults.throttled(function, "execute-api", action="ManageConnections"):
        assert _asked(alice, do="get", to=to)["outcome"] == "LimitExceededException"
    with world.faults.failing(function, "execute-api", action="ManageConnections"):
        assert _asked(alice, do="get", to=to)["outcome"] == "InternalFailure"
    assert _asked(alice, do="get", to=to)["outcome"] == "127.0.0.1"


# `@connections`.


def test_a_function_posts_gets_and_deletes_with_the_endpoint_of_aws(world: World, alice: Socket) -> None:
    with _connected(world, "bob") as bob:
        to = _id(bob)
        assert _asked(alice, do="get", to=to)["outcome"] == "127.0.0.1"
        assert _asked(alice, do="post", to=to, data='{"hello": "bob"}')["outcome"] == "ok"
        assert bob.receive(WITHIN) == {"hello": "bob"}
        assert _asked(alice, do="delete", to=to)["outcome"] == "ok"
        with pytest.raises(SocketClosed, match="1000"):
            bob.receive(WITHIN)
        assert _asked(alice, do="post", to=to, data="late")["outcome"] == "GoneException"
    assert _ended(world, to)["requestContext"]["eventType"] == "DISCONNECT"


def test_what_was_posted_before_a_connection_is_deleted_arrives(world: World) -> None:
    management = _management(world)
    with _connected(world, "bob") as bob:
        to = _id(bob)
        for number in range(20):
            management.post_to_connection(ConnectionId=to, Data=json.dumps({"n": number}).encode())
        management.delete_connection(ConnectionId=to)
        assert [bob.receive(WITHIN)["n"] for _ in range(20)] == list(range(20))


def test_a_program_on_a_machine_posts_with_the_endpoint_of_aws(world: World, alice: Socket) -> None:
    order = json.dumps({"to": _id(alice), "data": '{"from": "a machine"}'})
    world.client("sqs").send_message(QueueUrl=world.outputs["Queue"], MessageBody=order)
    assert alice.receive(WITHIN) == {"from": "a machine"}


def test_a_connection_that_is_gone_or_of_another_stage_is_gone(world: World, alice: Socket) -> None:
    management, elsewhere = _management(world), _management(world, stage="elsewhere")
    for client, connection in ((management, "nobody="), (elsewhere, _id(alice))):
        with pytest.raises(client.exceptions.GoneException):
            client.post_to_connection(ConnectionId=connection, Data=b"{}")


def test_a_post_that_is_too_long_is_refused(world: World, alice: Socket) -> None:
    management, to = _management(world), _id(alice)
    with pytest.raises(management.exceptions.PayloadTooLargeException):
        management.post_to_connection(ConnectionId=to, Data=b"x" * (LARGEST_MESSAGE + 1))


def test_who_manages_connections_is_asked_for_by_the_method_and_written_down(
    world: World, emulator: Emulator, alice: Socket
) -> None:
    arn = f"arn:aws:execute-api:us-east-1:000000000000:{world.outputs['Api']}/{STAGE}"
    posts = allow("execute-api:ManageConnections", Resource=f"{arn}/POST/@connections/*")
    role = create_role(emulator.endpoint, "poster", posts)
    keys, to = session_keys(emulator.endpoint, role), _id(alice)
    management = _management(world, keys=keys)
    management.post_to_connection(ConnectionId=to, Data=b'{"by": "the poster"}')
    assert alice.receive(WITHIN) == {"by": "the poster"}
    with pytest.raises(management.exceptions.ClientError) as refused:
        management.delete_connection(ConnectionId=to)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    decided = [each for each in emulator.decisions() if ":assumed-role/poster/" in each["principal"]]
    assert [(each["action"], each["resource"], each["allowed"]) for each in decided] == [
        ("execute-api:ManageConnections", f"{arn}/POST/@connections/{to}", True),
        ("execute-api:ManageConnections", f"{arn}/DELETE/@connections/{to}", False),
    ]


def _management(world: World, *, stage: str = STAGE, keys: Any = None) -> Any:
    """A client of `@connections` outside of the system, which knows the offline AWS by its address alone."""
    endpoint = world.http.endpoint
    assert endpoint is not None
    url = f"{endpoint.url}/_aws/execute-api/{world.outputs['Api']}/{stage}"
    return client_with(keys or Credentials("test", "test"), Endpoint(url, endpoint.ca_bundle), MANAGEMENT)


# Names.

REACHES = """
import socket
socket.getaddrinfo = lambda host, port, *_: (host, port)
import aws_names
aws_names.reach_apis({environment!r})
print(socket.getaddrinfo({host!r}, 443))
"""
HERE = {"AWS_ENDPOINT_URL": "https://127.0.0.1:4566"}


@pytest.mark.parametrize(
    ("host", "environment", "found"),
    [
        ("ab12.execute-api.eu-west-1.amazonaws.com", HERE, ("127.0.0.1", 4566)),
        ("AB12.Execute-Api.eu-west-1.amazonaws.com", HERE, ("127.0.0.1", 4566)),
        ("ab12.execute-api.eu-west-1.amazonaws.com", {}, ("ab12.execute-api.eu-west-1.amazonaws.com", 443)),
        ("sqs.eu-west-1.amazonaws.com", HERE, ("sqs.eu-west-1.amazonaws.com", 443)),
        ("a.execute-api.b.amazonaws.com.example", HERE, ("a.execute-api.b.amazonaws.com.example", 443)),
    ],
)
def test_an_api_s_name_and_no_other_leads_to_the_offline_aws(
    host: str, environment: dict[str, str], found: tuple[str, int]
) -> None:
    program = REACHES.format(environment=environment, host=host)
    assert _printed(program, PYTHONPATH=str(RUN_FIRST)) == str(found)


def test_a_program_s_own_start_is_run_too(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('its own')")
    path = os.pathsep.join([str(RUN_FIRST), str(tmp_path)])
    assert _printed("print('the program')", PYTHONPATH=path) == "its own\nthe program"


def _printed(program: str, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


# The client of scenarios.


def test_what_was_presigned_at_the_endpoint_is_fetched_from_there(emulator: Emulator, http: Http) -> None:
    bucket = emulator.endpoint.client("s3")
    bucket.create_bucket(Bucket="presigned")
    for method, operation in (("PUT", "put_object"), ("GET", "get_object")):
        url = bucket.generate_presigned_url(operation, Params={"Bucket": "presigned", "Key": "a"})
        answer = http.request(method, url, body=b"content" if method == "PUT" else None)
        assert answer.status == 200
    assert answer.body == b"content"


@pytest.mark.fast
@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n"])
def test_who_answers_no_handshake_is_not_there(said: bytes) -> None:
    def answer() -> None:
        with server.accept()[0] as caller:
            caller.recv(10_000)
            caller.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(OSError, match="no handshake"):
            Sockets().open(f"ws://127.0.0.1:{server.getsockname()[1]}/")
        answering.join()


def test_what_a_scenario_leaves_open_ends_with_its_http_client(world: World, emulator: Emulator) -> None:
    http = Http(emulator.endpoint)
    play = World(world.outputs, emulator.endpoint.client, http)
    socket = play.socket(f"{world.outputs['Url']}?ticket=alice")
    connection = _id(socket)
    http.close()
    assert socket.closed
    assert _ended(world, connection)["requestContext"]["disconnectStatusCode"] == 1000
