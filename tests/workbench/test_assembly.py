"""Reading any CDK app's assembly: intrinsics resolved as far as they can be, and one clear line for what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.assembly import Assembly, Reference, Unresolved
from workbench.errors import MalformedAssembly

pytestmark = pytest.mark.fast


def _write(folder: Path, template: Any, **properties: Any) -> Path:
    (folder / "t.template.json").write_text(json.dumps(template))
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/eu-west-1",
        "properties": {"templateFile": "t.template.json", **properties},
    }
    (folder / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": {"Stack": stack}}))
    return folder


def _properties(folder: Path, properties: Any, **template: Any) -> dict[str, Any]:
    document = {"Resources": {"R": {"Type": "T::T::T", "Properties": properties}}, **template}
    [resource] = Assembly.load(_write(folder, document)).resources
    return resource.properties


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "R"}, Reference("R")),
        ({"Fn::GetAtt": ["R", "Arn"]}, Reference("R", "Arn")),
        ({"Fn::GetAtt": "R.Arn"}, Reference("R", "Arn")),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::Partition"}, {"Ref": "R"}]]}, "a-aws-${R}"),
        ({"Fn::Sub": "x-${AWS::Region}-${R.Arn}-${!literal}"}, "x-eu-west-1-${R.Arn}-${literal}"),
        ({"Fn::Sub": ["${name}", {"name": "n"}]}, "n"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]}, 7),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"Fn::If": ["No", 1, 2]}, 2),
        ({"Ref": "Size"}, "5"),
        ({"Fn::ImportValue": "other"}, Unresolved('{"Fn::ImportValue": "other"}')),
        ({"Ref": "Looked"}, Unresolved('{"Ref": "Looked"}')),
    ],
)
def test_an_intrinsic_is_resolved_as_far_as_it_can_be(tmp_path: Path, written: Any, resolved: Any) -> None:
    found = _properties(
        tmp_path,
        {"P": written},
        Mappings={"M": {"eu-west-1": {"k": 7}}},
        Parameters={
            "Size": {"Type": "Number", "Default": "5"},
            "Looked": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a"},
        },
        Conditions={
            "Yes": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
            "No": {"Fn::Not": [{"Condition": "Yes"}]},
        },
    )
    assert found["P"] == resolved


def test_no_value_is_as_if_it_were_not_written(tmp_path: Path) -> None:
    assert _properties(tmp_path, {"P": {"Ref": "AWS::NoValue"}, "L": [{"Ref": "AWS::NoValue"}, 1]}) == {
        "L": [1]
    }


def test_a_resource_whose_condition_is_false_is_not_there(tmp_path: Path) -> None:
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"A": {"Type": "T::T::T", "Condition": "Never"}, "B": {"Type": "T::T::T"}},
    }
    assert [each.logical_id for each in Assembly.load(_write(tmp_path, template)).resources] == ["B"]


def test_the_stacks_of_a_stage_are_read_too(tmp_path: Path) -> None:
    nested = tmp_path / "assembly-Prod"
    nested.mkdir()
    _write(nested, {"Resources": {"R": {"Type": "T::T::T"}}}, stackName="prod")
    manifest = {
        "artifacts": {"Prod": {"type": "cdk:cloud-assembly", "properties": {"directoryName": nested.name}}}
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert [stack.name for stack in Assembly.load(tmp_path).stacks] == ["prod"]


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (None, "is not there"),
        ("{", "cannot be read as JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "no artifacts"),
        ('{"artifacts": {}}', "has no stack"),
        ('{"artifacts": {"S": {"type": "aws:cloudformation:stack"}}}', "not as CDK writes it"),
        ('{"artifacts": {"S": 7}}', "not as CDK writes it"),
        (
            '{"artifacts": {"S": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "gone.json"}}}}',
            "is not there",
        ),
    ],
)
def test_what_is_no_assembly_is_said_in_one_line(tmp_path: Path, manifest: str | None, says: str) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(MalformedAssembly, match=says) as raised:
        Assembly.load(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("template", [{"Resources": []}, {"Resources": {"R": {}}}, {"Resources": {"R": 1}}])
def test_a_template_that_is_none_is_said_in_one_line(tmp_path: Path, template: Any) -> None:
    with pytest.raises(MalformedAssembly, match="every resource needs a Type"):
        Assembly.load(_write(tmp_path, template))


@pytest.mark.parametrize(
    "usage", [{"k": 5}, {"k": {"value": "x", "formula": "f"}}, {"k": {"value": "1"}}, [1]]
)
def test_usage_without_a_value_or_a_formula_is_refused(tmp_path: Path, usage: Any) -> None:
    document = {"Resources": {"R": {"Type": "T::T::T", "Metadata": {"Workload": usage}}}}
    [resource] = Assembly.load(_write(tmp_path, document)).resources
    with pytest.raises(MalformedAssembly, match="Stack/R"):
        _ = resource.workload
