"""The directory's API: who a user is, on which devices, whom they know and block, and which chats there are.

Behind API Gateway's HTTP API with a JWT authorizer; the caller is the token's `sub`. Everything is said of the
caller: nobody reads or changes what is another's, but for the groups that both are in.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.api_gateway import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from lambdas.messaging_platform.directory import logic
from lambdas.messaging_platform.directory.models import (
    PAGE,
    ChatView,
    GroupView,
    Me,
    MemberView,
    NewDevice,
    NewDirectChat,
    NewGroup,
    People,
    PersonView,
    Profile,
    TicketView,
)
from lambdas.messaging_platform.directory.projection import directory
from lambdas.messaging_platform.directory.records import Account, Person
from lambdas.messaging_platform.directory.store import store
from lambdas.messaging_platform.settings import DirectorySettings
from lambdas.shared.http_api import MAX_BODY_BYTES, answer, caller, json_api
from lambdas.shared.observability import count, observed

app = json_api()

MAKES_A_GROUP = "POST /groups"
LARGEST_GROUP_BYTES = 96 * 1024  # a thousand ids of 64 characters, and what is around them

InPath = Annotated[str, Path()]
After = Annotated[str, Query(pattern="^[0-9A-Za-z-]{0,64}$", description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=PAGE)]


# The caller


@app.get("/me")
def me() -> Me:
    """The caller's account."""
    return Me.model_validate(vars(logic.my_account(_caller(), directory())))


@app.put("/me")
def put_me(profile: Profile) -> Me:
    """Make the caller's account, or change it: what is not said is as by default."""
    account = Account(user=_caller(), **profile.model_dump())
    logic.put_account(account, directory())
    return Me.model_validate(vars(account))


# Devices


@app.put("/devices/<device>")
def put_device(device: InPath, told: NewDevice) -> Response[None]:
    """Register a device, or change what is known of it."""
    logic.put_device(_caller(), device, told.platform, told.push_token, int(time.time()), directory())
    return _nothing()


@app.delete("/devices/<device>")
def delete_device(device: InPath) -> Response[None]:
    """Forget a device."""
    logic.delete_device(_caller(), device, directory())
    return _nothing()


@app.post("/devices/<device>/tickets", status_code=HTTPStatus.CREATED)
def issue_ticket(device: InPath) -> TicketView:
    """A ticket that opens one socket for the device."""
    socket_url = DirectorySettings.from_environment().socket_url
    ticket = logic.issue_ticket(
        _caller(), device, int(time.time()), secrets.token_bytes, socket_url, directory()
    )
    count("TicketIssued")
    return TicketView(**vars(ticket))


# Contacts and blocks


@app.get("/contacts")
def contacts(after: After = "", limit: Limit = PAGE) -> People:
    """The caller's contacts."""
    return _page(store().contacts, after, limit)


@app.put("/contacts/<user>")
def put_contact(user: InPath) -> Response[None]:
    """Have a user among the caller's contacts."""
    logic.put_contact(_caller(), user, directory())
    return _nothing()


@app.delete("/contacts/<user>")
def delete_contact(user: InPath) -> Response[None]:
    """Have a user no longer among the caller's contacts."""
    logic.delete_contact(_caller(), user, directory())
    return _nothing()


@app.get("/blocks")
def blocks(after: After = "", limit: Limit = PAGE) -> People:
    """Whom the caller has blocked."""
    return _page(store().blocks, after, limit)


@app.put("/blocks/<user>")
def put_block(user: InPath) -> Response[None]:
    """Block a user: neither writes to the other any more."""
    logic.put_block(_caller(), user, directory())
    return _nothing()


@app.delete("/blocks/<user>")
def delete_block(user: InPath) -> Response[None]:
    """Block a user no longer."""
    logic.delete_block(_caller(), user, directory())
    return _nothing()


# Chats


@app.post("/chats")
def open_direct_chat(wanted: NewDirectChat) -> ChatView:
    """The chat of the caller with somebody, made if it is not there."""
    return ChatView(chat=logic.open_direct_chat(_caller(), wanted.other, directory()))


@app.post("/groups", status_code=HTTPStatus.CREATED)
def make_group(
    wanted: NewGroup,
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            pattern="^[A-Za-z0-9_.:-]{1,128}$",
            description="Remembered for a week: the same request again makes no second group.",
        ),
    ],
) -> ChatView:
    """Make a group, with the caller as its admin."""
    chat = logic.make_group(
        _caller(), wanted.name, wanted.members, idempotency_key, secrets.token_bytes, directory()
    )
    return ChatView(chat=chat)


@app.get("/groups/<chat>")
def group(chat: InPath) -> GroupView:
    """A group that the caller is in."""
    found = logic.group(chat, _caller(), directory())
    members = [MemberView(**vars(member)) for member in found.members]
    return GroupView(chat=found.chat, name=found.name, version=found.version, members=members)


@app.put("/groups/<chat>/members/<user>")
def add_member(chat: InPath, user: InPath) -> Response[None]:
    """Have a user in a group, of which the caller is an admin."""
    logic.add_member(chat, _caller(), user, directory())
    return _nothing()


@app.delete("/groups/<chat>/members/<user>")
def remove_member(chat: InPath, user: InPath) -> Response[None]:
    """Have a user no longer in a group: the caller, or anybody where the caller is an admin."""
    logic.remove_member(chat, _caller(), user, directory())
    return _nothing()


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway HTTP API, payload 2.0, all of the routes above."""
    largest = LARGEST_GROUP_BYTES if event.get("routeKey") == MAKES_A_GROUP else MAX_BODY_BYTES
    return answer(app, event, context, largest)


def _caller() -> str:
    return caller(app.current_event.raw_event)


def _nothing() -> Response[None]:
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _page(listed: Callable[[str, str, int], list[Person]], after: str, limit: int) -> People:
    people = listed(_caller(), after, limit + 1)  # one more tells whether there is a next page
    page = people[:limit]
    return People(
        people=[PersonView(**vars(each)) for each in page],
        next=page[-1].user if len(people) > limit else None,
    )
