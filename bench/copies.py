"""An assembly many times as large: one stack whose resources are those of another, over and over."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from workbench.assembly import Assembly


def copied(assembly: Assembly, times: int, folder: Path) -> tuple[Path, int]:
    """Write the first stack of `assembly`, `times` over, into `folder`; the folder, and how many resources it has.

    Each copy refers to itself alone. What the template is beside its resources stays as it was; outputs go.
    """
    folder.mkdir(parents=True)
    stack = assembly.stacks[0]
    template = {key: part for key, part in stack.template.items() if key != "Outputs"}
    template["Resources"] = {
        logical_id: resource
        for number in range(times)
        for logical_id, resource in _renamed(stack.template["Resources"], number).items()
    }
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "Copies.template.json", "stackName": "Copies"},
    }
    manifest = {"version": "48.0.0", "artifacts": {"Copies": artifact}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "Copies.template.json").write_text(json.dumps(template))
    return folder, len(template["Resources"])


def _renamed(resources: dict[str, Any], number: int) -> dict[str, Any]:
    """The resources with `number` at the end of each logical id, wherever it stands as a word of its own."""
    longest_first = sorted(resources, key=len, reverse=True)
    words = re.compile(rf"\b({'|'.join(map(re.escape, longest_first))})\b")
    renamed: dict[str, Any] = json.loads(words.sub(rf"\g<1>x{number}", json.dumps(resources)))
    return renamed
