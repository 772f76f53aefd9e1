"""The shape of the house: which rooms there are, who may know whom, and what must never be in the tree."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from workbench import catalogue, node
from workbench.cli import COMMANDS

pytestmark = pytest.mark.fast

SYSTEM_FILES = ("__init__.py", "stack.py", "workload.py", "scenario.py", "README.md")

# Package → what of this project it may import. A longer name is looked up first.
MAY_KNOW = {
    "lambdas.shared": {"lambdas.shared"},
    "lambdas": {"lambdas"},
    "services": {"services", "lambdas"},  # of their own system, and what all share: see below
    "patterns": {"patterns", "workbench.blueprint", "workbench.errors", "workbench.workload"},
    "stacks": {
        "stacks",
        "patterns",
        "lambdas",  # its own settings only: see below
        "workbench.blueprint",
        "workbench.workload",
        "workbench.dryrun.world",
        "workbench.dryrun.http",
        "workbench.dryrun.sockets",
    },
    "workbench.review": {"workbench.review", "workbench.assembly", "workbench.errors", "workbench.workload"},
    "workbench.diagram": {"workbench.assembly", "workbench.review"},
    "workbench.catalogue": {"workbench", "stacks"},
    "workbench": {"workbench"},
}
HEAVY = {"aws_cdk": {"patterns", "stacks", "workbench.catalogue", "workbench.blueprint"}}


def _tracked() -> list[Path]:
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        asked = [git, "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(
            asked, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    made = {".git", ".venv", ".blueprint", ".hypothesis", "node_modules", "cdk.out", "__pycache__"}
    made |= {".mypy_cache", ".pytest_cache", ".ruff_cache"}
    return [
        each for each in ROOT.rglob("*") if each.is_file() and not made & set(each.relative_to(ROOT).parts)
    ]


def _modules() -> dict[str, Path]:
    found = {}
    for root in (ROOT, ROOT / "constructs"):
        for top in ("patterns", "stacks", "lambdas", "services", "workbench"):
            for file in sorted((root / top).rglob("*.py")):
                if "node_modules" in file.parts:
                    continue
                name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
                found[name] = file
    return found


def _imports(file: Path, *, at_load_only: bool = False) -> set[str]:
    tree = ast.parse(file.read_text())
    found: set[str] = set()
    for statement in ast.walk(tree):
        if at_load_only and not _runs_at_load(statement, tree):
            continue
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found |= {f"{statement.module}.{alias.name}" for alias in statement.names}
    return found


def _runs_at_load(statement: ast.AST, tree: ast.Module) -> bool:
    """Whether an import stands at the top of the module, and not under `if TYPE_CHECKING`."""
    return statement in tree.body


def _within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_every_system_has_the_same_name_in_every_room() -> None:
    systems = set(catalogue.names())
    assert systems
    for system in systems:
        for name in SYSTEM_FILES:
            assert (ROOT / "stacks" / system / name).is_file(), f"stacks/{system}/{name} is missing"
        assert (ROOT / "lambdas" / system / "__init__.py").is_file()
        assert (ROOT / "tests" / system).is_dir()
        assert catalogue.find(system).name == system
    rooms = {path.name for path in (ROOT / "lambdas").iterdir() if path.is_dir()} - {"shared", "__pycache__"}
    assert rooms == systems


def test_constructs_is_a_source_root_and_no_package() -> None:
    assert not (ROOT / "constructs" / "__init__.py").exists(), "it would hide the library of that name"


@pytest.mark.parametrize("name", _modules())
def test_a_module_knows_only_whom_it_may(name: str) -> None:
    file = _modules()[name]
    package = max((each for each in MAY_KNOW if _within(name, {each})), key=len)
    for imported in _imports(file):
        if _within(imported, {"patterns", "stacks", "lambdas", "services", "workbench"}):
            assert _within(imported, MAY_KNOW[package]), f"{name} may not know {imported}"
            own = name.split(".")[1] if package == "stacks" and "." in name else ""
            if imported.startswith("lambdas.") and own:
                assert imported.startswith(f"lambdas.{own}.settings"), (
                    f"{name} may know settings only, not {imported}"
                )
            if imported.startswith("stacks.") and own:
                assert imported.startswith(f"stacks.{own}."), (
                    f"{name} may not know another system: {imported}"
                )
            if package == "services":
                own = name.split(".")[1]
                assert _within(imported, {f"services.{own}", f"lambdas.{own}", "lambdas.shared"}), (
                    f"{name} may not know another system: {imported}"
                )
        for library, knowers in HEAVY.items():
            if _within(imported, {library}):
                assert _within(name, knowers), f"{name} may not know {library}"


def test_only_the_stacks_themselves_load_the_cdk() -> None:
    """In a system's folder all but its declaration, workload, scenario and clients, which tools load as well."""
    light = re.compile(r"stacks(\.\w+(\.(workload|scenario|clients(\.\w+)*))?)?")
    made = {name for name in _modules() if _within(name, {"stacks"}) and not light.fullmatch(name)}
    heavy = {"aws_cdk", "patterns"} | made
    for name, file in _modules().items():
        if not _within(name, heavy):
            assert not [each for each in _imports(file, at_load_only=True) if _within(each, heavy)], name


def test_nothing_in_the_tree_names_a_registry_a_machine_or_an_account() -> None:
    # Written so that this file does not find itself.
    forbidden = {
        "a registry's host": re.compile(r"://[\w.-]*(npm" + r"js|python" + r"hosted|py" + r"pi)\."),
        "a path of a machine": re.compile(r"(?<![\w.])/(work|root|home)/\w"),
        "an AWS account": re.compile(r"(?<![\d.a-f])(?!0{12})(?!123456789012)\d{12}(?![\d.a-f])"),
        "an access key": re.compile(r"\bA(KIA|SIA)[0-9A-Z]{16}\b"),
    }
    skipped = {".lock", ".png", ".svg"}
    for file in _tracked():
        if file.suffix in skipped or file.name.startswith("requirements"):
            continue
        text = file.read_text(errors="replace")
        if file.name == "urls.txt" or "workbench/data" in str(file) or "/golden/" in str(file):
            text = re.sub(r"\d{12}", "", text)
        for what, pattern in forbidden.items():
            found = pattern.search(text)
            assert not found, f"{file.relative_to(ROOT)} holds {what}: {found and found[0]}"


def _locks() -> list[Path]:
    return sorted([*ROOT.glob("requirements*.txt"), *ROOT.glob("services/*/requirements.txt")])


def test_the_locks_have_hashes_and_no_index() -> None:
    for lock in _locks():
        text = lock.read_text()
        assert "--index-url" not in text, lock.name
        assert "--find-links" not in text, lock.name
        packages = re.findall(r"^[a-z0-9][\w.-]*==", text, re.MULTILINE)
        assert packages
        assert len(re.findall(r"==[^\n]*\\\n\s+--hash=sha256:", text)) == len(packages), lock.name


def _pins(lock: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each package; the last, where Pythons need different ones."""
    yield from re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE)


def test_the_locks_agree_with_each_other_and_with_the_layer() -> None:
    locks = [dict(_pins(lock)) for lock in _locks()]
    versions = {name: version for lock in locks for name, version in lock.items()}
    for lock in locks:
        assert {name: versions[name] for name in lock} == lock
    source = (ROOT / "constructs/patterns/python_function.py").read_text()
    assert f'POWERTOOLS_VERSION = "{versions["aws-lambda-powertools"]}"' in source
    assert versions["boto3"] == versions["botocore"] == "1.43.106"
    assert versions["ministack"] == "1.5.33"


def test_the_cdk_command_line_is_pinned_exactly() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    assert package["devDependencies"] == {"aws-cdk": "2.1148.1"}


def test_setup_and_the_workbench_support_the_same_node() -> None:
    source = (ROOT / "tools/setup_environment.py").read_text()
    assert f"SUPPORTED_NODE = {node.SUPPORTED!r}".replace("'", '"') in source


def test_the_first_page_names_every_command_and_target() -> None:
    page = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"`blueprint {command}" in page, command
    assert "make dry-run" in page
    assert "make test" in page


def test_ci_runs_the_test_command_of_the_first_page() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_no_test_is_skipped_and_nothing_is_left_undone() -> None:
    undone = re.compile(
        r"\b(TO"
        + r"DO|FIX"
        + r"ME|Not"
        + r"ImplementedError)\b|pytest\.sk"
        + r"ip\(|mark\.(sk"
        + r"ip|xfail)"
    )
    for file in _tracked():
        if file.suffix == ".py":
            found = undone.search(file.read_text())
            assert not found, f"{file.relative_to(ROOT)}: {found and found[0]}"
