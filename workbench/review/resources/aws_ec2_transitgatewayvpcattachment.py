"""Attachments of VPCs to a transit gateway: the hour and the gigabyte. The gateway and its routes are free."""

from __future__ import annotations

from workbench.review import transit
from workbench.review.room import Room

ROOM = Room(
    type="AWS::EC2::TransitGatewayVpcAttachment",
    classification="mixed",
    usage=transit.PROCESSED,
    lines=transit.attachment_lines,
)
