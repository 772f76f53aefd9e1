"""Steps, bounded waiting, and what a failed assert says."""

from __future__ import annotations

import pytest

from tests.plain_asserts import answers_302, is_two
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
