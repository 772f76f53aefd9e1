"""The copy of a template that the offline AWS is given, and what in it differs from the one for AWS.

`SUBSTITUTIONS` is the one table: resource type → what stands in for it and why. A type that the emulator does
not know and that is not in the table is skipped, and the report says so. Nothing else differs, but for two
parameters that only AWS can answer (`PARAMETERS`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.assembly import Stack

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "30"
LAYER_NAME = "offline-layer"


@dataclass(frozen=True)
class Difference:
    """A resource that is not deployed as it is."""

    logical_id: str
    type: str
    why: str


@dataclass(frozen=True)
class Localised:
    """A template for the offline AWS, with its differences from the one for AWS."""

    template: dict[str, Any]
    substituted: tuple[Difference, ...]
    skipped: tuple[Difference, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Substitution:
    """What stands in for a type: `replace` gets the resource and returns the one to deploy."""

    why: str
    replace: Callable[[dict[str, Any]], dict[str, Any]]


SUBSTITUTIONS: dict[str, Substitution] = {}


@dataclass(frozen=True)
class ParameterAnswer:
    """How a template parameter that AWS resolves is answered offline."""

    prefix: str
    answer: Callable[[str], str]
    why: str


def _layer(region: str) -> str:
    return f"arn:aws:lambda:{region}:000000000000:layer:{LAYER_NAME}:1"


PARAMETERS: tuple[ParameterAnswer, ...] = (
    ParameterAnswer(
        "/aws/service/powertools/",
        _layer,
        "the Powertools layer is an empty one: the library is imported from this environment, in the same version",
    ),
)


def localise(stack: Stack, known_types: frozenset[str] | None) -> Localised:
    """The template of `stack` as the offline AWS can take it.

    `known_types` are those that it provisions; None leaves the judgement to it.
    """
    template = copy.deepcopy(dict(stack.template))
    substituted: list[Difference] = []
    skipped: list[Difference] = []
    for logical_id, resource in list(template["Resources"].items()):
        kind = resource["Type"]
        if kind in SUBSTITUTIONS:
            template["Resources"][logical_id] = SUBSTITUTIONS[kind].replace(resource)
            substituted.append(Difference(logical_id, kind, SUBSTITUTIONS[kind].why))
        elif known_types is not None and kind not in known_types and not kind.startswith("Custom::"):
            skipped.append(Difference(logical_id, kind, "the offline AWS has no such type"))
    for difference in skipped:
        del template["Resources"][difference.logical_id]
    _forget(template, {difference.logical_id for difference in skipped})
    return Localised(template, tuple(substituted), tuple(skipped), _answer_parameters(template, stack.region))


def _answer_parameters(template: dict[str, Any], region: str) -> tuple[str, ...]:
    notes = []
    for parameter in template.get("Parameters", {}).values():
        for known in PARAMETERS:
            if str(parameter.get("Default", "")).startswith(known.prefix):
                parameter.update({"Type": "String", "Default": known.answer(region)})
                notes.append(known.why)
    return tuple(dict.fromkeys(notes))


def _forget(template: dict[str, Any], gone: set[str]) -> None:
    """Drop dependencies on, and outputs of, resources that are not deployed."""
    if not gone:
        return
    for resource in template["Resources"].values():
        depends = resource.get("DependsOn")
        if isinstance(depends, list):
            resource["DependsOn"] = [each for each in depends if each not in gone]
        elif depends in gone:
            del resource["DependsOn"]
    outputs = template.get("Outputs", {})
    for name in [name for name, output in outputs.items() if _mentions(output, gone)]:
        del outputs[name]


def _mentions(value: Any, gone: set[str]) -> bool:
    text = json.dumps(value)
    return any(f'"{logical_id}"' in text or f"${{{logical_id}" in text for logical_id in gone)
