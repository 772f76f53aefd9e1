"""The command as a person meets it: help that is complete, errors in one line, JSON alone on stdout."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from workbench import catalogue
from workbench.cli import COMMANDS, run

pytestmark = pytest.mark.fast


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name, command in COMMANDS.items():
        assert command.__doc__, name
        assert run([name, "--help"]) == 0
        assert command.__doc__.split("\n")[0] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("command", ["show", "dry-run", "play", "cost", "capacity", "diagram"])
def test_an_unknown_name_is_one_line_with_the_nearest(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "url_shortner"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "blueprint: there is no blueprint 'url_shortner'; did you mean url_shortener?\n"
    assert captured.out == ""


def test_a_name_like_nothing_points_to_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "zzz"]) == 2
    assert "`blueprint list` shows them all" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["0", "-1", "x", "1.5", "", "10,0"])
@pytest.mark.parametrize("command", ["cost", "capacity"])
def test_a_size_that_is_none_is_one_line(command: str, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "url_shortener", f"--users={size}"]) == 2
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert "size" in captured.err
    assert captured.out == ""


def test_a_stage_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "url_shortener", "--stage", "test"]) == 2
    assert capsys.readouterr().err == "blueprint: a stage is sandbox or production; got 'test'\n"


@pytest.mark.parametrize("arguments", [["dry-run"], ["no-such"], ["list", "--no-such"], ["cost", "a", "b"]])
def test_what_the_command_does_not_take_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_list_is_json_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed] == catalogue.names()
    assert all(set(each) == {"name", "title", "seed", "group"} for each in listed)


def test_show_tells_the_promise_and_the_rooms(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "url_shortener", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "never points at two URLs" in shown["promise"]
    assert shown["rooms"] == ["stacks/url_shortener", "lambdas/url_shortener", "tests/url_shortener"]
    assert run(["show", "url_shortener"]) == 0
    assert "blueprint dry-run url_shortener" in capsys.readouterr().out


def test_listing_needs_neither_the_cdk_nor_the_offline_aws() -> None:
    program = (
        "import sys\nfrom workbench.cli import run\nassert run(['list']) == 0\n"
        "heavy = {'aws_cdk', 'boto3', 'jsii', 'ministack'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_keep_takes_one_blueprint_and_no_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dry-run", "url_shortener", "--keep", "--endpoint", "http://127.0.0.1:1"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_playing_without_credentials_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert run(["play", "url_shortener", "--stack", "some"]) == 2
    assert "AWS cannot be asked" in capsys.readouterr().err
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert run(["play", "url_shortener", "--stack", "some"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
