"""Logs of a user pool: to S3 the delivery pays by the gigabyte, to a log group it is that group's line.

Facts: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html and
https://aws.amazon.com/cloudwatch/pricing/ , "Vended Logs"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import vended
from workbench.review.room import Context, CostLine, Room, refuse

_PLACES = {"CloudWatchLogsConfiguration": "LogGroupArn", "S3Configuration": "BucketArn"}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    once: dict[str, CostLine] = {}
    for config in resource.properties.get("LogConfigurations") or []:
        if config.get("FirehoseConfiguration"):
            raise refuse(resource, "FirehoseConfiguration pays for the delivery at a price of its own")
        for place, name in _PLACES.items():
            if config.get(place):
                for line in _to(resource, context, config[place].get(name)):
                    once[line.price_key] = line
    if len(once) > 1:
        raise refuse(resource, "it logs to S3 and to a log group elsewhere, and one figure can't be of both")
    if not once:
        vended.refuse_declared(resource, "its log group is in this assembly, and pays for them")
    yield from once.values()


def _to(resource: Resource, context: Context, destination: object) -> list[CostLine]:
    target = context.target(resource, destination)
    if target is not None and target.type == "AWS::Logs::LogGroup":
        return []
    return list(vended.delivery_lines(resource, context, destination))


ROOM = Room(
    type="AWS::Cognito::LogDeliveryConfiguration",
    classification="usage",
    usage=vended.DELIVERED,
    lines=_lines,
)
