"""VPC Lattice services: the hour, the gigabyte and the request.

AWS charges nothing for the first 300,000 requests of each hour; how they fall into hours is not known here, so
none are taken off. Facts: https://aws.amazon.com/vpc/lattice/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage
from workbench.workload import Figure


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Services", "service-hours", HOURS, "vpc.lattice.service_hour")
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data through services", "GB", processed, "vpc.lattice.gb")
    requests = context.derive(resource, "requests_per_month", by=_all_of_them)
    yield CostLine("Requests", "requests", requests, "vpc.lattice.request")


def _all_of_them(requests: Figure) -> Figure:
    return Figure(requests.value, f"{requests.formula} (with the 300,000 of each hour that are free)")


ROOM = Room(
    type="AWS::VpcLattice::Service",
    classification="mixed",
    usage={
        "processed_gb_per_month": Usage("GB", "bytes of requests and answers"),
        "requests_per_month": Usage("requests", "requests; connections, where TLS is passed through"),
    },
    lines=_lines,
)
