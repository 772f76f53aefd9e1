"""What the inspection decides: which uploads a message of S3's is about, and whether one is what it says. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_plus

from lambdas.messaging_platform.media import kinds
from lambdas.messaging_platform.media.records import MEDIA_ID, Media, Reason, original_key
from services.messaging_platform.inspection.scan import Scan

FIRST_PAUSE_S, LONGEST_PAUSE_S = 15, 900


class Unreadable(Exception):
    """The message is none of ours; the text says why. It goes to the dead letters."""


@dataclass(frozen=True)
class Findings:
    """`reason` why it is rejected, or None; `detail` for the log; `image`, all of it, where it is a sound one."""

    reason: Reason | None
    detail: str = ""
    image: bytes | None = None


def uploads_of(body: str, bucket: str) -> list[str]:
    """The ids of the media that a notification of S3's says were uploaded to `bucket`; none in S3's test message.

    Source: "Event message structure", Amazon S3 User Guide; keys are URL-encoded in it. Raises `Unreadable`.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"it is not JSON: {problem}") from None
    if isinstance(document, dict) and document.get("Event") == "s3:TestEvent":
        return []
    try:
        named = [(each["s3"]["bucket"]["name"], each["s3"]["object"]["key"]) for each in document["Records"]]
        return [_media_of(unquote_plus(key), name == bucket) for name, key in named]
    except (TypeError, KeyError, AttributeError) as problem:
        raise Unreadable(f"it is no notification of S3's: {problem!r}") from None


def _media_of(key: str, ours: bool) -> str:
    media = key.partition("/")[0]
    if not ours or not MEDIA_ID.fullmatch(media) or key != original_key(media):
        raise Unreadable("it is about an object that is no upload")
    return media


def examine(media: Media, pieces: Iterable[bytes], scan: Scan) -> Findings:
    """Whether the bytes are those that were declared, of the type that was declared, and harmless.

    Reads on only while it may still be sound. Of images all is kept: `LARGEST_IMAGE` bounds them.
    """
    digest, head, size = hashlib.sha256(), b"", 0
    kept = bytearray() if kinds.is_image(media.type) else None
    for piece in pieces:
        size += len(piece)
        if size > media.size:
            return Findings("size", f"more than the {media.size} bytes that were declared")
        digest.update(piece)
        scan.feed(piece)
        head = (head + piece[: kinds.HEAD_BYTES])[: kinds.HEAD_BYTES]
        if kept is not None:
            kept += piece
    if size != media.size:
        return Findings("size", f"{size} bytes, and {media.size} were declared")
    if digest.hexdigest() != media.sha256:
        return Findings("checksum", "other bytes than were declared")
    if not kinds.agrees(media.type, head):
        return Findings("type", f"it does not begin as {media.type} does")
    finding = scan.finding()
    if finding is not None:
        return Findings("infected", finding)
    return Findings(None, image=bytes(kept) if kept is not None else None)


def pause_s(receives: int) -> int:
    """How long a message that failed stays away, having been received so many times: 15 s, 1, 4, 15 minutes."""
    return int(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 4 ** min(receives - 1, 10)))
