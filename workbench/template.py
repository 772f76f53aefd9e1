"""Whether a template is one: its sections, the shapes of its intrinsics, and that what they name is there.

    check(template, file)    # raises MalformedAssembly: "t.json: Resources.Work.Properties.Role: Ref of 'Rol', …"

One walk, as the template is read: what carries the intrinsics out later (`workbench.intrinsics`) relies on it. The
section Rules is left out, for it only says which values parameters may have.

Sources: "Template sections", "Intrinsic function reference" and "Pseudo parameters reference", AWS CloudFormation
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from workbench.errors import MalformedAssembly
from workbench.intrinsics import PLACEHOLDER, is_intrinsic, is_whole

PSEUDO_PARAMETERS = frozenset(
    {
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)

_SECTIONS = ("Resources", "Parameters", "Mappings", "Conditions", "Outputs")
# An empty stack of a CDK app has some of these and nothing else.
_WITHOUT_RESOURCES = {*_SECTIONS, "AWSTemplateFormatVersion", "Description", "Metadata", "Rules", "Transform"}
_WITH_INTRINSICS = ("CreationPolicy", "UpdatePolicy")
# Macros of AWS that add no resource, or none that pays by existing (the function that rotates a secret).
_HARMLESS_MACROS = ("AWS::LanguageExtensions", "AWS::CodeDeployBlueGreen", "AWS::SecretsManager-")
# This one makes something of its own types alone, and of an application a nested stack, which is named as not priced.
_SERVERLESS_MACRO = "AWS::Serverless-"
_SERVERLESS_APPLICATION = "AWS::Serverless::Application"
_LONGEST_SHOWN = 60
_DEEPEST = 150


@dataclass(frozen=True)
class OutputUse:
    """An output of a nested stack that its parent asks for, and `where`: file and key."""

    logical_id: str
    output: str
    where: str


def check(template: Mapping[str, Any], file: Path) -> list[OutputUse]:
    """Raise `MalformedAssembly`, naming file and key, unless `template` is one.

    Returns which outputs of nested stacks it asks for: whether those are there, the nested templates tell.
    """
    walk = _Walk(template, file)
    walk.template()
    return walk.output_uses


class _Walk:
    """A walk over one template; `path` is where it is."""

    def __init__(self, template: Mapping[str, Any], file: Path) -> None:
        self._whole = template
        self._file = file
        self._path: list[str | int] = []
        self._resources: Mapping[str, Any] = {}
        self._parameters: Mapping[str, Any] = {}
        self._mappings: Mapping[str, Any] = {}
        self._conditions: Mapping[str, Any] = {}
        self.output_uses: list[OutputUse] = []

    @property
    def where(self) -> str:
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self._path)
        return f"{self._file}: {''.join(steps).removeprefix('.')}"

    def fail(self, what: str) -> NoReturn:
        raise MalformedAssembly(f"{self.where}: {what}" if self._path else f"{self._file}: {what}")

    def template(self) -> None:
        self._macros()
        if not (self._whole.keys() <= _WITHOUT_RESOURCES or "Resources" in self._whole):
            self.fail("it has no Resources, so it is no CloudFormation template that can be deployed")
        for name in (*_SECTIONS, "Metadata"):
            self._at(name, self._object, self._whole.get(name, {}))
        self._resources = self._whole.get("Resources", {})
        self._parameters = self._whole.get("Parameters", {})
        self._mappings = self._whole.get("Mappings", {})
        self._conditions = self._whole.get("Conditions", {})
        for name, look in (
            ("Parameters", self._parameter),
            ("Mappings", self._mapping),
            ("Conditions", self.rule),
            ("Resources", self._resource),
            ("Outputs", self._output),
        ):
            self._at(name, self._each, self._whole.get(name, {}), look)

    def _at(self, step: str | int, look: Callable[..., None], *arguments: Any) -> None:
        self._path.append(step)
        look(*arguments)
        self._path.pop()

    def _each(self, section: Mapping[str, Any], look: Callable[[Any], None]) -> None:
        for name, entry in section.items():
            self._at(name, look, entry)

    def _object(self, value: Any) -> None:
        if not isinstance(value, dict):
            self.fail(f"not a JSON object but {_shown(value)}")

    def _macros(self) -> None:
        asked = self._whole.get("Transform", [])
        for each in asked if isinstance(asked, list) else [asked]:
            macro = str(each.get("Name") if isinstance(each, dict) else each)
            harmless = macro.startswith(_SERVERLESS_MACRO) and self._has_only_applications()
            if not harmless and not macro.startswith(_HARMLESS_MACROS):
                self._at("Transform", self._hidden, macro)

    def _has_only_applications(self) -> bool:
        """Whether of the types of the serverless macro there are none but applications."""
        resources = self._whole.get("Resources")
        every = resources.values() if isinstance(resources, dict) else ()
        types = {str(each.get("Type")) for each in every if isinstance(each, dict)}
        return {each for each in types if each.startswith("AWS::Serverless::")} <= {_SERVERLESS_APPLICATION}

    def _hidden(self, macro: str) -> None:
        self.fail(
            f"what the macro {macro} makes at deployment cannot be seen; give the template it makes instead"
        )

    def _resource(self, resource: Any) -> None:
        self._no_macro(str(self._path[-1]))
        self._object(resource)
        if not isinstance(resource.get("Type"), str):
            self.fail("every resource needs a Type")
        self._at("Metadata", self._object, resource.get("Metadata") or {})
        if "Condition" in resource:
            self._at("Condition", self.condition, resource["Condition"])
        depends = resource.get("DependsOn", [])
        for logical_id in depends if isinstance(depends, list) else [depends]:
            if not isinstance(logical_id, str) or logical_id not in self._resources:
                self._at("DependsOn", self.fail, f"{_shown(logical_id)} is no resource of the template")
        properties = resource.get("Properties")
        if properties is not None:
            self._at("Properties", self._properties, properties)
        for name in _WITH_INTRINSICS:
            if name in resource:
                self._at(name, self.value, resource[name])

    def _properties(self, properties: Any) -> None:
        self._object(properties)
        if _is_call(properties):
            self.fail(f"properties cannot come from {next(iter(properties))}: they would not be seen")
        self.value(properties)

    def _parameter(self, parameter: Any) -> None:
        self._object(parameter)
        if not isinstance(parameter.get("Type"), str):
            self.fail("every parameter needs a Type")

    def _mapping(self, table: Any) -> None:
        self._no_macro(str(self._path[-1]))
        self._object(table)
        self._each(table, self._object)

    def _output(self, output: Any) -> None:
        self._no_macro(str(self._path[-1]))
        self._object(output)
        if "Value" not in output:
            self.fail("every output needs a Value")
        if "Condition" in output:
            self._at("Condition", self.condition, output["Condition"])
        self._at("Value", self.value, output["Value"])
        if "Export" in output:
            self._at("Export", self._object, output["Export"])
            self._at("Export", self.value, output["Export"])

    def rule(self, rule: Any) -> None:
        """A rule of the section Conditions."""
        self._no_macro(str(self._path[-1]))
        self._object(rule)
        if len(rule) != 1:
            self.fail("a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition")
        [(operator, argument)] = rule.items()
        if operator == "Condition":
            self.condition(argument)
        elif operator == "Fn::Equals":
            self.listed(operator, argument, 2, 2)
            self._at(operator, self.value, argument)
        elif operator in ("Fn::Not", "Fn::And", "Fn::Or"):
            most = 1 if operator == "Fn::Not" else 10
            for index, each in enumerate(self.listed(operator, argument, 1, most)):
                self._at(index, self.rule, each)
        else:
            self.fail(f"{operator} is none of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition")

    def condition(self, name: Any) -> None:
        """The name of a condition."""
        if not isinstance(name, str) or name not in self._conditions:
            self.fail(f"{_shown(name)} is no condition of the template")

    def value(self, value: Any) -> None:
        """A value, with all that is in it."""
        path = self._path
        if len(path) > _DEEPEST:
            self.fail(f"nested more than {_DEEPEST} deep")
        if isinstance(value, dict):
            for key, item in value.items():
                if len(value) == 1 and key in _CALLS:
                    _CALLS[key](self, item)
                elif len(value) > 1 or key != "Fn::Transform":  # by itself it is one unknown value
                    self._no_macro(key)
                path.append(key)
                self.value(item)
                path.pop()
        elif isinstance(value, list):
            for index, item in enumerate(value):
                path.append(index)
                self.value(item)
                path.pop()

    def _no_macro(self, key: str) -> None:
        if key == "Fn::Transform" or key.startswith("Fn::ForEach"):
            self._hidden(key)

    def listed(self, name: str, argument: Any, least: int, most: int) -> list[Any]:
        """`argument` as the list of a function's arguments."""
        if not isinstance(argument, list) or not least <= len(argument) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            self.fail(f"{name} needs a list of {count}, and has {_shown(argument)}")
        return argument

    def words(self, name: str, argument: Any) -> None:
        """An argument that is a string, or a call that gives one."""
        if not isinstance(argument, str) and not _is_call(argument):
            self.fail(f"{name} needs a string, and has {_shown(argument)}")

    def members(self, name: str, argument: Any) -> None:
        """An argument that is a list, or a call that gives one."""
        if not isinstance(argument, list) and not _is_call(argument):
            self.fail(f"{name} needs a list, and has {_shown(argument)}")

    def ref(self, argument: Any) -> None:
        if not isinstance(argument, str):
            self.fail(f"Ref needs a name, and has {_shown(argument)}")
        if not self._names_a_value(argument):
            self.fail(f"Ref of {argument!r}, which is no resource and no parameter of the template")

    def _names_a_value(self, name: str) -> bool:
        return name in self._parameters or self._is_resource(name) or name in PSEUDO_PARAMETERS

    def _is_resource(self, name: str) -> bool:
        if name in self._resources:
            return True
        # What a module makes is named after the module: `Network.Subnet`.
        module, _, inside = name.partition(".")
        made_by = self._resources.get(module) if inside else None
        return isinstance(made_by, dict) and str(made_by.get("Type")).endswith("::MODULE")

    def get_att(self, argument: Any) -> None:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):
            self.fail(f"Fn::GetAtt needs a resource and an attribute, and has {_shown(argument)}")
        logical_id, attribute = parts
        self.words("Fn::GetAtt", attribute)
        self._attribute("Fn::GetAtt", logical_id, attribute if isinstance(attribute, str) else "")

    def _attribute(self, name: str, logical_id: str, attribute: str) -> None:
        if not self._is_resource(logical_id):
            self.fail(f"{name} of {logical_id!r}, which is no resource of the template")
        if attribute.startswith("Outputs."):
            self.output_uses.append(OutputUse(logical_id, attribute.removeprefix("Outputs."), self.where))

    def sub(self, argument: Any) -> None:
        text, names = (argument, {}) if isinstance(argument, str) else self.listed("Fn::Sub", argument, 2, 2)
        if not isinstance(text, str) or not isinstance(names, dict):
            self.fail(f"Fn::Sub needs a string, or that and an object of names, and has {_shown(argument)}")
        for name in PLACEHOLDER.findall(text):
            if name.startswith("!") or name in names:
                continue
            if "." in name:
                self._attribute("Fn::Sub", *name.split(".", 1))
            elif not self._names_a_value(name):
                self.fail(f"Fn::Sub of {name!r}, which is no resource and no parameter of the template")

    def join(self, argument: Any) -> None:
        separator, parts = self.listed("Fn::Join", argument, 2, 2)
        if not isinstance(separator, str):
            self.fail(f"Fn::Join needs a separator that is a string, and has {_shown(separator)}")
        self.members("Fn::Join", parts)

    def select(self, argument: Any) -> None:
        index, parts = self.listed("Fn::Select", argument, 2, 2)
        self.members("Fn::Select", parts)
        if _is_call(index):
            return
        if not is_whole(index):
            self.fail(f"Fn::Select needs a whole number as its index, and has {_shown(index)}")
        if isinstance(parts, list) and int(index) >= len(parts):
            self.fail(f"Fn::Select of {index} in a list of {len(parts)}")

    def split(self, argument: Any) -> None:
        separator, text = self.listed("Fn::Split", argument, 2, 2)
        if not isinstance(separator, str) or not separator:
            self.fail(f"Fn::Split needs a separator that is a string, and has {_shown(separator)}")
        self.words("Fn::Split", text)

    def choice(self, argument: Any) -> None:
        name, _, _ = self.listed("Fn::If", argument, 3, 3)
        self.condition(name)

    def find_in_map(self, argument: Any) -> None:
        table, first, second, *default = self.listed("Fn::FindInMap", argument, 3, 4)
        for each in (table, first, second):
            self.words("Fn::FindInMap", each)
        if default:
            if not isinstance(default[0], dict) or "DefaultValue" not in default[0]:
                self.fail(f"Fn::FindInMap needs a DefaultValue, and has {_shown(default[0])}")
            return
        found: Any = self._mappings
        for each in (table, first, second):
            if not isinstance(each, str):
                return
            if each not in found:
                self.fail(f"Fn::FindInMap of {each!r}, which is not in the template's Mappings")
            found = found[each]

    def cidr(self, argument: Any) -> None:
        self.words("Fn::Cidr", self.listed("Fn::Cidr", argument, 2, 3)[0])

    def stack_output(self, argument: Any) -> None:
        self._object(argument)
        for key in ("StackName", "OutputName"):
            if key not in argument:
                self.fail(f"Fn::GetStackOutput needs the key {key}")

    def structure(self, argument: Any) -> None:
        if not isinstance(argument, (dict, list)):
            self.fail(f"Fn::ToJsonString needs an object or a list, and has {_shown(argument)}")


# A call by its name: what looks at its argument. What stands in the argument is looked at after it.
_CALLS: dict[str, Callable[[_Walk, Any], None]] = {
    "Ref": _Walk.ref,
    "Fn::Base64": lambda walk, argument: walk.words("Fn::Base64", argument),
    "Fn::Cidr": _Walk.cidr,
    "Fn::FindInMap": _Walk.find_in_map,
    "Fn::GetAZs": lambda walk, argument: walk.words("Fn::GetAZs", argument),
    "Fn::GetAtt": _Walk.get_att,
    "Fn::GetStackOutput": _Walk.stack_output,
    "Fn::If": _Walk.choice,
    "Fn::ImportValue": lambda walk, argument: walk.words("Fn::ImportValue", argument),
    "Fn::Join": _Walk.join,
    "Fn::Length": lambda walk, argument: walk.members("Fn::Length", argument),
    "Fn::Select": _Walk.select,
    "Fn::Split": _Walk.split,
    "Fn::Sub": _Walk.sub,
    "Fn::ToJsonString": _Walk.structure,
}


def _is_call(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and is_intrinsic(next(iter(value)))


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
