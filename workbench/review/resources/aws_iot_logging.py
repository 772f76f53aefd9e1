"""Logs of IoT: they go to a log group that IoT makes, `AWSIotLogsV2`, and are paid as any are.

They are that group's line where the template has it. Facts:
https://docs.aws.amazon.com/iot/latest/developerguide/cloud-watch-logs.html and
https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room

GROUP = "AWSIotLogsV2"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("DefaultLogLevel") == "DISABLED":
        refuse_keys(resource, "DefaultLogLevel is DISABLED", service_logs.KEY)
    elif _group_is_here(context):
        refuse_keys(resource, f"the log group {GROUP} is in the template, and pays", service_logs.KEY)
    else:
        yield from service_logs.lines(resource, context, "IoT")


def _group_is_here(context: Context) -> bool:
    return any(
        group.properties.get("LogGroupName") == GROUP for group in context.all_of("AWS::Logs::LogGroup")
    )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("DefaultLogLevel") != "DISABLED" and not _group_is_here(context):
        yield from service_logs.warnings(resource, context, "IoT")


ROOM = Room(
    type="AWS::IoT::Logging",
    classification="usage",
    usage=service_logs.USAGE,
    lines=_lines,
    warnings=_warnings,
)
