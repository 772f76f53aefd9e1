"""What the sweep may do: what the directory's API may, and nothing more. Its grants are explained by that alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Synthesized
from workbench.assembly import Assembly
from workbench.dryrun import grants

pytestmark = pytest.mark.fast


def test_the_sweep_may_do_nothing_to_a_table_that_the_api_may_not(synthesized: Synthesized) -> None:
    assembly = synthesized("messaging_platform", 1_000, "sandbox")
    sweep, api = (
        _on_tables(assembly, f"Directory/{name}/Role") for name in ("DirectorySweep", "DirectoryApi")
    )
    assert sweep
    assert sweep <= api


def test_the_explanation_is_of_the_sweep_and_of_tables_alone() -> None:
    entries = [entry for entry in grants.EXPLAINED if entry[0].startswith("messaging_platform/")]
    assert entries == [("messaging_platform/Directory/DirectorySweep/Role", "dynamodb:*")]


def _on_tables(assembly: Assembly, role: str) -> set[tuple[str, str]]:
    """(action, resource as JSON) of what the role may do with DynamoDB."""
    found: set[tuple[str, str]] = set()
    for each in assembly.resources:
        if each.type != "AWS::IAM::Policy" or not each.name.startswith(f"{role}/"):
            continue
        for statement in each.raw["Properties"]["PolicyDocument"]["Statement"]:
            actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
            found |= {
                (action, json.dumps(resource, sort_keys=True))
                for action in actions
                for resource in resources
                if action.startswith("dynamodb:")
            }
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
