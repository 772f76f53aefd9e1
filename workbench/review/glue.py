"""Data processing units (DPUs) of Glue: 4 vCPUs and 16 GB each, and what each worker type has of them.

Facts: https://aws.amazon.com/glue/pricing/ and https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
"""

from __future__ import annotations

from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import number, one_of
from workbench.workload import Figure

_DPUS = {
    "Standard": "1",
    "G.025X": "0.25",
    "G.1X": "1",
    "G.2X": "2",
    "G.4X": "4",
    "G.8X": "8",
    "G.12X": "12",
    "G.16X": "16",
}


def workers(resource: Resource) -> Figure | None:
    """The DPUs of NumberOfWorkers of WorkerType; None where the template names no worker type.

    The memory-optimised workers, R and Z, have a price of their own and are refused.
    """
    named = resource.properties.get("WorkerType")
    if named is None:
        return None
    kind = one_of(resource, named, "WorkerType", tuple(_DPUS))
    count = number(resource, resource.properties.get("NumberOfWorkers"), "NumberOfWorkers")
    return constant(count * Decimal(_DPUS[kind]), f"{shown(count)} workers × {_DPUS[kind]} DPU ({kind})")
