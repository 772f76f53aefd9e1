"""docs/faults.md says what the code does: every fault is on it, under the cases that its docstring names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "faults.md").read_text()
CASES = 32

pytestmark = pytest.mark.fast


def _faults() -> dict[str, str]:
    """The docstrings of the calls of `world.faults`, by their names."""
    tree = ast.parse((ROOT / "workbench" / "dryrun" / "faults.py").read_text())
    [faults] = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == "Faults"]
    return {
        each.name: ast.get_docstring(each) or ""
        for each in faults.body
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")
    }


def _rows() -> list[list[str]]:
    """The cells of each fault on the page."""
    tables = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return [cells for cells in tables if cells[-1] != "proof"]


def _made_by(cells: list[str]) -> list[str]:
    return re.findall(r"`(\w+)`", cells[-2])


def _proofs() -> list[tuple[str, str]]:
    return re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)


@cache
def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


def test_the_cases_are_numbered_without_a_gap() -> None:
    numbers = [cells[0] for cells in _rows() if cells[0].isdigit()]
    assert numbers == [str(each) for each in range(1, CASES + 1)]


def test_what_makes_a_fault_is_a_call_of_world_faults_and_each_makes_one() -> None:
    assert {name for cells in _rows() for name in _made_by(cells)} == set(_faults())


@pytest.mark.parametrize("fault", _faults())
def test_a_docstring_names_the_cases_that_the_page_has_for_it(fault: str) -> None:
    bracketed = re.findall(r"\((\d+(?:, \d+)*)\)", _faults()[fault])
    named = [number for each in bracketed for number in each.split(", ")]
    assert named == [cells[0] for cells in _rows() if cells[0].isdigit() and fault in _made_by(cells)]


@pytest.mark.parametrize(("file", "test"), _proofs())
def test_a_proof_is_a_test_that_exists(file: str, test: str) -> None:
    assert test in _tests_of(ROOT / file)


def test_a_fault_has_a_proof_or_says_that_it_has_none_yet() -> None:
    for cells in _rows():
        assert re.search(r"::test_|^none", cells[-1]), cells
