"""Applications of AppConfig: requests for configuration, and configurations that are really sent.

A poll that finds nothing new is a request and no configuration. Facts:
https://aws.amazon.com/systems-manager/pricing/ ("AppConfig")
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests (configuration)", "requests", requests, "appconfig.request")
    received = context.derive(resource, "configurations_received_per_month")
    yield CostLine("Configurations received", "configurations", received, "appconfig.configuration_received")


ROOM = Room(
    type="AWS::AppConfig::Application",
    classification="usage",
    usage={
        "requests_per_month": Usage("requests", "polls for configuration, by every reader"),
        "configurations_received_per_month": Usage(
            "configurations", "configurations that a reader gets, because they are new to it"
        ),
    },
    lines=_lines,
)
