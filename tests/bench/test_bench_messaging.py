"""What the benchmarks of messaging find, without a deployment: how fast anything is, no test asserts."""

from __future__ import annotations

import json
import threading
import time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import foundations, messaging, messaging_cost, reference_chat
from bench.fresh import ProbeFailed
from bench.messaging import App, Came, Frames, Sent
from bench.offline import Offline
from lambdas.messaging_platform.keys import inbox_entry
from lambdas.messaging_platform.messaging.relay import read
from lambdas.messaging_platform.records import decode
from lambdas.messaging_platform.settings import MessagingSettings
from stacks.messaging_platform.traffic import Traffic
from stacks.messaging_platform.workload import WORKLOAD
from workbench.assembly import Assembly
from workbench.review.capacity import limits
from workbench.review.cost import price

pytestmark = pytest.mark.fast

CHAT = "d-" + "0" * 32
USERS = 1_000


# Frames


def test_a_frame_has_the_moment_of_its_first_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = Frames()
    for now in (1.0, 2.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        frames.append({"type": "event", "chat": CHAT, "seq": 7})
    assert frames.event((CHAT, 7)) == 1.0
    assert len(frames) == 2


def test_whoever_waits_for_a_frame_is_woken_by_it() -> None:
    frames, found = Frames(), []
    waiting = threading.Thread(target=lambda: found.append(frames.answer("a")[1]["seq"]))
    waiting.start()
    frames.append({"type": "event", "chat": CHAT, "seq": 1})
    frames.append({"type": "sent", "id": "a", "chat": CHAT, "seq": 2})
    waiting.join(timeout=10)
    assert found == [2]


def test_a_frame_that_does_not_come_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messaging, "WITHIN", 0.01)
    with pytest.raises(ProbeFailed, match="no event 7"):
        Frames().event((CHAT, 7))


def test_a_message_that_is_refused_ends_the_benchmark() -> None:
    app = App.__new__(App)
    app.frames = Frames()

    def refuse(frame: dict[str, Any]) -> None:
        app.frames.append({"type": "refused", "id": frame["id"], "reason": "too_many"})

    app.device = cast(Any, SimpleNamespace(socket=SimpleNamespace(send=refuse)))
    with pytest.raises(ProbeFailed, match="too_many"):
        app.send(CHAT)


# Figures


def _came(*milliseconds: float) -> list[Came]:
    return [
        Came(Sent((CHAT, seq), began=10.0, answered=10.0 + ms / 2000), at=10.0 + ms / 1000)
        for seq, ms in enumerate(milliseconds, 1)
    ]


def test_latency_is_from_the_frame_that_was_sent_to_the_one_that_came() -> None:
    half, most = messaging._latency("one to one", _came(20, 40, 90))
    assert (half.what, most.what, half.unit) == ("one to one: p50", "one to one: p99", "ms")
    assert [half.value, most.value] == pytest.approx([40, 90])


def test_the_stages_are_parts_of_the_whole_and_the_relay_is_known_by_its_log() -> None:
    line = json.dumps({"message": messaging.RELAYED, "chat": CHAT, "seq": 1} | _at(10.03))
    other = json.dumps({"message": "something else", "chat": CHAT, "seq": 1} | _at(10.0))
    system = _system_that_logged(line, other, "START RequestId: 1")
    answered, relayed, came = messaging._stages(system, _came(40))
    assert [answered.value, relayed.value, came.value] == pytest.approx([20, 30, 40])
    assert [answered.ratio, relayed.ratio, came.ratio] == pytest.approx([0.5, 0.75, 1.0])


def _at(second: float) -> dict[str, str]:
    return {"timestamp": f"1970-01-01 00:00:{second:06.3f}+0000".replace(".", ",")}


def _system_that_logged(*lines: str) -> Offline:
    pages = SimpleNamespace(paginate=lambda **_: [{"events": [{"message": line} for line in lines]}])
    clients = {
        "lambda": SimpleNamespace(
            get_function_configuration=lambda **_: {"LoggingConfig": {"LogGroup": "relay"}}
        ),
        "logs": SimpleNamespace(get_paginator=lambda _: pages),
    }
    system = SimpleNamespace(client=clients.__getitem__, outputs={"RelayFunctionArn": "arn"})
    return cast(Offline, system)


def test_the_relay_says_what_the_benchmark_looks_for() -> None:
    source = Path(reference_chat.__file__).parents[1] / "lambdas" / "messaging_platform" / "messaging"
    assert f'"{messaging.RELAYED}"' in (source / "relay.py").read_text()


def _pair(*logs: list[tuple[int, str]]) -> messaging.Pair:
    def app(log: list[tuple[int, str]]) -> App:
        found = [{"seq": seq, "id": id} for seq, id in log]
        return cast(App, SimpleNamespace(device=SimpleNamespace(log=lambda _: found)))

    one, other = map(app, logs)
    return one, other, CHAT


@pytest.mark.parametrize(
    ("one", "other", "wrong"),
    [
        ([(1, "a"), (2, "b")], [(1, "a"), (2, "b")], 0),
        ([(1, "a"), (2, "b")], [(1, "a")], 1),
        ([(1, "a"), (2, "b")], [(1, "a"), (2, "c")], 1),
        ([(1, "a"), (2, "b")], [(2, "b"), (1, "a")], 1),
        ([(1, "a"), (2, "b")], [(1, "a"), (2, "b"), (2, "b")], 1),
        ([(1, "a"), (3, "b")], [(1, "a"), (3, "b")], 1),
        ([(1, "a"), (2, "a")], [(1, "a"), (2, "a")], 1),
        ([], [(1, "a"), (2, "b")], 2),
    ],
)
def test_what_is_missing_twice_or_out_of_order_is_counted(
    one: list[tuple[int, str]], other: list[tuple[int, str]], wrong: int
) -> None:
    assert messaging._not_shown([_pair(one, other)]) == wrong


def test_a_message_that_is_stored_for_a_catch_up_is_that_event_to_the_relay_and_in_an_inbox() -> None:
    event = messaging._event(CHAT, "11111111-0000-0000-0000-000000000000", 5)
    item = messaging._item(event)
    place = {"chat": item["chat"], "entry": item["entry"]}
    assert read({"eventName": "INSERT", "dynamodb": {"NewImage": item, "Keys": place}}) == event
    entry = messaging._entry("user#device", event)
    assert decode(entry["event"]["S"].encode()) == event
    assert entry["entry"]["S"] == inbox_entry(CHAT, 5)


def test_batches_hold_every_item_once() -> None:
    batches = list(messaging._batches(range(3, 56)))
    assert [each for batch in batches for each in batch] == list(range(3, 56))
    assert max(map(len, batches)) == messaging.AT_ONCE


def test_nobody_sends_more_in_a_minute_than_a_user_may() -> None:
    most = MessagingSettings.messages_a_minute
    assert most >= 1 + messaging.IN_TURN
    assert most >= 1 + messaging.WARM_UP + messaging.EACH
    assert all(1 + messages <= most for messages in messaging.GROUPS.values())


@pytest.mark.parametrize(
    ("command_line", "kind"),
    [
        ("/bin/python -m services.messaging_platform.fanout ", "fan-out"),
        ("/bin/python -m services.messaging_platform.inspection ", "inspection"),
        ("/bin/python -m workbench.offline.engines.kafka_broker use1-az1 ", "Kafka"),
    ],
)
def test_the_programs_of_messaging_are_known_among_the_engines(command_line: str, kind: str) -> None:
    assert foundations.kind_of(command_line, messaging.KINDS) == kind


# Costs


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return reference_chat.assembly(USERS, tmp_path_factory.mktemp("reference") / "assembly")


def test_the_reference_pays_for_a_post_of_every_message_to_every_connection(reference: Assembly) -> None:
    traffic = Traffic(WORKLOAD.at(USERS))
    told = (traffic.events + traffic.transitions).per_month.value
    posts = told * Decimal(USERS) * 5400 / 86_400
    [line] = [line for line in price(reference).lines if line.component == "Messages (WebSocket)"]
    assert float(line.quantity) == pytest.approx(float(posts + traffic.events.per_month.value))


def test_all_that_the_reference_has_is_priced_and_its_limits_are_known(reference: Assembly) -> None:
    bill = price(reference)
    assert bill.unpriced == ()
    assert all(line.declared for line in bill.lines)
    assert limits(reference)


def test_a_broadcast_grows_with_the_square_of_the_users(reference: Assembly, tmp_path: Path) -> None:
    twice = reference_chat.assembly(2 * USERS, tmp_path / "twice")
    for component in ("Messages (WebSocket)", "Data out (internet)"):
        one, other = (
            sum(line.quantity for line in price(each).lines if line.component == component)
            for each in (reference, twice)
        )
        assert float(other / one) == pytest.approx(4, rel=0.03)  # what comes in grows with the users


def test_dollars_are_told_for_a_million_messages() -> None:
    messages = Traffic(WORKLOAD.at(USERS)).events.per_month.value
    assert messaging_cost.each_million(messages, USERS) == pytest.approx(1_000_000)


def test_the_first_way_is_what_the_others_and_the_reference_are_compared_with() -> None:
    ours = {"one": Decimal(200), "other": Decimal(100)}
    one, other, reference = messaging_cost.at_size(USERS, ours, Decimal(600))
    assert (one.what, one.ratio) == ("1,000 users: one", None)
    assert [other.ratio, reference.ratio] == pytest.approx([0.5, 3.0])
    assert (other.peer, reference.peer) == ("one", "one")


def test_the_size_from_which_a_way_is_cheaper_is_where_the_bills_cross() -> None:
    row = messaging_cost.cheaper_from("ours", lambda users: Decimal(5_000), lambda users: Decimal(users))
    assert row.value == pytest.approx(5_000, rel=0.02)


@pytest.mark.parametrize("dollars", [1, 10**9])
def test_bills_that_do_not_cross_are_said_not_to(dollars: int) -> None:
    with pytest.raises(ValueError, match="do not cross once"):
        messaging_cost.cheaper_from("ours", lambda _: Decimal(dollars), lambda users: Decimal(users))
