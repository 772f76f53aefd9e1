"""The Node.js service's own tests, run by its own test runner: `node --test` in services/aws_foundations."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import ROOT
from workbench.node import use_supported_node

pytestmark = pytest.mark.fast

SERVICE = ROOT / "services" / "aws_foundations"
AT_LEAST = 100  # that a runner which finds none is not taken for one that passed all
WITHIN = 60  # seconds; it takes three


@pytest.fixture(scope="module")
def report() -> str:
    """What the runner says, in TAP: a line a test, and at the end how many passed."""
    told = subprocess.run(
        [use_supported_node(), "--test", "--test-reporter=tap"],
        cwd=SERVICE,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return told.stdout + told.stderr


def _count(report: str, outcome: str) -> int:
    [number] = re.findall(rf"^# {outcome} (\d+)$", report, re.MULTILINE)
    return int(number)


def test_every_test_of_the_service_ran_and_passed(report: str) -> None:
    failed = re.findall(r"^not ok .*", report, re.MULTILINE)
    assert not failed, "\n".join([*failed, report[-4_000:]])
    assert _count(report, "pass") == _count(report, "tests") >= AT_LEAST


@pytest.mark.parametrize(
    "sentence",
    [
        "twenty at once with one key make one entry",
        'without its guard, "a key stands for one text" is seen to break',
        "it serves before any store is there, tells which are missing, and stops in order",
    ],
)
def test_what_the_service_promises_is_among_them(report: str, sentence: str) -> None:
    assert re.search(rf"^ok \d+ - {re.escape(sentence)}$", report, re.MULTILINE)
