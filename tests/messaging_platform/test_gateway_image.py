"""The image of the programs: it holds what they import, and offline they start as in it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT
from workbench.offline.images import read_image

pytestmark = pytest.mark.fast

FOLDER = ROOT / "services" / "messaging_platform"
PROGRAMS = ("fanout", "gateway", "inspection")
TYPES_ONLY = "types_boto3"


def _file_of(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((each for each in (place.with_suffix(".py"), place / "__init__.py") if each.is_file()), None)


def _imported(file: Path) -> Iterator[str]:
    """Every module that a file imports, at load or when it is called."""
    for statement in ast.walk(ast.parse(file.read_text())):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def _reached() -> tuple[set[Path], set[str]]:
    """The project's files that the programs reach, and the names of the libraries that those import."""
    waiting = [f"services.messaging_platform.{name}.__main__" for name in PROGRAMS]
    files, libraries = set[Path](), set[str]()
    while waiting:
        module = waiting.pop()
        if not module.startswith(("services.", "lambdas.")):
            libraries.add(module.partition(".")[0])
            continue
        for part in (module.rsplit(".", depth)[0] for depth in range(module.count(".") + 1)):
            file = _file_of(part)
            if file is not None and file not in files:
                files.add(file)
                waiting += _imported(file)
    return files, libraries - set(sys.stdlib_module_names) - {"services", "lambdas"}


def test_the_lock_has_every_library_that_a_program_imports() -> None:
    _, libraries = _reached()
    locked = set(re.findall(r"^([\w.-]+)==", (FOLDER / "requirements.txt").read_text(), re.MULTILINE))
    known = packages_distributions()
    missing = {
        name
        for name in libraries
        if not name.startswith(TYPES_ONLY)
        and not {each.lower().replace("_", "-") for each in known[name]} & locked
    }
    assert {"confluent_kafka", "valkey", "websockets", "botocore"} <= libraries
    assert missing == set()


@pytest.mark.parametrize("list_of_files", ["Dockerfile", "Dockerfile.dockerignore"])
def test_the_image_has_every_module_that_a_program_imports(list_of_files: str) -> None:
    text = (FOLDER / list_of_files).read_text()
    pattern = r"^COPY (?!--from)(\S+)" if list_of_files == "Dockerfile" else r"^!(\S+)"
    taken = [ROOT / each for each in re.findall(pattern, text, re.MULTILINE)]
    files, _ = _reached()
    assert len(files) > 20
    for file in files:
        assert any(file == each or each in file.parents for each in taken), file


def test_offline_a_program_starts_as_in_its_image() -> None:
    image = read_image(FOLDER)
    assert image.folder == ROOT
    assert image.port == 8080
    assert image.command == (sys.executable, "-m", "services.messaging_platform.fanout")
    gateway = image.with_command(arguments=["services.messaging_platform.gateway"])
    assert gateway.command == (sys.executable, "-m", "services.messaging_platform.gateway")
