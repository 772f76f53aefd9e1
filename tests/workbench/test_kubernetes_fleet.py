"""Several programs of one image on a cluster, a network load balancer before one: a stack of the constructs."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from lambdas.shared.kubernetes import Kubernetes, token
from tests.offline import eventually
from tests.patterns.conftest import WORKLOAD
from workbench import catalogue
from workbench.assembly import DEFAULT_REGION, Assembly
from workbench.dryrun import deploy
from workbench.dryrun.control import CommandRefused, Control
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http
from workbench.dryrun.localise import localise
from workbench.dryrun.sockets import Socket, SocketClosed, SocketRefused
from workbench.dryrun.world import World

PROGRAM = "tests/workbench/fleet/services/chat"
PORT = 8443


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """A queue, a table, a consumer, a gateway behind a load balancer, and a distribution before that."""
    from aws_cdk import CfnOutput, Duration, RemovalPolicy
    from aws_cdk import aws_cloudfront as cloudfront
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_sqs as sqs

    from patterns.blueprint_stack import BlueprintStack
    from patterns.image_repository import ImageRepository
    from patterns.kubernetes_workers import KubernetesWorkers
    from patterns.network import Network
    from patterns.network_balancer import ConnectionTraffic, NetworkBalancer
    from patterns.traffic import NetworkTraffic

    folder = tmp_path_factory.mktemp("fleet")
    load = WORKLOAD.at(1_000)
    one = load.quantity("one")
    app = catalogue.new_app(folder)
    stack = BlueprintStack(app, "fleet", load=load, stage="sandbox", description="A fleet")
    traffic = NetworkTraffic(one, one, one, one, one)
    network = Network(stack, "Network", traffic=traffic)
    queue = sqs.Queue(stack, "Queue", visibility_timeout=Duration.seconds(2))
    table = dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="message", type=dynamodb.AttributeType.STRING),
        removal_policy=RemovalPolicy.DESTROY,
    )
    images = ImageRepository(stack, "Images", program=PROGRAM, stored_gb=one)
    held = ConnectionTraffic(one, one, one)
    balancer = NetworkBalancer(stack, "Balancer", network=network, traffic=held, port=PORT)
    origin = balancer.allow_from_edge()
    workers = KubernetesWorkers(
        stack, "Workers", network=network, images=images, image_tag="v1", namespace="chat"
    )
    of_a_pod: dict[str, Any] = {"pods": one, "memory_mb": 256, "cpu_milli": 100}
    consumer = workers.run(
        "consumer",
        arguments=["services.chat.worker"],
        environment={"QUEUE_URL": queue.queue_url, "TABLE": table.table_name},
        **of_a_pod,
    )
    queue.grant_consume_messages(consumer)
    table.grant_write_data(consumer)
    gateway = workers.run(
        "gateway",
        arguments=["services.chat.gateway"],
        environment={"GREETING": "hello"},
        fewest=2,
        target_group=balancer.targets,
        **of_a_pod,
    )
    guarded = workers.run(
        "guarded",
        arguments=["services.chat.gateway"],
        environment={"ORIGIN_SECRET_ARN": balancer.secret.secret_arn},
        **of_a_pod,
    )
    balancer.secret.grant_read(guarded)
    edge = cloudfront.Distribution(
        stack,
        "Edge",
        default_behavior=cloudfront.BehaviorOptions(
            origin=origin,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        ),
    )
    outputs = {
        "Host": balancer.host,
        "Url": balancer.url,
        "Edge": edge.distribution_domain_name,
        "Cluster": workers.cluster.ref,
        "Group": balancer.targets.target_group_arn,
        "Queue": queue.queue_url,
        "Table": table.table_name,
        "ConsumerRole": consumer.role.role_name,
        "GatewayRole": gateway.role.role_name,
        "Consumer": consumer.deployment,
        "Gateway": gateway.deployment,
    }
    for name, value in outputs.items():
        CfnOutput(stack, f"{name}Output", value=value).override_logical_id(name)
    app.synth()
    return Assembly.load(folder)


@pytest.fixture(scope="module")
def fleet(emulator: Emulator, assembly: Assembly, control: Control) -> Iterator[dict[str, str]]:
    """The stack's outputs, once two gateways are healthy targets and the consumer runs."""
    standing: list[deploy.Deployed] = []
    client = emulator.endpoint.client
    with ExitStack() as undo:
        assets = [asset for stack in assembly.stacks for asset in stack.assets]
        deploy.prepare(assets, client, DEFAULT_REGION, undo)
        [stack] = assembly.stacks
        try:
            deploy.create(stack, localise(stack, emulator.known_types()).template, client, standing)
            outputs = standing[-1].outputs
            eventually(lambda: _states(emulator, outputs) == ["healthy"] * 2, "two healthy targets")
            eventually(lambda: len(_pods(control, outputs, "")) == 4, "all four pods")
            eventually(lambda: all(each["ready"] for each in _pods(control, outputs, "")), "ready pods")
            yield outputs
        finally:
            for each in standing:
                deploy.destroy(each, client)


@pytest.fixture
def world(emulator: Emulator, http: Http, control: Control, fleet: dict[str, str]) -> Iterator[World]:
    """What a scenario has; the sockets that it leaves open are closed."""
    yield World(fleet, emulator.endpoint.client, http, control=control)
    http.sockets.close()


# The programs.


def test_programs_of_one_image_run_side_by_side_under_roles_of_their_own(
    world: World, fleet: dict[str, str], emulator: Emulator
) -> None:
    _send(world, "first")
    eventually(lambda: _done(world) >= {"first"}, "the consumer's work")
    told = world.http.get(f"http://{fleet['Host']}:{PORT}/role").json()["role"]
    assert f":assumed-role/{fleet['GatewayRole']}/gateway-" in told
    mine = f":assumed-role/{fleet['ConsumerRole']}/consumer-"
    puts = [each for each in emulator.decisions() if each["action"] == "dynamodb:PutItem"]
    assert puts
    assert all(each["allowed"] and mine in each["principal"] for each in puts)
    assert fleet["ConsumerRole"] != fleet["GatewayRole"]


def test_a_program_in_the_context_around_its_folder_finds_what_the_image_takes_from_there(
    world: World, fleet: dict[str, str]
) -> None:
    told = world.http.get(f"http://{fleet['Host']}:{PORT}/").json()
    assert (told["greeting"], Path(told["room"]).name) == ("hello", "shared")
    assert told["pod_name"].startswith("gateway-")
    assert told["pod_ip"].startswith("10.0.")


def test_a_program_that_is_told_to_end_ends_in_order(
    fleet: dict[str, str], control: Control, emulator: Emulator
) -> None:
    [pod] = _pods(control, fleet, "consumer")
    _scale_anew(emulator, control, fleet, pod["name"])
    log = emulator.folder / "programs" / f"{pod['name']}.log"
    eventually(lambda: "ended in order" in log.read_text(), "its last words")


# The load balancer.


def test_new_connections_go_to_the_pods_in_turn_and_one_stays_with_its_pod(
    world: World, fleet: dict[str, str]
) -> None:
    def each_stays_and_both_serve() -> bool:
        sockets = [world.socket(fleet["Url"] + "/room?seat=1") for _ in range(4)]
        answers = [[_ask(each, word)["pod_name"] for word in ("a", "b", "c")] for each in sockets]
        assert all(len(set(each)) == 1 for each in answers)
        assert _ask(sockets[0], "where")["path"] == "/room?seat=1"
        for each in sockets:
            each.close()
        return len({tuple(each) for each in answers}) == 2

    world.eventually(each_stays_and_both_serve)


def test_a_tcp_client_connects_where_the_world_says(world: World, fleet: dict[str, str]) -> None:
    with socket.create_connection(world.address(fleet["Host"], PORT), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: any\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    with pytest.raises(CommandRefused, match="no TCP or TLS listener on port 9"):
        world.address(fleet["Host"], 9)
    assert World({}, world.client, world.http).address("name.example.com", 9) == ("name.example.com", 9)


def test_a_port_without_a_listener_answers_nobody(world: World, fleet: dict[str, str]) -> None:
    assert world.http.get(f"http://{fleet['Host']}:{PORT + 1}/").status == 503
    with pytest.raises(SocketRefused) as refused:
        world.socket(f"ws://{fleet['Host']}:{PORT + 1}/")
    assert refused.value.status == 503


def test_the_health_check_of_its_group_says_who_is_a_target(
    world: World, fleet: dict[str, str], emulator: Emulator, control: Control
) -> None:
    balancing = emulator.endpoint.client("elbv2")
    before = {pod["ip"] for pod in _pods(control, fleet, "gateway")}
    assert _targets(emulator, fleet) == before
    balancing.modify_target_group(TargetGroupArn=fleet["Group"], HealthCheckPath="/nowhere?x=1")
    balancing.modify_target_group(TargetGroupArn=fleet["Group"], Matcher={"HttpCode": "204"})
    try:
        held = world.socket(fleet["Url"])
        eventually(lambda: _states(emulator, fleet) == ["unhealthy"] * 2, "unhealthy targets")
        with pytest.raises(SocketClosed):
            held.receive(5)
        eventually(lambda: not any(each["ready"] for each in _pods(control, fleet, "gateway")), "shut gates")
        assert _ask(world.socket(fleet["Url"]), "open")["said"] == "open"  # to all, where none is healthy
    finally:
        balancing.modify_target_group(
            TargetGroupArn=fleet["Group"], HealthCheckPath="/health", Matcher={"HttpCode": "200"}
        )
    eventually(lambda: _states(emulator, fleet) == ["healthy"] * 2, "healthy targets")


def test_a_pod_that_ends_is_no_target_any_more_and_its_clients_are_told(
    world: World, fleet: dict[str, str], control: Control, emulator: Emulator
) -> None:
    held = world.socket(fleet["Url"])
    pod = next(
        each for each in _pods(control, fleet, "gateway") if each["name"] == _ask(held, "who")["pod_name"]
    )
    _scale_anew(emulator, control, fleet, pod["name"])
    with pytest.raises(SocketClosed) as ended:
        held.receive(10)
    assert ended.value.code == 1012
    assert pod["ip"] not in _targets(emulator, fleet)
    eventually(lambda: _states(emulator, fleet) == ["healthy"] * 2, "another pod in its place")
    assert len(_pods(control, fleet, "gateway")) == 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"targetGroupARN": "arn:aws:elasticloadbalancing:nowhere"}, "there is no target group"),
        ({"targetType": "instance"}, "only pods are bound"),
        ({}, "it is not tagged eks:eks-cluster-name="),
    ],
)
def test_a_binding_that_cannot_be_says_why_in_an_event(
    fleet: dict[str, str], emulator: Emulator, changed: dict[str, str], reason: str
) -> None:
    balancing, api = emulator.endpoint.client("elbv2"), _api(emulator, fleet)
    made = balancing.create_target_group(Name="strange", Protocol="TCP", Port=1, TargetType="ip")
    group = made["TargetGroups"][0]["TargetGroupArn"]
    service = {"name": "gateway", "port": 80}
    binding = {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "TargetGroupBinding",
        "metadata": {"namespace": "chat", "name": "strange"},
        "spec": {"serviceRef": service, "targetGroupARN": group, "targetType": "ip", **changed},
    }
    api.apply(binding)
    try:
        eventually(lambda: any(reason in each for each in _events(api)), "an Event with the reason")
        assert balancing.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []
    finally:
        api.delete(binding)
        balancing.delete_target_group(TargetGroupArn=group)


def test_a_binding_that_is_deleted_takes_its_targets_out(fleet: dict[str, str], emulator: Emulator) -> None:
    api = _api(emulator, fleet)
    kind = {"apiVersion": "eks.amazonaws.com/v1", "kind": "TargetGroupBinding"}
    binding = api.read({**kind, "metadata": {"namespace": "chat", "name": "gateway"}})
    api.delete(binding)
    eventually(lambda: _targets(emulator, fleet) == set(), "no targets")
    api.apply({**kind, "metadata": {"namespace": "chat", "name": "gateway"}, "spec": binding["spec"]})
    eventually(lambda: _states(emulator, fleet) == ["healthy"] * 2, "the targets again")


def test_a_client_that_goes_and_one_that_breaks_off_leave_nothing_open(
    world: World, fleet: dict[str, str]
) -> None:
    polite, rude = world.socket(fleet["Url"]), world.socket(fleet["Url"])
    assert {_ask(polite, "x")["said"], _ask(rude, "y")["said"]} == {"x", "y"}
    polite.close()
    rude.drop()

    def alone() -> bool:
        both = [world.socket(fleet["Url"]) for _ in range(2)]
        told = [_ask(each, "who is there?") for each in both]
        for each in both:
            each.close()
        return len({each["pod_name"] for each in told}) == 2 and {each["open"] for each in told} == {1}

    world.eventually(alone)


@pytest.mark.parametrize(("how", "code"), [("close", 1000), ("drop", 1006)])
def test_a_program_is_told_how_its_client_ended(
    world: World, fleet: dict[str, str], emulator: Emulator, how: str, code: int
) -> None:
    client = world.socket(f"{fleet['Url']}/{how}")
    log = emulator.folder / "programs" / f"{_ask(client, 'who')['pod_name']}.log"
    getattr(client, how)()
    eventually(lambda: f"/{how} ended with {code}" in log.read_text(), f"the code {code}")


def test_a_distribution_reaches_it_by_http_and_by_websocket_and_shows_its_secret(
    world: World, fleet: dict[str, str], emulator: Emulator
) -> None:
    answer = world.http.get(f"https://{fleet['Edge']}/")
    assert (answer.status, answer.json()["greeting"]) == (200, "hello")
    through = world.socket(f"wss://{fleet['Edge']}/room?seat=2")
    told = _ask(through, "hi")
    assert (told["said"], told["path"]) == ("hi", "/room?seat=2")
    through.close()
    _bind(emulator, fleet, "guarded")
    try:
        eventually(lambda: world.http.get(f"http://{fleet['Host']}:{PORT}/").status == 403, "a refusal")
        with pytest.raises(SocketRefused) as refused:
            world.socket(fleet["Url"])
        assert refused.value.status == 403
        assert _ask(world.socket(f"wss://{fleet['Edge']}/"), "hi")["said"] == "hi"
        assert world.http.get(f"https://{fleet['Edge']}/").status == 200
    finally:
        _bind(emulator, fleet, "gateway")
    eventually(lambda: _states(emulator, fleet) == ["healthy"] * 2, "the gateways as its targets")


# Faults.


def test_a_killed_pod_is_started_again_and_the_others_go_on(
    world: World, fleet: dict[str, str], control: Control
) -> None:
    killed = world.faults.pod_killed(fleet["Gateway"])
    assert killed.startswith("gateway-")

    def is_back() -> bool:
        pods = {each["name"]: each for each in _pods(control, fleet, "gateway")}
        return bool(pods[killed]["ready"] and pods[killed]["restarts"])

    eventually(is_back, "the pod's container to be started again")
    with pytest.raises(CommandRefused, match="no Deployment chat/nobody"):
        world.faults.pod_killed("chat/nobody")


def test_a_frozen_pod_does_nothing_until_the_fault_ends(world: World, fleet: dict[str, str]) -> None:
    with world.faults.pod_frozen(fleet["Consumer"]) as struck:
        assert struck() == 1
        _send(world, "late")
        assert not _appears(world, "late", within=1.5)
    eventually(lambda: "late" in _done(world), "what waited")


def test_a_pod_is_killed_in_the_middle_of_its_work_and_the_work_is_done_again(
    world: World, fleet: dict[str, str], control: Control, emulator: Emulator
) -> None:
    eventually(lambda: all(each["ready"] for each in _pods(control, fleet, "consumer")), "a ready consumer")
    [before] = _pods(control, fleet, "consumer")
    with world.faults.worker_killed(fleet["Consumer"], service="dynamodb", action="PutItem") as struck:
        _send(world, "twice")
        eventually(lambda: struck() == 1, "the kill")
        eventually(lambda: _pods(control, fleet, "consumer")[0]["restarts"] > before["restarts"], "a restart")
        eventually(lambda: _waiting(emulator, fleet) == 0, "the message to be done with")
    assert "twice" in _done(world)


def test_calls_of_one_program_are_throttled_and_no_others(world: World, fleet: dict[str, str]) -> None:
    with world.faults.throttled(fleet["Consumer"], "dynamodb", first=2) as struck:
        _send(world, "slowly")
        eventually(lambda: struck() == 2, "two throttled calls")
        eventually(lambda: "slowly" in _done(world), "the work in spite of it")

    def strike_another() -> None:
        with world.faults.throttled(fleet["Gateway"], "dynamodb"):
            _send(world, "untouched")
            eventually(lambda: "untouched" in _done(world), "the work of the other program")

    with pytest.raises(AssertionError, match="struck nothing"):
        strike_another()


# How they are looked at.


def _ask(connection: Socket, word: str) -> dict[str, Any]:
    connection.send({"word": word})
    told = connection.receive()
    return {**told, "said": json.loads(told["said"])["word"]}


def _send(world: World, body: str) -> None:
    world.client("sqs").send_message(QueueUrl=world.outputs["Queue"], MessageBody=body)


def _done(world: World) -> set[str]:
    found = world.client("dynamodb").scan(TableName=world.outputs["Table"])["Items"]
    return {item["message"]["S"] for item in found}


def _appears(world: World, body: str, *, within: float) -> bool:
    try:
        eventually(lambda: body in _done(world), body, within=within)
    except AssertionError:
        return False
    return True


def _waiting(emulator: Emulator, fleet: dict[str, str]) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = emulator.endpoint.client("sqs").get_queue_attributes(
        QueueUrl=fleet["Queue"], AttributeNames=names
    )
    return sum(int(found["Attributes"][name]) for name in names)


def _states(emulator: Emulator, fleet: dict[str, str]) -> list[str]:
    """The states of the targets that are none of those that drain."""
    balancing = emulator.endpoint.client("elbv2")
    found = balancing.describe_target_health(TargetGroupArn=fleet["Group"])["TargetHealthDescriptions"]
    states = [str(each["TargetHealth"]["State"]) for each in found]
    return [state for state in states if state != "draining"]


def _targets(emulator: Emulator, fleet: dict[str, str]) -> set[str]:
    balancing = emulator.endpoint.client("elbv2")
    found = balancing.describe_target_health(TargetGroupArn=fleet["Group"])["TargetHealthDescriptions"]
    return {str(each["Target"]["Id"]) for each in found if each["TargetHealth"]["State"] != "draining"}


def _pods(control: Control, fleet: dict[str, str], program: str) -> list[dict[str, Any]]:
    found = control.call("kubernetes/pods", cluster=fleet["Cluster"])
    return [each for each in found if each["name"].startswith(program)]


def _scale_anew(emulator: Emulator, control: Control, fleet: dict[str, str], pod: str) -> None:
    """Delete a pod, as whoever empties a node does, and wait until another one is ready."""
    _api(emulator, fleet).delete(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "chat", "name": pod}}
    )
    program = pod.partition("-")[0]

    def is_replaced() -> bool:
        pods = _pods(control, fleet, program)
        return bool(pods) and all(each["ready"] and each["name"] != pod for each in pods)

    eventually(is_replaced, "another pod in its place")


def _bind(emulator: Emulator, fleet: dict[str, str], program: str) -> None:
    """Have the pods of another program be the targets."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "chat", "name": "gateway"}}
    ports = [{"port": 80, "targetPort": 8080}]
    _api(emulator, fleet).apply({**service, "spec": {"selector": {"app": program}, "ports": ports}})


def _api(emulator: Emulator, fleet: dict[str, str]) -> Kubernetes:
    """The cluster's API server, for who made the cluster."""
    found = emulator.endpoint.client("eks").describe_cluster(name=fleet["Cluster"])["cluster"]
    session = get_session()
    session.set_credentials("test", "test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_STS", emulator.endpoint.url)
        bearer = token(fleet["Cluster"], session, DEFAULT_REGION)
    return Kubernetes(found["endpoint"], found["certificateAuthority"]["data"], bearer)


def _events(api: Kubernetes) -> list[str]:
    """What was said of the objects in the namespace."""
    return [str(each["message"]) for each in api._request("GET", "/api/v1/namespaces/chat/events")["items"]]
