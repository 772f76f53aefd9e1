"""`blueprint cost`: regions, free tier, budgets, curves, differences, choices and usage files."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.assemblies import resource, stack, written
from tests.commands import document, output, refusal
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.blueprint import Blueprint, Choice
from workbench.cli import run
from workbench.review.cost import price
from workbench.review.usage import add_usage
from workbench.workload import Workload

pytestmark = pytest.mark.fast

MILLION = 1_000_000


def queues(**requests: int) -> dict[str, Any]:
    return {name: resource("AWS::SQS::Queue", requests_per_month=each) for name, each in requests.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """1,000 users: 5 M requests to a queue ($2), and a dashboard ($3)."""
    board = {"Board": resource("AWS::CloudWatch::Dashboard")}
    return written(tmp_path / "cdk.out", {**queues(Jobs=5 * MILLION), **board}, users=1_000)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """An app that says nothing of its use: a queue and a table."""
    table = {"BillingMode": "PAY_PER_REQUEST"}
    resources = {
        "Jobs": resource("AWS::SQS::Queue", path="Shop/Jobs/Resource"),
        "Links": resource("AWS::DynamoDB::Table", table, path="Shop/Links/Resource"),
    }
    return written(tmp_path / "foreign", resources)


def of(folder: Path) -> tuple[str, str, str]:
    return ("cost", "--assembly", str(folder))


# Regions, the free tier, nights


def test_a_region_that_is_asked_for_has_its_own_prices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = resource("AWS::ApiGatewayV2::Api", requests_per_month=MILLION, egress_gb_per_month=0)
    made = written(tmp_path / "api", {"Api": api})
    found = document(capsys, *of(made), "--region", "eu-west-1")["sizes"]["declared"]
    assert found["monthly_usd"] == "1.11"
    assert "'mars-1'" in refusal(capsys, *of(made), "--region", "mars-1")


def test_what_has_no_price_there_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = output(capsys, *of(folder), "--region", "eu-west-1")
    assert "the price 'sqs.standard' is not known in eu-west-1" in shown
    assert "not priced, and in no sum" in shown


def test_the_free_tier_is_a_line_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Free tier" not in output(capsys, *of(folder))
    shown = output(capsys, *of(folder), "--free-tier")
    # 1 M of 5 M requests, and one of three dashboards: $0.40 + $3
    assert re.search(r"Free tier +always free, for the whole account +−\$3\.40", shown)
    assert re.search(r"1,000 +\$5\.00 +−\$3\.40 +\$1\.60", shown)
    size = document(capsys, *of(folder), "--free-tier")["sizes"]["1000"]
    assert (size["monthly_usd"], size["free_tier_usd"], size["payable_usd"]) == ("5", "3.4", "1.6")
    assert [each["name"] for each in size["free_tier"]] == ["CloudWatch dashboards", "SQS requests"]


def test_a_night_forgotten_is_twelve_hours_of_the_idle_bill(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Forgotten overnight, with nobody there, it costs $0.05 " in output(
        capsys, *of(folder)
    )  # $3 × 12 ÷ 730


@pytest.mark.parametrize("users", ["1000,10000,1_000,,10000", " 10000 , 1000"])
def test_sizes_come_once_and_in_order(users: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(document(capsys, *of(folder), "--users", users)["sizes"]) == ["1000", "10000"]


@pytest.mark.parametrize("users", ["0", "-5", "1.5", "1e6", "many", ",", str(10**13), "1" + "0" * 4_000])
def test_a_size_is_a_number_of_people(users: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, *of(folder), f"--users={users}")
    assert "size" in said
    assert len(said) < 120 or len(users) > 100


def test_many_alike_are_one_row_and_what_nobody_declared_stays_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = {"A": resource("AWS::SQS::Queue"), **queues(**{f"Q{each}": 0 for each in range(4)})}
    shown = output(capsys, *of(written(tmp_path / "quiet", quiet)))
    for name in quiet:
        assert re.search(rf"^ {name} +Requests", shown, re.MULTILINE)
    alike = {f"Board{each}": resource("AWS::CloudWatch::Dashboard") for each in range(4)}
    assert "4 × Dashboard" in output(capsys, *of(written(tmp_path / "alike", alike)))


def test_what_is_not_priced_at_one_size_only_is_in_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def synthesize(blueprint: Blueprint, output: Path, *, users: int, **_: Any) -> Path:
        inner = {"Inner": resource("AWS::CloudFormation::Stack")} if users > 1_000 else {}
        return written(output, {**queues(Jobs=1), **inner}, users)

    made = Blueprint("demo", "", "", "", "", "", (), Workload({}), lambda *_: None)
    monkeypatch.setattr(catalogue, "find", lambda name: made)
    monkeypatch.setattr(catalogue, "synthesize", synthesize)
    found = document(capsys, "cost", "demo", "--users", "1000,10000")
    assert [each["resource"] for each in found["unpriced"]] == ["Inner"]


def test_the_classes_are_those_of_the_region_that_is_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [jobs, _] = document(capsys, *of(folder), "--coverage", "--region", "eu-west-1")["resources"]
    assert (jobs["class"], jobs["why"]) == ("not priced", "no price of sqs.standard in eu-west-1")
    assert "'mars-1'" in refusal(capsys, *of(folder), "--coverage", "--region", "mars-1")


def test_the_idle_bill_is_what_stands_there_with_nobody(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = document(capsys, *of(folder), "--idle")["sizes"]["1000"]
    paid = {line["resource"]: line["monthly_usd"] for line in size["lines"]}
    assert paid == {"Jobs": "0", "Board": "3"}
    assert size["monthly_usd"] == size["idle_usd"] == "3"
    assert size["per_user_usd"] is size["per_1000_requests_usd"] is None
    shown = output(capsys, *of(folder), "--idle")
    assert "Board" in shown
    assert "Jobs" not in shown  # nobody asks, nothing is paid


def test_old_prices_and_those_from_memory_are_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = resource("AWS::Backup::BackupVault", stored_gb=10)
    shown = output(
        capsys,
        *of(written(tmp_path / "vault", {"Vault": vault, "Board": resource("AWS::CloudWatch::Dashboard")})),
    )
    assert "? is from memory only: backup." in shown
    assert re.search(r"last seen more than 180 days ago, the oldest on 20\d\d-\d\d-\d\d", shown)


# Budgets


@pytest.mark.parametrize(("budget", "code"), [("4.99", 1), ("5", 0), ("$1,000", 0), ("0", 1)])
def test_a_budget_decides_the_exit_code_after_the_bill_is_shown(
    budget: str, code: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*of(folder), "--budget", budget, "--json"]) == code
    captured = capsys.readouterr()
    assert json.loads(captured.out)["sizes"]["1000"]["monthly_usd"] == "5"
    assert ("over budget at 1,000 users: $5.00 a month against" in captured.err) == bool(code)


def test_any_size_may_break_the_budget(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*of(folder), "--users", "1000,10000", "--budget", "20"]) == 1
    assert "at 10,000 users: $23.00" in capsys.readouterr().err


def test_a_budget_says_what_it_is_not_held_against(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volume = {"Volume": resource("AWS::EC2::Volume", {"VolumeType": "gp3", "Size": 1000})}
    there = (*of(written(tmp_path / "volume", volume)), "--region", "eu-west-1", "--budget", "1")
    for more in ((), ("--summary",), ("--json",), ("--explain", "Volume")):
        code = run([*there, *more])
        captured = capsys.readouterr()
        assert code == (2 if more[:1] == ("--explain",) else 0)
        if code == 0:
            assert captured.err == (
                "the budget is held against less than all: 1 thing is not priced, and in no sum\n"
            )
    assert run([*of(foreign), "--budget", "1", "--summary"]) == 0
    captured = capsys.readouterr()
    assert "4 lines hang on usage that nobody declared" in captured.out
    assert "less than all: 4 lines hang on usage that nobody declared" in captured.err


@pytest.mark.parametrize("budget", ["-1", "much", "nan", "inf"])
def test_a_budget_is_an_amount(budget: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "budget" in refusal(capsys, *of(folder), f"--budget={budget}")


# Curves


def test_the_curve_is_drawn_and_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "curve.svg"
    arguments = (*of(folder), "--users", "1000,10000,100000", "--summary", "--curve", "--svg", str(file))
    shown = output(capsys, *arguments)
    assert "demo: dollars a month" in shown
    assert "100K" in shown
    assert "100,000 users, $203.00 a month" in file.read_text()


@pytest.mark.parametrize("asked", [["--curve"], ["--svg", "curve.svg"], ["--curve", "--json"]])
def test_without_users_there_is_no_curve(
    asked: list[str], foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "for how many" in refusal(capsys, *of(foreign), *asked)


@pytest.mark.parametrize("users", ["1", "1,2", "1,1000000000000"])
def test_a_curve_may_be_of_one_size_of_bills_that_are_equal_or_of_a_huge_span(
    users: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, made in {"free": {}, "board": {"Board": resource("AWS::CloudWatch::Dashboard")}}.items():
        one = written(tmp_path / name, made, users=1_000)
        shown = output(capsys, *of(one), "--users", users, "--curve", "--svg", str(tmp_path / "c.svg"))
        assert "demo: dollars a month" in shown
        root = ElementTree.fromstring((tmp_path / "c.svg").read_text())
        drawn = [each.attrib for each in root.iter("{http://www.w3.org/2000/svg}circle")]
        assert len(drawn) == 2 * len(users.split(","))
        assert all(0 <= float(each["cx"]) <= 720 and 0 <= float(each["cy"]) <= 400 for each in drawn)


def test_a_drawing_needs_a_folder_that_is_there(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "no" / "curve.svg"
    said = refusal(capsys, *of(folder), "--svg", str(file))
    assert f"{file}: there is no folder {file.parent} to write it in; make it first" in said


# Differences


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The queue has twice the requests ($4), and the dashboard is gone."""
    return written(tmp_path / "new", queues(Jobs=10 * MILLION), users=1_000)


def test_a_difference_is_a_table_a_document_and_markdown(
    folder: Path, changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("cost", "--diff", str(folder), str(changed))
    shown = output(capsys, *both)
    assert re.search(r"Board +Dashboards +\$3\.00 +— +−\$3\.00", shown)
    assert re.search(r"Jobs +Requests \(standard\) +\$2\.00 +\$4\.00 +\+\$2\.00", shown)
    assert "$5.00 → $4.00 a month (−$1.00); idle $3.00 → $0.00 (−$3.00)." in shown
    found = document(capsys, *both)["sizes"]["1000"]
    assert (found["before_usd"], found["after_usd"], found["delta_usd"]) == ("5", "4", "-1")
    assert [each["resource"] for each in found["changes"]] == ["Board", "Jobs"]
    text = output(capsys, *both, "--markdown")
    assert text.startswith("### Cost of `demo` at 1,000 users: −$1.00 a month\n")
    assert "| Board | Dashboards | $3.00 | — | −$3.00 |\n" in text


def test_nothing_differs_from_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("cost", "--diff", str(folder), str(folder))
    assert output(capsys, *both) == "demo at 1,000 users: nothing changes.\n\n"
    assert document(capsys, *both)["sizes"]["1000"]["changes"] == []
    assert "|" not in output(capsys, *both, "--markdown")


def test_a_difference_keeps_its_budget_and_may_be_of_other_sizes(
    folder: Path, changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["cost", "--diff", str(folder), str(changed), "--users", "1000,10000"]
    assert run([*both, "--budget", "40"]) == 0
    assert run([*both, "--budget", "39"]) == 1
    assert "at 10,000 users: $40.00" in capsys.readouterr().err


def test_a_difference_of_two_sizes_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = written(tmp_path / "larger", queues(Jobs=50 * MILLION), users=10_000)
    both = ("cost", "--diff", str(folder), str(larger))
    said = "Before it is for 1,000 users, and after for 10,000; --users compares them at one size."
    assert said in output(capsys, *both)
    found = document(capsys, *both)["sizes"]["10000"]
    assert (found["before_users"], found["after_users"]) == (1_000, 10_000)
    assert "Before it is" not in output(capsys, *both, "--users", "1000")
    assert "Before it is" not in output(capsys, "cost", "--diff", str(folder), str(folder))


def test_a_difference_takes_the_free_tier_off_both_where_it_is_asked_to(
    folder: Path, changed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ("cost", "--diff", str(folder), str(changed), "--free-tier")
    shown = output(capsys, *both)
    # $5 − $0.40 − $3, and $4 − $0.40
    assert "$1.60 → $3.60 a month (+$2.00)" in shown
    assert re.search(r"Free tier +CloudWatch dashboards +−\$3\.00 +— +\+\$3\.00", shown)
    found = document(capsys, *both)["sizes"]["1000"]
    assert (found["before_usd"], found["after_usd"], found["delta_usd"]) == ("1.6", "3.6", "2")
    assert sum(Decimal(each["delta_usd"]) for each in found["changes"]) == 2


def test_markdown_shows_names_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = written(tmp_path / "old", {})
    odd = resource("AWS::SQS::Queue", path="Demo/a|b_c*<d>`\n[e]", requests_per_month=5 * MILLION)
    new = written(tmp_path / "new", {"Jobs": odd})
    text = output(capsys, "cost", "--diff", str(old), str(new), "--markdown")
    assert r"| a\|b\_c\*\<d\>\` \[e\] | Requests (standard) | — | $2.00 | +$2.00 |" in text


def test_a_name_with_markup_in_it_is_shown_as_it_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "Demo.template.json"
    file.write_text(file.read_text().replace('"demo"', '"[/] `x`"'))
    for arguments in (of(folder), ("cost", "--diff", str(tmp_path / "cdk.out"), str(folder))):
        assert "[/] `x` at 1,000 users" in output(capsys, *arguments)
    assert "[/] `x`: what of it is priced" in output(capsys, *of(folder), "--coverage")
    text = output(capsys, "cost", "--diff", str(folder), str(folder), "--markdown")
    assert text.startswith("### Cost of `` [/] `x` `` at")


def test_what_does_not_go_together_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("cost", "--diff", str(folder), str(folder))
    assert "--diff and --assembly" in refusal(capsys, *both, "--assembly", str(folder))
    assert "--diff and a blueprint" in refusal(capsys, *both, "demo")
    assert "--markdown is of --diff" in refusal(capsys, *of(folder), "--markdown")
    assert "--compare and --assembly" in refusal(capsys, *of(folder), "--compare", "x")
    assert "a blueprint and --usage" in refusal(capsys, "cost", "demo", "--usage", "x.toml")


@pytest.mark.parametrize(
    ("mode", "others"),
    [
        ("--diff", ["--summary", "--explain=x", "--coverage", "--missing-usage", "--curve", "--choose=a=b"]),
        ("--coverage", ["--summary", "--explain=x", "--budget=1", "--curve", "--svg=x.svg"]),
        ("--missing-usage", ["--json", "--coverage", "--usage=x.toml"]),
    ],
)
def test_what_would_be_passed_over_in_silence_is_refused(
    mode: str, others: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"--diff": ["cost", mode, str(folder), str(folder)]}
    for other in others:
        said = refusal(capsys, *paths.get(mode, [*of(folder), mode]), other)
        assert f"{mode} and {other.partition('=')[0]} don't go together" in said
    both = ("cost", "--diff", str(folder), str(folder))
    assert "--json and --markdown don't go together" in refusal(capsys, *both, "--json", "--markdown")


# Choices


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blueprint whose queue costs $0.0004 a user, or else ten dashboards $30."""

    def synthesize(
        blueprint: Blueprint, output: Path, *, users: int, choices: dict[str, str] | None = None, **_: Any
    ) -> Path:
        boards = {f"Board{each}": resource("AWS::CloudWatch::Dashboard") for each in range(10)}
        way = (choices or {}).get("counting", "queue")
        made = boards if way == "boards" else queues(Jobs=users * 1_000)
        if (choices or {}).get("more") == "board":
            made["More"] = resource("AWS::CloudWatch::Dashboard")
        return written(output, made, users)

    counting = Choice("counting", ("queue", "boards", "odd"), "What do counters cost?", ("queue", "boards"))
    more = Choice("more", ("nothing", "board"), "Is there one dashboard more?")
    made = Blueprint("demo", "", "", "", "", "", (), Workload({}), lambda *_: None, (counting, more))
    monkeypatch.setattr(catalogue, "find", lambda name: made)
    monkeypatch.setattr(catalogue, "synthesize", synthesize)


@pytest.mark.usefixtures("demo")
def test_the_ways_of_a_choice_are_priced_at_every_size_and_cross(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("cost", "demo", "--compare", "counting", "--users", "10000,100000")
    shown = output(capsys, *arguments)
    assert re.search(r"10,000 +\$4\.00 +\$30\.00", shown)
    assert re.search(r"100,000 +\$40\.00 +\$30\.00", shown)
    assert "queue is the cheapest at first; boards is the cheapest from about 76,000 users on." in shown
    found = document(capsys, *arguments, "--svg", str(tmp_path / "ways.svg"))
    assert found["ways"]["queue"] == {"10000": "4", "100000": "40"}
    [crossing] = found["crossings"]
    assert 75_000 < crossing["users"] < 75_800
    assert "boards: 100,000 users, $30.00 a month" in (tmp_path / "ways.svg").read_text()


@pytest.mark.usefixtures("demo")
def test_ways_are_compared_with_what_else_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("cost", "demo", "--compare", "counting", "--users", "10000")
    chosen = document(capsys, *arguments, "--choose", "more=board")
    assert chosen["ways"] == {"queue": {"10000": "7"}, "boards": {"10000": "33"}}
    assert "builds every way of it" in refusal(capsys, *arguments, "--choose", "counting=odd")
    for other in ("--budget=1", "--summary", "--curve", "--explain=Jobs"):
        said = refusal(capsys, *arguments, other)
        assert f"--compare and {other.partition('=')[0]} don't go together" in said


@pytest.mark.usefixtures("demo")
def test_a_part_can_be_chosen_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("cost", "demo", "--users", "10000")
    assert document(capsys, *sizes)["sizes"]["10000"]["monthly_usd"] == "4"
    chosen = document(capsys, *sizes, "--choose", "counting=boards")
    assert chosen["sizes"]["10000"]["monthly_usd"] == "30"
    assert "counting is one of queue, boards, odd; got 'abacus'" in refusal(
        capsys, *sizes, "--choose", "counting=abacus"
    )
    assert "no choice 'colour'; it has: counting, more" in refusal(capsys, *sizes, "--choose", "colour=red")
    assert "<key>=<option>" in refusal(capsys, *sizes, "--choose", "counting")
    assert "no choice 'colour'" in refusal(capsys, *sizes, "--compare", "colour")


# Usage files


def test_a_usage_file_says_what_the_app_does_not(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "usage.toml"
    file.write_text(
        'users = 100\nrequests_per_month = 10_000\n["Jobs"]\nrequests_per_month = 1_000_000\n'
        '["Shop/Links/Resource"]\nwrite_units_per_month = 2_000_000\nread_units_per_month = 0\nstored_gb = 4\n'
    )
    found = document(capsys, *of(foreign), "--usage", str(file), "--users", "100,200")
    # $0.40 + 2 M × $0.625/M + 4 GB × $0.25
    assert [each["monthly_usd"] for each in found["sizes"].values()] == ["2.65", "5.3"]
    assert found["sizes"]["100"]["per_user_usd"] == "0.0265"
    assert found["sizes"]["200"]["per_1000_requests_usd"] == "0.265"
    assert "1000000 (usage.toml)" in output(capsys, *of(foreign), "--usage", str(file), "--explain", "Jobs")


def test_the_file_to_fill_in_lists_what_is_missing_and_is_a_usage_file(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    skeleton = output(capsys, *of(foreign), "--missing-usage")
    assert '["Jobs"]  # AWS::SQS::Queue\n# requests_per_month = 0  # requests: ' in skeleton
    file = tmp_path / "usage.toml"
    file.write_text(re.sub(r"^# (\w+ = )\d+", r"\g<1>1000", skeleton, flags=re.MULTILINE))
    found = document(capsys, *of(foreign), "--usage", str(file))
    assert all(line["declared"] for line in found["sizes"]["1000"]["lines"])
    file.write_text(skeleton)
    assert document(capsys, *of(foreign), "--usage", str(file))["sizes"]["declared"]["monthly_usd"] == "0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('["Jobz"]\nrequests_per_month = 1', "no resource 'Jobz'; did you mean 'Jobs'?"),
        ('["Jobs"]\nrequests = 1', "['Jobs'] AWS::SQS::Queue has no usage key 'requests' (it has: requests_"),
        (
            '["Jobs"]\nrequests_per_month = -1',
            "['Jobs'] requests_per_month must be between 0 and 10^18; got -1",
        ),
        ('["Jobs"]\nrequests_per_month = nan', "['Jobs'] requests_per_month must be between"),
        ('["Jobs"]\nrequests_per_month = 1e30', "['Jobs'] requests_per_month must be between"),
        ('["Jobs"]\nrequests_per_month = "many"', "['Jobs'] requests_per_month must be a number; got 'many'"),
        ('["Jobs"]\nrequests_per_month = true', "must be a number; got True"),
        ("Jobs = 1", "'Jobs' must be a table"),
        ("users = 0.5", "users must be a whole number"),
        ("users = -1", "users must be between"),
        ("users: 1000", "cannot be read as TOML"),
        (f"users = {'9' * 5_000}", "cannot be read as TOML"),
    ],
)
def test_a_usage_file_with_a_mistake_is_one_line_that_names_it(
    text: str, told: str, foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "usage.toml"
    file.write_text(text)
    said = refusal(capsys, *of(foreign), "--usage", str(file))
    assert told in said
    assert "usage.toml" in said


def test_what_users_do_is_told_once_for_all_blueprints_of_an_assembly(tmp_path: Path) -> None:
    usage = tmp_path / "usage.toml"
    usage.write_text("users = 10\nrequests_per_month = 4000\n")
    one, other = (
        stack(queues(Jobs=MILLION), name=name, Metadata={"Workload": {"blueprint": name}}) for name in "AB"
    )
    both = Assembly(Path(), (one, other))
    add_usage(both, usage)
    assert price(both).per_1000_requests_usd == Decimal("0.2")  # 2 × $0.40 for 4,000


def test_the_file_to_fill_in_calls_what_has_one_name_by_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resources = {
        "One": resource("AWS::SQS::Queue", path='Shop/"Jobs"/Resource'),
        "Two": resource("AWS::SQS::Queue", path='Shop/"Jobs"/Default'),
    }
    made = written(tmp_path / "twice", resources)
    file = tmp_path / "usage.toml"
    skeleton = output(capsys, *of(made), "--missing-usage")
    file.write_text(skeleton.replace("# requests_per_month = 0 ", "requests_per_month = 1_000_000 "))
    assert document(capsys, *of(made), "--usage", str(file))["sizes"]["declared"]["monthly_usd"] == "0.8"


def test_a_resource_may_be_called_like_what_is_said_of_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resources = {
        "One": resource("AWS::SQS::Queue", path="Shop/users/Resource"),
        "Two": resource("AWS::SQS::Queue", path="Shop/requests_per_month/Resource"),
    }
    made = written(tmp_path / "called", resources)
    file = tmp_path / "usage.toml"
    file.write_text('["users"]\nrequests_per_month = 1_000_000\n')
    assert document(capsys, *of(made), "--usage", str(file))["sizes"]["declared"]["monthly_usd"] == "0.4"
    skeleton = output(capsys, *of(made), "--missing-usage")
    filled = skeleton.replace("# users =", "users =").replace(
        "# requests_per_month = 0 ", "requests_per_month = 1_000_000 "
    )
    file.write_text(filled)
    assert document(capsys, *of(made), "--usage", str(file))["sizes"]["1000"]["monthly_usd"] == "0.8"


def test_the_name_in_the_report_goes_before_the_logical_id_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resources = {
        "Jobs": resource("AWS::SQS::Queue", path="Shop/Old/Resource"),
        "Other": resource("AWS::SQS::Queue", path="Shop/Jobs/Resource"),
    }
    made = written(tmp_path / "named", resources)
    file = tmp_path / "usage.toml"
    file.write_text('["Jobs"]\nrequests_per_month = 1_000_000\n')
    lines = document(capsys, *of(made), "--usage", str(file))["sizes"]["declared"]["lines"]
    assert {line["resource"]: line["declared"] for line in lines} == {"Old": False, "Jobs": True}


def test_the_file_to_fill_in_leaves_out_what_the_settings_have_no_use_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A provisioned stream pays by the shard, and refuses the gigabytes of one on demand."""
    made = written(tmp_path / "stream", {"Clicks": resource("AWS::Kinesis::Stream", {"ShardCount": 1})})
    skeleton = output(capsys, *of(made), "--missing-usage")
    assert "# peak_mb_per_second = 0" in skeleton
    assert "ingested_gb_per_month" not in skeleton
    file = tmp_path / "usage.toml"
    file.write_text(re.sub(r"^# (\w+ = )\d+", r"\g<1>1000", skeleton, flags=re.MULTILINE))
    assert all(
        line["declared"]
        for line in document(capsys, *of(made), "--usage", str(file))["sizes"]["1000"]["lines"]
    )


def test_the_file_to_fill_in_keeps_what_a_line_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One unit on average is fewer than this cluster's least, which is no reason not to ask."""
    scaling = {"MinCapacity": 8, "MaxCapacity": 16}
    cluster = {
        "Graph": resource("AWS::Neptune::DBCluster", {"ServerlessScalingConfiguration": scaling}),
        "One": resource(
            "AWS::Neptune::DBInstance",
            {"DBClusterIdentifier": {"Ref": "Graph"}, "DBInstanceClass": "db.serverless"},
        ),
    }
    skeleton = output(capsys, *of(written(tmp_path / "graph", cluster)), "--missing-usage")
    assert "# average_ncus = 0" in skeleton


def test_traffic_of_stacks_that_is_not_of_the_same_users_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = written(tmp_path / "two", queues(Jobs=MILLION), users=10)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["artifacts"]["Other"] = {
        **manifest["artifacts"]["Demo"],
        "properties": {"templateFile": "Other.template.json"},
    }
    (made / "manifest.json").write_text(json.dumps(manifest))
    content = json.loads((made / "Demo.template.json").read_text())
    content["Metadata"]["Workload"]["users"] = 20
    (made / "Other.template.json").write_text(json.dumps(content))
    said = refusal(capsys, *of(made))
    assert "Other.template.json: Metadata.Workload.users is 20, and Demo.template.json says 10" in said


def test_a_price_that_is_not_known_is_said_with_whose_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = resource(
        "AWS::OpenSearchService::Domain", {"ClusterConfig": {"InstanceType": "x9.large.search"}}
    )
    said = refusal(capsys, *of(written(tmp_path / "search", {"Search": search})))
    assert "Demo/Search (AWS::OpenSearchService::Domain): " in said
    assert "there is no price 'opensearch.x9.large.search' in us-east-1" in said


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (resource("AWS::EC2::Volume", {"Size": -1, "VolumeType": "gp3"}), "Size is -1, which is no amount"),
        (
            resource("AWS::EC2::Instance", {"InstanceType": {"Fn::Sub": "${AWS::StackId}.large"}}),
            'InstanceType is ${{"Ref": "AWS::StackId"}}.large, known only at deployment; write the value in',
        ),
    ],
)
def test_what_is_no_amount_or_no_name_yet_is_refused(
    made: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refusal(capsys, *of(written(tmp_path / "made", {"It": made})))


def test_a_usage_file_that_is_not_there_is_one_line(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nowhere.toml is not there" in refusal(capsys, *of(foreign), "--usage", "nowhere.toml")


def test_the_cost_of_a_thousand_requests_follows_from_what_users_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = written(tmp_path / "demo", queues(Jobs=MILLION), users=10)
    file = made / "Demo.template.json"
    content = json.loads(file.read_text())
    content["Metadata"]["Workload"]["requests_per_month"] = "4000"
    file.write_text(json.dumps(content))
    size = document(capsys, *of(made), "--users", "20")["sizes"]["20"]
    assert Decimal(size["monthly_usd"]) == Decimal("0.8")
    assert size["per_1000_requests_usd"] == "0.1"  # $0.80 for 8,000
    content["Metadata"]["Workload"]["requests_per_month"] = "some"
    file.write_text(json.dumps(content))
    assert "requests_per_month must be a number" in refusal(capsys, *of(made))
