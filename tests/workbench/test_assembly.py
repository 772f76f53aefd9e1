"""Reading any CDK app's assembly: intrinsics resolved as far as they can be, and one clear line for what is none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import resource, stack, written
from tests.templates import get_att, ref
from workbench.assembly import Assembly, Reference, Resource, Unresolved, read_figures
from workbench.errors import MalformedAssembly, NotPriced
from workbench.review.cost import price
from workbench.review.coverage import coverage
from workbench.review.links import Links
from workbench.review.room import Context

pytestmark = pytest.mark.fast

THING = {"Type": "T::T::T"}
QUEUE = resource("AWS::SQS::Queue")
DASHBOARD = resource("AWS::CloudWatch::Dashboard")  # $3 a month, by existing
ACCOUNT = "123456789012"


def _write(
    folder: Path, template: Any, environment: str = "aws://unknown-account/eu-west-1", **properties: Any
) -> Path:
    (folder / "t.template.json").write_text(json.dumps(template))
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": environment,
        "properties": {"templateFile": "t.template.json", **properties},
    }
    (folder / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": {"Stack": stack}}))
    return folder


def _properties(folder: Path, properties: Any, **template: Any) -> dict[str, Any]:
    document = {"Resources": {"R": {"Type": "T::T::T", "Properties": properties}}, **template}
    [found] = Assembly.load(_write(folder, document)).resources
    return found.properties


def _refusal(folder: Path) -> str:
    """The one line with which reading `folder` ends."""
    with pytest.raises(MalformedAssembly) as raised:
        Assembly.load(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


SECTIONS: dict[str, Any] = {
    "Mappings": {"M": {"eu-west-1": {"k": 7, "l": ["a", "b"]}}},
    "Parameters": {
        "Size": {"Type": "Number", "Default": "5"},
        "Names": {"Type": "CommaDelimitedList", "Default": "a, b,c"},
        "Numbers": {"Type": "List<Number>", "Default": "80,20"},
        "None": {"Type": "CommaDelimitedList", "Default": ""},
        "Asked": {"Type": "String"},
        "Looked": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a"},
    },
    "Conditions": {
        "Yes": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Five": {"Fn::Equals": [{"Ref": "Size"}, 5]},
        "True": {"Fn::Equals": ["true", True]},
        "Perhaps": {"Fn::Equals": [{"Ref": "Looked"}, "x"]},
        "PerhapsNot": {"Fn::Not": [{"Condition": "Perhaps"}]},
        "Either": {"Fn::Or": [{"Condition": "Perhaps"}, {"Condition": "Yes"}]},
        "Both": {"Fn::And": [{"Condition": "Perhaps"}, {"Condition": "Yes"}]},
        "Neither": {"Fn::And": [{"Condition": "Perhaps"}, {"Fn::Not": [{"Condition": "Either"}]}]},
        "OurAccount": {"Fn::Equals": [{"Ref": "AWS::AccountId"}, ACCOUNT]},
        "OurName": {"Fn::Equals": [{"Fn::Sub": "${AWS::AccountId}-x"}, f"{ACCOUNT}-x"]},
        "OurPart": {
            "Fn::Equals": [
                {"Fn::Select": [0, {"Fn::Split": ["-", {"Fn::Sub": "${AWS::AccountId}-x"}]}]},
                ACCOUNT,
            ]
        },
        "Told": {"Fn::Equals": [{"Fn::Sub": "{{resolve:ssm:/a}}"}, "x"]},
        "Given": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "Names"}]}, ""]}]},
    },
}


def _kept(intrinsic: dict[str, Any]) -> Unresolved:
    return Unresolved(json.dumps(intrinsic, sort_keys=True))


@pytest.mark.parametrize(
    ("intrinsic", "resolved"),
    [
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Ref": "AWS::StackName"}, "Stack"),
        ({"Ref": "AWS::AccountId"}, "000000000000"),
        ({"Ref": "AWS::StackId"}, Unresolved('{"Ref": "AWS::StackId"}')),
        ({"Ref": "R"}, Reference("R")),
        ({"Ref": "Size"}, "5"),
        ({"Ref": "Names"}, ["a", "b", "c"]),
        ({"Ref": "Numbers"}, ["80", "20"]),
        ({"Ref": "None"}, []),
        ({"Ref": "Asked"}, Unresolved('{"Ref": "Asked"}')),
        ({"Ref": "Looked"}, Unresolved('{"Ref": "Looked"}')),
        ({"Fn::GetAtt": ["R", "Arn"]}, Reference("R", "Arn")),
        ({"Fn::GetAtt": "R.Arn"}, Reference("R", "Arn")),
        ({"Fn::GetAtt": "R.Endpoint.Port"}, Reference("R", "Endpoint.Port")),
        ({"Fn::GetAtt": ["R", {"Ref": "Size"}]}, Reference("R", "5")),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::Partition"}, {"Ref": "R"}]]}, "a-aws-${R}"),
        ({"Fn::Join": ["+", {"Ref": "Names"}]}, "a+b+c"),
        ({"Fn::Join": [":", ["a", 1, True, {"Ref": "AWS::NoValue"}, "b"]]}, "a:1:true:b"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Looked"}]]}, 'a-${{"Ref": "Looked"}}'),
        ({"Fn::Join": ["-", {"Fn::GetAtt": ["R", "List"]}]}, None),
        ({"Fn::Sub": "x-${AWS::Region}-${R.Arn}-${!literal}"}, "x-eu-west-1-${R.Arn}-${literal}"),
        ({"Fn::Sub": ["${name}/${Size}/${R}", {"name": {"Ref": "AWS::Partition"}}]}, "aws/5/${R}"),
        ({"Fn::Sub": ["${AWS::NoValue}", {}]}, ""),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::Select": ["1", {"Ref": "Names"}]}, "b"),
        ({"Fn::Select": [7, {"Ref": "Names"}]}, None),
        ({"Fn::Select": [{"Ref": "Looked"}, ["a"]]}, None),
        ({"Fn::Split": ["/", {"Fn::GetAtt": ["R", "Arn"]}]}, None),
        ({"Fn::Split": ["/", {"Fn::Sub": "${R}/a"}]}, None),
        (
            {"Fn::Split": [",", {"Fn::Join": [",", ["x", {"Ref": "R"}, {"Fn::Sub": "${R}-y"}]]}]},
            ["x", Reference("R"), "${R}-y"],
        ),
        ({"Fn::Split": [",", {"Fn::Sub": "${Looked},a"}]}, None),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]}, 7),
        ({"Fn::FindInMap": ["M", "eu-west-1", "l"]}, ["a", "b"]),
        ({"Fn::FindInMap": ["M", {"Ref": "Size"}, "k", {"DefaultValue": {"Ref": "Size"}}]}, "5"),
        ({"Fn::FindInMap": ["M", {"Ref": "Size"}, "k"]}, None),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::AccountId"}, "k", {"DefaultValue": 1}]}, None),
        ({"Fn::If": ["Yes", 1, 2]}, 1),
        ({"Fn::If": ["No", 1, 2]}, 2),
        ({"Fn::If": ["Yes", {"Fn::If": ["No", 1, {"Fn::If": ["Five", 3, 4]}]}, 2]}, 3),
        ({"Fn::If": ["Perhaps", 1, 2]}, None),
        ({"Fn::If": ["PerhapsNot", 1, 2]}, None),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::If": ["Both", 1, 2]}, None),
        ({"Fn::If": ["Neither", 1, 2]}, 2),
        ({"Fn::If": ["True", 1, 2]}, 1),
        ({"Fn::If": ["Given", 1, 2]}, 1),
        ({"Fn::If": ["OurAccount", 1, 2]}, None),
        ({"Fn::If": ["OurName", 1, 2]}, None),
        ({"Fn::If": ["OurPart", 1, 2]}, None),
        ({"Fn::If": ["Told", 1, 2]}, None),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::GetAZs": "us-east-1"}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Base64": {"Fn::Sub": "echo ${Size}"}}, "echo 5"),
        (
            {"Fn::Cidr": ["10.0.0.0/16", 3, 8]},
            ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"],
        ),
        ({"Fn::Select": [1, {"Fn::Cidr": ["2001:db8::/56", "2", "64"]}]}, "2001:db8:0:1::/64"),
        ({"Fn::Cidr": ["10.0.0.0/24", 3]}, None),
        ({"Fn::Cidr": [{"Fn::GetAtt": ["R", "CidrBlock"]}, 2, 8]}, None),
        ({"Fn::Length": {"Ref": "Names"}}, 3),
        ({"Fn::Length": {"Fn::GetAtt": ["R", "List"]}}, None),
        (
            {"Fn::ToJsonString": {"a": [1, {"Fn::Sub": '"${R}"'}], "b": {}, "c": {"Ref": "AWS::NoValue"}}},
            '{"a":[1,"\\"${R}\\""],"b":{}}',
        ),
        ({"Fn::ImportValue": "other"}, None),
        ({"Fn::GetStackOutput": {"StackName": "other", "OutputName": "x"}}, None),
        ({"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://a/b"}}}, None),
        ({"Fn::OfTomorrow": "x"}, None),
        ({"Fn::Cidr": ["2001:db8::/32", 300, 8]}, None),
        ({"Fn::Cidr": ["10.0.0.0/16", "9" * 5_000, 8]}, None),
        ({"Fn::Select": [{"Fn::Sub": "1" * 5_000}, {"Ref": "Names"}]}, None),
        ("{{resolve:ssm:/a}}", Unresolved('"{{resolve:ssm:/a}}"')),
        ({"Fn::Sub": "{{resolve:ssm:/${AWS::Region}}}"}, Unresolved('"{{resolve:ssm:/eu-west-1}}"')),
        ("a{{resolve:ssm:/b}}c", 'a${"{{resolve:ssm:/b}}"}c'),
    ],
)
def test_an_intrinsic_is_resolved_as_far_as_it_can_be(tmp_path: Path, intrinsic: Any, resolved: Any) -> None:
    expected = _kept(intrinsic) if resolved is None else resolved
    assert _properties(tmp_path, {"P": intrinsic}, **SECTIONS)["P"] == expected


def test_a_known_account_decides_a_condition(tmp_path: Path) -> None:
    template = {**SECTIONS, "Resources": {"R": {**THING, "Condition": "OurAccount"}}}
    there = Assembly.load(_write(tmp_path, template, f"aws://{ACCOUNT}/eu-west-1"))
    assert [each.logical_id for each in there.resources] == ["R"]
    elsewhere = Assembly.load(_write(tmp_path, template, f"aws://{ACCOUNT[::-1]}/eu-west-1"))
    assert not list(elsewhere.resources)


def test_what_an_unknown_account_decides_is_priced_and_not_dropped(tmp_path: Path) -> None:
    template = {**SECTIONS, "Resources": {"R": {**THING, "Condition": "OurAccount"}}}
    assert [each.logical_id for each in Assembly.load(_write(tmp_path, template)).resources] == ["R"]


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("ap-south-1", "aws", "amazonaws.com"),
    ],
)
def test_a_partition_follows_from_the_region(
    tmp_path: Path, region: str, partition: str, suffix: str
) -> None:
    wanted = {"P": {"Ref": "AWS::Partition"}, "S": {"Ref": "AWS::URLSuffix"}}
    template = {"Resources": {"R": {"Type": "T::T::T", "Properties": wanted}}}
    [found] = Assembly.load(_write(tmp_path, template, f"aws://unknown-account/{region}")).resources
    assert found.properties == {"P": partition, "S": suffix}


def test_no_value_is_as_if_it_were_not_written(tmp_path: Path) -> None:
    nothing = {"Ref": "AWS::NoValue"}
    written_out = {
        "P": nothing,
        "L": [nothing, 1],
        "I": {"Fn::If": ["No", 1, nothing]},
        "D": {"a": nothing, "b": 2},
    }
    assert _properties(tmp_path, written_out, **SECTIONS) == {"L": [1], "D": {"b": 2}}


def test_a_resource_whose_condition_is_false_is_not_there(tmp_path: Path) -> None:
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"A": {"Type": "T::T::T", "Condition": "Never"}, "B": {"Type": "T::T::T"}},
    }
    assert [each.logical_id for each in Assembly.load(_write(tmp_path, template)).resources] == ["B"]


CONDITIONAL = {
    **SECTIONS,
    "Resources": {
        "Always": DASHBOARD,
        "Never": {**DASHBOARD, "Condition": "No"},
        "Maybe": {**DASHBOARD, "Condition": "Perhaps"},
        "Role": {"Type": "AWS::IAM::Role", "Condition": "No"},
    },
}


def test_a_bill_says_what_conditions_leave_out_and_what_they_leave_open(tmp_path: Path) -> None:
    bill = price(Assembly.load(_write(tmp_path, CONDITIONAL)), region="us-east-1")
    assert bill.monthly_usd == 6
    assert bill.warnings == (
        "left out, as the condition No of Stack is false with the values that the template gives: Never",
        "counted, though only deployment knows whether the condition Perhaps of Stack holds: Maybe",
    )


def test_coverage_has_what_conditions_leave_out_and_leave_open(tmp_path: Path) -> None:
    found = {
        each.resource: each for each in coverage(Assembly.load(_write(tmp_path, CONDITIONAL)), "us-east-1")
    }
    assert {name: each.state for name, each in found.items()} == {
        "Always": "priced",
        "Never": "left out",
        "Maybe": "priced",
        "Role": "left out",
    }
    assert found["Never"].why == "its condition No is false, with the values that the template gives"
    assert found["Maybe"].why.endswith("only deployment knows whether it is there (condition Perhaps)")


def test_a_nested_stack_that_is_left_out_is_named(tmp_path: Path) -> None:
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    inner = {"in.json": {"Resources": {"Board": DASHBOARD}}}
    holder = _holds("in.json", Condition="Never")
    bill = price(Assembly.load(_nested(tmp_path, {"In": holder}, inner, Conditions=never)))
    [said] = bill.warnings
    assert said.endswith(": In")


# Bad input: one line, which names the file and the key.


@pytest.mark.parametrize(
    ("intrinsic", "says"),
    [
        ({"Ref": ["R"]}, "Ref needs a name"),
        ({"Fn::GetAtt": "R"}, "Fn::GetAtt needs a resource and an attribute"),
        ({"Fn::GetAtt": ["R"]}, "Fn::GetAtt needs a resource and an attribute"),
        ({"Fn::GetAtt": ["R", 1]}, "Fn::GetAtt needs a string"),
        ({"Fn::Join": "x"}, 'Fn::Join needs a list of 2, and has "x"'),
        ({"Fn::Join": [1, []]}, "Fn::Join needs a separator"),
        ({"Fn::Join": ["", "x"]}, "Fn::Join needs a list"),
        ({"Fn::Sub": {"a": "b"}}, "Fn::Sub needs a list of 2"),
        ({"Fn::Sub": ["a", "b"]}, "Fn::Sub needs a string, or that and an object of names"),
        ({"Fn::Select": [0]}, "Fn::Select needs a list of 2"),
        ({"Fn::Select": [-1, ["a"]]}, "Fn::Select needs a whole number as its index"),
        ({"Fn::Select": [True, ["a"]]}, "Fn::Select needs a whole number as its index"),
        ({"Fn::Select": ["x", ["a"]]}, "Fn::Select needs a whole number as its index"),
        ({"Fn::Select": [2, ["a", "b"]]}, "Fn::Select of 2 in a list of 2"),
        ({"Fn::Split": ["", "a"]}, "Fn::Split needs a separator"),
        ({"Fn::Split": [",", ["a"]]}, "Fn::Split needs a string"),
        ({"Fn::If": ["Yes", 1]}, "Fn::If needs a list of 3"),
        ({"Fn::If": [{"Fn::Equals": [1, 1]}, 1, 2]}, "is no condition of the template"),
        ({"Fn::FindInMap": ["M", "k"]}, "Fn::FindInMap needs a list of 3 to 4"),
        ({"Fn::FindInMap": ["M", "eu-west-1", "k", 1]}, "Fn::FindInMap needs a DefaultValue"),
        ({"Fn::FindInMap": ["M", "mars", "k"]}, "'mars', which is not in the template's Mappings"),
        ({"Fn::FindInMap": ["N", {"Ref": "AWS::Region"}, "k"]}, "'N', which is not in"),
        ({"Fn::GetAZs": ["a"]}, "Fn::GetAZs needs a string"),
        ({"Fn::Base64": 5}, "Fn::Base64 needs a string"),
        ({"Fn::Cidr": "10.0.0.0/16"}, "Fn::Cidr needs a list of 2 to 3"),
        ({"Fn::Cidr": [7, 1]}, "Fn::Cidr needs a string"),
        ({"Fn::ImportValue": 5}, "Fn::ImportValue needs a string"),
        ({"Fn::Length": "abc"}, "Fn::Length needs a list"),
        ({"Fn::ToJsonString": "abc"}, "Fn::ToJsonString needs an object or a list"),
        ({"Fn::GetStackOutput": {"StackName": "a"}}, "Fn::GetStackOutput needs the key OutputName"),
        ({"Fn::GetStackOutput": "a"}, "not a JSON object"),
        ({"Ref": "Gone"}, "Ref of 'Gone', which is no resource and no parameter"),
        ({"Ref": "AWS::Regio"}, "Ref of 'AWS::Regio'"),
        ({"Fn::GetAtt": ["Gone", "Arn"]}, "Fn::GetAtt of 'Gone', which is no resource"),
        ({"Fn::GetAtt": "Size.Arn"}, "Fn::GetAtt of 'Size', which is no resource"),
        ({"Fn::Sub": "${Gone}"}, "Fn::Sub of 'Gone', which is no resource and no parameter"),
        ({"Fn::Sub": "a ${Gone.Arn}"}, "Fn::Sub of 'Gone', which is no resource"),
        ({"Fn::Sub": ["${a} ${b}", {"a": 1}]}, "Fn::Sub of 'b'"),
        ({"Fn::If": ["Gone", 1, 2]}, '"Gone" is no condition'),
        ({"Fn::ForEach::Each": ["x", ["a"], {}]}, "what the macro Fn::ForEach::Each makes"),
        ({"Fn::Transform": {"Name": "M"}, "Other": 1}, "what the macro Fn::Transform makes"),
    ],
)
def test_an_intrinsic_that_is_malformed_or_points_at_nothing_is_named_with_its_place(
    tmp_path: Path, intrinsic: Any, says: str
) -> None:
    template = {
        **SECTIONS,
        "Resources": {"R": {"Type": "T::T::T", "Properties": {"Rules": [1, {"To": intrinsic}]}}},
    }
    said = _refusal(_write(tmp_path, template))
    assert said.startswith(f"{tmp_path}/t.template.json: Resources.R.Properties.Rules[1].To")
    assert says in said


def test_a_bad_intrinsic_is_found_wherever_it_stands(tmp_path: Path) -> None:
    inner = {"Fn::Join": ["", ["a", {"Fn::If": ["Yes", "b", {"Ref": "Gone"}]}]]}
    template = {**SECTIONS, "Resources": {"R": {"Type": "T::T::T", "Properties": {"P": inner}}}}
    said = _refusal(_write(tmp_path, template))
    assert "Resources.R.Properties.P.Fn::Join[1][1].Fn::If[2]: Ref of 'Gone'" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"Resources": []}, "t.template.json: Resources: not a JSON object but []"),
        ({"Resources": {"R": {}}}, "Resources.R: every resource needs a Type"),
        ({"Resources": {"R": {"Type": 5}}}, "Resources.R: every resource needs a Type"),
        ({"Resources": {"R": 1}}, "Resources.R: not a JSON object but 1"),
        ({"Resources": {"R": {**THING, "Properties": ["a"]}}}, "Resources.R.Properties: not a JSON object"),
        (
            {"Resources": {"R": {**THING, "Properties": {"Fn::Transform": {"Name": "M"}}}}},
            "Resources.R.Properties: properties cannot come from Fn::Transform",
        ),
        ({"Resources": {"R": {**THING, "DependsOn": "Gone"}}}, 'R.DependsOn: "Gone" is no resource'),
        ({"Resources": {"R": {**THING, "DependsOn": ["R", "Size"]}}}, 'R.DependsOn: "Size" is no resource'),
        ({"Resources": {"R": {**THING, "Condition": "Gone"}}}, 'R.Condition: "Gone" is no condition'),
        ({"Resources": {"R": {**THING, "UpdatePolicy": {"A": {"Ref": "Gone"}}}}}, "R.UpdatePolicy.A: Ref of"),
        ({"Resources": {"Fn::ForEach::Topics": ["x", ["a", "b"], {}]}}, "macro Fn::ForEach::Topics"),
        ({"Resources": {"Fn::Transform": {"Name": "M"}}}, "macro Fn::Transform"),
        ({"Outputs": {"O": {"Value": {"Ref": "Gone"}}}}, "Outputs.O.Value: Ref of 'Gone'"),
        ({"Outputs": {"O": {}}}, "Outputs.O: every output needs a Value"),
        ({"Outputs": {"O": {"Value": 1, "Condition": "Gone"}}}, "Outputs.O.Condition"),
        ({"Outputs": {"O": {"Value": 1, "Export": "x"}}}, "Outputs.O.Export: not a JSON object"),
        ({"Parameters": {"P": {}}}, "Parameters.P: every parameter needs a Type"),
        ({"Parameters": 3}, "Parameters: not a JSON object"),
        ({"Metadata": "x"}, "Metadata: not a JSON object"),
        ({"Resources": {"R": {**THING, "Metadata": "x"}}}, "Resources.R.Metadata: not a JSON object"),
        ({"Mappings": {"M": {"a": 1}}}, "Mappings.M.a: not a JSON object"),
        ({"Conditions": {"C": {}}}, "Conditions.C: a condition is one of"),
        ({"Conditions": {"C": {"Fn::Equals": [1]}}}, "Conditions.C: Fn::Equals needs a list of 2"),
        ({"Conditions": {"C": {"Fn::Not": []}}}, "Conditions.C: Fn::Not needs a list of 1"),
        ({"Conditions": {"C": {"Fn::Xor": []}}}, "Conditions.C: Fn::Xor is none of"),
        ({"Conditions": {"C": {"Condition": "D"}}}, 'Conditions.C: "D" is no condition'),
        (
            {
                "Transform": "AWS::Serverless-2016-10-31",
                "Resources": {"F": {"Type": "AWS::Serverless::Function"}},
            },
            "Transform: what the macro AWS::Serverless-2016-10-31",
        ),
        ({"Transform": {"Name": "AWS::Include"}}, "Transform: what the macro AWS::Include makes"),
        ({"Transform": ["AWS::LanguageExtensions", "Ours"]}, "Transform: what the macro Ours"),
    ],
)
def test_a_template_that_is_none_is_said_with_its_key(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    base = {"Parameters": SECTIONS["Parameters"], "Resources": {"R": THING}}
    assert says in _refusal(_write(tmp_path, {**base, **changes}))


def test_what_has_no_resources_and_is_no_template_is_said(tmp_path: Path) -> None:
    assert f"{tmp_path}/t.template.json: it has no Resources" in _refusal(_write(tmp_path, {"dirs": {}}))


@pytest.mark.parametrize("empty", [{}, {"Parameters": {"V": {"Type": "String"}}, "Rules": {"C": {}}}])
def test_an_empty_stack_is_read_as_one_as_the_cdk_skips_it(tmp_path: Path, empty: dict[str, Any]) -> None:
    assembly = Assembly.load(_write(tmp_path, empty))
    assert list(assembly.resources) == []
    assert price(assembly).lines == ()


def test_an_application_of_the_serverless_repository_is_named_as_not_priced(tmp_path: Path) -> None:
    """The CDK rotates a database's secret with one."""
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Rotation": {"Type": "AWS::Serverless::Application"}, "Board": DASHBOARD},
    }
    bill = price(Assembly.load(_write(tmp_path, template, "aws://unknown-account/us-east-1")))
    assert bill.monthly_usd == 3
    assert [each.resource for each in bill.unpriced] == ["Rotation"]


def test_a_template_that_is_nested_without_end_is_said(tmp_path: Path) -> None:
    value: Any = {}
    for _ in range(200):
        value = [value]
    deep = {"Resources": {"R": {**THING, "Properties": {"P": value}}}}
    assert "nested more than 150 deep" in _refusal(_write(tmp_path, deep))


def test_conditions_that_ask_each_other_are_a_ring(tmp_path: Path) -> None:
    template = {
        "Conditions": {"A": {"Fn::Not": [{"Condition": "B"}]}, "B": {"Fn::Not": [{"Condition": "A"}]}},
        "Resources": {"R": {**THING, "Condition": "A"}},
    }
    assembly = Assembly.load(_write(tmp_path, template))
    with pytest.raises(MalformedAssembly, match=r"t\.template\.json: Conditions\.A depends on itself"):
        list(assembly.resources)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_what_is_no_number_of_json_is_said(tmp_path: Path, number: str) -> None:
    _write(tmp_path, {})
    written_out = f'{{"Resources": {{"R": {{"Type": "T::T::T", "Properties": {{"P": {number}}}}}}}}}'
    (tmp_path / "t.template.json").write_text(written_out)
    said = _refusal(tmp_path)
    assert "t.template.json cannot be read as JSON" in said
    assert number in said


@pytest.mark.parametrize("character", ["\\u0000", "\\ud800", "\\uDC00x"])
def test_a_character_that_is_none_is_said(tmp_path: Path, character: str) -> None:
    _write(tmp_path, {})
    (tmp_path / "t.template.json").write_text(f'{{"Resources": {{"R{character}": {{"Type": "T::T::T"}}}}}}')
    assert "t.template.json cannot be read as JSON" in _refusal(tmp_path)


@pytest.mark.parametrize("text", ["\U0001f600", r"'\u0000' of a program", r"\ud800"])
def test_a_pair_that_is_one_character_and_an_escape_of_another_language_are_read(
    tmp_path: Path, text: str
) -> None:
    assert _properties(tmp_path, {"P": text}) == {"P": text}


def test_conditions_that_ask_each_other_without_end_are_said(tmp_path: Path) -> None:
    last = 5_000
    asking = {f"C{each}": {"Condition": f"C{each + 1}"} for each in range(last)}
    template = {
        "Conditions": {**asking, f"C{last}": {"Fn::Equals": ["a", "a"]}},
        "Resources": {"R": {**THING, "Condition": "C0"}},
    }
    assembly = Assembly.load(_write(tmp_path, template))
    with pytest.raises(
        MalformedAssembly, match=r"t\.template\.json: Conditions\.C\d+ leads through too many"
    ):
        list(assembly.resources)


def test_what_a_module_makes_may_be_pointed_at(tmp_path: Path) -> None:
    points = {"A": {"Fn::GetAtt": ["M.Made", "Arn"]}, "B": ref("M.Made"), "C": {"Fn::Sub": "${M.Made.Arn}"}}
    module = {"Type": "Acme::Net::Vpc::MODULE"}
    template: dict[str, Any] = {"Resources": {"M": module, "R": {**THING, "Properties": points}}}
    assembly = Assembly.load(_write(tmp_path, template, "aws://unknown-account/us-east-1"))
    with pytest.raises(NotPriced, match=r"Stack/M: Acme::Net::Vpc::MODULE is no resource: a module stands"):
        price(assembly)
    template["Resources"]["R"]["Properties"] = {"A": {"Fn::GetAtt": ["R.Made", "Arn"]}}
    assert "Fn::GetAtt of 'R.Made', which is no resource" in _refusal(_write(tmp_path, template))


def test_what_stands_in_metadata_and_rules_is_not_held_against_a_template(tmp_path: Path) -> None:
    template = {
        "Rules": {"Check": {"Assertions": [{"Assert": {"Fn::Contains": [["1"], {"Ref": "Version"}]}}]}},
        "Resources": {"R": {**THING, "Metadata": {"Ref": "anything"}, "DependsOn": "S"}, "S": THING},
        "Transform": "AWS::LanguageExtensions",
    }
    assert len(list(Assembly.load(_write(tmp_path, template)).resources)) == 2


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (None, "manifest.json is not there"),
        ("{", "manifest.json cannot be read as JSON"),
        ("[]", "manifest.json is not a JSON object"),
        ("{}", "manifest.json: no artifacts"),
        ('{"artifacts": {}}', "has no stack"),
        ('{"artifacts": {"S": 7}}', "manifest.json: artifacts.S is not an object"),
        ('{"artifacts": {"S": {}}}', "artifacts.S.type is missing"),
        (
            '{"artifacts": {"S": {"type": "aws:cloudformation:stack"}}}',
            "artifacts.S.properties is missing, not as CDK writes it",
        ),
        (
            '{"artifacts": {"S": {"type": "aws:cloudformation:stack", "properties": {}}}}',
            "artifacts.S.properties.templateFile is missing",
        ),
        (
            '{"artifacts": {"S": {"type": "aws:cloudformation:stack", "properties": {"templateFile": 5}}}}',
            "artifacts.S.properties.templateFile is not a string",
        ),
        (
            '{"artifacts": {"S": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "gone.json"}}}}',
            "gone.json is not there",
        ),
        (
            '{"artifacts": {"P": {"type": "cdk:cloud-assembly", "properties": {}}}}',
            "artifacts.P.properties.directoryName is missing",
        ),
        (
            '{"artifacts": {"P": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "."}}}}',
            "artifacts.P.properties.directoryName: the assembly holds itself",
        ),
        (
            '{"artifacts": {"P": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "prod"}}}}',
            "prod/manifest.json is not there",
        ),
    ],
)
def test_what_is_no_assembly_is_said_in_one_line(tmp_path: Path, manifest: str | None, says: str) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    assert says in _refusal(tmp_path)


def test_a_file_is_not_the_folder_that_holds_it(tmp_path: Path) -> None:
    _write(tmp_path, {"Resources": {"R": THING}})
    assert "t.template.json is a file; give the folder" in _refusal(tmp_path / "t.template.json")


def test_a_template_in_yaml_is_said_to_be_that(tmp_path: Path) -> None:
    _write(tmp_path, {"Resources": {"R": THING}}, templateFile="t.template.yaml")
    (tmp_path / "t.template.yaml").write_text("Resources: {R: {Type: T}}")
    assert "t.template.yaml is YAML" in _refusal(tmp_path)


def test_a_template_that_is_no_json_is_said(tmp_path: Path) -> None:
    _write(tmp_path, {})
    (tmp_path / "t.template.json").write_text("Resources:\n  R: {Type: T}\n")
    assert "t.template.json cannot be read as JSON" in _refusal(tmp_path)


@pytest.mark.parametrize(
    ("artifact", "says"),
    [
        ({"dependencies": ["Gone"]}, "artifacts.S.dependencies: there is no artifact 'Gone'"),
        ({"dependencies": "A"}, "artifacts.S.dependencies is not a list"),
        ({"dependencies": [{}]}, "artifacts.S.dependencies: there is no artifact {}"),
        ({"dependencies": ["A"]}, "gone.assets.json is not there"),
        ({"dependencies": ["B"]}, "artifacts.B.properties.file is missing"),
        ({"dependencies": ["S"]}, "stacks depend on each other in a ring: S → S"),
        ({"additionalMetadataFile": "gone.json"}, "gone.json is not there"),
        ({"additionalMetadataFile": 5}, "artifacts.S.additionalMetadataFile is not a string"),
        ({"metadata": {"/S/R": 5}}, "artifacts.S: the metadata is not as CDK writes it"),
    ],
)
def test_what_belongs_to_a_stack_and_is_not_there_is_named(
    tmp_path: Path, artifact: dict[str, Any], says: str
) -> None:
    _write(tmp_path, {"Resources": {"R": THING}})
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.template.json"}}
    artifacts = {
        "A": {"type": "cdk:asset-manifest", "properties": {"file": "gone.assets.json"}},
        "B": {"type": "cdk:asset-manifest", "properties": {}},
        "S": {**stack, **artifact},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    assert says in _refusal(tmp_path)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (7, "files.a is not an object"),
        ({}, "files.a.source is missing"),
        ({"source": {"executable": ["make"]}}, "files.a is built by a command"),
        ({"source": {"path": "x"}}, "files.a.destinations is missing"),
        ({"source": {"path": "x"}, "destinations": {}}, "files.a.destinations is empty"),
        ({"source": {"path": "x"}, "destinations": {"d": {}}}, "files.a.destinations.bucketName is missing"),
    ],
)
def test_an_asset_that_is_none_is_named(tmp_path: Path, entry: Any, says: str) -> None:
    _nested(tmp_path, {"R": THING}, {})
    (tmp_path / "Outer.assets.json").write_text(json.dumps({"files": {"a": entry}}))
    assert f"{tmp_path}/Outer.assets.json: {says}" in _refusal(tmp_path)


@pytest.mark.parametrize(
    "usage", [{"k": 5}, {"k": {"value": "x", "formula": "f"}}, {"k": {"value": "1"}}, [1]]
)
def test_usage_without_a_value_or_a_formula_is_refused(tmp_path: Path, usage: Any) -> None:
    document = {"Resources": {"R": {"Type": "T::T::T", "Metadata": {"Workload": usage}}}}
    [found] = Assembly.load(_write(tmp_path, document)).resources
    with pytest.raises(MalformedAssembly, match=r"t\.template\.json: Resources\.R\.Metadata\.Workload"):
        _ = found.workload


@pytest.mark.parametrize("value", ["-1", "-0.001", "NaN", "Infinity", "-Infinity", "1e19", 10**18 + 1])
def test_usage_that_is_no_amount_is_refused_with_its_key(value: Any) -> None:
    with pytest.raises(MalformedAssembly, match=r"^t\.json: R: usage 'k' is .*from 0 to 10\^18"):
        read_figures({"k": {"value": value, "formula": "f"}}, "t.json: R")


@pytest.mark.parametrize("value", ["0", 10**18, "0.5"])
def test_usage_may_be_any_amount_up_to_the_largest(value: Any) -> None:
    assert read_figures({"k": {"value": value, "formula": "f"}}, "")["k"].value == Decimal(str(value))


# Nested stacks.


def _nested(
    folder: Path,
    resources: Mapping[str, Any],
    inner: Mapping[str, Mapping[str, Any]],
    paths: Mapping[str, str] | None = None,
    **sections: Any,
) -> Path:
    """The stack `Outer`; `inner` are templates published as assets, by their file; `paths` construct path → id."""
    folder.mkdir(exist_ok=True)
    files = {
        name: {
            "source": {"path": name, "packaging": "file"},
            "destinations": {"d": {"bucketName": "b", "objectKey": f"prefix/{name}"}},
        }
        for name in inner
    }
    for name, template in {**inner, "Outer.json": {"Resources": dict(resources), **sections}}.items():
        (folder / name).write_text(json.dumps(template))
    (folder / "Outer.assets.json").write_text(json.dumps({"files": files}))
    metadata = {path: [{"type": "aws:cdk:logicalId", "data": each}] for path, each in (paths or {}).items()}
    artifacts = {
        "Outer.assets": {"type": "cdk:asset-manifest", "properties": {"file": "Outer.assets.json"}},
        "Outer": {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/us-east-1",
            "properties": {"templateFile": "Outer.json"},
            "dependencies": ["Outer.assets"],
            "metadata": metadata,
        },
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def _holds(file: str, parameters: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A nested stack whose template is the asset `file`."""
    parts = ["https://s3.", ref("AWS::Region"), ".", ref("AWS::URLSuffix"), f"/b/prefix/{file}"]
    properties = {"TemplateURL": {"Fn::Join": ["", parts]}, "Parameters": dict(parameters or {})}
    return {"Type": "AWS::CloudFormation::Stack", "Properties": properties, **more}


def _text(*names: str, kind: str = "String") -> dict[str, Any]:
    return {name: {"Type": kind} for name in names}


def _by_name(assembly: Assembly) -> dict[str, Resource]:
    context = Context(assembly, {}, Decimal(1))
    return {context.name_of(each): each for each in assembly.resources}


def test_a_nested_stack_is_read_and_what_deploys_sees_its_parent_only(tmp_path: Path) -> None:
    inner = {"Resources": {"Board": DASHBOARD}}
    assembly = Assembly.load(
        _nested(tmp_path, {"Board": DASHBOARD, "In": _holds("in.json")}, {"in.json": inner})
    )
    assert [stack.name for stack in assembly.stacks] == ["Outer"]
    assert list(assembly.stacks[0].resources) == ["Board", "In"]
    assert [stack.name for stack in assembly.every_stack] == ["Outer", "Outer/In"]
    assert sorted(_by_name(assembly)) == ["Board", "In", "In/Board"]
    bill = price(assembly)
    assert (bill.monthly_usd, bill.unpriced) == (Decimal(6), ())


def test_a_nested_template_is_found_by_what_cdks_command_line_writes_beside_it(tmp_path: Path) -> None:
    beside = {"aws:asset:path": "in.json", "aws:asset:property": "TemplateURL"}
    holder = {
        "Type": "AWS::CloudFormation::Stack",
        "Metadata": beside,
        "Properties": {"TemplateURL": ref("Address")},
    }
    folder = _nested(tmp_path, {"In": holder}, {}, Parameters=_text("Address"))
    (folder / "in.json").write_text(json.dumps({"Resources": {"Board": DASHBOARD}}))
    assert price(Assembly.load(folder)).monthly_usd == 3


@pytest.mark.parametrize(
    "address",
    [
        "https://s3.amazonaws.com/somebody/else/vpc.template",
        "https://s3.amazonaws.com/other/in.json",
        {"Ref": "Address"},
    ],
)
def test_a_nested_stack_whose_template_is_elsewhere_is_named_as_not_priced(
    tmp_path: Path, address: Any
) -> None:
    holder = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": address}}
    inner = {"in.json": {"Resources": {"Board": DASHBOARD}}}
    bill = price(Assembly.load(_nested(tmp_path, {"In": holder}, inner, Parameters=_text("Address"))))
    assert bill.monthly_usd == 0
    [named] = bill.unpriced
    assert (named.resource, named.type) == ("In", "AWS::CloudFormation::Stack")
    assert "its template is not in the assembly" in named.why


def test_a_nested_stack_whose_condition_is_false_has_no_resources(tmp_path: Path) -> None:
    holder = _holds("in.json", Condition="Never")
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    inner = {"in.json": {"Resources": {"Board": DASHBOARD}}}
    assembly = Assembly.load(_nested(tmp_path, {"In": holder, "Q": QUEUE}, inner, Conditions=never))
    assert list(_by_name(assembly)) == ["Q"]


def test_parameters_have_the_values_that_the_parent_gives(tmp_path: Path) -> None:
    given = {
        "Count": 3,
        "Queue": get_att("Q", "Arn"),
        "Queues": {"Fn::Join": [",", [ref("Q"), ref("P")]]},
        "Sizes": "1, 2",
        "Path": {"Fn::Sub": "${Q.Arn}/x"},
        "Late": ref("Late"),
        "Spared": {"Fn::If": ["Never", "x", {"Ref": "AWS::NoValue"}]},
    }
    asked = {name: ref(name) for name in (*given, "Untold", "Usual")}
    inner = {
        "Parameters": {
            **_text("Queue", "Path", "Late", "Untold"),
            "Count": {"Type": "Number", "Default": 1},
            "Usual": {"Type": "String", "Default": "usual"},
            "Spared": {"Type": "String", "Default": "spared"},
            **_text("Queues", kind="List<AWS::EC2::Subnet::Id>"),
            **_text("Sizes", kind="CommaDelimitedList"),
        },
        "Conditions": {"Three": {"Fn::Equals": [ref("Count"), "3"]}},
        "Resources": {
            "R": {"Type": "T::T::T", "Properties": asked, "Condition": "Three"},
            "Q": QUEUE,
        },
    }
    outer = {"Q": QUEUE, "P": QUEUE, "In": _holds("in.json", given)}
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    folder = _nested(tmp_path, outer, {"in.json": inner}, Parameters=_text("Late"), Conditions=never)
    assembly = Assembly.load(folder)
    found = _by_name(assembly)["In/R"]
    parent = assembly.stacks[0]
    assert found.properties == {
        "Count": 3,
        "Queue": Reference("Q", "Arn", parent),
        "Queues": [Reference("Q", stack=parent), Reference("P", stack=parent)],
        "Sizes": ["1", "2"],
        "Path": "${Outer/Q.Arn}/x",
        "Late": Unresolved('{"Ref": "Late"}', parent),
        "Untold": Unresolved('{"Ref": "Untold"}'),
        "Usual": "usual",
        "Spared": "spared",
    }


def test_links_lead_into_a_nested_stack_and_out_of_it(tmp_path: Path) -> None:
    """The queue `Q` of the parent and of the nested stack have the same logical id, and are told apart."""
    uses = {
        "Own": ref("Q"),
        "Given": ref("Outside"),
        "Sub": {"Fn::Sub": "${Outside}/x"},
        "Late": {"Fn::Select": [0, {"Fn::Split": ["/", ref("Outside")]}]},
    }
    inner = {
        "Parameters": _text("Outside"),
        "Resources": {"Q": QUEUE, "Uses": {"Type": "T::T::T", "Properties": uses}},
        "Outputs": {
            "Made": {"Value": get_att("Q", "Arn")},
            "Back": {"Value": ref("Outside")},
            "Word": {"Value": "w"},
        },
    }
    asks = {
        "Made": get_att("In", "Outputs.Made"),
        "Back": {"Fn::GetAtt": "In.Outputs.Back"},
        "Sub": {"Fn::Sub": "x-${In.Outputs.Made}"},
        "Word": {"Fn::Sub": "a ${In.Outputs.Word}"},
        "Itself": ref("In"),
    }
    outer = {
        "Q": QUEUE,
        "In": _holds("in.json", {"Outside": get_att("Q", "Arn")}),
        "Asks": {"Type": "T::T::T", "Properties": asks},
    }
    assembly = Assembly.load(_nested(tmp_path, outer, {"in.json": inner}))
    found = _by_name(assembly)
    links = Links(assembly)

    def followed(name: str) -> dict[str, tuple[str | None, list[str]]]:
        """Property → what its resolved value points at, and what the template's does."""
        resource, raw = found[name], found[name].raw["Properties"]
        targets = {key: links.target(resource, value) for key, value in resource.properties.items()}
        return {
            key: (target.name if target else None, [each.name for each in links.mentions(resource, raw[key])])
            for key, target in targets.items()
        }

    assert followed("In/Uses") == {
        "Own": ("In/Q", ["In/Q"]),
        "Given": ("Q", ["Q"]),
        "Sub": ("Q", ["Q"]),
        "Late": ("Q", ["Q"]),
    }
    assert followed("Asks") == {
        "Made": ("In/Q", ["In/Q"]),
        "Back": ("Q", ["Q"]),
        "Sub": ("In/Q", ["In/Q"]),
        "Word": (None, []),
        "Itself": ("In", ["In"]),
    }
    assert found["Asks"].properties["Back"] == Reference("Q", "Arn")
    assert found["Asks"].properties["Word"] == "a w"


def test_a_value_goes_from_one_nested_stack_through_the_parent_to_another(tmp_path: Path) -> None:
    makes = {"Resources": {"Q": QUEUE}, "Outputs": {"Q": {"Value": ref("Q")}}}
    hands_on = {
        "Parameters": _text("Queue"),
        "Resources": {"Deeper": _holds("uses.json", {"Queue": ref("Queue")})},
    }
    uses = {
        "Parameters": _text("Queue"),
        "Resources": {"R": {"Type": "T::T::T", "Properties": {"P": ref("Queue")}}},
    }
    outer = {
        "Makes": _holds("makes.json"),
        "Uses": _holds("hands_on.json", {"Queue": get_att("Makes", "Outputs.Q")}),
    }
    inner = {"makes.json": makes, "hands_on.json": hands_on, "uses.json": uses}
    assembly = Assembly.load(_nested(tmp_path, outer, inner))
    found = _by_name(assembly)
    user = found["Uses/Deeper/R"]
    assert user.stack.name == "Outer/Uses/Deeper"
    assert user.stack.top is assembly.stacks[0]
    assert Links(assembly).target(user, user.properties["P"]) is found["Makes/Q"]


def test_a_stack_has_its_assets_without_its_own_template(tmp_path: Path) -> None:
    folder = _nested(tmp_path, {"In": _holds("in.json")}, {"in.json": {"Resources": {"R": THING}}})
    published = json.loads((folder / "Outer.assets.json").read_text())
    published["files"]["own"] = {
        "source": {"path": "Outer.json"},
        "destinations": {"d": {"bucketName": "b", "objectKey": "own.json"}},
    }
    (folder / "Outer.assets.json").write_text(json.dumps(published))
    [stack] = Assembly.load(folder).stacks
    assert [asset.path.name for asset in stack.assets] == ["in.json"]


def test_one_template_may_be_nested_twice(tmp_path: Path) -> None:
    outer = {"A": _holds("in.json"), "B": _holds("in.json")}
    assembly = Assembly.load(_nested(tmp_path, outer, {"in.json": {"Resources": {"Board": DASHBOARD}}}))
    assert {"A/Board", "B/Board"} < _by_name(assembly).keys()
    assert price(assembly).monthly_usd == 6


def test_a_nested_resource_is_called_by_its_construct_path(tmp_path: Path) -> None:
    """CDK gives nested stacks equal logical ids, and one list of paths for all of them."""
    paths = {
        "/Outer/Jobs/Resource": "Q",
        "/Outer/In.NestedStack/In.NestedStackResource": "In",
        "/Outer/In/Jobs/Resource": "Q",
        "/Outer/In/In.NestedStack/In.NestedStackResource": "In",
        "/Outer/In/In/Jobs/Resource": "Q",
        "/Outer/Too.NestedStack/Too.NestedStackResource": "Too",
        "/Outer/Too/Work/Jobs/Resource": "Q",
    }
    outer = {"Q": QUEUE, "In": _holds("in.json"), "Too": _holds("deep.json")}
    inner = {
        "in.json": {"Resources": {"Q": QUEUE, "In": _holds("deep.json")}},
        "deep.json": {"Resources": {"Q": QUEUE}},
    }
    assembly = Assembly.load(_nested(tmp_path, outer, inner, paths))
    assert list(_by_name(assembly)) == [
        "Jobs",
        "In",
        "Too",
        "In/Jobs",
        "In/In",
        "In/In/Jobs",
        "Too/Work/Jobs",
    ]


@pytest.mark.parametrize(
    ("outer", "inner", "says"),
    [
        (
            {"In": _holds("in.json")},
            {"in.json": {"Resources": {"Deeper": _holds("deeper.json")}}, "deeper.json": "in.json"},
            "deeper.json: Resources.In: its template in.json holds itself, in a ring",
        ),
        ({"In": _holds("gone.json")}, {"gone.json": None}, "Outer.json: Resources.In: its template"),
        ({"In": _holds("in.json")}, {"in.json": {"files": {}}}, "in.json: it has no Resources"),
        (
            {"In": _holds("in.json")},
            {"in.json": {"Resources": {"R": {**THING, "Properties": {"P": ref("Gone")}}}}},
            "in.json: Resources.R.Properties.P: Ref of 'Gone'",
        ),
        (
            {
                "In": _holds("in.json"),
                "R": {**THING, "Properties": {"P": [get_att("In", "Outputs.Gone")]}},
            },
            {"in.json": {"Resources": {"R": THING}}},
            "Outer.json: Resources.R.Properties.P[0]: 'In' has no output 'Gone' in in.json",
        ),
    ],
)
def test_nested_stacks_that_cannot_be_are_said_in_one_line(
    tmp_path: Path, outer: dict[str, Any], inner: dict[str, Any], says: str
) -> None:
    ring = {"Resources": {"In": _holds("in.json")}}
    made = {name: ring if each == "in.json" else each for name, each in inner.items()}
    folder = _nested(tmp_path, outer, made)
    if made.get("gone.json", ring) is None:
        (folder / "gone.json").unlink()
    assert says in _refusal(folder)


def test_stacks_that_are_nested_without_end_are_said(tmp_path: Path) -> None:
    last = 100
    inner: dict[str, Any] = {
        f"in{each}.json": {"Resources": {"In": _holds(f"in{each + 1}.json")}} for each in range(last)
    }
    inner[f"in{last}.json"] = {"Resources": {"R": THING}}
    said = _refusal(_nested(tmp_path, {"In": _holds("in0.json")}, inner))
    assert "in49.json: Resources.In: stacks are nested more than 50 deep" in said


def test_a_nested_template_in_yaml_is_said_to_be_that(tmp_path: Path) -> None:
    folder = _nested(tmp_path, {"In": _holds("in.yaml")}, {"in.yaml": {"Resources": {"R": THING}}})
    assert "in.yaml is YAML" in _refusal(folder)


def test_an_output_that_is_what_it_was_given_for_itself_is_a_ring(tmp_path: Path) -> None:
    inner = {
        "Parameters": _text("Given"),
        "Resources": {"R": {"Type": "T::T::T", "Properties": {"P": ref("Given")}}},
        "Outputs": {"Back": {"Value": ref("Given")}},
    }
    outer = {"In": _holds("in.json", {"Given": get_att("In", "Outputs.Back")})}
    assembly = Assembly.load(_nested(tmp_path, outer, {"in.json": inner}))
    with pytest.raises(MalformedAssembly, match="depends on itself"):
        _ = _by_name(assembly)["In/R"].properties


def test_links_end_where_a_ring_is_hidden_behind_what_only_deployment_knows(tmp_path: Path) -> None:
    inner = {
        "Parameters": _text("Given"),
        "Resources": {"R": {"Type": "T::T::T", "Properties": {"P": ref("Given")}}, "Q": QUEUE},
        "Outputs": {"Back": {"Value": {"Fn::If": ["Perhaps", ref("Given"), ref("Q")]}}},
        "Conditions": {"Perhaps": {"Fn::Equals": [ref("Late"), "x"]}},
    }
    inner["Parameters"] |= _text("Late")
    outer = {"In": _holds("in.json", {"Given": get_att("In", "Outputs.Back")})}
    assembly = Assembly.load(_nested(tmp_path, outer, {"in.json": inner}))
    found = _by_name(assembly)
    mentioned = Links(assembly).mentions(found["In/R"], found["In/R"].raw["Properties"])
    assert mentioned == [found["In/Q"]]


# Stages, and stacks that refer to each other.


def _stage(folder: Path, name: str, stacks: Mapping[str, Mapping[str, Any]], **artifacts: Any) -> None:
    """A nested assembly of `stacks`, artifact → template; `artifacts` adds to what the manifest says of them."""
    inner = folder / f"assembly-{name}"
    inner.mkdir()
    listed = {}
    for artifact_id, template in stacks.items():
        (inner / f"{artifact_id}.json").write_text(json.dumps(template))
        listed[artifact_id] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/us-east-1",
            "properties": {"templateFile": f"{artifact_id}.json", **artifacts.get("properties", {})},
            "displayName": f"{name}/{artifact_id}",
            **artifacts.get(artifact_id, {}),
        }
    (inner / "manifest.json").write_text(json.dumps({"artifacts": listed}))
    manifest = folder / "manifest.json"
    known = json.loads(manifest.read_text())["artifacts"] if manifest.exists() else {}
    known[f"assembly-{name}"] = {
        "type": "cdk:cloud-assembly",
        "properties": {"directoryName": inner.name, "displayName": name},
    }
    manifest.write_text(json.dumps({"artifacts": known}))


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
    ("named", "names"),
    [
        ({}, ["BetaShop/Board", "ProdShop/Board"]),
        ({"stackName": "shop"}, ["Beta/BetaShop/Board", "Prod/ProdShop/Board"]),
    ],
)
def test_the_same_stack_in_two_stages_is_priced_twice_and_told_apart(
    tmp_path: Path, named: dict[str, str], names: list[str]
) -> None:
    for stage in ("Beta", "Prod"):
        path = f"{stage}/{stage}Shop/Board/Resource"
        board = resource("AWS::CloudWatch::Dashboard", path=path)
        _stage(tmp_path, stage, {f"{stage}Shop": {"Resources": {"B": board}}}, properties=named)
    assembly = Assembly.load(tmp_path)
    assert list(_by_name(assembly)) == names
    bill = price(assembly)
    assert [(line.resource, line.monthly_usd) for line in bill.lines] == [
        (name, Decimal(3)) for name in names
    ]


def test_a_stack_comes_after_those_of_its_stage_that_it_needs(tmp_path: Path) -> None:
    for stage in ("Beta", "Prod"):
        template = {"Resources": {"R": THING}}
        _stage(tmp_path, stage, {"Uses": template, "Makes": template}, Uses={"dependencies": ["Makes"]})
    found = Assembly.load(tmp_path).stacks
    assert [stack.construct_path for stack in found] == [
        "Beta/Makes",
        "Prod/Makes",
        "Beta/Uses",
        "Prod/Uses",
    ]


EXPORTING: dict[str, Any] = {
    "Resources": {"Q": QUEUE},
    "Outputs": {
        "Queue": {"Value": get_att("Q", "Arn"), "Export": {"Name": {"Fn::Sub": "${AWS::Region}-queue"}}},
        "Days": {"Value": "14", "Export": {"Name": "days"}},
    },
}


def _importing(importing: Callable[[str, str], Any]) -> dict[str, Any]:
    used = {"Queue": importing("us-east-1-queue", "Queue"), "Days": importing("days", "Days")}
    return {"Resources": {"R": {"Type": "T::T::T", "Properties": used}}}


@pytest.mark.parametrize(
    "importing",
    [
        lambda export, _: {"Fn::ImportValue": export},
        lambda _, output: {"Fn::GetStackOutput": {"StackName": "Makes", "OutputName": output}},
        lambda _, output: {
            "Fn::GetStackOutput": {"StackName": "Makes", "OutputName": output, "Region": ref("AWS::Region")}
        },
    ],
    ids=["Fn::ImportValue", "Fn::GetStackOutput", "Fn::GetStackOutput of a region"],
)
def test_what_another_stack_puts_out_is_followed_in_its_own_stage(
    tmp_path: Path, importing: Callable[[str, str], Any]
) -> None:
    for stage in ("Beta", "Prod"):
        _stage(tmp_path, stage, {"Makes": EXPORTING, "Uses": _importing(importing)})
    assembly = Assembly.load(tmp_path)
    links = Links(assembly)
    for stage in ("Beta", "Prod"):
        made, used = (
            next(each for each in assembly.stacks if each.construct_path == f"{stage}/{name}")
            for name in ("Makes", "Uses")
        )
        [user] = used.resources.values()
        assert user.properties == {"Queue": Reference("Q", "Arn", made), "Days": "14"}
        assert links.target(user, user.properties["Queue"]) is made.resources["Q"]
        assert links.mentions(user, user.raw["Properties"]) == [made.resources["Q"]]


def _edge_and_main(edge: dict[str, Any], main: dict[str, Any]) -> tuple[Resource, Resource]:
    """The queue `Q` in us-east-1, and `R` in eu-west-1, which reads from there."""
    makes = stack({"Q": QUEUE, **edge}, name="Edge", region="us-east-1")
    reads = stack({**main}, name="Main", region="eu-west-1")
    assembly = Assembly(Path(), (reads, makes))
    links = Links(assembly)
    found = reads.resources["R"]
    [mentioned] = links.mentions(found, found.raw["Properties"])
    target = links.target(found, found.properties["P"])
    assert target is mentioned
    return mentioned, makes.resources["Q"]


def test_what_the_cdk_exports_to_another_region_is_followed() -> None:
    name = "/cdk/exports/Main/EdgeuseastQ"
    exports = {"region": "eu-west-1", "exports": {f"{name}Name": "q", name: get_att("Q", "Arn")}}
    imports = {"region": "eu-west-1", "imports": {name: f"{{{{resolve:ssm:{name}}}}}"}}
    target, queue = _edge_and_main(
        {"Writer": {"Type": "Custom::CrossRegionExportWriter", "Properties": {"WriterProps": exports}}},
        {
            "Reader": {"Type": "Custom::CrossRegionExportReader", "Properties": {"ReaderProps": imports}},
            "R": {
                **THING,
                "Properties": {"N": get_att("Reader", f"{name}Name"), "P": get_att("Reader", name)},
            },
        },
    )
    assert target is queue


def test_what_the_cdk_reads_from_a_parameter_of_another_region_is_followed() -> None:
    """As `EdgeFunction` does, to use its function outside of us-east-1."""
    parameter = {"Name": "/cdk/EdgeFunctionArn/eu-west-1/Main/F", "Type": "String", "Value": ref("Q")}
    asked = {"Region": "us-east-1", "ParameterName": parameter["Name"]}
    target, queue = _edge_and_main(
        {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": parameter}},
        {
            "Reader": {"Type": "Custom::CrossRegionStringParameterReader", "Properties": asked},
            "R": {**THING, "Properties": {"P": get_att("Reader", "FunctionArn")}},
        },
    )
    assert target is queue


@pytest.mark.parametrize(
    "asking",
    [
        {"P": ref("Asked")},
        {"P": "{{resolve:ssm:/app/queue}}"},
        {"P": {"Fn::Select": [1, ref("Every")]}},
    ],
    ids=["a parameter", "a dynamic reference", "a parameter that is a list"],
)
def test_what_another_stack_keeps_in_a_parameter_of_ssm_is_followed(asking: dict[str, Any]) -> None:
    kept = {
        "Q": QUEUE,
        "One": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/app/queue", "Value": ref("Q")}},
        "Two": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": "/app/queues", "Value": {"Fn::Join": [",", ["x", ref("Q")]]}},
        },
    }
    asked = {
        "Asked": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/app/queue"},
        "Every": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/app/queues"},
    }
    makes = stack(kept, name="Makes")
    uses = stack({"R": {**THING, "Properties": asking}}, name="Uses", Parameters=asked)
    away = stack({"R": {**THING, "Properties": asking}}, name="Away", region="eu-west-1", Parameters=asked)
    assembly = Assembly(Path(), (uses, makes, away))
    links = Links(assembly)
    found, elsewhere = uses.resources["R"], away.resources["R"]
    assert found.properties == {"P": Reference("Q", stack=makes)}
    assert links.target(found, found.properties["P"]) is makes.resources["Q"]
    assert links.mentions(found, found.raw["Properties"]) == [makes.resources["Q"]]
    assert isinstance(elsewhere.properties["P"], Unresolved)
    assert links.mentions(elsewhere, elsewhere.raw["Properties"]) == []


def test_a_parameter_of_ssm_that_hangs_on_a_condition_is_left_open() -> None:
    """The condition may ask for the parameter itself."""
    made = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/app/x", "Value": "a"}, "Condition": "Is"}
    there = stack(
        {"Made": made, "Board": {**DASHBOARD, "Condition": "Is"}},
        Parameters={"X": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/app/x"}},
        Conditions={"Is": {"Fn::Equals": [ref("X"), "b"]}},
    )
    assert price(Assembly(Path(), (there,))).monthly_usd == 3


def test_a_parameter_of_ssm_that_holds_itself_is_a_ring() -> None:
    made = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/app/x", "Value": "{{resolve:ssm:/app/x}}"},
    }
    found = Assembly(Path(), (stack({"Made": made}),)).stacks[0].resources["Made"]
    with pytest.raises(MalformedAssembly, match=r"SSM parameters\./app/x in us-east-1 depends on itself"):
        _ = found.properties


def test_a_parameter_may_hold_and_be_called_what_is_read_from_another_region() -> None:
    read = get_att("Reader", "FunctionArn")
    asked = {"Region": "us-east-1", "ParameterName": "/made"}
    reader = {"Type": "Custom::CrossRegionStringParameterReader", "Properties": asked}
    makes = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/made", "Value": "x"}}
    keeps = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": read, "Value": read}}
    there = stack({"Keeps": keeps, "Reader": reader, "Makes": makes})
    found = Assembly(Path(), (there,)).stacks[0].resources["Keeps"]
    assert found.properties == {"Name": "x", "Value": "x"}


def test_what_nobody_here_wrote_into_another_region_is_left_open() -> None:
    reader = {"Type": "Custom::CrossRegionExportReader", "Properties": {}}
    name = "/cdk/exports/Main/Gone"
    asks = {**THING, "Properties": {"P": get_att("Reader", name)}}
    found = Assembly(Path(), (stack({"Reader": reader, "R": asks}),)).stacks[0].resources["R"]
    assert found.properties == {"P": Reference("Reader", name)}


def test_what_is_imported_is_known_also_where_it_was_asked_for_while_reading(tmp_path: Path) -> None:
    """The address of a nested template is read before the stack that exports it is."""
    holder = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": ref("Address")}}
    inner = {
        "Parameters": _text("Address"),
        "Resources": {"R": {"Type": "T::T::T", "Properties": {"P": ref("Address")}}, "Deeper": holder},
    }
    outer = {"In": _holds("in.json", {"Address": {"Fn::ImportValue": "days"}})}
    folder = _nested(tmp_path, outer, {"in.json": inner})
    _stage(folder, "Makes", {"Makes": EXPORTING})
    [found] = [each for each in Assembly.load(folder).resources if each.name == "In/R"]
    assert found.properties == {"P": "14"}


def test_reading_grows_with_the_number_of_resources(tmp_path: Path) -> None:
    """Counted in calls of Python functions, for which no machine is too slow."""

    def calls(count: int) -> int:
        made: dict[str, Any] = {}
        for index in range(count):
            made[f"Q{index}"] = resource("AWS::SQS::Queue", {"Name": {"Fn::Sub": "${AWS::StackName}-x"}})
            made[f"R{index}"] = resource("AWS::SNS::Subscription", {"Endpoint": get_att(f"Q{index}", "Arn")})
        folder = written(tmp_path / str(count), made)
        counted = 0

        def count_one(_frame: object, event: str, _argument: object) -> None:
            nonlocal counted
            counted += event == "call"

        before = sys.getprofile()
        sys.setprofile(count_one)
        try:
            assembly = Assembly.load(folder)
            links = Links(assembly)
            for each in assembly.resources:
                links.target(each, each.properties.get("Endpoint", ""))
        finally:
            sys.setprofile(before)
        return counted

    assert calls(400) < 2.1 * calls(200)
