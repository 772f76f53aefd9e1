"""The types of MediaConvert, made through its API in `parts/mediaconvert.py`.

`SettingsJson` may be spelled as the API has it (`outputGroups`) or as CloudFormation's examples do (`OutputGroups`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from workbench.offline.media_settings import in_camel_case
from workbench.offline.parts import mediaconvert
from workbench.offline.parts.mediaconvert import Record, Refusal
from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import physical_name, replacing

_NUMBERS = ("Priority", "ConcurrentJobs")


def _stand_in(
    kind: str,
    create: Callable[[Record], Record],
    update: Callable[[str, Record], Record],
    delete: Callable[[str], None],
) -> StandIn:
    """A stand-in for a type whose records are made, changed and deleted by these."""

    def make(logical_id: str, properties: Properties, stack: str) -> Made:
        name = properties.get("Name") or physical_name(stack, logical_id, most=80)
        return _made(create({**_body(properties), "name": name}))

    def change(name: str, properties: Properties) -> Made:
        return _made(update(name, _body(properties)))

    def unmake(name: str, _properties: Properties) -> None:
        try:
            delete(name)
        except Refusal as refusal:
            if refusal.status != 404:
                raise

    return StandIn(
        f"AWS::MediaConvert::{kind}",
        by="api",
        what=f"the {kind} is made by the offline AWS's own MediaConvert, whose jobs ffmpeg runs",
        ref="Name",
        create=make,
        update=replacing(make, unmake, change, "Name"),
        delete=unmake,
        attributes={"Arn": "its ARN", "Name": "its name"},
    )


def _made(record: Record) -> Made:
    return record["name"], {"Arn": record["arn"], "Name": record["name"]}


def _body(properties: Properties) -> Record:
    """The API's request for a template's properties."""
    said: dict[str, Any] = dict(properties)
    settings = said.pop("SettingsJson", None)
    if settings is not None:
        said["Settings"] = json.loads(settings) if isinstance(settings, str) else settings
    for name in _NUMBERS:
        if name in said:
            said[name] = int(said[name])
    body: Record = in_camel_case(said)
    return body


STAND_INS = (
    _stand_in("Queue", mediaconvert.create_queue, mediaconvert.update_queue, mediaconvert.delete_queue),
    _stand_in(
        "JobTemplate",
        mediaconvert.create_template,
        mediaconvert.update_template,
        mediaconvert.delete_template,
    ),
    _stand_in("Preset", mediaconvert.create_preset, mediaconvert.update_preset, mediaconvert.delete_preset),
)
