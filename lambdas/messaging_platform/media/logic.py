"""What the media service decides. Time, chance, the signature and the store are passed in.

start, list_parts, complete, abort   an upload, by its owner
look                                 what a member of the chat gets to see of it
part_bytes, part_count, part_size    how an upload is cut
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.media.kinds import KINDS, is_image
from lambdas.messaging_platform.media.records import (
    MEDIA_ID,
    ArrivedPart,
    Media,
    Membership,
    State,
    UploadGone,
    thumbnail_key,
)
from lambdas.messaging_platform.membership import may_see
from lambdas.shared.errors import Conflict, Gone, NotFound, Refused

MIB = 1024 * 1024
LARGEST = 2 * 1024 * MIB
LARGEST_IMAGE = 32 * MIB  # the inspection decodes it; a larger one goes as application/octet-stream
LEAST_PART_BYTES = 8 * MIB
MOST_PARTS = 10_000  # "Amazon S3 multipart upload limits", Amazon S3 User Guide
PARTS_A_PAGE = 100
PART_URL_SECONDS = 3_600
# A day until S3 ends an upload, one until it lets what was uploaded expire, each up to a day late.
NOTHING_COMES_AFTER_S = 4 * 86_400

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_MEDIA = "there is no such media"
_NO_CHAT = "there is no such chat"
_GIVEN_UP = "this upload was given up; begin again"
_COMPLETE = "this upload is complete"


@dataclass(frozen=True)
class Wish:
    """What a client wants to upload: `size` in bytes, `sha256` of all of it in lower-case hex."""

    chat: str
    size: int
    type: str
    sha256: str


@dataclass(frozen=True)
class MissingPart:
    """A part to be put to `url`, exactly `size` bytes of it, within `PART_URL_SECONDS`."""

    number: int
    size: int
    url: str


@dataclass(frozen=True)
class PartPage:
    """What S3 has and has not of some parts of an upload; `next` is `after` of the next page, None on the last."""

    arrived: Sequence[ArrivedPart]
    missing: Sequence[MissingPart]
    next: int | None


@dataclass(frozen=True)
class Seen:
    """What a member sees. The addresses are there when it is ready."""

    media: Media
    url: str | None = None
    thumbnail_url: str | None = None


class MediaStore(Protocol):
    """What the logic needs of the store; its promises are written at `store.Store`."""

    def find(self, media: str) -> Media | None: ...
    def membership(self, chat: str, user: str) -> Membership | None: ...
    def begin_upload(self, media: str) -> str: ...
    def add(self, media: Media) -> None: ...
    def move(self, media: str, before: Sequence[State], to: State, reason: str | None = None) -> bool: ...
    def part_url(self, media: Media, number: int, size: int, seconds: int) -> str: ...
    def arrived(self, media: Media, after: int, most: int) -> list[ArrivedPart]: ...
    def complete_upload(self, media: Media, parts: Sequence[ArrivedPart]) -> None: ...
    def abort_upload(self, media: Media) -> None: ...


# Parts


def part_bytes(size: int) -> int:
    """How many bytes a part of an upload of `size` has: 8 MiB, or as many whole MiB as 10,000 parts need."""
    least = -(-size // MOST_PARTS)
    return max(LEAST_PART_BYTES, -(-least // MIB) * MIB)


def part_count(size: int) -> int:
    return -(-size // part_bytes(size))


def part_size(size: int, number: int) -> int:
    """The bytes of part `number`, counted from 1: the last one has what is left."""
    each = part_bytes(size)
    return min(each, size - (number - 1) * each)


# Uploads


def start(wish: Wish, owner: str, now_ms: int, new_id: Callable[[], str], store: MediaStore) -> Media:
    """Begin an upload into a chat; the id of its media is `new_id`'s.

    Raises `Refused` (size, type, sha256), and `NotFound` for a chat that the owner is not in. A block is heeded when
    it is to be sent.
    """
    _check(wish)
    membership = store.membership(wish.chat, owner) if keys.CHAT_ID.fullmatch(wish.chat) else None
    if not _may_write(membership):
        raise NotFound(_NO_CHAT)
    id = new_id()
    media = Media(
        id, owner, wish.chat, store.begin_upload(id), wish.size, wish.type, wish.sha256, created_at=now_ms
    )
    store.add(media)
    return media


def list_parts(media_id: str, user: str, after: int, limit: int, store: MediaStore) -> PartPage:
    """At most `limit` parts of an upload, those after number `after`: what S3 has, and where to put the rest.

    S3's own list is the truth, so an upload goes on from whatever device, whenever. Raises `NotFound`, `Conflict`
    when it is complete, `Gone` when it was given up.
    """
    media = _own(media_id, user, store)
    if media.reason == "aborted":
        raise Gone(_GIVEN_UP)
    if media.state != "uploading":
        raise Conflict(_COMPLETE)
    try:
        return page_of_parts(media, after, limit, store)
    except UploadGone:
        raise Gone(_GIVEN_UP) from None


def page_of_parts(media: Media, after: int, limit: int, store: MediaStore, *, new: bool = False) -> PartPage:
    """As `list_parts`, of media that is known to be the caller's; of a `new` one S3 has nothing, and is not asked."""
    last = min(part_count(media.size), after + limit)
    listed = [] if new else store.arrived(media, after, limit)
    arrived = [part for part in listed if part.number <= last]
    there = {part.number for part in arrived}
    missing = []
    for number in range(after + 1, last + 1):
        if number not in there:
            size = part_size(media.size, number)
            missing.append(MissingPart(number, size, store.part_url(media, number, size, PART_URL_SECONDS)))
    return PartPage(arrived, missing, last if last < part_count(media.size) else None)


def complete(media_id: str, user: str, store: MediaStore) -> None:
    """Make one object of the parts, and leave it to the inspection. Again is the same, also when an answer was lost.

    The table says first that the upload is being checked, and only then S3 completes it: an upload is completed or
    given up and never both, and a crash in between is made good by asking again. Raises `NotFound`, `Refused` while
    parts are missing, `Conflict` when a part was put again meanwhile, `Gone` when the upload was given up.
    """
    media = _own(media_id, user, store)
    try:
        parts = store.arrived(media, 0, MOST_PARTS)
    except UploadGone:
        _check_completed(media.id, store)
        return
    _check_parts(media, parts)
    if not store.move(media.id, ("uploading", "checking"), "checking"):
        _check_completed(media.id, store)
        return
    try:
        store.complete_upload(media, parts)
    except UploadGone:  # by the same request, a moment ahead
        return


def abort(media_id: str, user: str, store: MediaStore) -> None:
    """Give an upload up, its parts with it. Again is the same.

    Raises `NotFound`, and `Conflict` when it is complete.
    """
    media = _own(media_id, user, store)
    if not store.move(media.id, ("uploading",), "rejected", "aborted"):
        current = store.find(media.id)
        if current is None or current.reason != "aborted":
            raise Conflict(_COMPLETE)
    store.abort_upload(media)


def _check(wish: Wish) -> None:
    if not 1 <= wish.size <= LARGEST:
        raise Refused(f"the size is from 1 to {LARGEST} bytes")
    if wish.type not in KINDS:
        raise Refused(f"the type is one of {', '.join(sorted(KINDS))}")
    if is_image(wish.type) and wish.size > LARGEST_IMAGE:
        raise Refused(f"an image has at most {LARGEST_IMAGE} bytes; send it as application/octet-stream")
    if not _SHA256.fullmatch(wish.sha256):
        raise Refused("sha256 is 64 digits of lower-case hex")


def _may_write(membership: Membership | None) -> bool:
    """Who was removed may not, nor who is being added: their first message is not there yet."""
    return membership is not None and membership.until is None and membership.since <= membership.head + 1


def _own(media_id: str, user: str, store: MediaStore) -> Media:
    """The user's own media in a chat that they may still write to; to all others it is not there."""
    media = store.find(media_id) if MEDIA_ID.fullmatch(media_id) else None
    if media is None or media.owner != user or not _may_write(store.membership(media.chat, user)):
        raise NotFound(_NO_MEDIA)
    return media


def _check_completed(media_id: str, store: MediaStore) -> None:
    """Raises `Gone` unless the upload has become an object: what was read before may be old."""
    current = store.find(media_id)
    if current is None or current.state == "uploading" or current.reason == "aborted":
        raise Gone(_GIVEN_UP)


def _check_parts(media: Media, parts: Sequence[ArrivedPart]) -> None:
    sizes = {part.number: part.size for part in parts}
    wrong = [
        number
        for number in range(1, part_count(media.size) + 1)
        if sizes.pop(number, None) != part_size(media.size, number)
    ]
    if wrong:
        raise Refused(f"{len(wrong)} parts are missing or not of their size, such as number {wrong[0]}")
    if sizes:
        raise Refused(f"there are parts beyond the last, such as number {min(sizes)}")


# Delivery


def look(
    media_id: str,
    user: str,
    now_s: int,
    seconds: int,
    address: Callable[[str, int], str],
    store: MediaStore,
) -> Seen:
    """Media as a member of its chat sees it; `address(key, until)` signs where it is fetched, for so many `seconds`.

    Raises `NotFound` for everybody else, as if it were not there.
    """
    media = store.find(media_id) if MEDIA_ID.fullmatch(media_id) else None
    if media is None or not _may_see(media, store.membership(media.chat, user)):
        raise NotFound(_NO_MEDIA)
    if media.state == "ready":
        until = now_s + seconds
        thumbnail = address(thumbnail_key(media.id), until) if media.thumbnail else None
        return Seen(media, address(media.key, until), thumbnail)
    if media.state != "rejected" and now_s - media.created_at // 1_000 > NOTHING_COMES_AFTER_S:
        return Seen(replace(media, state="rejected", reason="expired"))
    return Seen(media)


def _may_see(media: Media, membership: Membership | None) -> bool:
    """Whether a message that carries it is among those that the member may read.

    Where none does yet, it is a secret id among the chat's present members, and nobody else's; where all that did are
    deleted, nobody's. Of three messages or more, those between the first and the last are not known: who was there
    for them alone is not let in.
    """
    if membership is None:
        return False
    if media.first_seq is None or media.last_seq is None:
        return _may_write(membership)
    return media.carried > 0 and any(may_see(membership, seq) for seq in (media.first_seq, media.last_seq))


def signed_url(url: str, expires_at: int, key_pair_id: str, sign: Callable[[bytes], bytes]) -> str:
    """`url` (without a query) with CloudFront's signature, good until `expires_at` (epoch s).

    `sign` is RSA with SHA-1 and PKCS #1 padding, as CloudFront checks it. Source: "Create a signed URL using a canned
    policy", CloudFront Developer Guide.
    """
    signature = b64encode(sign(canned_policy(url, expires_at))).decode()
    safe = signature.translate(str.maketrans("+=/", "-_~"))
    return f"{url}?Expires={expires_at}&Signature={safe}&Key-Pair-Id={key_pair_id}"


def canned_policy(url: str, expires_at: int) -> bytes:
    """What is signed: CloudFront makes the same text, to the byte, of the URL and the time."""
    condition = {"DateLessThan": {"AWS:EpochTime": expires_at}}
    document = {"Statement": [{"Resource": url, "Condition": condition}]}
    return json.dumps(document, separators=(",", ":")).encode()
