"""`blueprint cost`, `capacity` and `diagram`, on an assembly that lies in a folder."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import resource, written
from tests.commands import document, refusal
from workbench import catalogue
from workbench.blueprint import Blueprint
from workbench.cli import run
from workbench.workload import Workload

pytestmark = pytest.mark.fast

PLAIN = re.compile(r"-?\d+(\.\d+)?")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """1,000 users, who send 5,000,000 messages a month and make one call of 500 ms a second at the peak."""
    resources: dict[str, Any] = {
        "Jobs": resource("AWS::SQS::Queue", requests_per_month=5_000_000, peak_messages_per_second=1),
        "Work": resource(
            "AWS::Lambda::Function",
            invocations_per_month=1_000_000,
            peak_invocations_per_second=1,
            duration_ms=500,
        ),
        "Quiet": resource("AWS::SNS::Topic"),
        "Inner": resource("AWS::CloudFormation::Stack"),
        "Board": resource("AWS::CloudWatch::Dashboard"),
    }
    return written(tmp_path / "cdk.out", resources, users=1_000)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    return written(tmp_path / "foreign", {"Jobs": resource("AWS::SQS::Queue")})


@pytest.fixture
def synthesized(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, Path]]:
    """A blueprint `demo` whose every user sends 1,000 messages and makes 1 ÷ 1,000 calls of 500 ms a second.

    Holds what was synthesized: users, stage, folder.
    """
    made: list[tuple[int, str, Path]] = []

    def synthesize(blueprint: Blueprint, output: Path, *, users: int, stage: str, **_: Any) -> Path:
        made.append((users, stage, output))
        peak = Decimal(users) / 1000
        resources = {
            "Jobs": resource("AWS::SQS::Queue", requests_per_month=users * 1000),
            "Work": resource("AWS::Lambda::Function", peak_invocations_per_second=peak, duration_ms=500),
        }
        return written(output, resources, users)

    demo = Blueprint("demo", "", "", "", "", "", (), Workload({}), lambda *_: None)
    monkeypatch.setattr(catalogue, "find", lambda name: demo)
    monkeypatch.setattr(catalogue, "synthesize", synthesize)
    return made


def test_the_cost_document_keeps_its_contract(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "cost", "--assembly", str(folder))
    assert set(found) == {"name", "stage", "sizes", "unpriced", "warnings", "prices_as_of"}
    assert (found["name"], found["stage"], found["prices_as_of"]) == ("demo", "production", "2026-11-20")
    assert [each["type"] for each in found["unpriced"]] == ["AWS::CloudFormation::Stack"]
    assert list(found["sizes"]) == ["1000"]
    size = found["sizes"]["1000"]
    assert set(size) == {
        "monthly_usd",
        "idle_usd",
        "per_user_usd",
        "per_1000_requests_usd",
        "free_tier_usd",
        "payable_usd",
        "free_tier",
        "lines",
    }
    fields = {
        "resource",
        "type",
        "component",
        "unit",
        "quantity",
        "unit_price",
        "monthly_usd",
        "declared",
        "price_key",
        "price_as_of",
        "grade",
        "formula",
    }
    for line in size["lines"]:
        assert set(line) == fields
        for number in ("quantity", "unit_price", "monthly_usd"):
            assert PLAIN.fullmatch(line[number]), line
    assert sum(Decimal(line["monthly_usd"]) for line in size["lines"]) == Decimal(size["monthly_usd"])
    # 5 M × $0.40/M + 1 M × $0.20/M + 1 M × 0.5 s × 0.125 GB × $0.0000166667 + $3
    assert size["monthly_usd"] == "6.24166875"
    assert size["idle_usd"] == "3"
    assert size["per_user_usd"] == "0.00624166875"


def test_traffic_grows_with_the_users_that_are_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = document(capsys, "cost", "--assembly", str(folder), "--users", "1000,10000")["sizes"]
    assert list(sizes) == ["1000", "10000"]
    assert sizes["10000"]["monthly_usd"] == "35.4166875"
    assert sizes["10000"]["per_user_usd"] == "0.00354166875"


def test_a_foreign_assembly_is_priced_as_declared(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "cost", "--assembly", str(foreign))
    assert (found["name"], found["stage"]) == ("Demo", None)
    assert found["sizes"]["declared"]["per_user_usd"] is None
    [line] = found["sizes"]["declared"]["lines"]
    assert line["formula"] == "no usage declared: requests_per_month"


def test_the_table_shows_what_depends_on_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "--assembly", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "depends on usage" in shown
    assert "not priced: Inner (AWS::CloudFormation::Stack)" in shown
    assert "largest line" in shown


def test_the_summary_is_one_line_a_size(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "--assembly", str(folder), "--summary", "--users", "1000,10000"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"1,000 +\$6\.24 +\$0\.00624 +\$3\.00 +Board: Dashboards", shown)
    assert re.search(r"10,000 +\$35\.42 ", shown)
    assert "free allowance" in shown
    assert "depends on usage" not in shown


def test_a_resource_is_explained_to_the_dollar(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cost", "--assembly", str(folder), "--explain", "Jobs"]) == 0
    shown = capsys.readouterr().out
    assert "requests_per_month = 5,000,000 requests × $0.0000004 each" in shown
    assert "price sqs.standard, grade B" in shown


def test_the_capacity_document_keeps_its_contract(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "capacity", "--assembly", str(folder))
    assert set(found) == {
        "name",
        "stage",
        "sizes",
        "queues",
        "not_checked",
        "prerequisites",
        "first_to_break",
    }
    assert found["prerequisites"] == []
    fields = {
        "resource",
        "limit",
        "unit",
        "quota",
        "load",
        "utilisation",
        "headroom",
        "adjustable",
        "advice",
        "quota_formula",
        "load_formula",
        "source",
        "grade",
    }
    for each in found["sizes"]["1000"]:
        assert set(each) == fields
        for number in ("quota", "load", "utilisation", "headroom"):
            assert PLAIN.fullmatch(each[number]), each
        assert Decimal(each["utilisation"]) + Decimal(each["headroom"]) == 1
        assert each["advice"]
    assert set(found["first_to_break"]) == {"users", "resource", "limit", "why", "advice"}
    assert 2_000_000 < found["first_to_break"]["users"] <= 2_020_200


def test_capacity_says_in_a_sentence_where_it_breaks(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["capacity", "--assembly", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "demo breaks at about 2,000,000 users because account gets 1,0" in shown


@pytest.fixture
def standing(tmp_path: Path) -> Path:
    """A machine of eight vCPUs, which is three more than a new account may run, and nobody says for whom."""
    machine = resource("AWS::EC2::Instance", {"InstanceType": "m7g.2xlarge"})
    return written(tmp_path / "standing", {"Machine": machine})


def test_what_to_raise_before_a_deployment_is_part_of_the_document(
    standing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "capacity", "--assembly", str(standing))
    [raised] = found["prerequisites"]
    assert raised == {**found["sizes"]["declared"][0], "idle_load": "8"}
    assert (raised["load"], raised["quota"], raised["adjustable"]) == ("8", "5", True)
    assert found["first_to_break"]["users"] is None


def test_capacity_says_what_to_raise_before_a_deployment(
    standing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["capacity", "--assembly", str(standing)]) == 0
    shown = capsys.readouterr().out
    assert "before you deploy" in shown.splitlines()[2]
    assert "raise these before you deploy:\n  EC2 vCPUs" in shown
    assert "8 vCPUs needed, a new account has 5 (https://docs.aws.amazon.com/" in shown


def test_capacity_of_a_foreign_assembly_says_what_is_missing(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "capacity", "--assembly", str(foreign))
    assert found["first_to_break"]["users"] is None
    assert "Metadata.Workload.users" in found["first_to_break"]["why"]


def test_the_diagram_is_all_there_is_on_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diagram", "--assembly", str(folder)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("flowchart LR\n")
    assert '    Work["Work<br/>Lambda function"]\n' in captured.out
    assert captured.err == ""


@pytest.mark.parametrize("users", ["0", "-1", "many", ","])
@pytest.mark.parametrize("command", ["cost", "capacity"])
def test_a_size_is_at_least_one_user(
    command: str, users: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "size" in refusal(capsys, command, "--assembly", str(folder), f"--users={users}")


@pytest.mark.parametrize("command", ["cost", "capacity", "diagram"])
def test_a_folder_that_is_no_assembly_is_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "manifest.json" in refusal(capsys, command, "--assembly", str(tmp_path))


@pytest.mark.parametrize("command", ["cost", "capacity", "diagram"])
def test_a_name_and_a_folder_are_one_too_many(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "either" in refusal(capsys, command, "demo", "--assembly", str(folder))
    assert "either" in refusal(capsys, command)


@pytest.mark.parametrize("command", ["cost", "capacity"])
def test_users_of_an_assembly_that_names_none_cannot_be_scaled(
    command: str, foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "for how many users" in refusal(capsys, command, "--assembly", str(foreign), "--users", "1000")


def test_an_unknown_type_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = written(tmp_path, {"Robot": resource("AWS::RoboMaker::Fleet")})
    assert "AWS::RoboMaker::Fleet" in refusal(capsys, "cost", "--assembly", str(made))


def test_explaining_what_has_no_line_names_what_has(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Jobs" in refusal(capsys, "cost", "--assembly", str(folder), "--explain", "Nothing")


def test_a_blueprint_is_synthesized_at_each_size_and_leaves_no_folder(
    synthesized: list[tuple[int, str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "cost", "demo", "--users", "1000,100000")
    assert [(users, stage) for users, stage, _ in synthesized] == [
        (1_000, "production"),
        (100_000, "production"),
    ]
    assert not any(folder.exists() for _, _, folder in synthesized)
    assert (found["name"], found["stage"]) == ("demo", "production")
    assert [size["monthly_usd"] for size in found["sizes"].values()] == ["0.4", "40"]


def test_a_blueprint_is_priced_at_five_sizes_unless_told(
    synthesized: list[tuple[int, str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(document(capsys, "cost", "demo")["sizes"]) == [
        "1000",
        "10000",
        "100000",
        "1000000",
        "10000000",
    ]


def test_capacity_synthesizes_no_size_twice_and_few_in_all(
    synthesized: list[tuple[int, str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = document(capsys, "capacity", "demo")["first_to_break"]
    assert 2_000_000 < broken["users"] <= 2_020_200
    sizes = [users for users, _, _ in synthesized]
    assert len(sizes) == len(set(sizes)) <= 5 + 12


def test_an_interrupted_synthesis_leaves_no_folder(
    synthesized: list[tuple[int, str, Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders: list[Path] = []

    def interrupted(blueprint: Blueprint, output: Path, **_: Any) -> Path:
        (output / "half.json").write_text("{}")
        folders.append(output)
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogue, "synthesize", interrupted)
    assert run(["cost", "demo", "--users", "1000"]) == 1
    assert "interrupted" in capsys.readouterr().err
    assert [folder.exists() for folder in folders] == [False]
