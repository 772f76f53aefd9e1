"""Attachments of VPCs to a transit gateway, by the older name of the type: the hour and the gigabyte."""

from __future__ import annotations

from workbench.review import transit
from workbench.review.room import Room

ROOM = Room(
    type="AWS::EC2::TransitGatewayAttachment",
    classification="mixed",
    usage=transit.PROCESSED,
    lines=transit.attachment_lines,
)
