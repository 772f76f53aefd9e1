"""What the owners' API reads and writes, as JSON. The rules beyond shapes are in `logic` and `urls`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class NewLink(BaseModel):
    """A link to be made."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[
        str, Field(description="Absolute, http or https, at most 2,048 characters once percent-encoded.")
    ]
    alias: Annotated[
        str | None, Field(description="The code to use instead of a random one: 4 to 32 of A-Z a-z 0-9 _ -.")
    ] = None
    expires_at: Annotated[
        str | None, Field(description="RFC 3339 with an offset. From then on the link answers 410, for ever.")
    ] = None


class LinkView(BaseModel):
    """A link as its owner sees it. `short_url` is null where the request does not tell the public address."""

    code: str
    path: str
    short_url: str | None
    url: str
    created_at: str
    expires_at: str | None


class LinkPage(BaseModel):
    """Links, newest first. `next_cursor` is null on the last page."""

    links: list[LinkView]
    next_cursor: str | None


class DayOfClicks(BaseModel):
    """The clicks of one UTC day."""

    day: date
    clicks: int


class ClickHistory(BaseModel):
    """Clicks by UTC day, oldest first, and their sum. Clicks take a moment to be counted."""

    code: str
    total: int
    days: list[DayOfClicks]
