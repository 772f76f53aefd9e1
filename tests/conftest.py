"""What the tests share: one synthesis of the catalogue, one play of each scenario, and the goldens' switch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

from workbench import catalogue
from workbench.assembly import Assembly
from workbench.blueprint import Blueprint, Stage
from workbench.dryrun.report import Report
from workbench.node import let_the_cdk_finish, use_supported_node

# Before any test module imports the CDK, which starts Node.js as it is imported.
use_supported_node()
let_the_cdk_finish()

ROOT = catalogue.ROOT
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


class Synthesized(Protocol):
    """`synthesized(name, users, stage, counters="provisioned")`: an assembly, made once in a session."""

    def __call__(self, name: str, users: int, stage: Stage, **choices: str) -> Assembly: ...


Played = Callable[[str], Report]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files and generated pages"
    )


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """Synthesizes a blueprint, and keeps what came of it."""

    @cache
    def make(name: str, users: int, stage: Stage, **choices: str) -> Assembly:
        folder = tmp_path_factory.mktemp(f"{name}-{users}-{stage}")
        blueprint = catalogue.find(name)
        made = catalogue.synthesize(blueprint, folder, users=users, stage=stage, choices=choices)
        return Assembly.load(made)

    return make


@pytest.fixture(scope="session")
def played() -> Played:
    """`played(name)`: the report of a dry run, played once in a session."""
    from workbench.dryrun.pipeline import dry_run

    return cache(lambda name: dry_run(catalogue.find(name)))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """`golden(path, text)`: `text` is what the file holds; with --update-golden it is written there instead."""

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path.relative_to(ROOT)} is missing; `make golden` writes it"
        assert path.read_text() == text, (
            f"{path.relative_to(ROOT)} differs; look, then `make golden` rewrites it"
        )

    return check


@pytest.fixture(params=catalogue.names())
def blueprint(request: pytest.FixtureRequest) -> Blueprint:
    """Each blueprint of the catalogue."""
    return catalogue.find(request.param)
