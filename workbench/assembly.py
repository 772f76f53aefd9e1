"""A cloud assembly, read as it lies on disk: stacks, resources, assets. JSON only, any CDK app's.

Properties are given with what can be resolved resolved (`workbench.intrinsics`): `Ref` and `Fn::GetAtt` of a
resource become `Reference`, parameters their defaults, or in a nested stack what its parent gives them, and pseudo
parameters their usual values. What another stack of the assembly exports, puts out or writes into SSM is followed.
What stays unknown until deployment is `Unresolved`, and a string with some of either in it a `Text`.

Templates of nested stacks are read with the stack that holds them. `Assembly.stacks` are those that are deployed by
themselves, `Assembly.every_stack` has the nested ones too, and so has `Assembly.resources`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from math import isinf
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from workbench.errors import MalformedAssembly
from workbench.intrinsics import NO_VALUE, UNKNOWN, Assumed, carry, holds, resolve, split_list
from workbench.intrinsics import Reference as Reference
from workbench.intrinsics import Text as Text
from workbench.intrinsics import Unresolved as Unresolved
from workbench.template import OutputUse, check
from workbench.workload import Figure

DEFAULT_REGION = "us-east-1"
OFFLINE_ACCOUNT = "000000000000"
NESTED_STACK = "AWS::CloudFormation::Stack"
LARGEST_FIGURE = Decimal(10) ** 18
_DEEPEST_NESTING = 50
_ODD_ESCAPE = re.compile(r"\\u(0000|[dD][89a-fA-F])")
# How the CDK hands values to another region: the one writes SSM parameters there, the others read them.
_EXPORT_WRITER, _EXPORT_READER = "Custom::CrossRegionExportWriter", "Custom::CrossRegionExportReader"
_PARAMETER_READER = "Custom::CrossRegionStringParameterReader"
_LOOKED_UP = "AWS::SSM::Parameter::Value<"

T = TypeVar("T")

_SYNTH_AGAIN = "run `cdk synth` again"
# CDK puts the resource of the nested stack `Inner` beside the construct of that name, which holds what is in it.
_NESTED_RESOURCE = re.compile(r"(?P<above>.+)/(?P<id>[^/]+)\.NestedStack/(?P=id)\.NestedStackResource")


@dataclass(frozen=True)
class Asset:
    """A file or folder to publish before the stack that needs it; a stack's own template is none."""

    id: str
    path: Path
    is_folder: bool
    bucket: str
    key: str


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource of a template. Two are equal only if they are the same: logical ids return in other stacks."""

    stack: Stack = field(repr=False)
    logical_id: str
    type: str
    raw: Mapping[str, Any] = field(repr=False)

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The properties, resolved as far as they can be."""
        resolved = self.stack.resolve(self.raw.get("Properties", {}))
        return resolved if isinstance(resolved, dict) else {}

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.raw.get("Metadata") or {}

    @property
    def condition(self) -> str | None:
        """The name of the condition under which it is there."""
        return self.raw.get("Condition")

    @property
    def path(self) -> str:
        """The construct path, such as `UrlShortener/Links/Resource`; the logical id where CDK wrote none."""
        return str(self.metadata.get("aws:cdk:path", self.stack.paths.get(self.logical_id, self.logical_id)))

    @cached_property
    def name(self) -> str:
        """The construct path without the stack and the trailing `Resource`: `Links`, or nested `Inner/Links`."""
        path = nested_scope(self.path) or self.path
        above = f"{self.stack.top.construct_path}/"
        inside = path.removeprefix(above) if path.startswith(above) else path.partition("/")[2]
        parts = [part for part in inside.split("/") if part not in ("", "Resource", "Default")]
        if not parts:
            parts = [self.stack.inside, self.logical_id] if self.stack.inside else [self.logical_id]
        return "/".join(parts)

    @cached_property
    def workload(self) -> dict[str, Figure]:
        """The declared traffic of this resource: usage key → figure. Raises `MalformedAssembly`."""
        where = f"{self.stack.template_file}: Resources.{self.logical_id}.Metadata.Workload"
        return read_figures(self.metadata.get("Workload", {}), where)


def nested_scope(path: str) -> str | None:
    """The construct path of the nested stack whose resource has the construct path `path`; None for any other."""
    found = _NESTED_RESOURCE.fullmatch(path)
    return f"{found['above']}/{found['id']}" if found else None


def read_figures(declared: Any, where: str) -> dict[str, Figure]:
    """Usage as written in metadata, `{key: {"value": "1.5", "formula": "…"}}`, as figures.

    Raises `MalformedAssembly` unless each is a number from 0 to 10¹⁸ with its formula.
    """
    if not isinstance(declared, Mapping):
        raise MalformedAssembly(f"{where} must map usage keys to figures")
    figures = {}
    for key, entry in declared.items():
        try:
            figure = Figure(Decimal(str(entry["value"])), str(entry["formula"]))
        except (TypeError, KeyError, InvalidOperation):
            raise MalformedAssembly(
                f"{where}: usage {key!r} needs a value and a formula; got {entry!r}"
            ) from None
        if not (figure.value.is_finite() and 0 <= figure.value <= LARGEST_FIGURE):
            raise MalformedAssembly(
                f"{where}: usage {key!r} is {entry['value']}, and a usage is a number from 0 to 10^18"
            )
        figures[key] = figure
    return figures


@dataclass(frozen=True, eq=False)
class Stack:
    """One stack of an assembly. Two are equal only if they are the same."""

    artifact_id: str
    name: str
    region: str
    template: Mapping[str, Any] = field(repr=False)
    template_file: Path
    assets: tuple[Asset, ...] = field(repr=False)
    dependencies: tuple[str, ...] = ()
    # Logical id → construct path. The template has it only when CDK's own command line synthesized it.
    paths: Mapping[str, str] = field(default_factory=dict, repr=False)
    construct_path: str = ""
    account: str | None = None
    has_termination_protection: bool = False
    # Of a nested stack: the stack that holds it, the logical id that it has there, and what reports call that.
    parent: Stack | None = field(default=None, repr=False)
    nested_as: str = ""
    inside: str = ""
    nested: dict[str, Stack] = field(default_factory=dict, repr=False)
    assembly: Assembly | None = field(default=None, init=False, repr=False)
    _found: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """Logical id → resource, leaving out those whose condition is known to be false."""
        found = {}
        for logical_id, raw in self.template.get("Resources", {}).items():
            condition = raw.get("Condition")
            if condition is not None and self.condition(condition) is False:
                continue
            found[logical_id] = Resource(self, logical_id, raw.get("Type", ""), raw)
        return found

    @property
    def left_out(self) -> Iterator[Resource]:
        """The resources whose condition is known to be false."""
        for logical_id, raw in self.template.get("Resources", {}).items():
            if logical_id not in self.resources:
                yield Resource(self, logical_id, raw.get("Type", ""), raw)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The template's own metadata."""
        return self.template.get("Metadata") or {}

    @property
    def top(self) -> Stack:
        """The stack that is deployed by itself: this one, or the one that it is nested in."""
        return self if self.parent is None else self.parent.top

    def with_nested(self) -> Iterator[Stack]:
        """This stack and all that are nested in it, leaving out those whose condition is known to be false."""
        yield self
        for logical_id, child in self.nested.items():
            if logical_id in self.resources:
                yield from child.with_nested()

    def belong_to(self, assembly: Assembly) -> None:
        """Let this stack, and those in it, see the others of `assembly`."""
        object.__setattr__(self, "assembly", assembly)
        self._found.clear()
        for child in self.nested.values():
            child.belong_to(assembly)

    def resolve(self, value: Any) -> Any:
        """`value` of this template with its intrinsics resolved as far as they can be."""
        return resolve(self, value)

    def ref(self, name: str) -> Any:
        """What `Ref` of `name` is; `UNKNOWN` where only deployment tells."""
        if name.startswith("AWS::"):
            return self._pseudo_parameter(name)
        if name not in self.template.get("Parameters", {}):
            return Reference(name)
        return self._once("Parameters", name, self._parameter)

    def get_att(self, logical_id: str, attribute: str) -> Any:
        """What `Fn::GetAtt` is: a `Reference`, or the value of an output of a nested stack that was read."""
        value = self._made_elsewhere(logical_id, attribute)
        return Reference(logical_id, attribute) if value is UNKNOWN else value

    def _made_elsewhere(self, logical_id: str, attribute: str | None) -> Any:
        """What an attribute is that has its value from another stack, resolved; `UNKNOWN` for any other attribute."""
        output = self.nested_output(logical_id, attribute)
        return self._read_by_cdk(logical_id, attribute) if output is UNKNOWN else output

    def _read_by_cdk(self, logical_id: str, attribute: str | None) -> Any:
        """What a custom resource of the CDK reads from where another stack, in another region, has written it."""
        raw = self.template.get("Resources", {}).get(logical_id, {})
        name, region = attribute, self.region
        if raw.get("Type") == _PARAMETER_READER:
            asked = self.resolve(raw.get("Properties") or {})
            name, region = asked.get("ParameterName"), asked.get("Region")
        elif raw.get("Type") != _EXPORT_READER:
            return UNKNOWN
        return self._parameter_of(str(region), str(name))

    def ssm_parameter(self, name: str) -> Any:
        """What a stack of the assembly writes into an SSM parameter of this region, resolved; or `UNKNOWN`."""
        return self._parameter_of(self.region, name)

    def _parameter_of(self, region: str, name: str) -> Any:
        found = self.assembly.writer(region, name, self) if self.assembly else None
        if found is None:
            return UNKNOWN
        writer, value = found
        read = f"{name} in {region}"
        return self._once("SSM parameters", read, lambda _: carry(writer.resolve(value), writer, self))

    def nested_output(self, logical_id: str, attribute: str | None) -> Any:
        """The output of a nested stack that an attribute names, resolved; `UNKNOWN` for any other attribute."""
        section, _, name = (attribute or "").partition(".")
        child = self.nested.get(logical_id)
        if section != "Outputs" or child is None or name not in child.template.get("Outputs", {}):
            return UNKNOWN
        return carry(child.output(name), child, self)

    def given(self, name: str) -> Any:
        """What the stack that holds this one gives its parameter `name`, resolved; `UNKNOWN` where it gives none."""
        if self.parent is None:
            return UNKNOWN
        properties = self.parent.template["Resources"][self.nested_as].get("Properties") or {}
        parameters = properties.get("Parameters")
        if not isinstance(parameters, dict) or name not in parameters:
            return UNKNOWN
        value = self.parent.resolve(parameters[name])
        return UNKNOWN if value is NO_VALUE else carry(value, self.parent, self)

    def behind(self, name: str, attribute: str | None = None) -> Any:
        """What stands behind a parameter that this stack is given, or behind what another stack hands it, resolved.

        None for a resource, and for what nobody here knows.
        """
        elsewhere = self._made_elsewhere(name, attribute)
        if elsewhere is not UNKNOWN:
            return elsewhere
        declared = self.template.get("Parameters", {}).get(name)
        if declared is None:
            return None
        value = self.ref(name) if _is_looked_up(declared) else self.given(name)
        return None if value is UNKNOWN else value

    def output(self, name: str) -> Any:
        """The value of an output of this template, resolved as far as it can be."""
        return self._once("Outputs", name, lambda _: self.resolve(self.template["Outputs"][name]["Value"]))

    def condition(self, name: str) -> bool | None:
        """Whether a condition holds; None when only deployment knows."""
        rule = self.template.get("Conditions", {}).get(name)
        if not isinstance(rule, dict) or len(rule) != 1:
            return None
        found: bool | None = self._once("Conditions", name, lambda _: holds(self, rule))
        return found

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A table of the section Mappings; empty where there is none."""
        table = self.template.get("Mappings", {}).get(name, {})
        return table if isinstance(table, dict) else {}

    def imported(self, name: str) -> Any:
        """What another stack of the assembly exports as `name`, resolved; `UNKNOWN` where none does."""
        found = self.assembly.exporter(name, self) if self.assembly else None
        return carry(found[0].output(found[1]), found[0], self) if found else UNKNOWN

    def output_of(self, stack: str, output: str, region: str) -> Any:
        """An output of another stack of the assembly, resolved; `UNKNOWN` where there is none such."""
        found = self.assembly.stack_named(stack, region, self) if self.assembly else None
        if found is None or output not in found.template.get("Outputs", {}):
            return UNKNOWN
        return carry(found.output(output), found, self)

    def _pseudo_parameter(self, name: str) -> Any:
        match name:
            case "AWS::Region":
                return self.region
            case "AWS::AccountId":
                return self.account or Assumed(OFFLINE_ACCOUNT)
            case "AWS::Partition":
                return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(self.region.rsplit("-", 2)[0], "aws")
            case "AWS::URLSuffix":
                return f"amazonaws.com{'.cn' if self.region.startswith('cn-') else ''}"
            case "AWS::StackName" if self.parent is None:
                return self.name
            case "AWS::NoValue":
                return NO_VALUE
        return UNKNOWN

    def _parameter(self, name: str) -> Any:
        declared = self.template["Parameters"][name]
        kind = str(declared.get("Type", ""))
        value = self.given(name)
        if value is UNKNOWN:
            value = declared.get("Default", UNKNOWN)
        if _is_looked_up(declared):
            kind = kind.removeprefix(_LOOKED_UP)
            value = self.ssm_parameter(value) if isinstance(value, str) else UNKNOWN
        is_list = kind.startswith(("CommaDelimitedList", "List<"))
        return UNKNOWN if value is UNKNOWN else split_list(value) if is_list else value

    def _once(self, section: str, name: str, find: Callable[[str], Any]) -> Any:
        """What `find` finds for an entry of a section, asked once. Raises `MalformedAssembly` for a ring."""
        key = (section, name)
        if key not in self._found:
            self._found[key] = _BEING_FOUND
            try:
                self._found[key] = find(name)
            except RecursionError:
                raise MalformedAssembly(
                    f"{self.template_file}: {section}.{name} leads through too many others to be followed"
                ) from None
            finally:
                if self._found[key] is _BEING_FOUND:
                    del self._found[key]
        if self._found[key] is _BEING_FOUND:
            raise MalformedAssembly(f"{self.template_file}: {section}.{name} depends on itself")
        return self._found[key]


_BEING_FOUND = object()


@dataclass(frozen=True)
class Assembly:
    """A cloud assembly: `Assembly.load(folder)`."""

    directory: Path
    stacks: tuple[Stack, ...]

    def __post_init__(self) -> None:
        for stack in self.stacks:
            stack.belong_to(self)

    @classmethod
    def load(cls, directory: Path) -> Assembly:
        """Read the assembly in `directory`, nested assemblies (stages) and nested stacks included.

        Raises `MalformedAssembly`, in one line that names the file and the key, for anything that is not one.
        """
        if directory.is_file():
            raise MalformedAssembly(
                f"{directory} is a file; give the folder `cdk synth` wrote (cdk.out), which holds it"
            )
        found = tuple(_ordered(list(_stacks_in(directory))))
        if not found:
            raise MalformedAssembly(f"{directory}: the assembly has no stack; {_SYNTH_AGAIN}")
        return cls(directory, found)

    @cached_property
    def every_stack(self) -> tuple[Stack, ...]:
        """Every stack, each followed by those that are nested in it."""
        return tuple(each for stack in self.stacks for each in stack.with_nested())

    @property
    def resources(self) -> Iterator[Resource]:
        """Every resource of every stack, those of nested stacks included."""
        for stack in self.every_stack:
            yield from stack.resources.values()

    def label(self, stack: Stack) -> str:
        """What reports call a stack of `stacks`: its name, or its construct path where another has that name."""
        return stack.construct_path or stack.name if self._names[stack.name] > 1 else stack.name

    @cached_property
    def _names(self) -> Counter[str]:
        return Counter(stack.name for stack in self.stacks)

    def exporter(self, name: str, importer: Stack) -> tuple[Stack, str] | None:
        """The stack that exports `name` to `importer`, and the output that does; None where none does."""
        found = self._exports.get((importer.region, name), ())
        return min(found, key=lambda each: _distance(each[0], importer), default=None)

    def stack_named(self, name: str, region: str, asking: Stack) -> Stack | None:
        """The stack of that name; of several (in accounts of their own) the one that is nearest to `asking`."""
        found = self._named.get((name, region), ())
        return min(found, key=lambda each: _distance(each, asking), default=None)

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[Stack]]:
        """(name, region) → the stacks of that name there."""
        found: dict[tuple[str, str], list[Stack]] = {}
        for stack in self.stacks:
            found.setdefault((stack.name, stack.region), []).append(stack)
        return found

    @cached_property
    def _exports(self) -> dict[tuple[str, str], list[tuple[Stack, str]]]:
        """(region, export) → the stacks that export it, each with the name of its output."""
        found: dict[tuple[str, str], list[tuple[Stack, str]]] = {}
        for stack in self.every_stack:
            for output, declared in stack.template.get("Outputs", {}).items():
                if "Export" in declared and stack.condition(declared.get("Condition", "")) is not False:
                    name = stack.resolve(declared["Export"].get("Name"))
                    if isinstance(name, str):
                        found.setdefault((stack.region, name), []).append((stack, output))
        return found

    def writer(self, region: str, name: str, reader: Stack) -> tuple[Stack, Any] | None:
        """The stack that writes the SSM parameter `name` of a region, and the value as its template has it."""
        found = self._written.get((region, name), ())
        return min(found, key=lambda each: _distance(each[0], reader), default=None)

    @cached_property
    def _written(self) -> dict[tuple[str, str], list[tuple[Stack, Any]]]:
        """(region, SSM parameter) → the stacks that write it, by themselves or by the CDK, each with the value."""
        found: dict[tuple[str, str], list[tuple[Stack, Any]]] = {}
        # A name may itself be read from elsewhere, and then asks for this while it is being made.
        self.__dict__["_written"] = found
        for stack, kind, properties in chain.from_iterable(map(_unconditional, self.stacks)):
            props = properties.get("WriterProps")
            if kind == "AWS::SSM::Parameter":
                key = (stack.region, str(stack.resolve(properties.get("Name"))))
                found.setdefault(key, []).append((stack, properties.get("Value")))
            elif kind == _EXPORT_WRITER and isinstance(props, dict):
                region, exports = str(stack.resolve(props.get("region"))), props.get("exports")
                for name, value in exports.items() if isinstance(exports, dict) else ():
                    found.setdefault((region, name), []).append((stack, value))
        return found


def _unconditional(stack: Stack) -> Iterator[tuple[Stack, str, Mapping[str, Any]]]:
    """What is there without a condition, which might ask for what it writes: stack, type and raw properties."""
    for logical_id, raw in stack.template.get("Resources", {}).items():
        if "Condition" not in raw:
            yield stack, raw.get("Type", ""), raw.get("Properties") or {}
            if logical_id in stack.nested:
                yield from _unconditional(stack.nested[logical_id])


def _is_looked_up(parameter: Mapping[str, Any]) -> bool:
    """Whether a parameter of a template is given the name of an SSM parameter, for what that one holds."""
    return str(parameter.get("Type", "")).startswith(_LOOKED_UP)


def _distance(stack: Stack, other: Stack) -> tuple[bool, bool]:
    """Sorts first what is in the same account, and then what is in the same stage."""
    return stack.account != other.account, stack.template_file.parent != other.template_file.parent


@dataclass(frozen=True)
class _Found:
    """A stack of a manifest: where it was found, and what it has to wait for in that manifest."""

    place: tuple[Path, str]
    stack: Stack

    @property
    def awaited(self) -> list[tuple[Path, str]]:
        return [(self.place[0], artifact_id) for artifact_id in self.stack.dependencies]


def _stacks_in(directory: Path, stage: str = "", above: tuple[Path, ...] = ()) -> Iterator[_Found]:
    """The stacks of an assembly and of its stages; `stage` is the construct path of one, with a slash."""
    file = directory / "manifest.json"
    manifest = _read_json(
        file, "a cloud assembly has a manifest.json; give the folder `cdk synth` wrote (cdk.out)"
    )
    artifacts = manifest.get("artifacts")
    if not isinstance(artifacts, dict):
        raise MalformedAssembly(f"{file}: no artifacts in it; {_SYNTH_AGAIN}")
    within = (*above, directory.resolve())
    for artifact_id in artifacts:
        where = f"{file}: artifacts.{artifact_id}"
        artifact = _entry(artifacts, artifact_id, dict, f"{file}: artifacts")
        kind = _entry(artifact, "type", str, where)
        if kind == "cdk:cloud-assembly":
            properties = _entry(artifact, "properties", dict, where)
            inner = directory / _entry(properties, "directoryName", str, f"{where}.properties")
            if inner.resolve() in within:
                raise MalformedAssembly(f"{where}.properties.directoryName: the assembly holds itself")
            shown = str(properties.get("displayName", artifact_id))
            yield from _stacks_in(inner, f"{shown}/", within)
        elif kind == "aws:cloudformation:stack":
            stack = _stack(directory, artifact_id, artifacts, where, stage)
            yield _Found((directory, artifact_id), stack)


def _stack(directory: Path, artifact_id: str, artifacts: dict[str, Any], where: str, stage: str) -> Stack:
    artifact = artifacts[artifact_id]
    properties = _entry(artifact, "properties", dict, where)
    template_file = directory / _entry(properties, "templateFile", str, f"{where}.properties")
    template, uses = _read_template(template_file)
    account, _, region = str(artifact.get("environment", "")).removeprefix("aws://").partition("/")
    assets, dependencies = _dependencies(directory, artifact, artifacts, where)
    paths = _paths(directory, artifact, where)
    stack = Stack(
        artifact_id=artifact_id,
        name=str(properties.get("stackName", artifact_id)),
        region=DEFAULT_REGION if region in ("", "unknown-region") else region,
        template=template,
        template_file=template_file,
        assets=tuple(asset for asset in assets if asset.path != template_file),
        dependencies=tuple(dependencies),
        paths=paths.get("", {}),
        construct_path=str(artifact.get("displayName", f"{stage}{artifact_id}")),
        account=None if account in ("", "unknown-account") else account,
        has_termination_protection=properties.get("terminationProtection") is True,
    )
    published = {asset.key.rsplit("/", 1)[-1]: asset for asset in stack.assets}
    _read_nested(stack, uses, _Nesting(directory, published, paths), (template_file.resolve(),))
    return stack


def _dependencies(
    directory: Path, artifact: dict[str, Any], artifacts: dict[str, Any], where: str
) -> tuple[list[Asset], list[str]]:
    """The assets that a stack needs, and the artifacts of the stacks that come before it."""
    assets: list[Asset] = []
    stacks: list[str] = []
    listed = artifact.get("dependencies", [])
    if not isinstance(listed, list):
        raise MalformedAssembly(f"{where}.dependencies is not a list; {_SYNTH_AGAIN}")
    for dependency in listed:
        if not isinstance(dependency, str) or dependency not in artifacts:
            raise MalformedAssembly(f"{where}.dependencies: there is no artifact {dependency!r}")
        other = artifacts[dependency]
        kind = other.get("type") if isinstance(other, dict) else None
        if kind == "cdk:asset-manifest":
            at = f"{where.rpartition('.')[0]}.{dependency}"
            file = _entry(_entry(other, "properties", dict, at), "file", str, f"{at}.properties")
            assets.extend(_assets(directory / file))
        elif kind == "aws:cloudformation:stack":
            stacks.append(dependency)
    return assets, stacks


@dataclass(frozen=True)
class _Nesting:
    """What tells of nested stacks: the folder, the files to publish by their names, and construct paths."""

    directory: Path
    published: Mapping[str, Asset]
    paths: Mapping[str, Mapping[str, str]]


def _read_nested(stack: Stack, uses: Iterable[OutputUse], nesting: _Nesting, above: tuple[Path, ...]) -> None:
    """Read into `stack.nested` the nested stacks whose templates lie in the assembly."""
    for logical_id, raw in stack.template["Resources"].items():
        file = _template_of(stack, raw, nesting) if raw["Type"] == NESTED_STACK else None
        if file is None:
            continue
        where = f"{stack.template_file}: Resources.{logical_id}"
        if file.resolve() in above:
            raise MalformedAssembly(f"{where}: its template {file.name} holds itself, in a ring")
        if len(above) > _DEEPEST_NESTING:
            raise MalformedAssembly(f"{where}: stacks are nested more than {_DEEPEST_NESTING} deep")
        if not file.is_file():
            raise MalformedAssembly(f"{where}: its template {file} is not there; {_SYNTH_AGAIN}")
        template, inner_uses = _read_template(file)
        holder = Resource(stack, logical_id, raw["Type"], raw)
        child = Stack(
            artifact_id=stack.artifact_id,
            name=f"{stack.top.name}/{holder.name}",
            region=stack.region,
            template=template,
            template_file=file,
            assets=(),
            paths=nesting.paths.get(nested_scope(holder.path) or "?", {}),
            account=stack.account,
            parent=stack,
            nested_as=logical_id,
            inside=holder.name,
        )
        _read_nested(child, inner_uses, nesting, (*above, file.resolve()))
        stack.nested[logical_id] = child
    for use in uses:
        nested = stack.nested.get(use.logical_id)
        if nested is not None and use.output not in nested.template.get("Outputs", {}):
            raise MalformedAssembly(
                f"{use.where}: {use.logical_id!r} has no output {use.output!r} in {nested.template_file.name}"
            )


def _template_of(stack: Stack, raw: Mapping[str, Any], nesting: _Nesting) -> Path | None:
    """The file of a nested stack's template; None where it is not in the assembly.

    CDK's command line has it written beside the resource; otherwise the asset whose key the address ends with.
    """
    metadata = raw.get("Metadata") or {}
    if metadata.get("aws:asset:property") == "TemplateURL" and "aws:asset:path" in metadata:
        return nesting.directory / str(metadata["aws:asset:path"])
    address = str(stack.resolve((raw.get("Properties") or {}).get("TemplateURL", "")))
    asset = nesting.published.get(address.rsplit("/", 1)[-1])
    return asset.path if asset and address.endswith(f"/{asset.key}") else None


def _read_template(file: Path) -> tuple[dict[str, Any], list[OutputUse]]:
    if file.suffix.lower() in (".yaml", ".yml") and file.is_file():
        raise MalformedAssembly(f"{file} is YAML, and templates are read as JSON only; convert it first")
    template = _read_json(file, _SYNTH_AGAIN)
    uses = check(template, file)
    template.setdefault("Resources", {})
    return template, uses


def _paths(directory: Path, artifact: dict[str, Any], where: str) -> dict[str, dict[str, str]]:
    """Logical id → construct path, for the stack itself (under "") and each nested one (under its construct path).

    From the stack's metadata: in the manifest, or in a file beside it.
    """
    metadata = dict(artifact.get("metadata") or {})
    if "additionalMetadataFile" in artifact:
        file = directory / _entry(artifact, "additionalMetadataFile", str, where)
        metadata |= _read_json(file, _SYNTH_AGAIN)
        where = str(file)
    try:
        named = [
            (path.removeprefix("/"), str(entry["data"]))
            for path, entries in metadata.items()
            for entry in entries
            if entry.get("type") == "aws:cdk:logicalId"
        ]
    except (TypeError, AttributeError, KeyError):
        raise MalformedAssembly(f"{where}: the metadata is not as CDK writes it; {_SYNTH_AGAIN}") from None
    scopes = {nested_scope(path) for path, _ in named}
    found: dict[str, dict[str, str]] = {}
    for path, logical_id in named:
        scope = path.rpartition("/")[0]
        while scope and scope not in scopes:
            scope = scope.rpartition("/")[0]
        found.setdefault(scope, {})[logical_id] = path
    return found


def _assets(manifest_file: Path) -> Iterator[Asset]:
    manifest = _read_json(manifest_file, _SYNTH_AGAIN)
    files = _entry({"files": {}, **manifest}, "files", dict, str(manifest_file))
    for asset_id in files:
        where = f"{manifest_file}: files.{asset_id}"
        entry = _entry(files, asset_id, dict, f"{manifest_file}: files")
        source = _entry(entry, "source", dict, where)
        if "path" not in source:
            raise MalformedAssembly(f"{where} is built by a command, which a review never runs")
        destinations = list(_entry(entry, "destinations", dict, where).values())
        if not destinations:
            raise MalformedAssembly(f"{where}.destinations is empty; {_SYNTH_AGAIN}")
        yield Asset(
            id=asset_id,
            path=manifest_file.parent / _entry(source, "path", str, f"{where}.source"),
            is_folder=source.get("packaging") == "zip",
            bucket=_offline_name(_entry(destinations[0], "bucketName", str, f"{where}.destinations")),
            key=_entry(destinations[0], "objectKey", str, f"{where}.destinations"),
        )


def _offline_name(name: str) -> str:
    return (
        name.replace("${AWS::AccountId}", OFFLINE_ACCOUNT)
        .replace("${AWS::Region}", DEFAULT_REGION)
        .replace("${AWS::Partition}", "aws")
    )


def _ordered(found: list[_Found]) -> Iterator[Stack]:
    """Dependencies first; otherwise as the manifest lists them."""
    index = {each.place: position for position, each in enumerate(found)}
    sorter = TopologicalSorter(
        {index[each.place]: [index[place] for place in each.awaited] for each in found}
    )
    try:
        sorter.prepare()
    except CycleError as problem:
        ring = " → ".join(found[position].stack.name for position in problem.args[1])
        raise MalformedAssembly(f"stacks depend on each other in a ring: {ring}") from None
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from (found[position].stack for position in ready)
        sorter.done(*ready)


_WORDS: dict[type, str] = {str: "a string", dict: "an object"}


def _entry(holder: Any, key: str, kind: type[T], where: str) -> T:
    """An entry of a JSON object that CDK always writes. Raises `MalformedAssembly`, naming it, where it didn't."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        what = "missing" if value is None else f"not {_WORDS[kind]}"
        raise MalformedAssembly(f"{where}.{key} is {what}, not as CDK writes it; {_SYNTH_AGAIN}")
    return value


def _read_json(path: Path, advice: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if _ODD_ESCAPE.search(text):
            _check_characters(content)
    except FileNotFoundError:
        raise MalformedAssembly(f"{path} is not there: {advice}") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise MalformedAssembly(f"{path} cannot be read as JSON ({problem}); {advice}") from None
    if not isinstance(content, dict):
        raise MalformedAssembly(f"{path} is not a JSON object; {advice}")
    return content


def _check_characters(content: Any) -> None:
    """Raise `ValueError` for what no file is called and no terminal shows: NUL, and half of a surrogate pair."""
    for text in _strings(content):
        if "\x00" in text:
            raise ValueError("NUL stands in a string")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair stands in a string") from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _strings(each)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    found = float(digits)
    if isinf(found):
        raise ValueError(f"{digits[:20]} is too large for a number")
    return found
