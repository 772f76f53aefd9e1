"""Development endpoints of Glue: their data processing units (DPUs), all the time, used or not.

Five nodes where the template says nothing. Facts: https://aws.amazon.com/glue/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import glue
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, number
from workbench.workload import Figure

_NODES = 5


def _units(resource: Resource) -> Figure:
    count = number(resource, resource.properties.get("NumberOfNodes"), "NumberOfNodes", default=_NODES)
    return glue.workers(resource) or constant(count, f"{shown(count)} nodes × 1 DPU")


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    yield CostLine("Endpoints (development)", "DPU-hours", _units(resource) * HOURS, "glue.etl.dpu")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: it is paid while nobody works with it; an interactive session ends by itself"


ROOM = Room(type="AWS::Glue::DevEndpoint", classification="baseline", lines=_lines, warnings=_warnings)
