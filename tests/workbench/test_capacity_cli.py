"""`blueprint capacity`: its tables, its document, and what it says to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import resource, written
from workbench.cli import run
from workbench.review.capacity import Break

pytestmark = pytest.mark.fast


def work(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::Lambda::Function", properties, **usage)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """1,000 users: 100 batches a second of 0.2 s, of which 40 are worked on at once; a database from before gp3."""
    resources = {
        "Jobs": resource("AWS::SQS::Queue", requests_per_month=1, peak_messages_per_second=1_000),
        "Work": work(invocations_per_month=1, peak_invocations_per_second=100, duration_ms=200),
        "Feed": resource(
            "AWS::Lambda::EventSourceMapping",
            {
                "EventSourceArn": {"Fn::GetAtt": ["Jobs", "Arn"]},
                "FunctionName": {"Ref": "Work"},
                "ScalingConfig": {"MaximumConcurrency": 40},
            },
        ),
        "Db": resource(
            "AWS::RDS::DBInstance",
            {
                "Engine": "postgres",
                "DBInstanceClass": "db.m7g.large",
                "AllocatedStorage": "100",
                "StorageType": "gp2",
            },
            peak_iops=30,
        ),
    }
    return written(tmp_path / "cdk.out", resources, users=1_000)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["capacity", *arguments]) == 0
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown(capsys, *arguments, "--json"))
    return found


def test_the_table_tells_what_is_used_and_what_is_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(capsys, "--assembly", str(folder))
    assert re.search(
        r"50\.0 % +50\.0 % +Feed +Messages drained a second +1,000 +2,000 +messages/s +yes", text
    )


def test_the_second_table_tells_how_long_work_waits_and_by_which_formula(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(capsys, "--assembly", str(folder), "--users", "1000,1900")
    assert "demo at 1,000 users: queueing at the peak" in text
    assert re.search(r"Feed +batches +40 +50\.0 % +0\.0 % +0\.0 ms +0\.0 ms", text)
    # Erlang C of 38 erlangs on 40 is 0.6636; × 0.2 s ÷ (40 × 0.05) = 66.4 ms, and ln(66.36) × 0.1 s = 419.5 ms.
    assert re.search(r"Feed +batches +40 +95\.0 % +66\.4 % +66\.4 ms +419\.5 ms", text)
    assert (
        "Feed: λ = (peak_invocations_per_second) × 1.9 (traffic); s = duration_ms ÷ 1,000 ms/s; c = 40"
        in text
    )
    assert "C = B ÷ (1 − ρ × (1 − B))" in text


def test_a_queue_that_grows_says_how_fast(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--assembly", str(folder), "--users", "3000")
    assert "over: Feed: the queue grows without end, by 100 batches a second (λ − c ÷ s)" in text
    assert (
        "over: Feed, Messages drained a second: raise MaximumConcurrency (up to 1,000) or BatchSize" in text
    )
    assert re.search(r"Feed +batches +40 +150\.0 % +100\.0 % +— +—", text)


def test_what_is_refused_is_not_said_to_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    function = work({"ReservedConcurrentExecutions": 2}, peak_invocations_per_second=20, duration_ms=200)
    text = shown(capsys, "--assembly", str(written(tmp_path, {"Work": function})))
    assert re.search(r"Work +calls +2 +200\.0 % +61\.5 % refused +— +—", text)
    assert "grows without end" not in text


def test_a_quota_from_memory_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--assembly", str(folder))
    assert "I/O operations a second (D)" in text
    assert "(D): a quota from memory" in text


def test_the_summary_names_the_three_tightest_of_each_size(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(capsys, "--assembly", str(folder), "--users", "1000,2000", "--summary")
    rows = re.findall(r"^ *([\d,]*) +(\d+\.\d) % +(\S+:)", text, re.MULTILINE)
    assert [(users, used) for users, used, _ in rows] == [
        ("1,000", "50.0"),
        ("", "10.0"),
        ("", "2.0"),
        ("2,000", "100.0"),
        ("", "20.0"),
        ("", "4.0"),
    ]
    assert "headroom" not in text
    assert "demo breaks at about 2,000 users" in text


def test_where_it_breaks_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--assembly", str(folder))
    assert "  raise MaximumConcurrency (up to 1,000) or BatchSize of Feed in the template\n" in text
    broken = document(capsys, "--assembly", str(folder))["first_to_break"]
    assert broken["advice"] == "raise MaximumConcurrency (up to 1,000) or BatchSize of Feed in the template"


def test_the_document_carries_the_queues(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "--assembly", str(folder), "--users", "1000,3000")
    [calm], [over] = found["queues"]["1000"], found["queues"]["3000"]
    assert calm["servers"] == 40
    assert (calm["arrivals_per_second"], calm["service_seconds"], calm["utilisation"]) == (
        "100",
        "0.2",
        "0.5",
    )
    assert calm["p99_wait_seconds"] == "0"
    assert (over["mean_wait_seconds"], over["growth_per_second"], over["chance"]) == (None, "100", "1")
    assert found["not_checked"] == [
        "Db: Connections (peak_connections)",
        "Db: Storage (stored_gb)",
    ]


def test_usage_of_a_foreign_assembly_comes_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = written(tmp_path / "foreign", {"Work": work()})
    file = tmp_path / "usage.toml"
    file.write_text("users = 1000\n[Work]\npeak_invocations_per_second = 1\nduration_ms = 500\n")
    found = document(capsys, "--assembly", str(foreign), "--usage", str(file))
    assert 2_000_000 < found["first_to_break"]["users"] <= 2_020_200


def test_the_sizes_that_are_shown_are_looked_at_for_the_break(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def search(_limits_at: Any, **how: Any) -> Break:
        asked.update(how)
        return Break(None, None, None, "nothing gives way")

    monkeypatch.setattr("workbench.cli.capacity.first_to_break", search)
    shown(capsys, "--assembly", str(folder), "--users", "4000,1000")
    assert sorted(asked["also"]) == [1_000, 4_000]


def test_another_region_than_that_of_the_quotas_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "quotas are those of us-east-1; AWS may give fewer in eu-west-2"
    assert "quotas are those of" not in shown(capsys, "--assembly", str(folder))
    manifest = folder / "manifest.json"
    elsewhere = manifest.read_text().replace("aws://unknown-account/unknown-region", "aws://0/eu-west-2")
    manifest.write_text(elsewhere)
    assert words in shown(capsys, "--assembly", str(folder))


def test_a_usage_file_is_of_an_assembly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["capacity", "url_shortener", "--usage", str(tmp_path / "usage.toml")]) == 2
    assert "--usage is for an --assembly" in capsys.readouterr().err
