"""Steps, bounded waiting, and what a failed assert says."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.plain_asserts import answers_302, is_two
from workbench.dryrun.control import CommandRefused, Control, reach
from workbench.dryrun.emulator import LOOPBACK, Endpoint
from workbench.dryrun.faults import Faults, FaultUnavailable
from workbench.dryrun.http import Http
from workbench.dryrun.world import StepFailed, World

pytestmark = pytest.mark.fast


@pytest.fixture
def world() -> World:
    return World({}, lambda service: pytest.fail(f"no client was to be made: {service}"), Http())


def test_a_step_that_fails_ends_the_play_and_says_what_it_compared(world: World) -> None:
    answer = type("Answer", (), {"status": 500})()
    with pytest.raises(StepFailed), world.step("it answers"):
        answers_302(answer)
    [step] = world.steps
    assert not step.passed
    assert step.error is not None
    assert "assert answer.status == 302" in step.error
    assert "answer.status = 500" in step.error


def test_an_error_in_a_step_is_named_by_its_kind(world: World) -> None:
    with pytest.raises(StepFailed), world.step("it answers"):
        raise ConnectionError("nobody there")
    assert world.steps[0].error == "ConnectionError: nobody there"


def test_waiting_is_bounded_and_says_for_what(world: World) -> None:
    with pytest.raises(AssertionError, match=r"the count within 0 s: .*seen = 1"):
        world.eventually(lambda: is_two(1), within=0.1, what="the count")


def test_waiting_ends_as_soon_as_it_is_true(world: World) -> None:
    answers = iter([False, None, "yes"])
    assert world.eventually(lambda: next(answers), within=5) == "yes"


def test_a_step_whose_fault_cannot_be_made_here_is_not_played_and_the_play_goes_on(world: World) -> None:
    with world.step("it survives"), world.faults.region_cut_off("us-east-1"):
        pytest.fail("what the fault is for must not run without it")
    with world.step("it answers"):
        pass
    survives, answers = world.steps
    assert survives.not_played == "only our own offline AWS can make the fault region_cut_off"
    assert (survives.passed, survives.failed, survives.error) == (False, False, None)
    assert (answers.passed, answers.failed, answers.not_played) == (True, False, None)


def test_a_step_that_is_not_for_aws_says_why_it_is_not_played_there(world: World) -> None:
    with world.step("in the morning"):
        world.only_offline("nobody waits until then")
        pytest.fail("what comes after it is not for AWS")
    assert world.steps[0].not_played == "nobody waits until then"


class _Recorder(Control):
    """A control that remembers what it is asked, and whose faults have struck `struck` times."""

    def __init__(self, struck: int = 1) -> None:
        super().__init__(Endpoint("https://nowhere"))
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.struck = struck

    def call(self, command: str, **arguments: Any) -> Any:
        self.asked.append((command, arguments))
        mappings = [{"mapping": "one", "records": self.struck}]
        return {"fault": "fault-1", "struck": self.struck, "stopped": ["cache"], "mappings": mappings}


@pytest.fixture
def recorder() -> _Recorder:
    return _Recorder()


@pytest.fixture
def faults(recorder: _Recorder) -> Faults:
    return Faults(
        lambda service: pytest.fail(f"no client was to be made: {service}"), recorder, lambda *_: None
    )


CACHE, BROKER, ZONE = {"name": "cache"}, {"name": "events", "broker": 2}, {"zone": "us-east-1a"}


def test_a_fault_ends_also_when_what_it_was_for_fails(recorder: _Recorder, faults: Faults) -> None:
    lasting: list[AbstractContextManager[Any]] = [
        faults.stopped("redis", "cache"),
        faults.broker_down("events", 2),
        faults.zone_lost("us-east-1a"),
        faults.throttled("worker", "sqs"),
    ]
    for fault in lasting:
        with pytest.raises(ZeroDivisionError), fault:
            raise ZeroDivisionError
    assert [(command, arguments) for command, arguments in recorder.asked if "calls" not in command] == [
        ("redis/stop", CACHE),
        ("redis/start", CACHE),
        ("kafka/stop_broker", BROKER),
        ("kafka/start_broker", BROKER),
        ("zone/lose", ZONE),
        ("zone/restore", ZONE),
        ("faults/end", {"fault": "fault-1"}),
    ]


def test_what_comes_into_a_topic_is_held_and_delivered_in_another_order(
    recorder: _Recorder, faults: Faults
) -> None:
    topic = "arn:aws:kafka:us-east-1:000000000000:cluster/events/1"
    with faults.reordered(topic):
        assert [command for command, _ in recorder.asked] == ["streams/hold"]
    assert [command for command, _ in recorder.asked] == [
        "streams/hold",
        "streams/reorder",
        "streams/release",
    ]
    assert all(arguments == {"mapping": topic} for _, arguments in recorder.asked)


def test_a_server_is_restarted_in_one_go(recorder: _Recorder, faults: Faults) -> None:
    faults.restarted("postgres", "orders")
    assert recorder.asked == [("postgres/restart", {"name": "orders"})]


def test_a_lost_zone_names_what_stood_in_it(faults: Faults) -> None:
    with faults.zone_lost("us-east-1a") as stopped:
        assert stopped == ["cache"]


def test_a_fault_that_struck_nothing_has_proven_nothing() -> None:
    faults = Faults(lambda _: None, _Recorder(struck=0), lambda *_: None)
    with pytest.raises(AssertionError, match="slow struck nothing"), faults.slow("worker", "sqs", seconds=1):
        pass


def test_a_stream_that_has_delivered_nothing_delivers_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.dryrun.faults.SETTLED_WITHIN", 0.1)
    control = _Recorder(struck=0)
    faults = Faults(lambda _: None, control, lambda *_: None)
    with pytest.raises(AssertionError, match="has delivered nothing yet"), faults.delivered_again("a stream"):
        pytest.fail("nothing was to run")
    control.struck = 3
    with faults.delivered_again("a stream") as again:
        assert again() == 3


def test_where_no_offline_aws_answers_there_is_no_control() -> None:
    nobody = Endpoint(f"http://{LOOPBACK}:9")
    assert reach(nobody) is None
    with pytest.raises(CommandRefused, match=r"faults/standing: .* did not answer it"):
        Control(nobody).call("faults/standing")
    with pytest.raises(FaultUnavailable):
        Faults(lambda _: None, None, lambda *_: None).restarted("redis", "cache")
