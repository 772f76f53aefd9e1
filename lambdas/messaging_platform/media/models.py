"""What the media API reads and writes, as JSON. The rules beyond shapes are in `logic`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt


class NewMedia(BaseModel):
    """Media to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    chat: Annotated[str, Field(description="The chat whose members may fetch it.")]
    size: Annotated[StrictInt, Field(description="Bytes, at most 2 GiB.")]
    type: Annotated[
        str, Field(description="Its media type, such as image/jpeg; what it begins with must agree.")
    ]
    sha256: Annotated[str, Field(description="Of all of it, lower-case hex.")]


class PartToPut(BaseModel):
    """A part that S3 has not. `PUT` exactly `size` bytes to `url`, with their `Content-MD5`, within an hour."""

    number: int
    size: int
    url: str


class PartThere(BaseModel):
    """A part that S3 has."""

    number: int
    etag: str
    size: int


class Begun(BaseModel):
    """A new upload. `parts` are the first of `part_count`; the rest is asked for."""

    media: str
    part_bytes: Annotated[int, Field(description="Bytes of each part but the last.")]
    part_count: int
    parts: list[PartToPut]


class Parts(BaseModel):
    """Some parts of an upload. `next` is `after` of the next page, null on the last."""

    arrived: list[PartThere]
    missing: list[PartToPut]
    next: int | None


class Completed(BaseModel):
    """The upload is one object, and is checked next; `GET /media/{media}` says what came of that."""

    media: str
    state: Literal["checking"] = "checking"


class _View(BaseModel):
    media: str
    chat: str
    type: str
    size: int


class Waiting(_View):
    """Not to be had yet."""

    state: Literal["uploading", "checking"]


class Rejected(_View):
    """Never to be had."""

    state: Literal["rejected"]
    reason: Annotated[
        str,
        Field(description="aborted, expired, size, checksum, type, infected or pixels (too many of them)."),
    ]


class Ready(_View):
    """To be fetched from `url`, and where it is an image small from `thumbnail_url` (else null)."""

    state: Literal["ready"]
    url: str
    thumbnail_url: str | None
    expires_in: Annotated[int, Field(description="Seconds that the addresses are good for.")]


View = Waiting | Rejected | Ready
