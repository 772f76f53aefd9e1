"""What the media service and the inspection both know: an item of the table `media`, and who may do what with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from lambdas.messaging_platform.membership import Earlier
from lambdas.shared.errors import Conflict

State = Literal["uploading", "checking", "ready", "rejected"]
# Why one was rejected; "aborted" by its owner, all others by the inspection.
Reason = Literal["aborted", "expired", "size", "checksum", "type", "infected", "pixels"]

MEDIA_ID = re.compile(r"[0-9a-f]{32}")


class UploadGone(Exception):
    """S3 has no such multipart upload (any more): it was completed, aborted, or expired."""


class PartChanged(Conflict):
    """A part was overwritten while the upload was being completed."""


@dataclass(frozen=True)
class Media:
    """One piece of media. `size` is bytes, `created_at` epoch milliseconds, `sha256` hex, `upload` S3's id for it.

    `first_seq` and `last_seq` are the first and the last message of its chat that carried it, None before there was
    one; `carried` is how many do now: deleted ones do not.
    """

    id: str
    owner: str
    chat: str
    upload: str
    size: int
    type: str
    sha256: str
    created_at: int
    state: State = "uploading"
    reason: str | None = None
    thumbnail: str | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    carried: int = 0

    @property
    def key(self) -> str:
        """Its key, in the bucket of uploads and in that of media."""
        return original_key(self.id)


@dataclass(frozen=True)
class Membership:
    """What a member of a chat may see: from `since` up to `until`, None while they are in. `head` is the last seq.

    And what is of the times in the chat before that, `earlier`.
    """

    since: int
    until: int | None
    head: int
    earlier: Earlier = ()


@dataclass(frozen=True)
class ArrivedPart:
    """A part that S3 has; `etag` in its quotes, `size` in bytes."""

    number: int
    etag: str
    size: int


def original_key(media: str) -> str:
    return f"{media}/original"


def thumbnail_key(media: str) -> str:
    return f"{media}/thumbnail"


def as_item(media: Media) -> dict[str, Any]:
    """The item of a new piece of media, as DynamoDB has it."""
    text = {
        "media": media.id,
        "owner": media.owner,
        "chat": media.chat,
        "key": media.key,
        "upload": media.upload,
        "type": media.type,
        "sha256": media.sha256,
        "state": media.state,
    }
    numbers = {"size": media.size, "created_at": media.created_at}
    return {name: {"S": value} for name, value in text.items()} | {
        name: {"N": str(value)} for name, value in numbers.items()
    }


def from_item(item: dict[str, Any]) -> Media:
    """What `as_item` wrote, with what was added since."""
    return Media(
        id=item["media"]["S"],
        owner=item["owner"]["S"],
        chat=item["chat"]["S"],
        upload=item["upload"]["S"],
        size=int(item["size"]["N"]),
        type=item["type"]["S"],
        sha256=item["sha256"]["S"],
        created_at=int(item["created_at"]["N"]),
        state=cast("State", item["state"]["S"]),
        reason=_text(item, "reason"),
        thumbnail=_text(item, "thumbnail"),
        first_seq=_number(item, "first_seq"),
        last_seq=_number(item, "last_seq"),
        carried=_number(item, "carried") or 0,
    )


def _text(item: dict[str, Any], attribute: str) -> str | None:
    return str(item[attribute]["S"]) if attribute in item else None


def _number(item: dict[str, Any], attribute: str) -> int | None:
    return int(item[attribute]["N"]) if attribute in item else None
