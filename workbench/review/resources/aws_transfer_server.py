"""Transfer Family servers: the hours of each protocol, whether anybody connects or not, and bytes both ways.

The addresses of an internet-facing endpoint in a VPC are AWS::EC2::EIP, which pay by themselves. Facts:
https://aws.amazon.com/aws-transfer-family/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, service_logs, zones
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, one_of

_PROTOCOLS = ("SFTP", "FTPS", "FTP")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    named = resource.properties.get("Protocols") or ["SFTP"]
    protocols = [one_of(resource, each, "Protocols", _PROTOCOLS) for each in named]
    fleet = zones.always(len(protocols), "protocols" if len(protocols) > 1 else "protocol")
    words = ", ".join(protocols)
    yield from fleet.lines("Endpoints", words, "protocol-hours", HOURS, "transfer_family.endpoint")
    if resource.properties.get("LoggingRole"):
        yield from service_logs.lines(resource, context, "Transfer Family")
    row = ("Data through endpoints", "GB", "processed_gb_per_month", "transfer_family.data")
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::Transfer::Server",
    classification="mixed",
    usage={
        "processed_gb_per_month": Usage("GB", "bytes that come in and go out"),
        **service_logs.USAGE,
    },
    lines=_lines,
)
