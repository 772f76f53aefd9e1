"""Setting up: nothing twice, nothing half, and one line when it cannot be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import setup_environment as setup

pytestmark = pytest.mark.fast


class Machine:
    """A machine on which commands are noted, not run; `venv` makes an interpreter that runs."""

    def __init__(self, root: Path) -> None:
        self.commands: list[str] = []
        self.root = root
        self.interrupt_at = ""

    def call(self, command: list[str], **_: object) -> int:
        said = " ".join(command)
        if self.interrupt_at and self.interrupt_at in said:
            raise KeyboardInterrupt
        self.commands.append(said)
        if "-m venv" in said:
            setup.PYTHON.parent.mkdir(parents=True)
            setup.PYTHON.write_text("")
        return 0

    def installed(self) -> list[str]:
        return [Path(each.split()[-1]).name for each in self.commands if "--require-hashes" in each]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    for name in ("requirements.txt", "requirements-node.txt", "requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(setup, "INCOMPLETE", tmp_path / ".venv/.incomplete")
    monkeypatch.setattr(setup, "call", made.call)
    monkeypatch.setattr(setup, "runs", lambda python: python.exists())
    monkeypatch.setattr(setup, "node_on_path", lambda: False)
    return made


def test_the_first_time_it_installs_the_locks_and_then_the_project(machine: Machine) -> None:
    assert setup.main([]) == 0
    assert machine.installed() == ["requirements.txt", "requirements-node.txt"]
    [project] = [each for each in machine.commands if "--editable" in each]
    assert "--no-index" in project
    assert "compileall" in machine.commands[-2]


def test_with_a_supported_node_on_the_path_it_brings_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "node_on_path", lambda: True)
    assert setup.main([]) == 0
    assert machine.installed() == ["requirements.txt"]


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


def test_a_changed_lock_is_installed_again_and_the_others_not(machine: Machine) -> None:
    setup.main(["--dev"])
    machine.commands.clear()
    (machine.root / "requirements.txt").write_text("changed")
    assert setup.main(["--dev"]) == 0
    assert machine.installed() == ["requirements.txt"]


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
