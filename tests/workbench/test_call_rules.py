"""Which calls a fault strikes, and a process's other clock, without an offline AWS."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from workbench.offline.call_rules import Call, Rule, failed, throttled

pytestmark = pytest.mark.fast

UPDATE = Call("arn:aws:sts::000000000000:assumed-role/role/worker", "dynamodb", "UpdateItem")


def _rule(**how: Any) -> Rule:
    caller = re.compile(":assumed-role/role/worker$")
    return Rule(end=lambda: None, effect="throttled", caller=caller, **how)


@pytest.mark.parametrize(
    ("how", "struck"),
    [
        ({}, True),
        ({"service": "dynamodb"}, True),
        ({"service": "dynamodb", "action": "UpdateItem"}, True),
        ({"service": "dynamodb", "action": "PutItem"}, False),
        ({"service": "sqs"}, False),
        ({"share": 0.0}, False),
        ({"first": 0}, False),
        ({"after": 2}, False),
    ],
)
def test_a_rule_strikes_the_calls_that_it_names(how: dict[str, Any], struck: bool) -> None:
    assert _rule(**how).strikes(UPDATE) is struck


def test_a_rule_strikes_no_other_caller() -> None:
    other = Call("arn:aws:sts::000000000000:assumed-role/role/worker-two", "dynamodb", "UpdateItem")
    assert not _rule().strikes(other)


def test_calls_that_do_not_match_are_not_counted() -> None:
    rule = _rule(action="UpdateItem", first=1)
    assert not rule.strikes(Call(UPDATE.caller, "dynamodb", "GetItem"))
    assert [rule.strikes(UPDATE) for _ in range(3)] == [True, False, False]


def test_the_nth_call_is_struck_alone() -> None:
    rule = _rule(after=2)
    assert [rule.strikes(UPDATE) for _ in range(4)] == [False, True, False, False]


def test_a_share_is_about_that_share_and_the_same_each_time() -> None:
    first, second = (
        [rule.strikes(UPDATE) for _ in range(1000)] for rule in (_rule(share=0.3), _rule(share=0.3))
    )
    assert first == second
    assert 250 < sum(first) < 350
    other = _rule(share=0.3, seed=2)
    assert [other.strikes(UPDATE) for _ in range(1000)] != first


@pytest.mark.parametrize("service", ["dynamodb", "kinesis", "lambda", "s3", "sqs", "sns", "states"])
def test_the_sdk_takes_throttling_for_throttling(service: str) -> None:
    from botocore.retries import standard

    known: Any = standard.ThrottledRetryableChecker
    assert throttled(service).code in known._THROTTLED_ERROR_CODES


@pytest.mark.parametrize(("status", "code"), [(500, "InternalServerError"), (503, "ServiceUnavailable")])
def test_a_failing_service_names_its_failure(status: int, code: str) -> None:
    answer = failed("dynamodb", status)
    assert (answer.status, answer.code) == (status, code)


CLOCKS = """
import datetime, json, logging, time
from datetime import datetime as imported_class
from time import time as imported_function
from workbench.offline.clock import shift

real, monotonic = time.clock_gettime(time.CLOCK_REALTIME), time.monotonic()
shift(float({seconds}))
utc = datetime.timezone.utc


class Mine(datetime.datetime):
    pass


print(json.dumps({{
    "ahead": [
        time.time() - real,
        time.time_ns() / 1e9 - real,
        time.clock_gettime(time.CLOCK_REALTIME) - real,
        time.mktime(time.localtime()) - real,
        time.mktime(time.strptime(time.ctime())) - real,
        time.mktime(time.strptime(time.strftime("%Y %m %d %H %M %S"), "%Y %m %d %H %M %S")) - real,
        imported_function() - real,
        imported_class.now(utc).timestamp() - real,
        datetime.datetime.now().timestamp() - real,
        datetime.datetime.today().timestamp() - real,
        datetime.datetime.utcnow().replace(tzinfo=utc).timestamp() - real,
        logging.makeLogRecord({{}}).created - real,
    ],
    "day": str(datetime.date.today()) == time.strftime("%Y-%m-%d"),
    "kinds": [isinstance(Mine.now(), Mine), type(imported_class.now()) is datetime.datetime],
    "as it was": [time.monotonic() - monotonic, time.clock_gettime(time.CLOCK_MONOTONIC) - monotonic],
    "given": [time.gmtime(0).tm_year, time.strftime("%Y", time.gmtime(0)), imported_class.fromtimestamp(0, utc).year],
}}))
"""


@pytest.mark.parametrize("seconds", [90_000.0, -3600.0])
def test_every_wall_clock_of_a_process_is_shifted_and_no_other(seconds: float) -> None:
    script = CLOCKS.format(seconds=seconds)
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    seen = json.loads(finished.stdout)
    assert all(abs(ahead - seconds) < 2 for ahead in seen["ahead"]), seen["ahead"]
    assert all(passed < 2 for passed in seen["as it was"])
    assert seen["day"]
    assert seen["kinds"] == [True, True]
    assert seen["given"] == [1970, "1970", 1970]


class _Engine:
    """An engine with a part in each zone."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name, self.pids = kind, name, list[int]()
        self.down: set[str] = set()

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def lose_zone(self, zone: str) -> list[str]:
        self.down.add(zone)
        return [f"{self.name} in {zone}"]

    def restore_zone(self, zone: str) -> list[str]:
        self.down.discard(zone)
        return [f"{self.name} in {zone}"]


def test_a_lost_zone_is_lost_to_every_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.offline.parts import faults

    engines = {f"redis/{name}": _Engine("redis", name) for name in ("a", "b")}
    monkeypatch.setattr(faults, "RUNNING", engines)
    assert faults.lose_zone("us-east-1a") == {"stopped": ["a in us-east-1a", "b in us-east-1a"]}
    assert all(engine.down == {"us-east-1a"} for engine in engines.values())
    assert faults.restore_zone("us-east-1a") == {"started": ["a in us-east-1a", "b in us-east-1a"]}
    assert not any(engine.down for engine in engines.values())


def test_what_cannot_be_started_keeps_nothing_else_of_its_zone_down(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.offline.parts import faults

    class Broken(_Engine):
        def restore_zone(self, zone: str) -> list[str]:
            raise TimeoutError(f"{self.name} did not answer")

    engines = {"redis/a": Broken("redis", "a"), "redis/b": _Engine("redis", "b")}
    monkeypatch.setattr(faults, "RUNNING", engines)
    faults.lose_zone("us-east-1a")
    with pytest.raises(TimeoutError, match="a did not answer"):
        faults.restore_zone("us-east-1a")
    assert engines["redis/b"].down == set()


def test_a_zone_is_lost_and_back_whatever_stands_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.offline.engines.program import is_lost
    from workbench.offline.parts import faults

    monkeypatch.setattr(faults, "RUNNING", {})
    assert faults.lose_zone("us-east-1a") == {"stopped": []}
    assert is_lost("us-east-1a")
    faults.restore_zone("us-east-1a")
    assert not is_lost("us-east-1a")
    assert faults.restore_zone("us-east-1a") == {"started": []}


def test_the_calls_of_a_program_are_struck_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import sts

    from workbench.offline import standing
    from workbench.offline.parts import faults

    monkeypatch.setattr(faults, "RUNNING", {"program/task/1": _Engine("program", "task/1")})
    for key, session in (("ASIAPROGRAM", "task-1"), ("ASIAOTHER", "task-2")):
        arn = f"arn:aws:sts::000000000000:assumed-role/tasks/{session}"
        monkeypatch.setitem(sts._sessions, key, {"Arn": arn})
    fault = faults.strike_calls(who="task/1", effect="throttled", service="dynamodb")["fault"]
    assert _answered(faults.in_front_of(_served), "ASIAPROGRAM") == 400
    assert _answered(faults.in_front_of(_served), "ASIAOTHER") == 200
    assert standing.end(fault) == {"struck": 1}
    assert _answered(faults.in_front_of(_served), "ASIAPROGRAM") == 200


def test_a_program_is_killed_after_its_call_and_hears_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import sts

    from workbench.offline import standing
    from workbench.offline.parts import faults

    engine = _Engine("program", "task")
    monkeypatch.setattr(faults, "RUNNING", {"program/task": engine})
    arn = "arn:aws:sts::000000000000:assumed-role/tasks/task"
    monkeypatch.setitem(sts._sessions, "ASIAPROGRAM", {"Arn": arn})
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as program:
        engine.pids.append(program.pid)
        fault = faults.strike_calls(who="task", effect="killed", after=2)["fault"]
        assert _answered(faults.in_front_of(_served), "ASIAPROGRAM") == 200
        assert program.poll() is None
        assert _answered(faults.in_front_of(_served), "ASIAPROGRAM") is None
        assert program.wait(10) == -signal.SIGKILL
    assert standing.end(fault) == {"struck": 1}


async def _served(_scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["body"] == b"{}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def _answered(app: Any, access_key: str) -> int | None:
    """The status that an app answers to a call of DynamoDB; None where the connection ends without."""
    credential = f"{access_key}/20261120/us-east-1/dynamodb/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=x"
    headers = {"authorization": signed, "x-amz-target": "DynamoDB_20120810.GetItem"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "extensions": {},
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return int(sent[0]["status"]) if sent else None
