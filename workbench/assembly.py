"""A cloud assembly, read as it lies on disk: stacks, resources, assets. JSON only, any CDK app's.

Properties are given with what can be resolved resolved: `Ref` and `Fn::GetAtt` of the same stack become
`Reference`, parameters their defaults, pseudo parameters their usual values, and `Fn::Join`, `Fn::Sub`,
`Fn::Select`, `Fn::Split`, `Fn::If` and `Fn::FindInMap` are carried out. What stays unknown until
deployment is `Unresolved`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.errors import MalformedAssembly
from workbench.workload import Figure

DEFAULT_REGION = "us-east-1"
OFFLINE_ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Reference:
    """`Ref` (attribute None) or `Fn::GetAtt` of a resource in the same stack."""

    logical_id: str
    attribute: str | None = None

    def __str__(self) -> str:
        return f"${{{self.logical_id}{'.' + self.attribute if self.attribute else ''}}}"


@dataclass(frozen=True)
class Unresolved:
    """A value that only deployment knows; `text` is the intrinsic as JSON."""

    text: str

    def __str__(self) -> str:
        return f"${{{self.text}}}"


@dataclass(frozen=True)
class Asset:
    """A file or folder to publish before the stack that needs it; a stack's own template is none."""

    id: str
    path: Path
    is_folder: bool
    bucket: str
    key: str


@dataclass(frozen=True)
class Resource:
    """One resource of a template."""

    stack: Stack = field(repr=False, compare=False)
    logical_id: str
    type: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The properties, resolved as far as they can be."""
        resolved = self.stack.resolve(self.raw.get("Properties", {}))
        return resolved if isinstance(resolved, dict) else {}

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.raw.get("Metadata") or {}

    @property
    def path(self) -> str:
        """The construct path, such as `UrlShortener/Links/Resource`; the logical id where CDK wrote none."""
        return str(self.metadata.get("aws:cdk:path", self.stack.paths.get(self.logical_id, self.logical_id)))

    @property
    def name(self) -> str:
        """The construct path without the stack and the trailing `Resource`: `Links`."""
        parts = [part for part in self.path.split("/")[1:] if part not in ("Resource", "Default")]
        return "/".join(parts) or self.logical_id

    @cached_property
    def workload(self) -> dict[str, Figure]:
        """The declared traffic of this resource: usage key → figure. Raises `MalformedAssembly`."""
        return read_figures(self.metadata.get("Workload", {}), f"{self.stack.name}/{self.logical_id}")


def read_figures(declared: Any, where: str) -> dict[str, Figure]:
    """Usage as written in metadata, `{key: {"value": "1.5", "formula": "…"}}`, as figures."""
    if not isinstance(declared, Mapping):
        raise MalformedAssembly(f"{where}: Metadata.Workload must map usage keys to figures")
    figures = {}
    for key, entry in declared.items():
        try:
            figures[key] = Figure(Decimal(str(entry["value"])), str(entry["formula"]))
        except (TypeError, KeyError, InvalidOperation):
            raise MalformedAssembly(
                f"{where}: usage {key!r} needs a value and a formula; got {entry!r}"
            ) from None
    return figures


@dataclass(frozen=True)
class Stack:
    """One stack of an assembly."""

    artifact_id: str
    name: str
    region: str
    template: Mapping[str, Any] = field(repr=False)
    template_file: Path
    assets: tuple[Asset, ...] = field(repr=False)
    dependencies: tuple[str, ...] = ()
    # Logical id → construct path. The template has it only when CDK's own command line synthesized it.
    paths: Mapping[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """Logical id → resource, leaving out those whose condition is known to be false."""
        found = {}
        for logical_id, raw in self.template.get("Resources", {}).items():
            condition = raw.get("Condition")
            if condition is not None and self._condition(condition) is False:
                continue
            found[logical_id] = Resource(self, logical_id, raw.get("Type", ""), raw)
        return found

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The template's own metadata."""
        return self.template.get("Metadata") or {}

    def resolve(self, value: Any) -> Any:
        """`value` of this template with its intrinsics resolved as far as they can be."""
        if isinstance(value, list):
            items = [self.resolve(item) for item in value]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(name, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def _intrinsic(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return Reference(logical_id, str(attribute))
            case "Fn::Join":
                separator, parts = argument
                resolved = self.resolve(parts)
                if isinstance(resolved, list):
                    return separator.join(str(part) for part in resolved)
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::Select":
                index, parts = self.resolve(argument[0]), self.resolve(argument[1])
                if isinstance(parts, list) and int(index) < len(parts):
                    return parts[int(index)]
            case "Fn::Split":
                text = self.resolve(argument[1])
                if isinstance(text, str) and "${" not in text:
                    return text.split(argument[0])
            case "Fn::If":
                chosen = self._condition(argument[0])
                if chosen is not None:
                    return self.resolve(argument[1] if chosen else argument[2])
            case "Fn::FindInMap":
                table, first, second = (self.resolve(part) for part in argument[:3])
                try:
                    return self.template["Mappings"][table][first][second]
                except (KeyError, TypeError):
                    pass
            case "Fn::GetAZs":
                return [f"{self.region}{zone}" for zone in "abc"]
            case "Fn::Base64":
                return self.resolve(argument)
        return Unresolved(json.dumps({name: argument}, sort_keys=True))

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::Region": self.region,
            "AWS::AccountId": OFFLINE_ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.name,
            "AWS::NoValue": NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        parameter = self.template.get("Parameters", {}).get(name)
        if parameter is None:
            return Reference(name)
        if "Default" in parameter and not str(parameter.get("Type", "")).startswith("AWS::SSM::"):
            return parameter["Default"]
        return Unresolved(json.dumps({"Ref": name}))

    def _sub(self, argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument

        def value_of(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in names:
                return str(self.resolve(names[name]))
            if "." in name:
                logical_id, attribute = name.split(".", 1)
                return str(Reference(logical_id, attribute))
            return str(self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", value_of, text)

    def _condition(self, name: Any) -> bool | None:
        """Whether a condition holds; None when only deployment knows."""
        rule = self.template.get("Conditions", {}).get(name) if isinstance(name, str) else name
        if not isinstance(rule, dict) or len(rule) != 1:
            return None
        [(operator, argument)] = rule.items()
        if operator == "Condition":
            return self._condition(argument)
        if operator == "Fn::Equals":
            left, right = (self.resolve(side) for side in argument)
            known = not any(isinstance(side, (Unresolved, Reference)) for side in (left, right))
            return left == right if known else None
        parts = [self._condition(part) for part in argument]
        if operator == "Fn::Not":
            return None if parts[0] is None else not parts[0]
        if operator == "Fn::And":
            return False if False in parts else None if None in parts else True
        if operator == "Fn::Or":
            return True if True in parts else None if None in parts else False
        return None


class _NoValue:
    """`AWS::NoValue`: the property is as if it were not written."""


NO_VALUE = _NoValue()


@dataclass(frozen=True)
class Assembly:
    """A cloud assembly: `Assembly.load(folder)`."""

    directory: Path
    stacks: tuple[Stack, ...]

    @classmethod
    def load(cls, directory: Path) -> Assembly:
        """Read the assembly in `directory`, nested assemblies (stages) included.

        Raises `MalformedAssembly`, in one line, for anything that is not one.
        """
        found = tuple(_ordered(list(_stacks_in(directory))))
        if not found:
            raise MalformedAssembly(f"{directory}: the assembly has no stack; run `cdk synth` again")
        return cls(directory, found)

    @property
    def resources(self) -> Iterator[Resource]:
        """Every resource of every stack."""
        for stack in self.stacks:
            yield from stack.resources.values()


def _stacks_in(directory: Path) -> Iterator[Stack]:
    manifest = _read_json(
        directory / "manifest.json",
        "a cloud assembly has a manifest.json; give the folder `cdk synth` wrote (cdk.out)",
    )
    artifacts = manifest.get("artifacts")
    if not isinstance(artifacts, dict):
        raise MalformedAssembly(f"{directory}/manifest.json: no artifacts in it; run `cdk synth` again")
    for artifact_id, artifact in artifacts.items():
        try:
            kind, properties = artifact["type"], artifact.get("properties", {})
            if kind == "cdk:cloud-assembly":
                yield from _stacks_in(directory / properties["directoryName"])
            elif kind == "aws:cloudformation:stack":
                yield _stack(directory, artifact_id, artifact, artifacts)
        except (KeyError, TypeError, AttributeError) as problem:
            raise MalformedAssembly(
                f"{directory}/manifest.json: artifact {artifact_id!r} is not as CDK writes it ({problem!r})"
            ) from None


def _stack(directory: Path, artifact_id: str, artifact: dict[str, Any], artifacts: dict[str, Any]) -> Stack:
    properties = artifact["properties"]
    template_file = directory / properties["templateFile"]
    template = _read_json(template_file, "run `cdk synth` again")
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not all(
        isinstance(each, dict) and "Type" in each for each in resources.values()
    ):
        raise MalformedAssembly(
            f"{template_file}: not a CloudFormation template (every resource needs a Type)"
        )
    region = str(artifact.get("environment", "")).rsplit("/", 1)[-1]
    assets: list[Asset] = []
    stack_dependencies = []
    for dependency in artifact.get("dependencies", []):
        other = artifacts.get(dependency, {})
        if other.get("type") == "cdk:asset-manifest":
            published = _assets(directory / other["properties"]["file"])
            assets.extend(asset for asset in published if asset.path != template_file)
        elif other.get("type") == "aws:cloudformation:stack":
            stack_dependencies.append(dependency)
    return Stack(
        artifact_id=artifact_id,
        name=str(properties.get("stackName", artifact_id)),
        region=DEFAULT_REGION if region in ("", "unknown-region") else region,
        template=template,
        template_file=template_file,
        assets=tuple(assets),
        dependencies=tuple(stack_dependencies),
        paths=_paths(directory, artifact),
    )


def _paths(directory: Path, artifact: dict[str, Any]) -> dict[str, str]:
    """Logical id → construct path, from the stack's metadata: in the manifest, or in a file beside it."""
    metadata = dict(artifact.get("metadata") or {})
    if "additionalMetadataFile" in artifact:
        metadata |= _read_json(directory / artifact["additionalMetadataFile"], "run `cdk synth` again")
    return {
        str(entry["data"]): path.removeprefix("/")
        for path, entries in metadata.items()
        for entry in entries
        if entry.get("type") == "aws:cdk:logicalId"
    }


def _assets(manifest_file: Path) -> Iterator[Asset]:
    manifest = _read_json(manifest_file, "run `cdk synth` again")
    for asset_id, entry in manifest.get("files", {}).items():
        source = entry["source"]
        if "path" not in source:
            raise MalformedAssembly(
                f"{manifest_file}: asset {asset_id} is built by a command, which a review never runs"
            )
        destination = next(iter(entry["destinations"].values()))
        yield Asset(
            id=asset_id,
            path=manifest_file.parent / source["path"],
            is_folder=source.get("packaging") == "zip",
            bucket=_offline_name(destination["bucketName"]),
            key=destination["objectKey"],
        )


def _offline_name(name: str) -> str:
    return (
        name.replace("${AWS::AccountId}", OFFLINE_ACCOUNT)
        .replace("${AWS::Region}", DEFAULT_REGION)
        .replace("${AWS::Partition}", "aws")
    )


def _ordered(found: list[Stack]) -> Iterator[Stack]:
    """Dependencies first; otherwise as the manifest lists them."""
    placed: set[str] = set()
    waiting = list(found)
    while waiting:
        ready = [
            s
            for s in waiting
            if all(d in placed or all(d != o.artifact_id for o in waiting) for d in s.dependencies)
        ]
        if not ready:
            raise MalformedAssembly(
                f"stacks depend on each other in a ring: {', '.join(s.name for s in waiting)}"
            )
        yield from ready
        placed.update(stack.artifact_id for stack in ready)
        waiting = [stack for stack in waiting if stack not in ready]


def _read_json(path: Path, advice: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise MalformedAssembly(f"{path} is not there: {advice}") from None
    except (OSError, ValueError) as problem:
        raise MalformedAssembly(f"{path} cannot be read as JSON ({problem}); {advice}") from None
    if not isinstance(content, dict):
        raise MalformedAssembly(f"{path} is not a JSON object; {advice}")
    return content
