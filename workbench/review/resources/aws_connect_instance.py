"""Contact centres of Connect: minutes of voice. The telephone line, chats, tasks and emails are not priced.

Facts: https://aws.amazon.com/connect/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    minutes = context.derive(resource, "voice_minutes_per_month")
    yield CostLine("Voice minutes", "minutes", minutes, "connect.voice")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: telephony, chats, tasks, emails and agents' tools are not priced"


ROOM = Room(
    type="AWS::Connect::Instance",
    classification="usage",
    usage={"voice_minutes_per_month": Usage("minutes", "minutes of calls, waiting included")},
    lines=_lines,
    warnings=_warnings,
)
