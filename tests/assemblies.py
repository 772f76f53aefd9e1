"""Small cloud assemblies for tests: in memory, or written as CDK writes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.assembly import Assembly, Stack


def resource(
    type: str, properties: Mapping[str, Any] | None = None, path: str = "", **usage: Any
) -> dict[str, Any]:
    """A resource of a template; `usage` is what it declares as its traffic."""
    made: dict[str, Any] = {"Type": type, "Properties": dict(properties or {})}
    metadata: dict[str, Any] = {"aws:cdk:path": path} if path else {}
    if usage:
        metadata["Workload"] = {key: {"value": str(value), "formula": key} for key, value in usage.items()}
    if metadata:
        made["Metadata"] = metadata
    return made


def template(resources: Mapping[str, Any], users: int | None = None, **more: Any) -> dict[str, Any]:
    """A template that says it is of `users` users."""
    made: dict[str, Any] = {"Resources": dict(resources), **more}
    if users is not None:
        made["Metadata"] = {"Workload": {"blueprint": "demo", "users": users, "stage": "production"}}
    return made


def stack(
    resources: Mapping[str, Any],
    users: int | None = None,
    *,
    name: str = "Demo",
    region: str = "us-east-1",
    **more: Any,
) -> Stack:
    """A stack in memory."""
    return Stack(
        artifact_id=name,
        name=name,
        region=region,
        template=template(resources, users, **more),
        template_file=Path(f"{name}.template.json"),
        assets=(),
    )


def assembly(resources: Mapping[str, Any], users: int | None = None) -> Assembly:
    """An assembly of one stack, in memory."""
    return Assembly(Path(), (stack(resources, users),))


def written(folder: Path, resources: Mapping[str, Any], users: int | None = None) -> Path:
    """An assembly of one stack, on disk in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "Demo.template.json", "stackName": "Demo"},
    }
    (folder / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": {"Demo": artifact}}))
    (folder / "Demo.template.json").write_text(json.dumps(template(resources, users)))
    return folder


def changed(assembly: Assembly, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of `assembly`, in `folder`, whose first template `change` has changed."""
    copied = folder / "changed"
    shutil.copytree(assembly.directory, copied)
    file = copied / assembly.stacks[0].template_file.name
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return copied
