"""Members of a DocumentDB cluster: hours of the instance, and CPU credits; the cluster pays for serverless ones.

Facts: https://aws.amazon.com/documentdb/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, document_graph, rds
from workbench.review.document_graph import DOCUMENTDB
from workbench.review.room import Context, CostLine, Room, refuse

_SURPLUS = "surplus_vcpu_hours_per_month"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from document_graph.member_lines(resource, context, DOCUMENTDB)
    if _SURPLUS in resource.workload and not rds.machine_class(resource).startswith("db.t"):
        raise refuse(
            resource, f"{_SURPLUS} is declared, and a {rds.machine_class(resource)} has no CPU credits"
        )
    row = ("CPU credits (unlimited)", "vCPU-hours", _SURPLUS, "docdb.cpu_credits")
    yield from by_use.where_declared(resource, context, row)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from document_graph.member_warnings(resource, context, DOCUMENTDB)


ROOM = Room(
    type=DOCUMENTDB.member, classification="mixed", usage=rds.CREDITS, lines=_lines, warnings=_warnings
)
