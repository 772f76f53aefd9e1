"""What the URL shortener decides. Time, chance and the store are passed in.

create_link, list_links, delete_link, click_history   what owners do
follow, report_click                                  what a visitor's request does
count_clicks                                          what the queue brings
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from lambdas.shared.errors import Gone, Malformed, NotFound, Refused, Unavailable
from lambdas.url_shortener import urls
from lambdas.url_shortener.records import (
    CLICK_VERSION,
    CLICKS_AT_ONCE,
    AliasTaken,
    AlreadyCounted,
    BadClick,
    Click,
    CodeTaken,
    KeyReused,
    KeyTaken,
    Link,
    NoFreeCode,
    Page,
    Remembered,
    Target,
    Wish,
    rfc3339,
)

CODE_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CODE_LENGTH = 7  # 3.5e12 codes: at a billion links, one draw in 3,500 is drawn again
CODE_ATTEMPTS = 5
KEY_LIFETIME_S = 24 * 3_600
MAX_LIFETIME = timedelta(days=3_653)
DEFAULT_DAYS = 30
MAX_DAYS = 366
SECONDS_PER_COUNT = 10  # the longest that counting once may take

CODE = re.compile(r"[A-Za-z0-9_-]{4,32}")
# No alias that a visitor could take for the API, or that the service may need for a page of its own.
RESERVED = re.compile(
    r"api(?![a-z]).*|about|account|admin|assets|docs|favicon|health|healthz|help|login|logout|metrics|openapi|ping"
    r"|privacy|ready|robots|security|signin|signup|sitemap|static|status|support|terms|well-known",
    re.IGNORECASE,
)
_POSITION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z#[A-Za-z0-9_-]{4,32}")
_CLICK_ID = re.compile(r"[!-~]{1,128}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)


class Links(Protocol):
    """What the logic needs of the store; its promises are written at `store.Store`."""

    def find_target(self, code: str) -> Target | None: ...
    def find_owner(self, code: str) -> str | None: ...
    def find_remembered(self, key: str) -> Remembered | None: ...
    def add_link(self, link: Link, request_id: str) -> None: ...
    def add_link_once(
        self, link: Link, request_id: str, key: str, outcome: Remembered, now_s: int
    ) -> None: ...
    def delete_link(self, code: str, owner: str, at: str) -> None: ...
    def list_links(self, owner: str, before: str | None, limit: int) -> Page: ...
    def clicks_by_day(self, code: str, first: date, last: date) -> dict[date, int]: ...


class ClickQueue(Protocol):
    """Where clicks are left to be counted later."""

    def send_click(self, message: str) -> None: ...


class ClickCounters(Protocol):
    """Where clicks are counted."""

    def count_clicks(self, code: str, day: date, click_ids: list[str], now_s: int) -> None: ...


# Owners


@dataclass(frozen=True)
class Request:
    """Who asks, in which request, when, under which idempotency key, and how this service is called."""

    owner: str
    id: str
    now: datetime
    key: str | None = None
    own_hosts: frozenset[str] = frozenset()


def create_link(wish: Wish, request: Request, links: Links, draw_code: Callable[[], str]) -> Link:
    """The link that `wish` asks for, kept.

    A second request with the same idempotency key, within `KEY_LIFETIME_S`, gets the first one's answer, even
    when the link has been deleted or has expired meanwhile. A request that was refused leaves its key unused.

    Raises `UrlRefused`, `Refused` (alias, expiry), `AliasTaken`, `KeyReused` (same key, another wish),
    `NoFreeCode`, `Unavailable`.
    """
    if link := _replayed(wish, request, links):
        return link
    urls.check(wish.url, request.own_hosts)
    if wish.alias is not None:
        _check_alias(wish.alias)
    expires_at = _expiry(wish.expires_at, request.now)
    for _ in range(CODE_ATTEMPTS):
        code = draw_code() if wish.alias is None else wish.alias
        if RESERVED.fullmatch(code):
            continue  # seven letters drawn at random may spell one
        link = Link(code, wish.url, request.owner, rfc3339(request.now), expires_at)
        try:
            _add(link, wish, request, links)
        except KeyTaken:  # by the same request, a moment ahead
            if replayed := _replayed(wish, request, links):
                return replayed
        except CodeTaken:
            if wish.alias is not None:
                raise AliasTaken("this alias is, or once was, somebody's link") from None
        else:
            return link
    raise NoFreeCode("no free code was found; try again")


def list_links(owner: str, cursor: str | None, limit: int, links: Links) -> tuple[list[Link], str | None]:
    """A page of the owner's links, newest first, and the cursor of the next page, or None at the end.

    A cursor holds a position only; whose links are read is always the caller. Raises `Malformed` for a cursor
    that was not given to this owner.
    """
    page = links.list_links(owner, _position(cursor, owner) if cursor else None, limit)
    return page.links, _cursor(page.next_position, owner) if page.next_position else None


def delete_link(code: str, owner: str, now: datetime, links: Links) -> None:
    """Delete a link for good; raises `NotFound` unless it is, or was, the owner's."""
    _check_code(code)
    links.delete_link(code, owner, rfc3339(now))


def click_history(
    code: str, owner: str, first: str | None, last: str | None, now: datetime, links: Links
) -> dict[date, int]:
    """Clicks of every UTC day from `first` to `last` (YYYY-MM-DD, both included), none being 0.

    By default the `DEFAULT_DAYS` days until today. Raises `NotFound` unless the link is, or was, the owner's,
    and `Refused` for days that are none, or more than `MAX_DAYS`.
    """
    days = _days(first, last, now.astimezone(UTC).date())
    _check_code(code)
    if links.find_owner(code) != owner:
        raise NotFound("you have no such link")
    counted = links.clicks_by_day(code, days[0], days[-1])
    return {day: counted.get(day, 0) for day in days}


def _add(link: Link, wish: Wish, request: Request, links: Links) -> None:
    if request.key is None:
        links.add_link(link, request.id)
        return
    now_s = int(request.now.timestamp())
    outcome = Remembered(
        fingerprint(wish), link.code, link.created_at, link.expires_at, now_s + KEY_LIFETIME_S
    )
    links.add_link_once(link, request.id, _scoped(request.key, request.owner), outcome, now_s)


def _replayed(wish: Wish, request: Request, links: Links) -> Link | None:
    """The link that an earlier request with this key has made."""
    if request.key is None:
        return None
    earlier = links.find_remembered(_scoped(request.key, request.owner))
    if earlier is None or earlier.forget_at <= request.now.timestamp():
        return None
    if earlier.fingerprint != fingerprint(wish):
        raise KeyReused("this Idempotency-Key was used for another request")
    return Link(
        earlier.code, wish.url, request.owner, earlier.created_at, earlier.link_expires_at, again=True
    )


def _scoped(key: str, owner: str) -> str:
    """The key as the store knows it. A key holds no "#", so that no owner can name a key of another's."""
    return f"{owner}#{key}"


def fingerprint(wish: Wish) -> str:
    """What makes two requests the same: SHA-256 of the wish in one spelling, as hexadecimal digits."""
    return hashlib.sha256(json.dumps([wish.url, wish.alias, wish.expires_at]).encode()).hexdigest()


def _check_code(code: str) -> None:
    if not CODE.fullmatch(code):
        raise NotFound("you have no such link")


def _check_alias(alias: str) -> None:
    if not CODE.fullmatch(alias):
        raise Refused("alias: 4 to 32 of the characters A-Z, a-z, 0-9, _ and -")
    if RESERVED.fullmatch(alias):
        raise Refused("alias: this word is kept for the service itself")


def _expiry(text: str | None, now: datetime) -> int | None:
    if text is None:
        return None
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError
        expires_at = int(datetime.fromisoformat(text.upper()).timestamp())
    except (ValueError, OverflowError):
        raise Refused("expires_at: a time as 2026-01-31T09:30:00Z, or with an offset for Z") from None
    if not now.timestamp() < expires_at <= (now + MAX_LIFETIME).timestamp():
        raise Refused(f"expires_at: between now and {MAX_LIFETIME.days} days from now")
    return expires_at


def _days(first: str | None, last: str | None, today: date) -> list[date]:
    try:
        end = date.fromisoformat(last) if last else today
        start = date.fromisoformat(first) if first else end - timedelta(days=DEFAULT_DAYS - 1)
        count = (end - start).days + 1
        if not 1 <= count <= MAX_DAYS:
            raise ValueError
    except (ValueError, OverflowError):
        raise Refused(f"from, to: days as 2026-01-31, in order, at most {MAX_DAYS} of them") from None
    return [start + timedelta(days=offset) for offset in range(count)]


def _cursor(position: str, owner: str) -> str:
    return base64.urlsafe_b64encode(f"{_seal(position, owner)}{position}".encode()).decode().rstrip("=")


def _position(cursor: str, owner: str) -> str:
    """The position in a cursor. Its seal finds a cursor of another owner's, or one made up.

    The seal is no secret: whoever makes one up for themselves reaches their own links, which they may read
    anyway.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, ValueError):
        raise Malformed("this cursor is none of this list") from None
    seal, position = text[:_SEAL_LENGTH], text[_SEAL_LENGTH:]
    if not _POSITION.fullmatch(position) or seal != _seal(position, owner):
        raise Malformed("this cursor is none of this list")
    return position


_SEAL_LENGTH = 16


def _seal(position: str, owner: str) -> str:
    return hashlib.sha256(f"{owner}\n{position}".encode()).hexdigest()[:_SEAL_LENGTH]


# Visitors


def follow(code: str, now: datetime, links: Links) -> str:
    """The value of `Location` for a code; raises `NotFound`, `Gone` (expired or deleted), `Unavailable`.

    Expiry is a matter of the clock here, to the second, and of nothing that cleans up later.
    """
    if not CODE.fullmatch(code):
        raise NotFound("there is no such link")
    target = links.find_target(code)
    if target is None:
        raise NotFound("there is no such link")
    if target.url is None or (target.expires_at is not None and target.expires_at <= now.timestamp()):
        raise Gone("this link was deleted or has expired")
    return urls.location(target.url)


def report_click(code: str, request_id: str, now: datetime, queue: ClickQueue) -> Exception | None:
    """Leave a click to be counted. What went wrong, if anything, is returned, never raised."""
    message = {"v": CLICK_VERSION, "id": request_id, "code": code, "at": rfc3339(now)}
    try:
        queue.send_click(json.dumps(message, separators=(",", ":")))
    except Exception as error:  # whatever it is, the redirect is worth more
        return error
    return None


# The queue


@dataclass
class Tally:
    """What became of a batch: click ids by link and day, and the reason by message id that failed."""

    counted: dict[tuple[str, date], list[str]] = field(default_factory=lambda: defaultdict(list))
    duplicates: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def count_clicks(
    messages: Iterable[tuple[str, str]],
    now: datetime,
    time_left_s: Callable[[], float],
    counters: ClickCounters,
) -> Tally:
    """Count a batch of messages (message id, body), each click once for ever.

    Clicks of one link and one day are counted together, so that a link that everybody clicks costs one update
    of its counter a batch. What can't be counted fails alone, with the reason: a message that is no click for
    good, a click that met a busy store until its next delivery. Nothing is begun that could outlast the
    invocation.
    """
    tally = Tally()
    groups: dict[tuple[str, date], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for message_id, body in messages:
        try:
            click = read_click(body)
            groups[click.code, click.day][click.id].append(message_id)
        except BadClick as error:
            tally.failed[message_id] = str(error)
    for (code, day), message_ids in groups.items():
        click_ids = list(message_ids)
        tally.duplicates += sum(len(same) - 1 for same in message_ids.values())
        for start in range(0, len(click_ids), CLICKS_AT_ONCE):
            part = click_ids[start : start + CLICKS_AT_ONCE]
            try:
                if time_left_s() < SECONDS_PER_COUNT:
                    raise Unavailable("no time left in this invocation")
                new = _count_new(code, day, part, int(now.timestamp()), counters)
            except Unavailable as error:
                tally.failed |= {message: str(error) for click in part for message in message_ids[click]}
            else:
                tally.duplicates += len(part) - len(new)
                if new:
                    tally.counted[code, day] += new
    return tally


def read_click(body: str) -> Click:
    """The click in a message; raises `BadClick`, also for a version that a later release has written."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise BadClick("not JSON") from None
    if not isinstance(message, dict) or message.get("v") != CLICK_VERSION:
        raise BadClick(f"not a click of version {CLICK_VERSION}")
    click_id, code, at = (message.get(name) for name in ("id", "code", "at"))
    if not (isinstance(click_id, str) and _CLICK_ID.fullmatch(click_id)):
        raise BadClick("no id")
    if not (isinstance(code, str) and CODE.fullmatch(code)):
        raise BadClick("no code")
    try:
        if not (isinstance(at, str) and _INSTANT.fullmatch(at)):
            raise ValueError
        click = Click(click_id, code, at)
        _ = click.day
    except (ValueError, OverflowError):
        raise BadClick("no time") from None
    return click


def _count_new(code: str, day: date, click_ids: list[str], now_s: int, counters: ClickCounters) -> list[str]:
    """Count those of `click_ids` that were never counted, and return them."""
    new = click_ids
    while new:
        try:
            counters.count_clicks(code, day, new, now_s)
        except AlreadyCounted as error:
            # Each round drops at least one, and markers outlast every delivery: this ends.
            new = [click_id for click_id in new if click_id not in error.click_ids]
        else:
            break
    return new
