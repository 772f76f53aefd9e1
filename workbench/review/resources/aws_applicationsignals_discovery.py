"""Application Signals of an account and region: each signal, which is a request in or out of a service.

Facts: https://aws.amazon.com/cloudwatch/pricing/ ("Application Signals")
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    signals = context.derive(resource, "signals_per_month")
    yield CostLine("Signals", "signals", signals, "cloudwatch.application_signals")


ROOM = Room(
    type="AWS::ApplicationSignals::Discovery",
    classification="usage",
    usage={"signals_per_month": Usage("signals", "requests in and out of the services that it watches")},
    lines=_lines,
)
