"""Logs that AWS services write for you: paid by the gigabyte of delivery, wherever they go.

To a log group of the assembly they are that group's line. To S3, or to a log group elsewhere, the delivery is a line
of what sends them. Facts: https://aws.amazon.com/cloudwatch/pricing/ , "Vended Logs"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Usage, refuse

DELIVERED = {
    "delivered_gb_per_month": Usage("GB", "log bytes to S3, or to a log group that is not in this assembly")
}
_KINDS = {"AWS::S3::Bucket": "s3", "AWS::Logs::LogGroup": "logs"}


def delivery_lines(resource: Resource, context: Context, destination: Any) -> Iterator[CostLine]:
    """What delivering to `destination`, an ARN or a reference, pays. Raises `NotPriced` for a third place."""
    target = context.target(resource, destination)
    if target is not None:
        yield from lines_to(resource, context, _KINDS.get(target.type, target.type), is_here=True)
        return
    kind = str(destination).split(":")[2] if str(destination).startswith("arn:") else str(destination)
    yield from lines_to(resource, context, kind, is_here=False)


def refuse_declared(resource: Resource, why: str) -> None:
    """Raise `NotPriced` where bytes are declared that no line counts."""
    if "delivered_gb_per_month" in resource.workload:
        raise refuse(resource, f"delivered_gb_per_month is declared, and {why}")


def lines_to(resource: Resource, context: Context, kind: str, *, is_here: bool) -> Iterator[CostLine]:
    """The same, to a bucket (`s3`) or a log group (`logs`), in this assembly (`is_here`) or not."""
    if kind not in ("s3", "logs"):
        raise refuse(resource, f"its logs go to {kind}, and only S3 and log groups are known")
    if kind == "logs" and is_here:
        refuse_declared(resource, "its log group is in this assembly, and pays for them")
        return
    place, key = ("S3", "vended_to_s3") if kind == "s3" else ("a log group elsewhere", "vended")
    delivered = context.derive(resource, "delivered_gb_per_month")
    yield CostLine(f"Logs delivered (to {place})", "GB", delivered, f"cloudwatch.logs.{key}")
