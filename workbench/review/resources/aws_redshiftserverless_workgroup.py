"""Serverless workgroups of Redshift: processing units (RPUs) for the seconds in which queries run.

What wakes it pays for 60 seconds of BaseCapacity at least. Its data is the namespace's line. Facts:
https://aws.amazon.com/redshift/pricing/ , Redshift Serverless
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.numbers import dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Room, Usage, number

BASE_RPUS, LEAST_SECONDS = 128, 60


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    row = ("Processing", "RPU-hours", "rpu_hours_per_month", "redshift.serverless.rpu")
    yield from by_use.lines(resource, context, row)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    units = number(resource, resource.properties.get("BaseCapacity"), "BaseCapacity", BASE_RPUS)
    if units >= BASE_RPUS:
        price = PriceBook.load()["redshift.serverless.rpu"].tiers[0].price
        least = dollars(units * LEAST_SECONDS / 3_600 * price)
        yield (
            f"{context.name_of(resource)}: with a BaseCapacity of {shown(units)} RPU a query that wakes it "
            f"costs {least} at least; small data needs 8"
        )


ROOM = Room(
    type="AWS::RedshiftServerless::Workgroup",
    classification="usage",
    usage={
        "rpu_hours_per_month": Usage(
            "RPU-hours", "RPUs × hours in which queries run, 60 s at least each time"
        )
    },
    lines=_lines,
    warnings=_warnings,
)
