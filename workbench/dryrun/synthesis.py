"""The assembly to play: synthesized once, and kept by the content of all that goes into it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from workbench import catalogue
from workbench.blueprint import Blueprint, Stage

KEPT = 20
_INPUTS = ("constructs", "cdk.json", "requirements.txt", "lambdas/shared", "lambdas/__init__.py")
_DECLARATIONS = ("workbench/workload.py", "workbench/blueprint.py", "workbench/catalogue.py")


def assembly_for(
    blueprint: Blueprint, users: int, stage: Stage, scratch: Path, choices: Mapping[str, str] | None = None
) -> Path:
    """The folder of the assembly: from the cache when nothing that makes it has changed.

    The cache lies in `.blueprint/` of the project; where that cannot be written, the assembly goes to
    `scratch` and nothing is kept.
    """
    shelf = catalogue.ROOT / ".blueprint" / "assemblies"
    place = shelf / f"{blueprint.name}-{_fingerprint(blueprint, users, stage, choices or {})}"
    if (place / "manifest.json").exists():
        os.utime(place)
        return place
    try:
        shelf.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=shelf, prefix="building-"))
    except OSError:
        return catalogue.synthesize(
            blueprint, scratch / "assembly", users=users, stage=stage, choices=choices
        )
    try:
        catalogue.synthesize(blueprint, building, users=users, stage=stage, choices=choices)
        building.rename(place)  # whole or not at all, also when interrupted
    except OSError:
        if not (place / "manifest.json").exists():  # not merely another run that was first
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    _prune(shelf)
    return place


def _fingerprint(blueprint: Blueprint, users: int, stage: Stage, choices: Mapping[str, str]) -> str:
    digest = hashlib.sha256(f"{users} {stage} {sorted(choices.items())}".encode())
    for entry in (*_INPUTS, *_DECLARATIONS, f"stacks/{blueprint.name}", f"lambdas/{blueprint.name}"):
        for file in _files(catalogue.ROOT / entry):
            digest.update(f"{file.relative_to(catalogue.ROOT)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:24]


def _files(entry: Path) -> list[Path]:
    if entry.is_file():
        return [entry]
    return sorted(
        Path(parent) / name
        for parent, _, names in os.walk(entry)
        if "__pycache__" not in parent
        for name in names
        if not name.endswith((".pyc", ".md"))
    )


def _prune(shelf: Path) -> None:
    by_age = sorted((each for each in shelf.iterdir()), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in by_age[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
