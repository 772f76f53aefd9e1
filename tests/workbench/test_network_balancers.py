"""Network load balancers that the API makes: TCP, TLS, and when the load balancer ends a connection."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.offline import eventually
from workbench.dryrun.control import CommandRefused, Control
from workbench.dryrun.emulator import LOOPBACK, Emulator

TERMINATION = "deregistration_delay.connection_termination.enabled"
UNHEALTHY = "target_health_state.unhealthy.connection_termination.enabled"


@dataclass
class Balanced:
    """A load balancer on port 7000, its target group, and what it is made with."""

    host: str
    arn: str
    group: str
    api: Any
    control: Control

    def connect(self, port: int = 7000) -> socket.socket:
        found = self.control.call("balancers/address", host=self.host, port=port)
        return socket.create_connection((found["host"], found["port"]), timeout=5)

    def states(self) -> list[str]:
        found = self.api.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return [str(each["TargetHealth"]["State"]) for each in found]

    def attribute(self, key: str, value: str) -> None:
        attributes = [{"Key": key, "Value": value}]
        self.api.modify_target_group_attributes(TargetGroupArn=self.group, Attributes=attributes)


@contextmanager
def _echo() -> Iterator[int]:
    """A server that says again what it hears; its port."""
    listener = socket.create_server((LOOPBACK, 0))
    open_: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with suppress(OSError):
            while heard := connection.recv(1000):
                connection.sendall(heard)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in open_:
            each.close()


@pytest.fixture
def echo() -> Iterator[int]:
    with _echo() as port:
        yield port


@pytest.fixture
def balanced(emulator: Emulator, control: Control, echo: int) -> Iterator[Balanced]:
    """A load balancer whose one target is healthy."""
    api = emulator.endpoint.client("elbv2")
    group = api.create_target_group(
        Name="echo", Protocol="TCP", Port=echo, TargetType="ip", HealthCheckIntervalSeconds=5
    )["TargetGroups"][0]["TargetGroupArn"]
    api.register_targets(TargetGroupArn=group, Targets=[{"Id": LOOPBACK, "Port": echo}])
    made = api.create_load_balancer(Name="front", Type="network")["LoadBalancers"][0]
    balanced = Balanced(made["DNSName"], made["LoadBalancerArn"], group, api, control)
    listener = _listen(balanced, 7000, "TCP")
    eventually(lambda: balanced.states() == ["healthy"], "a healthy target")
    try:
        yield balanced
    finally:
        api.delete_listener(ListenerArn=listener)
        api.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
        api.delete_target_group(TargetGroupArn=group)


def _listen(balanced: Balanced, port: int, protocol: str) -> str:
    actions = [{"Type": "forward", "TargetGroupArn": balanced.group}]
    made = balanced.api.create_listener(
        LoadBalancerArn=balanced.arn, Port=port, Protocol=protocol, DefaultActions=actions
    )
    return str(made["Listeners"][0]["ListenerArn"])


def _says_again(connection: socket.socket, word: bytes) -> bool:
    connection.sendall(word)
    return connection.recv(1000) == word


def _ends(connection: socket.socket) -> bool:
    """Whether the other side ends it before anything is said."""
    connection.settimeout(5)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_bytes_pass_both_ways_as_they_are(balanced: Balanced) -> None:
    with balanced.connect() as connection:
        for word in (b"\x00\xff not HTTP\r\n\r\n", b"x" * 999):
            assert _says_again(connection, word)


def test_a_tls_listener_ends_tls(balanced: Balanced, emulator: Emulator) -> None:
    listener = _listen(balanced, 7443, "TLS")
    trusting = ssl.create_default_context(cafile=emulator.endpoint.ca_bundle)
    with (
        balanced.connect(7443) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert _says_again(connection, b"in secret")
    balanced.api.delete_listener(ListenerArn=listener)
    with pytest.raises(CommandRefused, match="no TCP or TLS listener on port 7443"):
        balanced.connect(7443)


def test_a_deleted_listener_ends_its_connections(balanced: Balanced) -> None:
    listener = _listen(balanced, 7001, "TCP")
    with balanced.connect(7001) as connection:
        assert _says_again(connection, b"here")
        balanced.api.delete_listener(ListenerArn=listener)
        assert _ends(connection)


def test_a_target_group_is_checked_by_connecting_if_nothing_is_said(balanced: Balanced) -> None:
    [group] = balanced.api.describe_target_groups(TargetGroupArns=[balanced.group])["TargetGroups"]
    assert (group["HealthCheckProtocol"], group["Matcher"]["HttpCode"]) == ("TCP", "200-399")


@pytest.mark.parametrize("terminates", [True, False])
def test_a_target_taken_out_drains_and_then_loses_its_connections_where_the_group_says_so(
    balanced: Balanced, echo: int, terminates: bool
) -> None:
    balanced.attribute("deregistration_delay.timeout_seconds", "15")  # half a second here
    balanced.attribute(TERMINATION, str(terminates).lower())
    with balanced.connect() as connection:
        assert _says_again(connection, b"before")
        balanced.api.deregister_targets(
            TargetGroupArn=balanced.group, Targets=[{"Id": LOOPBACK, "Port": echo}]
        )
        assert balanced.states() == ["draining"]
        assert _says_again(connection, b"while it drains")
        with balanced.connect() as late:
            assert _ends(late)  # there is nobody for new connections
        eventually(lambda: balanced.states() == [], "the end of its draining")
        if terminates:
            assert _ends(connection)
        else:
            assert _says_again(connection, b"after")


@pytest.mark.parametrize("terminates", [True, False])
def test_connections_of_a_target_that_is_unhealthy_end_unless_the_group_says_otherwise(
    balanced: Balanced, terminates: bool
) -> None:
    balanced.attribute(UNHEALTHY, str(terminates).lower())
    with balanced.connect() as connection:
        assert _says_again(connection, b"before")
        balanced.api.modify_target_group(
            TargetGroupArn=balanced.group, HealthCheckProtocol="HTTP", HealthCheckPath="/"
        )
        eventually(lambda: balanced.states() == ["unhealthy"], "an unhealthy target")
        assert _ends(connection) if terminates else _says_again(connection, b"after")


def test_a_connection_that_is_made_where_nobody_is_healthy_goes_on(balanced: Balanced) -> None:
    balanced.api.modify_target_group(
        TargetGroupArn=balanced.group, HealthCheckProtocol="HTTP", HealthCheckPath="/"
    )
    eventually(lambda: balanced.states() == ["unhealthy"], "an unhealthy target")
    with balanced.connect() as connection:
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):  # it is not ended
            connection.recv(1)
        assert _says_again(connection, b"open to all")


@pytest.mark.fast
def test_a_target_of_which_nothing_is_known_yet_is_no_healthy_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.offline.parts import load_balancers

    known = {("group", "10.0.0.2"): load_balancers.Health(state="healthy")}
    monkeypatch.setattr(load_balancers, "_follow", lambda _: None)  # it has just come, or drained
    monkeypatch.setattr(load_balancers, "_healths", known)
    group, targets = {"TargetGroupArn": "group"}, [{"Id": "10.0.0.1"}, {"Id": "10.0.0.2"}]
    assert [load_balancers.next_target(group, targets)["Id"] for _ in range(3)] == ["10.0.0.2"] * 3
    assert load_balancers.next_target(group, targets[:1])["Id"] == "10.0.0.1"


def test_an_application_load_balancer_has_no_port_of_its_own(emulator: Emulator, control: Control) -> None:
    api = emulator.endpoint.client("elbv2")
    made = api.create_load_balancer(Name="other", Type="application")["LoadBalancers"][0]
    with pytest.raises(CommandRefused, match="no network load balancer"):
        control.call("balancers/address", host=made["DNSName"], port=80)
    api.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
