"""Experiments of the Fault Injection Service: minutes of actions, and reports where the template asks for them.

Facts: https://aws.amazon.com/fis/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    options = resource.properties.get("ExperimentOptions") or {}
    if options.get("AccountTargeting") == "multi-account":
        raise refuse(resource, "AccountTargeting is multi-account, and each further account pays")
    minutes = context.derive(resource, "action_minutes_per_month")
    yield CostLine("Action minutes", "minutes", minutes, "fis.action")
    if resource.properties.get("ExperimentReportConfiguration"):
        reports = context.derive(resource, "reports_per_month")
        yield CostLine("Reports", "reports", reports, "fis.report")
    else:
        refuse_keys(resource, "it has no ExperimentReportConfiguration", "reports_per_month")


ROOM = Room(
    type="AWS::FIS::ExperimentTemplate",
    classification="usage",
    usage={
        "action_minutes_per_month": Usage("minutes", "minutes of every action that runs", scales=False),
        "reports_per_month": Usage("reports", "experiments with a report", scales=False),
    },
    lines=_lines,
)
