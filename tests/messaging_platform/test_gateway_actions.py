"""What the gateway does for a frame: the same as the functions behind API Gateway, whatever comes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest

from lambdas.messaging_platform.people import Connection
from lambdas.messaging_platform.presence.cache import Heard, State
from lambdas.messaging_platform.presence.logic import Services, Socket
from lambdas.messaging_platform.records import Presence, Typing
from lambdas.messaging_platform.sign_in.store import Holder
from lambdas.shared.errors import NotFound, Unavailable
from services.messaging_platform.gateway.actions import Actions
from tests.messaging_platform.quiet import quiet_log

pytestmark = pytest.mark.fast

SOCKET = Socket("ann", "a1", "c1", "http://10.0.0.1:8081", 1_000)
CHAT = "g-" + "0" * 32


class Fake:
    """Tickets, the store of messages, and what presence needs, as far as frames here get."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails: Exception | None = None
        self.told: list[Presence | Typing] = []
        self.closed: list[str] = []
        self.noted: Connection | None = Connection("old", "")  # None: there is no such device

    # Tickets

    def use(self, ticket: str) -> Holder | None:
        self.asked.append(ticket)
        return Holder("ann", "a1")

    # Messages

    def still_has_device(self, user: str, device: str) -> bool:
        return True

    def entries(self, user: str, device: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        if self.fails:
            raise self.fails
        return []

    # Devices

    def connect(self, user: str, device: str, connection: str, gateway: str, at: int) -> Connection | None:
        self.asked.append(f"{connection} {gateway} {at}")
        if self.noted is None:
            raise NotFound("you have no such device")
        return self.noted

    def disconnect(self, user: str, device: str, connection: str) -> bool:
        self.asked.append(f"disconnect {connection}")
        return True

    # Presence

    def heartbeat_and_look(
        self, user: str, device: str, connection: str, users: Sequence[str], **_: object
    ) -> tuple[Heard, dict[str, State | None]]:
        if self.fails:
            raise self.fails
        return Heard(came_online=True, moved=False), {each: State(True, None) for each in users}

    def gone(self, user: str, device: str, connection: str, *, was_noted: bool) -> int | None:
        return 900

    def may_type(self, user: str, device: str, chat: str) -> bool:
        return False

    def tell(self, record: Presence | Typing) -> None:
        self.told.append(record)

    def close(self, connection: str, gateway: str) -> object:
        self.closed.append(connection)
        return True


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def actions(fake: Fake) -> Actions:
    anything = cast(Any, fake)
    services = Services(anything, anything, anything, anything)
    return Actions(fake, anything, services, quiet_log(), lambda: 1_000)


def answered(actions: Actions, frame: Any) -> Any:
    text = frame if isinstance(frame, str | bytes) else json.dumps(frame)
    reply = actions.answer(SOCKET, text)
    return reply and json.loads(reply)


def test_a_ticket_of_another_shape_is_not_asked_for(actions: Actions, fake: Fake) -> None:
    assert actions.admit("short") is None
    assert actions.admit("x" * 16 + "#") is None
    assert actions.admit("x" * 32) == Holder("ann", "a1")
    assert fake.asked == ["x" * 32]


def test_a_connection_is_noted_with_its_gateway_and_the_one_before_it_closed(
    actions: Actions, fake: Fake
) -> None:
    actions.connect(SOCKET)
    assert fake.asked == ["c1 http://10.0.0.1:8081 1000"]
    assert fake.closed == ["old"]
    assert fake.told == [Presence("ann", online=True, last_seen=None)]


def test_a_device_that_is_not_registered_does_not_stay(actions: Actions, fake: Fake) -> None:
    fake.noted = None
    with pytest.raises(NotFound):
        actions.connect(SOCKET)


def test_the_end_of_a_connection_is_told(actions: Actions, fake: Fake) -> None:
    actions.disconnect(SOCKET)
    assert fake.asked == ["disconnect c1"]
    assert fake.told == [Presence("ann", online=False, last_seen=900)]


def test_a_frame_goes_to_the_service_that_knows_its_action(actions: Actions) -> None:
    assert answered(actions, {"action": "sync", "after": None, "limit": 10}) == {
        "type": "page",
        "events": [],
        "cursor": None,
    }
    assert answered(actions, {"action": "heartbeat", "watch": ["bob"]}) == {
        "type": "alive",
        "users": {"bob": {"online": True, "last_seen": None}},
    }
    assert answered(actions, {"action": "typing", "chat": CHAT, "on": True}) is None
    assert answered(actions, b'{"action":"heartbeat","watch":[]}') == {"type": "alive", "users": {}}


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "no JSON",
        "[]",
        "null",
        "{}",
        '{"action":7}',
        '{"action":"unknown"}',
        '{"action":"send"}',
        '{"action":"heartbeat","watch":7}',
        "[" * 30_000,
        b"\xff\xfe",
        b'{"action":"heartbeat","watch":["\xff"]}',
    ],
)
def test_whatever_comes_is_answered(frame: str | bytes, actions: Actions) -> None:
    reply = answered(actions, frame)
    assert (reply["type"], reply["reason"]) == ("refused", "malformed")


@pytest.mark.parametrize(
    ("failure", "frame"),
    [
        (Unavailable("away"), {"action": "sync", "after": None, "limit": 10}),
        (RuntimeError("AccessDenied"), {"action": "sync", "after": None, "limit": 10}),
        (Unavailable("away"), {"action": "heartbeat", "watch": []}),
        (RuntimeError("AccessDenied"), {"action": "heartbeat", "watch": []}),
    ],
)
def test_a_failure_is_answered_as_one_that_may_pass_and_says_nothing_of_its_cause(
    failure: Exception, frame: Any, actions: Actions, fake: Fake
) -> None:
    fake.fails = failure
    reply = answered(actions, frame)
    assert (reply["type"], reply["reason"]) == ("refused", "unavailable")
    assert "AccessDenied" not in json.dumps(reply)
