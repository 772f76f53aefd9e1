"""`blueprint new`: what it refuses, what it writes, and that a system is whole from its first minute.

And CONTRIBUTING.md, which tells people to use it: what the page names is there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from workbench import catalogue, new, pages
from workbench.cli import COMMANDS, run
from workbench.errors import Misuse
from workbench.new import Plan, create

ROOT = catalogue.ROOT
SENTENCE = "it holds what it says, also when it is asked twice, and says so when it cannot; "

fast = pytest.mark.fast


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with its rooms, and nothing in them."""
    for room in ("stacks", "lambdas", "tests"):
        (tmp_path / room).mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def files_in(root: Path) -> set[str]:
    return {
        str(each.relative_to(root)) for each in root.rglob("*") if each.is_file() and "cache" not in str(each)
    } - {"pyproject.toml"}


# What it refuses


@fast
@pytest.mark.parametrize(
    "name",
    [
        *("", "Demo", "demo-counter", "2fa", "_demo", "demo_", "demo__counter", "dé", "a b", "../x", "a/b"),
        *("a.b", "demo\n", "class", "import", "shared", "a" * (new.LONGEST_NAME + 1)),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(Misuse):
        Plan(name)


@fast
@pytest.mark.parametrize("text", [" ", " padded", "two\nlines", 'a "quote"', "back\\slash", "x" * 401])
@pytest.mark.parametrize("option", ["title", "group", "seed", "passage", "promise"])
def test_a_text_that_no_line_can_hold_is_refused(option: str, text: str) -> None:
    with pytest.raises(Misuse, match=f"--{option}"):
        Plan("demo", **{option: text})


@fast
@pytest.mark.parametrize(
    "there", ["stacks/demo", "lambdas/demo", "services/demo", "tests/demo", "tests/demo.py"]
)
def test_a_name_that_a_room_has_already_is_refused_and_nothing_is_written(there: str, root: Path) -> None:
    (root / there).mkdir(parents=True)
    with pytest.raises(Misuse, match=f"{there} is there already"):
        create(Plan("demo"), root)
    assert files_in(root) == set()


@fast
def test_the_names_of_the_rooms_of_this_project_are_refused() -> None:
    for name in (*catalogue.names(), "workbench"):
        with pytest.raises(Misuse, match="is there already"):
            create(Plan(name))


@fast
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_was_written_is_removed_when_writing_fails_half_way(
    failure: BaseException, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text = Path.write_text

    def fail_at_the_tenth(path: Path, *arguments: str, **options: str) -> int:
        if len(files_in(root)) == 9:
            raise failure
        return write_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fail_at_the_tenth)
    with pytest.raises(type(failure)):
        create(Plan("demo"), root)
    assert files_in(root) == set()
    assert not [each for room in ("stacks", "lambdas", "tests") for each in (root / room).iterdir()]


@fast
def test_a_room_that_another_one_makes_meanwhile_is_left_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = root / "tests" / "demo"
    files = Plan.files

    def make_it_meanwhile(plan: Plan) -> dict[str, str]:
        theirs.mkdir()
        (theirs / "mine.txt").write_text("kept")
        return files(plan)

    monkeypatch.setattr(Plan, "files", make_it_meanwhile)
    with pytest.raises(FileExistsError):
        create(Plan("demo"), root)
    assert files_in(root) == {"tests/demo/mine.txt"}


@fast
def test_a_folder_that_cannot_be_written_is_one_line_and_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert run(["new", "demo_counter"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"blueprint: {ROOT}/lambdas/demo_counter: Permission denied\n"


@fast
def test_misuse_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "Demo"]) == 2
    assert run(["new", "url_shortener"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.startswith("blueprint: ") for line in err.splitlines()] == [True, True]


# What it writes


@fast
def test_every_room_is_written(root: Path) -> None:
    written = create(Plan("demo_counter"), root)
    assert set(written) == files_in(root)
    rooms = {
        "stacks": {"__init__.py", "stack.py", "workload.py", "traffic.py", "scenario.py", "README.md"},
        "lambdas": {"__init__.py", "counters.py", "logic.py", "store.py", "settings.py", "models.py"},
        "tests": {"test_logic.py", "test_handlers.py"},
    }
    assert set(written) == {f"{room}/demo_counter/{file}" for room, files in rooms.items() for file in files}


@fast
def test_the_texts_come_from_the_name_or_from_the_options() -> None:
    plain = Plan("demo_counter")
    assert (plain.title, plain.passage, plain.class_name) == ("Demo counter", "Demo counter", "DemoCounter")
    told = Plan("demo_counter", title="Counters", passage="Phase 1", promise="It counts.").files()
    assert 'passage="Phase 1"' in told["stacks/demo_counter/__init__.py"]
    assert told["stacks/demo_counter/README.md"].startswith("# Counters\n\nIt counts.\n")


@fast
def test_the_page_marks_the_parts_that_are_generated() -> None:
    page = Plan("demo_counter").files()["stacks/demo_counter/README.md"]
    filled = pages.fill(page, dict.fromkeys(("diagram", "transcript", "cost", "capacity"), "new"))
    assert filled.count("-->\nnew\n<!-- end -->") == 4


@fast
def test_what_is_written_is_as_ruff_wants_it_whatever_the_name(root: Path) -> None:
    # Names before and after `shared`, the shortest, the longest, and some that the stack uses itself.
    for name in ("a", "zebra", "s3_x", "shared_2", "table", "x" * new.LONGEST_NAME, "match"):
        create(Plan(name), root)
    for length in (50, *range(90, 103), 200, 201, 400):
        text = (SENTENCE * 6)[:length].rstrip().ljust(length, "x")
        create(Plan(f"long_{length}", text[:50], text, text, text, text), root)
    create(Plan("one_word", promise="x" * 400), root)
    for command in (["check"], ["format", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        answer = subprocess.run(ruff, cwd=root, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout


def test_a_new_system_keeps_the_whole_contract_from_its_first_minute(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    created = json.loads(project.blueprint("new", "demo_counter", "--title", "Demo", "--json"))
    assert created["next"][0] == "make dry-run SYSTEM=demo_counter"
    project.mypy("stacks/demo_counter", "lambdas/demo_counter", "tests/demo_counter")
    # Goldens are written and the page is filled; every other test is as it is, without them.
    project.pytest("tests/test_every_blueprint.py", "tests/demo_counter", "--update-golden")
    page = (project.root / "stacks/demo_counter/README.md").read_text()
    assert "(`make golden`" not in page
    assert "demo_counter: the promise holds" in page
    assert (project.root / "tests/demo_counter/golden/cost.json").exists()
    assert "Demo" in project.blueprint("list")


class Project:
    """A copy of this project without its systems, in a process of its own that sees nothing of this one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        ignore = shutil.ignore_patterns("__pycache__")
        for folder in ("constructs", "workbench", "lambdas/shared"):
            shutil.copytree(ROOT / folder, root / folder, ignore=ignore)
        files = [
            "cdk.json",
            "pyproject.toml",
            "requirements.txt",
            "stacks/__init__.py",
            "lambdas/__init__.py",
        ]
        files += [
            f"tests/{name}"
            for name in ("__init__.py", "conftest.py", "policies.py", "test_every_blueprint.py")
        ]
        for file in files:
            (root / file).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / file, root / file)
        # mypy reads the CDK for most of a minute, and the project's own run has done so. What it is writing at
        # the same moment it may hold back: it would be read anew.
        with suppress(OSError):
            shutil.copytree(ROOT / ".mypy_cache", root / ".mypy_cache")

    @property
    def environment(self) -> Mapping[str, str]:
        # Before the editable install, whose paths are those of the original.
        paths = os.pathsep.join([str(self.root), str(self.root / "constructs")])
        return {**os.environ, "PYTHONPATH": paths}

    def blueprint(self, *arguments: str) -> str:
        return self._run("-m", "workbench", *arguments)

    def pytest(self, *arguments: str) -> str:
        return self._run("-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)

    def mypy(self, *paths: str) -> str:
        return self._run("-m", "mypy", *paths)

    def _run(self, *arguments: str) -> str:
        answer = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout


# CONTRIBUTING.md


@pytest.fixture
def page() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text()


@fast
def test_every_target_and_command_that_the_page_names_is_there(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ *)make ([a-z-]+)", page, re.MULTILINE))
    assert named >= {"dry-run", "golden", "check", "test", "lock"}
    assert named <= targets
    commands = set(re.findall(r"(?:`|^ *)blueprint ([a-z-]+)", page, re.MULTILINE))
    assert commands >= {"new", "cost", "capacity"}
    assert commands <= set(COMMANDS)


@fast
def test_every_file_that_the_page_names_is_there(page: str) -> None:
    files = Plan("demo_counter").files()
    written = {*files, *(str(Path(file).parent) for file in files)}
    named = set(re.findall(r"`([a-z_]+(?:/[\w.]+)+/?)`", page)) | set(re.findall(r"\]\(([^)#]+)\)", page))
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists() and name not in written]
