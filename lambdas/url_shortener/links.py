"""The owners' API: make, list and delete links, and see how often they were followed.

Behind API Gateway's HTTP API with a JWT authorizer; the owner is the token's `sub`.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler.api_gateway import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from lambdas.shared import problems
from lambdas.shared.http_api import Problem, answer, caller, json_api
from lambdas.shared.observability import count, observed, request_id_of
from lambdas.url_shortener import logic
from lambdas.url_shortener.models import ClickHistory, DayOfClicks, LinkPage, LinkView, NewLink
from lambdas.url_shortener.records import Link, Wish, rfc3339
from lambdas.url_shortener.settings import Settings
from lambdas.url_shortener.store import store

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse

# A header that the distribution writes over whatever the client sent: the host that the client sees. It makes
# the rule against links to oneself stricter and names the short URL; who forges it fools only themselves.
VIEWER_HOST = "x-viewer-host"
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")

app = json_api()


def _problem(description: str) -> OpenAPIResponse:
    return {"description": description, "content": {problems.CONTENT_TYPE: {"model": Problem}}}


def _answers(status: HTTPStatus, description: str, model: type | None) -> dict[int, OpenAPIResponse]:
    """The documented answers of a route: its own, and those that every route can give."""
    own: OpenAPIResponse = {"description": description}
    if model:
        own["content"] = {"application/json": {"model": model}}
    return {
        int(status): own,
        401: _problem('No valid token. API Gateway itself answers {"message": …} as application/json.'),
        503: _problem("A store is busy. `Retry-After` says when to try again."),
    }


_REFUSED = _problem("The request can be read, and breaks a rule; `detail` says which.")


@app.post(
    "/api/links",
    summary="Make a short link",
    operation_id="createLink",
    status_code=HTTPStatus.CREATED,
    responses={
        **_answers(
            HTTPStatus.CREATED, "The link. The same again for the same Idempotency-Key and body.", LinkView
        ),
        400: _problem("The body is not JSON."),
        409: _problem("The alias is taken, or was once."),
        413: _problem("The body is too large."),
        415: _problem("The body is not application/json."),
        422: _REFUSED,
    },
)
def create(
    wanted: NewLink,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern="^[A-Za-z0-9_.:-]{1,128}$",
            description="Remembered for a day: the same request again makes no second link.",
        ),
    ] = None,
) -> LinkView:
    """Make a short link for a URL, with a random code or an alias."""
    event = app.current_event.raw_event
    request = logic.Request(
        caller(event), request_id_of(event), datetime.now(UTC), idempotency_key, own_hosts(event)
    )
    link = logic.create_link(Wish(wanted.url, wanted.alias, wanted.expires_at), request, store(), draw_code)
    count("LinkRepeated" if link.again else "LinkCreated")
    return view(link, public_host(event))


@app.get(
    "/api/links",
    summary="List my links",
    operation_id="listLinks",
    responses={
        **_answers(HTTPStatus.OK, "A page of links, newest first.", LinkPage),
        400: _problem("The cursor is none of this list."),
        422: _REFUSED,
    },
)
def list_own(
    limit: Annotated[int, Query(ge=1, le=100, description="Links on a page.")] = 20,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> LinkPage:
    """The caller's links that are not deleted, newest first. A new link may take a moment to appear."""
    event = app.current_event.raw_event
    links, next_cursor = logic.list_links(caller(event), cursor, limit, store())
    host = public_host(event)
    return LinkPage(links=[view(link, host) for link in links], next_cursor=next_cursor)


@app.delete(
    "/api/links/<code>",
    summary="Delete a link",
    operation_id="deleteLink",
    status_code=HTTPStatus.NO_CONTENT,
    responses={
        **_answers(HTTPStatus.NO_CONTENT, "Deleted, now or before.", None),
        404: _problem("The caller has no such link."),
    },
)
def delete(code: Annotated[str, Path()]) -> Response[None]:
    """Delete a link for good: its code answers 410 from now on, and is never given out again."""
    logic.delete_link(code, caller(app.current_event.raw_event), datetime.now(UTC), store())
    count("LinkDeleted")
    return Response(status_code=HTTPStatus.NO_CONTENT)


@app.get(
    "/api/links/<code>/stats",
    summary="See the clicks of a link",
    operation_id="getClicks",
    responses={
        **_answers(HTTPStatus.OK, "Clicks by UTC day.", ClickHistory),
        404: _problem("The caller has no such link."),
        422: _REFUSED,
    },
)
def stats(
    code: Annotated[str, Path()],
    first: Annotated[str | None, Query(alias="from", description="First day, YYYY-MM-DD.")] = None,
    last: Annotated[
        str | None, Query(alias="to", description="Last day, YYYY-MM-DD; by default today.")
    ] = None,
) -> ClickHistory:
    """Clicks of each UTC day, by default of the last 30, of at most 366. A deleted link keeps its history."""
    owner = caller(app.current_event.raw_event)
    history = logic.click_history(code, owner, first, last, datetime.now(UTC), store())
    days = [DayOfClicks(day=day, clicks=clicks) for day, clicks in history.items()]
    return ClickHistory(code=code, total=sum(history.values()), days=days)


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway HTTP API, payload 2.0, routes under `/api/links`."""
    return answer(app, event, context)


def draw_code() -> str:
    """A random code, from the operating system's generator: codes can't be guessed from one another."""
    return "".join(secrets.choice(logic.CODE_ALPHABET) for _ in range(logic.CODE_LENGTH))


def viewer_host(event: dict[str, Any]) -> str:
    """The host that the client sees, or "" where nothing tells."""
    host = event.get("headers", {}).get(VIEWER_HOST, "").strip().lower()
    return host if len(host) <= 253 and _HOST.fullmatch(host) else ""


def own_hosts(event: dict[str, Any]) -> frozenset[str]:
    """Every name of this service that is known to this request."""
    custom = Settings.from_environment().custom_domain.lower()
    api = str(event["requestContext"].get("domainName", "")).partition(":")[0].lower()
    return frozenset({custom, api, viewer_host(event)} - {""})


def public_host(event: dict[str, Any]) -> str:
    """The host of short URLs, or "" where nothing tells."""
    return Settings.from_environment().custom_domain or viewer_host(event)


def view(link: Link, host: str) -> LinkView:
    """A link as its owner sees it, its short URL on `host`."""
    expires_at = None if link.expires_at is None else datetime.fromtimestamp(link.expires_at, UTC)
    return LinkView(
        code=link.code,
        path=f"/{link.code}",
        short_url=f"https://{host}/{link.code}" if host else None,
        url=link.url,
        created_at=link.created_at,
        expires_at=rfc3339(expires_at, "seconds") if expires_at else None,
    )
