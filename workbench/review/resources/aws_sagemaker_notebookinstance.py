"""Notebook instances of SageMaker: hours and volume, until somebody stops them.

Five gigabytes where the template says nothing. Facts: https://aws.amazon.com/sagemaker/ai/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, number, refuse, text

VOLUME_GB = 5


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("AcceleratorTypes"):
        raise refuse(resource, "AcceleratorTypes have a price of their own")
    kind = text(resource, properties.get("InstanceType"), "InstanceType")
    fleet = zones.always(1, "notebook")
    yield from fleet.lines("Notebooks", kind, "instance-hours", HOURS, f"sagemaker.instance.{kind}")
    size = number(resource, properties.get("VolumeSizeInGB"), "VolumeSizeInGB", default=VOLUME_GB)
    volume = constant(size, f"{shown(size)} GB")
    yield from fleet.lines("Volumes", "notebook", "GB-months", volume, "sagemaker.storage")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if not resource.properties.get("LifecycleConfigName"):
        yield f"{context.name_of(resource)}: it is paid until somebody stops it; a lifecycle script can do so"


ROOM = Room(
    type="AWS::SageMaker::NotebookInstance", classification="baseline", lines=_lines, warnings=_warnings
)
