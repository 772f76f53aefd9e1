"""The kept assembly: the same while nothing that makes it has changed, and never a broken one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench import catalogue
from workbench.blueprint import Blueprint
from workbench.dryrun import synthesis

pytestmark = pytest.mark.fast


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what goes into url_shortener's assembly, standing in for the project."""
    root = tmp_path / "project"
    for entry in ("stacks/url_shortener", "lambdas", "constructs"):
        shutil.copytree(catalogue.ROOT / entry, root / entry)
    (root / "workbench").mkdir()
    for entry in ("cdk.json", "requirements.txt", *synthesis._DECLARATIONS):
        shutil.copy(catalogue.ROOT / entry, root / entry)
    monkeypatch.setattr(catalogue, "ROOT", root)
    return root


@pytest.fixture
def synthesized(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were synthesized into; each gets a manifest."""
    made: list[Path] = []

    def synthesize(_: Blueprint, output: Path, **__: Any) -> Path:
        made.append(output)
        output.mkdir(parents=True, exist_ok=True)
        (output / "manifest.json").write_text("{}")
        return output

    monkeypatch.setattr(catalogue, "synthesize", synthesize)
    return made


@pytest.fixture
def assembly(tmp_path: Path) -> Callable[..., Path]:
    blueprint = catalogue.find("url_shortener")
    return lambda users=1_000: synthesis.assembly_for(blueprint, users, "sandbox", tmp_path)


def test_it_is_synthesized_once(
    project: Path, synthesized: list[Path], assembly: Callable[..., Path]
) -> None:
    assert assembly() == assembly()
    assert len(synthesized) == 1
    assert assembly() != assembly(2_000)


@pytest.mark.parametrize(
    "file",
    [
        "stacks/url_shortener/stack.py",
        "lambdas/url_shortener/redirect.py",
        "lambdas/shared/sdk.py",
        "constructs/patterns/table.py",
        "workbench/workload.py",
        "cdk.json",
        "requirements.txt",
    ],
)
def test_a_change_of_what_makes_it_makes_it_anew(
    file: str, project: Path, synthesized: list[Path], assembly: Callable[..., Path]
) -> None:
    before = assembly()
    with open(project / file, "a") as changed:
        changed.write("\n")
    assert assembly() != before


def test_a_change_of_the_page_does_not(
    project: Path, synthesized: list[Path], assembly: Callable[..., Path]
) -> None:
    before = assembly()
    (project / "stacks/url_shortener/README.md").write_text("another page")
    assert assembly() == before


def test_an_interrupted_synthesis_leaves_nothing_that_could_be_taken_for_whole(
    project: Path, monkeypatch: pytest.MonkeyPatch, assembly: Callable[..., Path]
) -> None:
    def interrupted(_: Blueprint, output: Path, **__: Any) -> Path:
        (output / "manifest.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogue, "synthesize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assembly()
    assert list((project / ".blueprint/assemblies").iterdir()) == []


def test_where_the_project_cannot_be_written_nothing_is_kept(
    project: Path, tmp_path: Path, synthesized: list[Path], assembly: Callable[..., Path]
) -> None:
    (project / ".blueprint").touch()  # a file, where the folder should be
    assert assembly() == tmp_path / "assembly"


def test_only_the_newest_are_kept(
    project: Path, synthesized: list[Path], assembly: Callable[..., Path]
) -> None:
    for users in range(1, synthesis.KEPT + 5):
        assembly(users)
    assert len(list((project / ".blueprint/assemblies").iterdir())) == synthesis.KEPT
