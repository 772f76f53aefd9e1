"""What the directory's API reads and writes, as JSON. The rules beyond shapes are in `logic` and in the database."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST_REQUEST = 1_000  # members named in one request; how many a group has, the database says
PAGE = 100


def _printable(text: str) -> str:
    """No control characters, which PostgreSQL and screens do not take, and no halves of surrogate pairs."""
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
        raise ValueError("it has characters that cannot be shown")
    if not text.strip():
        raise ValueError("it is empty")
    return text


Name = Annotated[
    str, Field(min_length=1, max_length=100, description="1 to 100 characters."), AfterValidator(_printable)
]
MinuteOfDay = Annotated[int, Field(ge=0, le=1439)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Profile(_Strict):
    """What a user says of themselves. Quiet hours are minutes of the user's day, both or neither."""

    name: Name
    last_seen: Annotated[
        Literal["everyone", "contacts", "nobody"], Field(description="Who sees when they were last there.")
    ] = "contacts"
    read_receipts: Annotated[bool, Field(description="Whether others see what they have read.")] = True
    quiet_from: MinuteOfDay | None = None
    quiet_to: MinuteOfDay | None = None
    utc_offset: Annotated[int, Field(ge=-720, le=840, description="Minutes east of UTC.")] = 0


class Me(Profile):
    """The caller's account."""

    user: str


class NewDevice(_Strict):
    """A device to be registered. Without a push token it is sent no pushes."""

    platform: Literal["android", "ios", "web"]
    push_token: Annotated[str, Field(max_length=4_096, pattern="^[!-~]*$")] = ""


class TicketView(BaseModel):
    """What opens one socket, once, within `expires_in` seconds, at `url`."""

    ticket: str
    url: str
    expires_in: int


class PersonView(BaseModel):
    user: str
    name: str


class People(BaseModel):
    """People in the order of their ids. `next` is what `after` is for the next page, null on the last."""

    people: list[PersonView]
    next: str | None


class NewDirectChat(BaseModel):
    """A chat of the caller with somebody."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    other: Annotated[str, Field(alias="with", max_length=64)]


class ChatView(BaseModel):
    chat: str


class NewGroup(_Strict):
    """A group with the caller as its admin; the caller need not be named."""

    name: Name
    members: Annotated[list[str], Field(max_length=LARGEST_REQUEST)]


class MemberView(PersonView):
    role: Literal["admin", "member"]


class GroupView(BaseModel):
    """A group and who is in it, the oldest member first."""

    chat: str
    name: str
    version: int
    members: list[MemberView]
