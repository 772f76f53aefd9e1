"""Messaging over HTTP: the socket's actions for who has no socket, and what there is to read of chats.

Behind API Gateway's HTTP API with a JWT authorizer; the caller is the token's `sub`. What a socket is told in a frame
`refused` is here an error with a status.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BaseModel, Field

from lambdas.messaging_platform import frames, keys
from lambdas.messaging_platform.messaging import logic, models
from lambdas.messaging_platform.messaging.models import Caller
from lambdas.messaging_platform.messaging.socket import report
from lambdas.messaging_platform.messaging.store import store
from lambdas.shared.errors import Malformed, NotFound
from lambdas.shared.http_api import answer, caller, json_api
from lambdas.shared.observability import observed

CHATS_A_PAGE = 50
LARGEST_BODY = 64 * 1024  # bytes: the longest text, each character of which JSON spells as two of six bytes

app = json_api()

Sequence = Annotated[int | None, Query(ge=0, le=models.LARGEST_SEQUENCE)]
Limit = Annotated[int, Query(ge=1, le=models.LONGEST_PAGE, description="Events on a page.")]


class Mine(BaseModel):
    """The caller's place in a chat: they may see the events from `since` to `until`, null while they are a member.

    History has also the events of earlier times in the chat.
    """

    role: str
    since: int
    until: int | None
    delivered: int
    read: int


class Chat(Mine):
    """A chat, as the caller sees it. `seq` is the last event that they may see; of one left, `members` is 0."""

    chat: str
    kind: str
    name: str
    seq: int
    members: int


class Chats(BaseModel):
    """Some of the caller's chats. `next` is `after` of the next page, null on the last."""

    chats: list[Chat]
    next: str | None


class Marks(BaseModel):
    """How far a member has come; `read` is null where they do not show it."""

    delivered: int
    read: int | None


class Page(BaseModel):
    """Events of a device's inbox, each chat's in their order. `cursor` is `after` of the next page."""

    type: str = "page"
    events: list[dict[str, Any]]
    cursor: str | None


class History(BaseModel):
    """Events of a chat, in their order. `next` takes the place of `after`, or of `before`; null at the end."""

    events: list[dict[str, Any]]
    next: Annotated[
        int | None, Field(description="As the parameter that was given, for the page that follows.")
    ]


@app.get("/health", summary="Say that the service answers", operation_id="health")
def health() -> dict[str, str]:
    """For Route 53, which asks without a token: the way through API Gateway and a function, and nothing behind."""
    return {"status": "serving"}


@app.post("/actions/<device>", summary="Do what a frame says", operation_id="act")
def act(device: Annotated[str, Path()]) -> dict[str, Any]:
    """The reply that the socket would have given; what it would have refused is an error."""
    event = app.current_event.raw_event
    who = own_device(event, device)
    frame = frames.read_frame(event.get("body"), LARGEST_BODY)
    reply = logic.perform(who, frame, now_ms(), store())
    report(who, reply)
    return reply


@app.get("/sync/<device>", summary="Read a device's inbox", operation_id="sync")
def sync(
    device: Annotated[str, Path()],
    after: Annotated[str | None, Query(description="`cursor` of the page before.")] = None,
    limit: Limit = models.LONGEST_PAGE,
) -> Page:
    """What waits for a device; it stays there until it is acknowledged."""
    who = own_device(app.current_event.raw_event, device)
    wanted = models.wanted_of({"after": after, "limit": limit})
    return Page(**logic.inbox_page(who, wanted, store()))


@app.get("/chats", summary="List my chats", operation_id="listChats")
def list_chats(
    after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=CHATS_A_PAGE)] = CHATS_A_PAGE,
) -> Chats:
    """The chats that the caller is or was in, by their ids. A new one may take a moment to appear."""
    if after is not None and not keys.CHAT_ID.fullmatch(after):
        raise Malformed("`after` is no chat")
    places, following = logic.chats(caller(app.current_event.raw_event), after, limit, store())
    return Chats(chats=[chat_of(each) for each in places], next=following)


@app.get("/chats/<chat>", summary="See a chat", operation_id="getChat")
def get_chat(chat: Annotated[str, Path()]) -> Chat:
    """A chat that the caller is or was in."""
    return chat_of(logic.standing(chat, caller(app.current_event.raw_event), store()))


@app.get("/chats/<chat>/messages", summary="Read a chat's history", operation_id="readHistory")
def history(
    chat: Annotated[str, Path()],
    after: Sequence = None,
    before: Sequence = None,
    limit: Limit = models.LONGEST_PAGE,
) -> History:
    """The events after `after`; without it the last before `before`, by default the latest. Always in order."""
    place = logic.standing(chat, caller(app.current_event.raw_event), store())
    return History(**logic.history_page(place, after, before, limit, store()))


@app.get("/chats/<chat>/receipts", summary="See who has got how far", operation_id="getReceipts")
def receipts(chat: Annotated[str, Path()]) -> dict[str, Marks]:
    """How far each member has come, by user."""
    found = logic.receipts(chat, caller(app.current_event.raw_event), store())
    return {user: Marks(**marks) for user, marks in found.items()}


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway HTTP API, payload 2.0."""
    return answer(app, event, context, LARGEST_BODY)


def own_device(event: dict[str, Any], device: str) -> Caller:
    """The caller with a device of their own. Raises `NotFound` for any other."""
    user = caller(event)
    if not keys.DEVICE_ID.fullmatch(device) or not store().has_device(user, device):
        raise NotFound("you have no such device")
    return Caller(user, device)


def chat_of(place: logic.Standing) -> Chat:
    """A chat as it is told to somebody in it."""
    head, member = place.head, place.member
    return Chat(
        chat=head.chat,
        kind=head.kind,
        name=head.name,
        seq=place.last,
        members=head.members if member.until is None else 0,
        role=member.role,
        since=member.since,
        until=member.until,
        delivered=member.delivered,
        read=member.read,
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000
