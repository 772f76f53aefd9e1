"""What tests ask of the command line: its output, its document, the one line of a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workbench.cli import run


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that ends well writes on stdout; nothing else is written."""
    assert run(list(arguments)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The same as data: what it writes with `--json`."""
    return json.loads(output(capsys, *arguments, "--json"))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which misuse is answered."""
    assert run(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err
