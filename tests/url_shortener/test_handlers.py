"""The three functions against an AWS in the process: what clients see, and what must never happen.

Lambda gives a process one event at a time, so races are run on the logic and the store, one thread a process.
"""

from __future__ import annotations

import base64
import json
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from hypothesis import strategies as st

from lambdas.shared.errors import Conflict
from lambdas.url_shortener import links, logic, store, urls
from lambdas.url_shortener.records import Link, Wish
from lambdas.url_shortener.settings import Settings

pytestmark = pytest.mark.fast

URL = "https://example.com/a?b=c#d"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALWAYS = "attribute_not_exists(there_is_no_such_attribute)"  # a condition that guards nothing


def click(click_id: str, code: str = "abcd", at: str = "2026-03-01T12:00:00.000Z", **more: Any) -> str:
    return json.dumps({"v": 1, "id": click_id, "code": code, "at": at} | more)


# A link's life


def test_a_link_redirects_to_its_url(api: Any) -> None:
    made = api.create(URL)
    assert made.status == 201
    assert made.json["path"] == f"/{made.json['code']}"
    assert made.json["short_url"] is None
    visited = api.visit(made.json["code"])
    assert (visited.status, visited.headers["Location"]) == (302, URL)


def test_every_acceptable_url_of_the_input_redirects_to_itself_exactly(
    api: Any, input_urls: list[str]
) -> None:
    refused = 0
    for url in input_urls:
        made = api.create(url)
        if made.status == 422:
            refused += 1
            continue
        assert made.json["url"] == url
        # HEAD: the same answer, and no click to fill the queue with, which moto reads whole at every message.
        location = api.visit(made.json["code"], "HEAD").headers["Location"]
        assert location == (url if url.isascii() else url.replace("）", "%EF%BC%89"))
    assert refused == 4


def test_a_head_request_sees_the_redirect_and_counts_nothing(api: Any, queue: Any) -> None:
    code = api.create(URL).json["code"]
    assert api.visit(code, "HEAD").headers["Location"] == URL
    assert api.visit("nothing1", "HEAD").status == 404
    assert queue.waiting() == []


@pytest.mark.parametrize("code", ["abc", "favicon.ico", "a b c d", "äöüß", "a" * 33, "%2e%2e%2e%2e"])
def test_a_malformed_code_is_not_found_without_asking_the_store(code: str, api: Any, faults: Any) -> None:
    asked = faults.answer("dynamodb.GetItem", "AccessDeniedException")
    assert api.visit(code).status == 404
    assert asked == []


def test_an_expired_link_is_gone_to_the_second(api: Any, clock: Callable[[datetime], None]) -> None:
    clock(NOW)
    code = api.create(URL, expires_at="2026-03-01T12:00:10Z").json["code"]
    clock(NOW + timedelta(seconds=9.999))
    assert api.visit(code).status == 302
    clock(NOW + timedelta(seconds=10))
    gone = api.visit(code)
    assert (gone.status, gone.headers["Cache-Control"]) == (410, "public, max-age=86400")


def test_a_deleted_link_never_redirects_and_its_code_is_never_given_out_again(api: Any) -> None:
    assert api.create(URL, alias="mine").status == 201
    assert api.delete("mine").status == 204
    assert api.visit("mine").status == 410
    assert api.create(URL, alias="mine").status == 409
    assert api.create(URL, alias="mine", owner="bob").status == 409
    assert api.visit("mine").status == 410
    assert api.page().json == {"links": [], "next_cursor": None}


def test_deleting_again_is_the_same_and_keeps_the_first_time(api: Any, settings: Settings) -> None:
    api.create(URL, alias="mine")
    assert api.delete("mine").status == 204
    first = raw_item(settings.links_table, code="mine")
    assert api.delete("mine").status == 204
    assert raw_item(settings.links_table, code="mine") == first
    assert set(first) == {"code", "owner", "created_at", "deleted_at", "request_id"}


@pytest.mark.parametrize("code", ["theirs", "nothing1", "no", "a.b.c.d"])
def test_a_link_of_another_owner_looks_like_none(code: str, api: Any) -> None:
    api.create(URL, alias="theirs", owner="bob")
    answers = {api.delete(code).body, api.stats(code).body}
    assert len(answers) == 1
    assert json.loads(answers.pop())["status"] == 404
    assert api.visit("theirs").status == 302


def test_without_a_token_nothing_is_done(api: Any, settings: Settings) -> None:
    assert api.create(URL, owner=None).status == 401
    assert api.page(owner=None).status == 401
    assert api.delete("mine", owner=None).status == 401
    assert api.stats("mine", owner="").status == 401


def test_the_list_is_the_owners_newest_first_and_pages_without_gaps(
    api: Any, clock: Callable[[datetime], None]
) -> None:
    for number in range(7):
        clock(NOW + timedelta(milliseconds=number // 2))  # some share a moment
        api.create(f"https://example.com/{number}", alias=f"ann{number}")
        api.create(URL, alias=f"bob{number}", owner="bob")
    seen: list[str] = []
    page = api.page(limit=3)
    while True:
        seen += [link["code"] for link in page.json["links"]]
        if not (cursor := page.json["next_cursor"]):
            break
        page = api.page(limit=3, cursor=cursor)
    assert seen == [f"ann{number}" for number in reversed(range(7))]


def test_a_cursor_of_another_owner_or_made_up_is_refused(api: Any) -> None:
    for number in range(2):
        api.create(URL, alias=f"ann{number}")
    cursor = api.page(limit=1).json["next_cursor"]
    assert api.page(cursor=cursor).status == 200
    assert api.page(cursor=cursor, owner="bob").status == 400
    for forged in (
        "x",
        cursor[:-4],
        cursor + "AAAA",
        base64.b64encode(b"\xff" * 30).decode(),
        "é",
        "a" * 5_000,
    ):
        assert api.page(cursor=forged).status == 400


# What is said about the public address


def test_the_short_url_is_on_the_custom_domain(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOM_DOMAIN", "go.example.org")
    made = api.create(URL, alias="mine", headers={"x-viewer-host": "d1.cloudfront.net"})
    assert made.json["short_url"] == "https://go.example.org/mine"
    assert "own_host" in api.create("https://Go.Example.org/mine").json["detail"]


def test_the_short_url_is_on_the_host_that_the_viewer_sees(api: Any) -> None:
    made = api.create(URL, alias="mine", headers={"x-viewer-host": "D1.cloudfront.net"})
    assert made.json["short_url"] == "https://d1.cloudfront.net/mine"
    made = api.create(URL, headers={"x-viewer-host": "evil.example/?"})
    assert made.json["short_url"] is None


def test_a_link_to_the_service_itself_is_refused(api: Any) -> None:
    viewer = {"x-viewer-host": "d1.cloudfront.net"}
    assert api.create("https://d1.cloudfront.net/abcd", headers=viewer).status == 422
    assert api.create("https://d2.cloudfront.net/abcd", headers=viewer).status == 201
    assert api.create("https://a1b2c3.execute-api.eu-central-1.amazonaws.com/abcd").status == 422


# Bad input


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 422),
        ("", 422),
        ("not json", 400),
        ("\udcff", 400),
        ("[" * 9_000, 400),
        ('{"url": ' + "9" * 9_000 + "}", 400),
        ("[]", 422),
        ("null", 422),
        ('"https://example.com"', 422),
        (json.dumps([{"url": URL}]), 422),
        ("{}", 422),
        ('{"url": null}', 422),
        ('{"url": 1}', 422),
        ('{"url": NaN}', 422),
        ('{"url": ["https://example.com"]}', 422),
        ('{"url": {"a": 1}}', 422),
        ('{"url": ""}', 422),
        ('{"url": "\\ud800"}', 422),
        ('{"url": "https://example.com", "owner": "bob"}', 422),
        ('{"url": "https://example.com", "\\ud800": 1}', 422),
        ('{"url": "https://example.com", "alias": 7}', 422),
        ('{"url": "https://example.com", "alias": ""}', 422),
        ('{"url": "https://example.com", "alias": "\\u0000\\u0000\\u0000\\u0000"}', 422),
        ('{"url": "https://example.com", "expires_at": 1772452800}', 422),
        ('{"url": "https://example.com", "expires_at": "soon"}', 422),
        (json.dumps({"url": "https://example.com/" + "a" * 3_000}), 422),
        (json.dumps({"url": "https://example.com/" + "a" * 20_000}), 413),
        (json.dumps({"url": "javascript:alert(1)"}), 422),
    ],
)
def test_a_bad_body_is_refused_and_never_a_failure(body: str | None, status: int, api: Any) -> None:
    answer = api.call("POST", "/api/links", owner="ann", body=body)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ALMOST_LINKS = st.fixed_dictionaries(
    {"url": JSON | st.just(URL)}, optional={"alias": JSON, "expires_at": JSON, "other": JSON}
)


@hypothesis.settings(
    deadline=None, max_examples=80, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(st.text() | JSON.map(json.dumps) | ALMOST_LINKS.map(json.dumps))
def test_no_body_makes_the_api_fail(api: Any, body: str) -> None:
    assert api.call("POST", "/api/links", owner="ann", body=body).status in (201, 400, 409, 422)


def test_a_body_in_base64_is_read_and_one_that_is_no_text_is_refused(api: Any) -> None:
    def post(raw: str) -> int:
        return int(api.call("POST", "/api/links", owner="ann", body=raw, base64=True).status)

    assert post(base64.b64encode(json.dumps({"url": URL}).encode()).decode()) == 201
    assert post(base64.b64encode(b"\xff\xfe").decode()) == 400
    assert post("not base64!") == 400


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_body_that_is_not_json_by_name_is_refused(content_type: str, api: Any) -> None:
    assert api.create(URL, headers={"content-type": content_type}).status == 415


def test_the_rule_that_a_url_breaks_is_named(api: Any) -> None:
    assert api.create("http://127.1/").json == {
        "title": "Unprocessable Entity",
        "detail": "private_address: the host is not a public address",
        "status": 422,
    }


SCHEMES = [
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "intent://x#Intent;end",
]


def followed(api: Any, url: str) -> str | None:
    """Where a link to `url` leads, or None when it can't be made."""
    made = api.create(url)
    return None if made.status == 422 else api.visit(made.json["code"]).headers["Location"]


@pytest.mark.parametrize("url", SCHEMES)
def test_a_malicious_scheme_is_refused(url: str, api: Any) -> None:
    assert followed(api, url) is None


@pytest.mark.parametrize("url", SCHEMES)
def test_without_its_guard_a_malicious_scheme_would_be_followed(
    url: str, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urls, "check", lambda *_: None)
    assert followed(api, url) == url


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"limit": "9" * 5_000}])
def test_a_bad_page_size_is_refused(query: dict[str, Any], api: Any) -> None:
    assert api.page(**query).status == 422


@pytest.mark.parametrize("key", ["a#b", "ä", " ", "k" * 129])
def test_a_bad_idempotency_key_is_refused(key: str, api: Any) -> None:
    assert api.create(URL, key=key).status == 422


def test_an_address_that_is_none_is_not_found(api: Any) -> None:
    event = {
        "version": "2.0",
        "rawPath": "/api/other",
        "headers": {},
        "requestContext": {
            "http": {"method": "GET", "path": "/api/other"},
            "requestId": "r",
            "stage": "$default",
        },
    }
    response = links.handler(event, SimpleNamespace(aws_request_id="f"))
    assert (response["statusCode"], json.loads(response["body"])["status"]) == (404, 404)


# One effect for one key


def test_the_same_request_again_is_one_link_and_the_same_answer(api: Any, settings: Settings) -> None:
    answers = [api.create(URL, key="k1", expires_at="2035-01-01T00:00:00Z") for _ in range(3)]
    assert [answer.status for answer in answers] == [201] * 3
    assert len({answer.body for answer in answers}) == 1
    assert count_items(settings.links_table) == 1
    api.delete(answers[0].json["code"])
    assert api.create(URL, key="k1", expires_at="2035-01-01T00:00:00Z").body == answers[0].body


def test_the_same_key_with_another_body_is_refused(api: Any, settings: Settings) -> None:
    api.create(URL, key="k1")
    assert api.create(URL, key="k1", alias="mine").status == 422
    assert count_items(settings.links_table) == 1


def test_a_key_is_free_again_when_its_day_is_over(api: Any, clock: Callable[[datetime], None]) -> None:
    clock(NOW)
    first = api.create(URL, key="k1").json["code"]
    clock(NOW + timedelta(seconds=logic.KEY_LIFETIME_S - 1))
    assert api.create(URL, key="k1").json["code"] == first
    clock(NOW + timedelta(seconds=logic.KEY_LIFETIME_S))
    assert api.create(URL, key="k1").json["code"] != first


def test_a_refused_request_leaves_its_key_unused(api: Any, settings: Settings) -> None:
    api.create(URL, alias="mine", owner="bob")
    assert api.create(URL, alias="mine", key="k1").status == 409
    assert count_items(settings.idempotency_table) == 0
    assert api.create(URL, alias="free", key="k1").status == 201


def test_a_lost_answer_of_the_table_is_no_collision_with_oneself(
    api: Any, settings: Settings, faults: Any
) -> None:
    faults.lose_answer("dynamodb.PutItem", ReadTimeoutError(endpoint_url="https://dynamodb"))
    assert api.create(URL, alias="mine").status == 201
    assert count_items(settings.links_table) == 1


# Races


def race_for_one_alias(a_store: store.Store, racers: int) -> tuple[Counter[str], set[str]]:
    """How the racers fared, and which of their URLs the alias points at, as they were told."""

    def run(racer: int) -> tuple[str, str | None]:
        wish = Wish(f"https://example.com/{racer}", alias="wanted")
        try:
            link = logic.create_link(
                wish, logic.Request(f"owner-{racer}", f"r{racer}", NOW), a_store, lambda: ""
            )
        except Conflict:
            return "taken", None
        return "made", link.url

    with ThreadPoolExecutor(racers) as pool:
        results = list(pool.map(run, range(racers)))
    return Counter(outcome for outcome, _ in results), {url for _, url in results if url}


def test_of_fifty_who_want_one_alias_exactly_one_gets_it(real_store: store.Store) -> None:
    outcomes, urls = race_for_one_alias(real_store, 50)
    assert outcomes == {"made": 1, "taken": 49}
    target = real_store.find_target("wanted")
    assert target
    assert {target.url} == urls


def test_without_its_condition_a_code_would_point_at_two_urls(
    real_store: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IF_CODE_IS_NEW", ALWAYS)
    _, urls = race_for_one_alias(real_store, 5)
    assert len(urls) > 1


def create_with_collisions(a_store: store.Store, key: str | None) -> list[str]:
    """Two links whose codes are drawn the same at first; the URLs that their codes lead to."""
    wishes = [Wish("https://example.com/1"), Wish("https://example.com/2")]
    codes = [
        logic.create_link(
            wish,
            logic.Request("ann", f"r{place}", NOW, key and f"{key}{place}"),
            a_store,
            iter(["same000", f"other0{place}"]).__next__,
        ).code
        for place, wish in enumerate(wishes)
    ]
    return [logic.follow(code, NOW, a_store) for code in codes]


@pytest.mark.parametrize("key", [None, "key"])
def test_a_forced_collision_draws_another_code(key: str | None, real_store: store.Store) -> None:
    assert create_with_collisions(real_store, key) == ["https://example.com/1", "https://example.com/2"]


@pytest.mark.parametrize("key", [None, "key"])
def test_without_its_condition_a_collision_would_overwrite(
    key: str | None, real_store: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IF_CODE_IS_NEW", ALWAYS)
    assert create_with_collisions(real_store, key) == ["https://example.com/2"] * 2


def race_with_one_key(a_store: store.Store, racers: int) -> set[Link]:
    """What the racers, who are one client's retries, are told."""

    def run(racer: int) -> Link:
        return logic.create_link(
            Wish(URL), logic.Request("ann", f"r{racer}", NOW, key="k1"), a_store, links.draw_code
        )

    with ThreadPoolExecutor(racers) as pool:
        return set(pool.map(run, range(racers)))


def test_ten_retries_at_once_with_one_key_are_one_link_and_one_answer(
    real_store: store.Store, settings: Settings
) -> None:
    assert len(race_with_one_key(real_store, 10)) == 1
    assert count_items(settings.links_table) == 1


def test_without_its_condition_retries_at_once_would_make_several_links(
    real_store: store.Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `:now` has to be used, or DynamoDB refuses the call.
    monkeypatch.setattr(store, "IF_KEY_IS_NEW", "attribute_not_exists(#key) OR expires_at >= :now")
    monkeypatch.setattr(store.Store, "find_remembered", lambda *_: None)  # none has seen another yet
    assert len(race_with_one_key(real_store, 4)) == 4
    assert count_items(settings.links_table) == 4


def test_a_transaction_that_met_another_one_is_tried_again(
    api: Any, real_store: store.Store, naps: list[float], faults: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.store(), "_sleep", naps.append)
    conflict = [{"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed"}]
    faults.answer(
        "dynamodb.TransactWriteItems", "TransactionCanceledException", times=2, CancellationReasons=conflict
    )
    assert api.create(URL, key="k1", alias="mine").status == 201
    assert len(naps) == 2
    assert sum(naps) < 1


def test_contention_without_end_is_unavailable(
    api: Any, naps: list[float], faults: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.store(), "_sleep", naps.append)
    conflict = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    met = faults.answer(
        "dynamodb.TransactWriteItems", "TransactionCanceledException", CancellationReasons=conflict
    )
    assert api.create(URL, key="k1").status == 503
    assert len(met) == store.CONTENTION_ATTEMPTS
    assert sum(naps) < 3


def test_without_its_condition_a_stranger_could_delete(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    api.create(URL, alias="mine")
    assert api.delete("mine", owner="bob").status == 404
    assert api.visit("mine").status == 302
    monkeypatch.setattr(store, "IF_OWNED", "#owner <> :owner")
    api.delete("mine", owner="bob")
    assert api.visit("mine").status == 410


# A busy or silent store

OPERATIONS = [
    ("dynamodb.GetItem", lambda api: api.visit("mine")),
    ("dynamodb.GetItem", lambda api: api.stats("mine")),
    ("dynamodb.GetItem", lambda api: api.create(URL, key="k2")),
    ("dynamodb.Query", lambda api: api.stats("mine")),
    ("dynamodb.Query", lambda api: api.page()),
    ("dynamodb.PutItem", lambda api: api.create(URL)),
    ("dynamodb.UpdateItem", lambda api: api.delete("mine")),
    ("dynamodb.TransactWriteItems", lambda api: api.create(URL, key="k2")),
]


@pytest.mark.parametrize(("operation", "act"), OPERATIONS)
def test_a_table_that_is_throttled_once_is_asked_again(
    operation: str, act: Any, api: Any, faults: Any
) -> None:
    api.create(URL, alias="mine")
    faults.answer(operation, "ProvisionedThroughputExceededException", times=store.ATTEMPTS - 1)
    assert act(api).status < 400
    assert len(faults.waits) == store.ATTEMPTS - 1


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError", "RequestLimitExceeded"])
@pytest.mark.parametrize(("operation", "act"), OPERATIONS)
def test_a_table_that_stays_throttled_is_a_503_within_bounds(
    operation: str, act: Any, code: str, api: Any, faults: Any
) -> None:
    api.create(URL, alias="mine")
    met = faults.answer(operation, code)
    answer = act(api)
    assert (answer.status, answer.json["status"]) == (503, 503)
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(met) == store.ATTEMPTS
    assert sum(faults.waits) + store.ATTEMPTS * (store.CONNECT_TIMEOUT_S + store.READ_TIMEOUT_S) < 10


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://dynamodb"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
)
def test_a_table_that_does_not_answer_is_a_503(error: Exception, api: Any, faults: Any) -> None:
    faults.break_down("dynamodb.GetItem", error)
    assert api.visit("abcdefg").status == 503


def test_a_fault_of_the_deployment_is_not_hidden_as_a_busy_store(api: Any, faults: Any) -> None:
    faults.answer("dynamodb.GetItem", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        api.visit("abcdefg")


# Clicks


def test_a_visit_is_counted_on_its_day(api: Any, queue: Any, clock: Callable[[datetime], None]) -> None:
    clock(NOW)
    code = api.create(URL).json["code"]
    api.visit(code, request_id="JKJaXmPLvHcESHA=")
    messages = queue.waiting()
    assert json.loads(messages[0]) == {
        "v": 1,
        "id": "JKJaXmPLvHcESHA=",
        "code": code,
        "at": "2026-03-01T12:00:00.000Z",
    }
    assert queue.deliver(messages) == []
    history = api.stats(code, **{"from": "2026-02-28", "to": "2026-03-02"}).json
    assert history == {
        "code": code,
        "total": 1,
        "days": [
            {"day": "2026-02-28", "clicks": 0},
            {"day": "2026-03-01", "clicks": 1},
            {"day": "2026-03-02", "clicks": 0},
        ],
    }


def deliver_twice(api: Any, queue: Any) -> int:
    """Deliver six clicks, some twice in a batch, most in two batches; returns how many are counted."""
    api.create(URL, alias="abcd")
    batch = [click(f"click-{number % 5}") for number in range(8)]
    assert queue.deliver(batch) == []
    assert queue.deliver([*batch, click("click-5")]) == []
    return int(api.stats("abcd", **{"from": "2026-03-01", "to": "2026-03-01"}).json["total"])


def test_a_click_that_is_delivered_again_is_counted_once(api: Any, queue: Any) -> None:
    assert deliver_twice(api, queue) == 6


def test_without_its_condition_a_click_would_be_counted_twice(
    api: Any, queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IF_NOT_COUNTED", ALWAYS)
    assert deliver_twice(api, queue) > 6


def test_a_batch_of_many_clicks_of_one_link_is_counted_whole(api: Any, queue: Any) -> None:
    api.create(URL, alias="abcd")
    batch = [click(f"click-{number}") for number in range(250)]
    assert queue.deliver(batch[:40]) == []
    assert queue.deliver(batch) == []
    assert api.stats("abcd", **{"from": "2026-03-01", "to": "2026-03-01"}).json["total"] == 250


def test_an_answer_lost_after_counting_does_not_count_again(api: Any, queue: Any, faults: Any) -> None:
    api.create(URL, alias="abcd")
    faults.lose_answer("dynamodb.TransactWriteItems", ReadTimeoutError(endpoint_url="https://dynamodb"))
    queue.deliver([click("click-0")])
    queue.deliver([click("click-0")])
    assert api.stats("abcd", **{"from": "2026-03-01", "to": "2026-03-01"}).json["total"] == 1


def test_a_poison_message_fails_alone(api: Any, queue: Any) -> None:
    api.create(URL, alias="abcd")
    assert queue.deliver([click("a"), "poison", click("b"), click("c", v=2), click("d", at="never")]) == [
        1,
        3,
        4,
    ]
    assert api.stats("abcd", **{"from": "2026-03-01", "to": "2026-03-01"}).json["total"] == 2


def test_clicks_of_a_busy_store_come_back_and_none_is_lost(api: Any, queue: Any, faults: Any) -> None:
    api.create(URL, alias="abcd")
    batch = [click("a"), click("a"), click("b"), click("c", code="efgh")]
    faults.answer("dynamodb.TransactWriteItems", "ThrottlingException", times=2 * store.ATTEMPTS)
    assert queue.deliver(batch) == [0, 1, 2, 3]
    assert queue.deliver(batch) == []
    assert api.stats("abcd", **{"from": "2026-03-01", "to": "2026-03-01"}).json["total"] == 2


def test_an_invocation_that_runs_out_of_time_gives_its_clicks_back(queue: Any, settings: Settings) -> None:
    queue.context.get_remaining_time_in_millis = lambda: 9_000
    assert queue.deliver([click("a"), click("b", code="efgh")]) == [0, 1]
    assert count_items(settings.click_markers_table) == 0


def test_a_marker_outlasts_every_delivery(queue: Any, settings: Settings) -> None:
    queue.deliver([click("a")])
    marker = raw_item(settings.click_markers_table, click_id="a")
    assert int(marker["expires_at"]["N"]) - time.time() > 28 * 86_400


# The analytics path is down


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://sqs"),
        ReadTimeoutError(endpoint_url="https://sqs"),
        EndpointConnectionError(endpoint_url="https://sqs"),
        RuntimeError("anything else"),
    ],
)
def test_a_redirect_survives_a_queue_that_is_down(
    error: Exception, api: Any, faults: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code = api.create(URL).json["code"]
    faults.break_down("sqs.SendMessage", error)
    capsys.readouterr()
    assert api.visit(code).headers["Location"] == URL
    assert '"ClickLost":[1.0]' in capsys.readouterr().out
    assert faults.waits == []


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalServerError"])
def test_a_redirect_survives_a_queue_that_refuses(code: str, api: Any, faults: Any) -> None:
    link = api.create(URL).json["code"]
    met = faults.answer("sqs.SendMessage", code)
    assert api.visit(link).status == 302
    assert len(met) == 1


def test_without_its_guard_a_queue_that_is_down_would_cost_the_redirect(
    api: Any, faults: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report_click(code: str, request_id: str, now: datetime, queue: logic.ClickQueue) -> None:
        queue.send_click("unguarded")

    code = api.create(URL).json["code"]
    faults.break_down("sqs.SendMessage", EndpointConnectionError(endpoint_url="https://sqs"))
    monkeypatch.setattr(logic, "report_click", report_click)
    with pytest.raises(EndpointConnectionError):
        api.visit(code)


def test_a_queue_that_never_answers_holds_a_redirect_up_for_a_moment_only(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and says nothing
        host, port = silent.getsockname()
        client: Any = store._client.__wrapped__(  # type: ignore[attr-defined]
            "sqs", store.CLICK_TIMEOUT_S, store.CLICK_TIMEOUT_S, attempts=1
        )
        client.meta.events.register_first("before-send.sqs.SendMessage", _past_moto(f"http://{host}:{port}"))
        slow = store.Store(settings)
        vars(slow)["_sqs"] = client
        begun = time.monotonic()
        failure = logic.report_click("abcd", "r1", NOW, slow)
        assert isinstance(failure, ReadTimeoutError)
        assert time.monotonic() - begun < 2 * store.CLICK_TIMEOUT_S + 0.4


def _past_moto(endpoint: str) -> Callable[..., Any]:
    """Sends a request over the network for real, to `endpoint`."""
    from botocore.httpsession import URLLib3Session

    limits: Any = (store.CLICK_TIMEOUT_S, store.CLICK_TIMEOUT_S)
    session = URLLib3Session(timeout=limits)

    def send(request: Any, **_: Any) -> Any:
        request.url = endpoint
        return session.send(request)

    return send


# What is written down


def test_a_lost_click_is_logged_with_its_request_and_without_the_url(
    api: Any, faults: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "https://example.com/reset?token=hunter2"
    code = api.create(secret).json["code"]
    faults.break_down("sqs.SendMessage", EndpointConnectionError(endpoint_url="https://sqs"))
    lines = logged(lambda: api.visit(code, request_id="the-request"))
    assert [(line["level"], line["correlation_id"], line["code"]) for line in lines] == [
        ("WARNING", "the-request", code)
    ]
    assert "hunter2" not in json.dumps(lines)


def test_the_consumer_logs_the_ids_of_the_requests_that_it_counts(queue: Any) -> None:
    (line,) = logged(lambda: queue.deliver([click("the-request")]))
    assert (line["message"], line["request_ids"]) == ("clicks counted", ["the-request"])


def test_a_refused_url_is_not_logged(api: Any) -> None:
    lines = logged(lambda: api.create("https://ann:hunter2@example.com/"))
    assert lines
    assert "hunter2" not in json.dumps(lines)


@pytest.mark.parametrize(
    ("act", "metric"),
    [
        (lambda api, queue: api.create(URL), "LinkCreated"),
        (lambda api, queue: api.create(URL, alias="abcd", key="first"), "LinkRepeated"),
        (lambda api, queue: api.delete("abcd"), "LinkDeleted"),
        (lambda api, queue: api.create("javascript:alert(1)"), "Refused"),
        (lambda api, queue: api.visit("abcd"), "Redirected"),
        (lambda api, queue: api.visit("nothing1"), "RedirectNotFound"),
        (lambda api, queue: queue.deliver([click("a")]), "ClickCounted"),
        (lambda api, queue: queue.deliver([click("a"), click("a")]), "ClickDuplicate"),
        (lambda api, queue: queue.deliver(["poison"]), "ClickFailed"),
    ],
)
def test_what_happens_is_counted(
    act: Any, metric: str, api: Any, queue: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    api.create(URL, alias="abcd", key="first")
    capsys.readouterr()
    act(api, queue)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])[metric] == [1.0]


# Reading what is stored


def raw_item(table: str, **key: str) -> dict[str, Any]:
    dynamodb: Any = store.store()._dynamodb
    item: dict[str, Any] = dynamodb.get_item(
        TableName=table, Key={name: {"S": value} for name, value in key.items()}
    )["Item"]
    return item


def count_items(table: str) -> int:
    dynamodb: Any = store.store()._dynamodb
    return int(dynamodb.scan(TableName=table, Select="COUNT")["Count"])


def logged(act: Callable[[], Any]) -> list[dict[str, Any]]:
    """The log lines that `act` writes, as they are written."""
    from lambdas.shared.observability import logger

    lines: list[dict[str, Any]] = []
    formatter = logger.registered_formatter

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(formatter.format(record)))

    reader = Reader()
    underlying = logging.getLogger(logger.name)
    underlying.addHandler(reader)
    try:
        act()
    finally:
        underlying.removeHandler(reader)
    return lines
