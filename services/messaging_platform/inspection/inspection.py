"""What becomes of an upload: checked as it streams by, then published or not, then one conditional update says so.

Each step may be done again: a message comes at least once, and a pod may be killed anywhere. A copy overwrites itself
with the same bytes; the update is taken only while nothing was decided; the upload goes then, the message last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.messaging_platform.media.records import Media, Reason
from services.messaging_platform.inspection import thumbnails
from services.messaging_platform.inspection.logic import Findings, Unreadable, examine, uploads_of
from services.messaging_platform.inspection.scan import Scanner
from services.messaging_platform.inspection.store import Expired
from services.messaging_platform.telemetry import Metrics


class Undecided(Exception):
    """The upload cannot be judged yet; the message comes again."""


class MediaStore(Protocol):
    """What the inspection needs of the store; its promises are written at `store.Store`."""

    def find(self, media: str) -> Media | None: ...
    def open(self, media: Media) -> AbstractContextManager[tuple[str, Iterator[bytes]]]: ...
    def publish(self, media: Media, etag: str, thumbnail: bytes | None) -> None: ...
    def make_ready(self, media: Media, *, with_thumbnail: bool) -> bool: ...
    def reject(self, media: Media, reason: Reason) -> bool: ...
    def forget(self, media: Media) -> None: ...


class Inspection:
    """Handles the messages of the queue, in any number of threads."""

    def __init__(
        self,
        store: MediaStore,
        scanner: Scanner,
        log: Logger,
        metrics: Metrics,
        *,
        bucket: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._scanner = scanner
        self._log = log
        self._metrics = metrics
        self._bucket = bucket
        self._clock = clock

    def handle(self, body: str) -> None:
        """Inspect what a message is about. Raises `Unreadable`, or whatever a store does: then it comes again."""
        for media in uploads_of(body, self._bucket):
            self._inspect(media)

    def _inspect(self, media_id: str) -> None:
        media = self._store.find(media_id)
        if media is None:
            raise Unreadable("nobody began this upload")
        if media.state in ("ready", "rejected"):
            self._metrics.count("MediaRepeated")
            return
        if media.state != "checking":
            raise Undecided("the table does not say yet that it is complete")
        try:
            findings, thumbnail = self._judge(media)
        except Expired:
            findings, thumbnail = Findings("expired", "it waited longer than S3 keeps uploads"), None
        self._decide(media, findings, thumbnail)

    def _judge(self, media: Media) -> tuple[Findings, bytes | None]:
        """What is found; what is sound has been published then, with its thumbnail."""
        with self._store.open(media) as (etag, pieces):
            findings = examine(media, pieces, self._scanner.begin(media.key))
        if findings.reason is not None:
            return findings, None
        try:
            thumbnail = thumbnails.make(media.type, findings.image) if findings.image else None
        except thumbnails.TooManyPixels:
            return Findings("pixels", f"more than {thumbnails.MOST_PIXELS}"), None
        self._store.publish(media, etag, thumbnail)
        return findings, thumbnail

    def _decide(self, media: Media, findings: Findings, thumbnail: bytes | None) -> None:
        if findings.reason is None:
            first = self._store.make_ready(media, with_thumbnail=thumbnail is not None)
        else:
            first = self._store.reject(media, findings.reason)
        if not first:
            self._metrics.count("MediaRepeated")
            return
        self._store.forget(media)
        self._metrics.count("MediaReady" if findings.reason is None else "MediaRejected")
        self._metrics.took("MediaDecided", int(self._clock() * 1_000) - media.created_at)
        self._log.info(
            "media decided", media=media.id, bytes=media.size, reason=findings.reason, detail=findings.detail
        )
