"""What of a template the offline AWS deploys as it goes to AWS, what it has a stand-in for, and what it skips.

Our own offline AWS takes every template as it is: what MiniStack does not know, `workbench/offline/stand_ins`
provisions. Elsewhere (`--endpoint`) the parameters that only AWS can answer are answered here (`PARAMETERS`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.assembly import Resource, Stack

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "30"
STREAMS_NOTE = "event sources of streams and Kafka are driven by ours, as AWS documents them"
LIBRARIES_NOTE = (
    "libraries that a layer has compiled for AWS are imported from this environment, in the same versions"
)
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
    through_api: tuple[Difference, ...] = ()  # really made, but not by the emulator's own CloudFormation


@dataclass(frozen=True)
class KnownTypes:
    """What an offline AWS of ours provisions: by MiniStack's own CloudFormation, or by a stand-in of ours."""

    provisioned: frozenset[str]
    stand_ins: Mapping[str, Mapping[str, str]]  # type → by (api, engine, record) and what


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


def localise(stack: Stack, known: KnownTypes | None) -> Localised:
    """The template of `stack` as the offline AWS can take it.

    `known` are the types that it provisions; None leaves the judgement to it.
    """
    template = copy.deepcopy(dict(stack.template))
    substituted: list[Difference] = []
    skipped: list[Difference] = []
    through_api: list[Difference] = []
    for logical_id, resource in list(template["Resources"].items()):
        kind = resource["Type"]
        if known is None:
            continue
        if kind in known.stand_ins:
            difference = Difference(logical_id, kind, known.stand_ins[kind]["what"])
            (through_api if known.stand_ins[kind]["by"] == "api" else substituted).append(difference)
        elif kind not in known.provisioned and not kind.startswith("Custom::"):
            skipped.append(Difference(logical_id, kind, "the offline AWS has no such type"))
    for difference in skipped:
        del template["Resources"][difference.logical_id]
    _forget(template, {difference.logical_id for difference in skipped})
    # Our own offline AWS answers those parameters itself.
    notes = _answer_parameters(template, stack.region) if known is None else ()
    if known is not None and any(map(_polls_a_stream, stack.resources.values())):
        notes = (*notes, STREAMS_NOTE)
    if known is not None and any(
        each.type == "AWS::Lambda::LayerVersion" for each in stack.resources.values()
    ):
        notes = (*notes, LIBRARIES_NOTE)
    return Localised(template, tuple(substituted), tuple(skipped), notes, tuple(through_api))


def _polls_a_stream(resource: Resource) -> bool:
    """Whether it is an event source with a position: a stream's or a topic's, and not a queue's."""
    return resource.type == "AWS::Lambda::EventSourceMapping" and "StartingPosition" in resource.properties


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
