"""The media API: uploads in parts that can be cut off and resumed, and signed addresses for members of the chat.

Behind API Gateway's HTTP API with a JWT authorizer; who asks is the token's `sub`. The bytes themselves never pass
here: parts go from the client to S3, and objects from CloudFront to the client.
"""

from __future__ import annotations

import time
import uuid
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.api_gateway import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from lambdas.messaging_platform.media import logic
from lambdas.messaging_platform.media.models import (
    Begun,
    Completed,
    NewMedia,
    Parts,
    PartThere,
    PartToPut,
    Ready,
    Rejected,
    View,
    Waiting,
)
from lambdas.messaging_platform.media.store import store
from lambdas.messaging_platform.settings import MediaSettings
from lambdas.shared.http_api import answer, caller, json_api
from lambdas.shared.observability import count, observed

app = json_api()


@app.post("/media", summary="Begin an upload", operation_id="beginUpload", status_code=HTTPStatus.CREATED)
def begin(wanted: NewMedia) -> Begun:
    """Begin an upload into a chat of the caller's. The answer has the first parts' addresses."""
    wish = logic.Wish(wanted.chat, wanted.size, wanted.type, wanted.sha256)
    media = logic.start(wish, _caller(), time.time_ns() // 1_000_000, lambda: uuid.uuid4().hex, store())
    first = logic.page_of_parts(media, 0, logic.PARTS_A_PAGE, store(), new=True)
    count("UploadBegun")
    return Begun(
        media=media.id,
        part_bytes=logic.part_bytes(media.size),
        part_count=logic.part_count(media.size),
        parts=_to_put(first),
    )


@app.get("/media/<media>/parts", summary="See which parts are missing", operation_id="listParts")
def parts(
    media: Annotated[str, Path()],
    after: Annotated[int, Query(ge=0, le=logic.MOST_PARTS, description="`next` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=logic.PARTS_A_PAGE)] = logic.PARTS_A_PAGE,
) -> Parts:
    """What S3 has of an upload of the caller's, and where to put the rest."""
    page = logic.list_parts(media, _caller(), after, limit, store())
    there = [PartThere(number=part.number, etag=part.etag, size=part.size) for part in page.arrived]
    return Parts(arrived=there, missing=_to_put(page), next=page.next)


@app.post("/media/<media>/complete", summary="Complete an upload", operation_id="completeUpload")
def complete(media: Annotated[str, Path()]) -> Completed:
    """Have the parts made one object, and checked. Again is the same."""
    logic.complete(media, _caller(), store())
    count("UploadCompleted")
    return Completed(media=media)


@app.delete(
    "/media/<media>",
    summary="Give an upload up",
    operation_id="abortUpload",
    status_code=HTTPStatus.NO_CONTENT,
)
def abort(media: Annotated[str, Path()]) -> Response[None]:
    """Give up an upload of the caller's that is not complete. Again is the same."""
    logic.abort(media, _caller(), store())
    count("UploadAborted")
    return Response(status_code=HTTPStatus.NO_CONTENT)


@app.get("/media/<media>", summary="Fetch media", operation_id="getMedia")
def get(media: Annotated[str, Path()]) -> View:
    """How far media is, and when it is ready where to fetch it, for members of its chat."""
    seconds = MediaSettings.from_environment().url_seconds
    seen = logic.look(media, _caller(), int(time.time()), seconds, store().address, store())
    return _view(seen, seconds)


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway HTTP API, payload 2.0, routes under `/media`."""
    return answer(app, event, context)


def _caller() -> str:
    return caller(app.current_event.raw_event)


def _to_put(page: logic.PartPage) -> list[PartToPut]:
    return [PartToPut(number=part.number, size=part.size, url=part.url) for part in page.missing]


def _view(seen: logic.Seen, seconds: int) -> View:
    media = seen.media
    what = {"media": media.id, "chat": media.chat, "type": media.type, "size": media.size}
    if media.state == "rejected":
        return Rejected(**what, state="rejected", reason=media.reason or "")
    if seen.url is None or media.state != "ready":
        return Waiting(**what, state=media.state)
    return Ready(**what, state="ready", url=seen.url, thumbnail_url=seen.thumbnail_url, expires_in=seconds)
