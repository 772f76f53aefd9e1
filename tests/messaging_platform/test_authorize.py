"""The door of the WebSocket API: a ticket lets one connection in, and nothing else does."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.messaging_platform.sign_in import authorize
from lambdas.messaging_platform.sign_in.store import Holder, Tickets
from tests.messaging_platform.town import CONTEXT, Town, logged, meeting

pytestmark = pytest.mark.fast

ARN = "arn:aws:execute-api:eu-central-1:000000000000:a1b2c3/live/$connect"
TICKET = "a" * 43


def give_out(town: Town, ticket: str = TICKET, *, seconds: int = 60) -> None:
    """A ticket of ann's phone, as the directory gives it out."""
    place = {"ticket": ticket, "user": "ann", "device": "phone", "expires_at": int(time.time()) + seconds}
    town.put(town.tables.tickets_table, place)


def knock(query: dict[str, Any] | None) -> dict[str, Any]:
    event = {
        "type": "REQUEST",
        "methodArn": ARN,
        "queryStringParameters": query,
        "requestContext": {"requestId": uuid.uuid4().hex, "routeKey": "$connect"},
    }
    return authorize.handler(event, CONTEXT)


def effect(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == ARN
    return str(statement["Effect"])


def test_who_has_a_ticket_is_let_in_and_is_who_it_was_given_to(town: Town) -> None:
    give_out(town)
    answer = knock({"ticket": TICKET})
    assert effect(answer) == "Allow"
    assert answer["principalId"] == "ann"
    assert answer["context"] == {"user": "ann", "device": "phone"}


def test_a_ticket_is_good_once(town: Town) -> None:
    give_out(town)
    assert [effect(knock({"ticket": TICKET})) for _ in range(3)] == ["Allow", "Deny", "Deny"]


def test_of_two_at_once_with_one_ticket_one_is_let_in(town: Town, dynamodb: Any) -> None:
    give_out(town)
    tickets = Tickets(town.tables.tickets_table, lambda: dynamodb)
    with meeting(dynamodb, "delete_item", 8), ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tickets.use(TICKET), range(8)))
    assert [each for each in found if each is not None] == [Holder("ann", "phone")]


def test_a_ticket_is_good_for_its_time(town: Town, dynamodb: Any) -> None:
    town.put(
        town.tables.tickets_table, {"ticket": TICKET, "user": "ann", "device": "phone", "expires_at": 1_000}
    )
    moments = iter([1_000.0, 999.9])
    tickets = Tickets(town.tables.tickets_table, lambda: dynamodb, lambda: next(moments))
    assert [tickets.use(TICKET), tickets.use(TICKET)] == [None, Holder("ann", "phone")]


def test_a_ticket_that_is_past_its_time_is_denied_though_it_is_still_there(town: Town) -> None:
    give_out(town, seconds=-1)
    answer = knock({"ticket": TICKET})
    assert effect(answer) == "Deny"
    assert answer["context"] == {}


@pytest.mark.parametrize(
    "query",
    [
        None,
        {},
        {"ticket": ""},
        {"ticket": "short"},
        {"ticket": "x" * 5_000},
        {"ticket": "a b" * 9},
        {"other": TICKET},
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_is_no_ticket_is_denied_without_asking_the_table(
    town: Town, dynamodb: Any, monkeypatch: pytest.MonkeyPatch, query: dict[str, Any] | None
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(dynamodb, "delete_item", lambda **key: asked.append(key))
    assert effect(knock(query)) == "Deny"
    assert asked == []


def test_a_ticket_that_was_never_given_out_is_denied(town: Town) -> None:
    give_out(town)
    assert effect(knock({"ticket": "b" * 43})) == "Deny"
    assert effect(knock({"ticket": TICKET})) == "Allow"


def test_the_log_never_has_the_ticket(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    give_out(town)
    with caplog.at_level("INFO"):
        knock({"ticket": TICKET})
    log = logged(caplog)
    assert "'device': 'phone'" in log
    assert TICKET not in log
