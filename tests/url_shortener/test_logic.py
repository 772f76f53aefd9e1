"""The rules, without AWS."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.shared.errors import Gone, Malformed, NotFound, Refused, Unavailable
from lambdas.url_shortener import logic, urls
from lambdas.url_shortener.records import (
    AliasTaken,
    AlreadyCounted,
    BadClick,
    CodeTaken,
    KeyReused,
    KeyTaken,
    Link,
    NoFreeCode,
    Page,
    Remembered,
    Target,
    UrlRefused,
    Wish,
)

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "https://example.com/a?b=c#d"

# Input lines that a rule refuses, each with good reason: three are names of private networks, one is no name.
REFUSED_INPUT = {
    "http://docker/info": "private_host",
    "http://llm-server:1234": "private_host",
    "http://resource-test-app.cost-optimization.svc.cluster.local": "private_host",
    "https://cdn.../track-uuid/lossless.m4a?sig=": "host",
}


class Memory:
    """A store that is a few dictionaries, and does one thing after the other."""

    def __init__(self) -> None:
        self.links: dict[str, Link | None] = {}
        self.owners: dict[str, str] = {}
        self.remembered: dict[str, Remembered] = {}

    def find_target(self, code: str) -> Target | None:
        if code not in self.links:
            return None
        link = self.links[code]
        return Target(link.url, link.expires_at) if link else Target(None, None)

    def find_owner(self, code: str) -> str | None:
        return self.owners.get(code)

    def find_remembered(self, key: str) -> Remembered | None:
        return self.remembered.get(key)

    def add_link(self, link: Link, request_id: str) -> None:
        if link.code in self.links:
            raise CodeTaken
        self.links[link.code] = link
        self.owners[link.code] = link.owner

    def add_link_once(self, link: Link, request_id: str, key: str, outcome: Remembered, now_s: int) -> None:
        if key in self.remembered and self.remembered[key].forget_at > now_s:
            raise KeyTaken
        self.add_link(link, request_id)
        self.remembered[key] = outcome

    def delete_link(self, code: str, owner: str, at: str) -> None:
        if self.owners.get(code) != owner:
            raise NotFound
        self.links[code] = None

    def list_links(self, owner: str, before: str | None, limit: int) -> Page:
        return Page([], "2026-03-01T12:00:00.000Z#abcdefg")

    def clicks_by_day(self, code: str, first: date, last: date) -> dict[date, int]:
        return {last: 3}


def request(**changes: object) -> logic.Request:
    return logic.Request(**({"owner": "ann", "id": "r1", "now": NOW} | changes))  # type: ignore[arg-type]


def refusal(url: str, own_hosts: frozenset[str] = frozenset()) -> str | None:
    try:
        urls.check(url, own_hosts)
    except UrlRefused as error:
        return error.rule
    return None


# URLs


def test_every_url_of_the_input_is_accepted_or_refused_for_a_known_reason(input_urls: list[str]) -> None:
    assert len(input_urls) == 1_997
    assert {url: rule for url in input_urls if (rule := refusal(url))} == REFUSED_INPUT


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("javascript:alert(1)", "scheme"),
        ("JaVaScRiPt:alert(1)//http://example.com", "scheme"),
        ("data:text/html,hello", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.com/", "scheme"),
        ("//example.com/", "scheme"),
        ("https:example.com", "scheme"),
        ("example.com", "scheme"),
        ("", "scheme"),
        (" https://example.com", "hidden_character"),
        ("https://example.com/\r\nSet-Cookie: a=b", "hidden_character"),
        ("https://example.com/\ta", "hidden_character"),
        ("https://example.com/\x00", "hidden_character"),
        ("https://example.com/\u2028", "hidden_character"),
        ("https://example.com/\u00a0", "hidden_character"),
        ("https://example.com/\ud800", "hidden_character"),
        ("https://good.example\\@bad.example/", "backslash"),
        ("https://user@example.com/", "userinfo"),
        ("https://paypal.com:x@example.com/", "userinfo"),
        ("https:///example.com", "host"),
        ("https://", "host"),
        ("https://?a", "host"),
        ("https://exa%00mple.com", "host"),
        ("https://a%40b.com", "host"),
        ("https://%ff.com", "host"),
        ("https://a..b", "host"),
        ("https://example.com..", "host"),
        (f"https://{'a' * 64}.com", "host"),
        (f"https://{'a.' * 127}com", "host"),
        ("https://1.2.3.4.5", "host"),
        ("https://256.1.1.1", "host"),
        ("https://08.8.8.8", "host"),
        ("https://example.0x7f", "host"),
        ("https://[::1", "host"),
        ("https://[1.2.3.4]", "host"),
        ("https://example.com:65536", "port"),
        ("https://example.com:8a", "port"),
        ("https://example.com:٨٠", "port"),
        ("https://[2606:4700::1111]8", "port"),
        ("http://localhost", "private_host"),
        ("http://LocalHost.:8080/", "private_host"),
        ("http://%6cocalhost/", "private_host"),
        ("http://ｌｏｃａｌｈｏｓｔ/", "private_host"),
        ("http://a.localhost", "private_host"),
        ("http://printer.local", "private_host"),
        ("http://metadata.google.internal/", "private_host"),
        ("http://intranet/", "private_host"),
        ("http://[::1]/", "private_address"),
        ("http://[::]/", "private_address"),
        ("http://[::ffff:127.0.0.1]/", "private_address"),
        ("http://[::ffff:7f00:1]/", "private_address"),
        ("http://[::127.0.0.1]/", "private_address"),
        ("http://[64:ff9b::7f00:1]/", "private_address"),
        ("http://[2002:7f00:1::]/", "private_address"),
        ("http://[fe80::1]/", "private_address"),
        ("http://[fe80::1%25eth0]/", "private_address"),
        ("http://[fd00::1]/", "private_address"),
        ("http://[ff02::1]/", "private_address"),
        ("http://[2001:db8::1]/", "private_address"),
        ("http://224.0.0.1/", "private_address"),
        ("http://255.255.255.255/", "private_address"),
        ("http://100.64.0.1/", "private_address"),
        ("http://0/", "private_address"),
        ("https://go.example.org/abc", "own_host"),
        ("HTTPS://GO.example.ORG.:443/abc", "own_host"),
        ("https://example.com/" + "a" * 2_029, "length"),
        ("https://example.com/" + "é" * 400, "length"),
    ],
)
def test_a_url_that_breaks_a_rule_is_refused_by_its_name(url: str, rule: str) -> None:
    assert refusal(url, frozenset({"go.example.org"})) == rule


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "HTTP://EXAMPLE.COM:80/%7Ea?b=%20#c",
        "https://example.com:",
        "https://example.com./",
        "https://user.example.com/@someone",
        "https://example.com?mail=a@b",
        "https://münchen.example/ü",
        "https://xn--mnchen-3ya.example/",
        "https://a_b.example.com/",
        "https://8.8.8.8/",
        "https://134744072/",
        "https://[2606:4700:4700::1111]:8443/",
        "https://localhost.example.com/",
        "https://github.com/aws-samples/bedrock-chat.git）",
        "https://example.com/" + "a" * 2_028,
    ],
)
def test_a_url_that_breaks_no_rule_is_accepted(url: str) -> None:
    assert refusal(url) is None


PRIVATE_NETWORKS = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
]


@st.composite
def private_addresses(draw: st.DrawFn) -> int:
    base, prefix = draw(st.sampled_from(PRIVATE_NETWORKS))
    return int(IPv4Address(base)) + draw(st.integers(0, 2 ** (32 - prefix) - 1))


def _spelt(number: int, notation: str) -> str:
    return {
        "decimal": str(number),
        "octal": f"0{number:o}",
        "hex": f"0x{number:x}",
        "HEX": f"0X{number:08X}",
    }[notation]


@st.composite
def obfuscated(draw: st.DrawFn) -> str:
    """A private IPv4 address in one of the many ways that browsers read."""
    address = draw(private_addresses())
    parts = draw(st.integers(1, 4))
    numbers = [address >> 24, address >> 16 & 255, address >> 8 & 255][: parts - 1]
    numbers.append(address & (1 << 8 * (5 - parts)) - 1)
    notations = st.sampled_from(["decimal", "octal", "hex", "HEX"])
    host = draw(st.sampled_from([".", "。", "．", "%2e"])).join(_spelt(n, draw(notations)) for n in numbers)
    if draw(st.booleans()):
        host = host.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
        host = host.replace("%２e", "%2e")
    elif draw(st.booleans()):
        host = "".join(f"%{ord(c):02x}" if c.isalnum() else c for c in host.replace("%2e", "."))
    tail = draw(st.sampled_from(["", ".", ":80", "/", "/x", "?q", "#f", ".:8080/x"]))
    return draw(st.sampled_from(["http://", "https://", "HTTP://"])) + host + tail


@settings(deadline=None)
@given(obfuscated())
def test_a_private_ipv4_address_is_refused_however_it_is_spelt(url: str) -> None:
    assert refusal(url) == "private_address"


@settings(deadline=None)
@given(
    st.text(), st.sampled_from(["", "http://", "https://", "https://example.com/", "https://example.com."])
)
def test_any_text_is_accepted_or_refused_and_an_accepted_one_is_kept_as_it_is(text: str, start: str) -> None:
    memory = Memory()
    try:
        link = logic.create_link(Wish(start + text), request(), memory, lambda: "abcdefg")
    except UrlRefused:
        assert not memory.links
        return
    assert link.url == start + text
    assert memory.links["abcdefg"] == link
    header = logic.follow("abcdefg", NOW, memory)
    assert header.isascii()
    assert header.isprintable()
    if link.url.isascii():
        assert header == link.url


def test_a_location_percent_encodes_what_is_not_ascii_and_nothing_else() -> None:
    assert urls.location("https://a.example/é?%C3%A9 ）".replace(" ", "+")) == (
        "https://a.example/%C3%A9?%C3%A9+%EF%BC%89"
    )


# Codes


def test_a_collision_draws_again_and_overwrites_nothing() -> None:
    memory = Memory()
    first = logic.create_link(Wish(URL), request(), memory, lambda: "taken00")
    draws = iter(["taken00", "taken00", "free000"])
    second = logic.create_link(Wish("https://other.example/"), request(id="r2"), memory, lambda: next(draws))
    assert second.code == "free000"
    assert memory.links == {"taken00": first, "free000": second}


def test_collisions_without_end_are_given_up() -> None:
    memory = Memory()
    logic.create_link(Wish(URL), request(), memory, lambda: "taken00")
    draws = iter(["taken00"] * 100)
    with pytest.raises(NoFreeCode):
        logic.create_link(Wish(URL), request(), memory, lambda: next(draws))
    assert len(list(draws)) == 100 - logic.CODE_ATTEMPTS


def test_a_random_code_never_spells_a_word_that_is_kept() -> None:
    draws = iter(["healthz", "OpenAPI", "abcdefg"])
    assert logic.create_link(Wish(URL), request(), Memory(), lambda: next(draws)).code == "abcdefg"


@pytest.mark.parametrize(
    "alias",
    [
        "abc",
        "a" * 33,
        "a b c d",
        "äöüß",
        "a/b/c",
        "robots.txt",
        "health",
        "API-v1",
        "api2",
        "Admin",
        "abcd\n",
    ],
)
def test_an_alias_that_is_malformed_or_reserved_is_refused(alias: str) -> None:
    with pytest.raises(Refused, match=r"^alias: "):
        logic.create_link(Wish(URL, alias=alias), request(), Memory(), lambda: "abcdefg")


@pytest.mark.parametrize("alias", ["abcd", "apiary", "A-b_9", "a" * 32, "Healthy"])
def test_an_alias_becomes_the_code(alias: str) -> None:
    assert logic.create_link(Wish(URL, alias=alias), request(), Memory(), lambda: "abcdefg").code == alias


def test_an_alias_is_never_given_out_again_even_after_its_deletion() -> None:
    memory = Memory()
    logic.create_link(Wish(URL, alias="mine"), request(), memory, lambda: "")
    logic.delete_link("mine", "ann", NOW, memory)
    with pytest.raises(AliasTaken):
        logic.create_link(Wish(URL, alias="mine"), request(), memory, lambda: "")


# Idempotency


def test_a_key_gives_the_same_answer_even_after_the_link_has_expired() -> None:
    memory = Memory()
    wish = Wish(URL, expires_at="2026-03-01T12:00:10Z")
    first = logic.create_link(wish, request(key="k"), memory, lambda: "abcdefg")
    later = request(key="k", now=NOW + timedelta(hours=1))
    assert logic.create_link(wish, later, memory, lambda: "other00") == first


def test_a_key_with_another_wish_is_refused() -> None:
    memory = Memory()
    logic.create_link(Wish(URL), request(key="k"), memory, lambda: "abcdefg")
    with pytest.raises(KeyReused):
        logic.create_link(Wish(URL, alias="mine"), request(key="k"), memory, lambda: "other00")


def test_a_key_past_its_time_makes_a_new_link_though_nothing_has_cleaned_it_up() -> None:
    memory = Memory()
    logic.create_link(Wish(URL), request(key="k"), memory, lambda: "abcdefg")
    later = request(key="k", now=NOW + timedelta(seconds=logic.KEY_LIFETIME_S))
    assert logic.create_link(Wish(URL), later, memory, lambda: "other00").code == "other00"


def test_two_owners_may_use_the_same_key() -> None:
    memory = Memory()
    logic.create_link(Wish(URL), request(key="k"), memory, lambda: "abcdefg")
    link = logic.create_link(Wish(URL), request(key="k", owner="bob"), memory, lambda: "other00")
    assert (link.code, link.owner) == ("other00", "bob")


# Times


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2026-03-02",
        "2026-03-02T00:00:00",
        "2026-03-01T12:00:00Z",
        "2020-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T00:00:60Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "２０２６-03-02T00:00:00Z",
        "2026-03-02T00:00:00+99:00",
        "1772452800",
    ],
)
def test_an_expiry_that_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"^expires_at: "):
        logic.create_link(Wish(URL, expires_at=text), request(), Memory(), lambda: "abcdefg")


@pytest.mark.parametrize(
    "text", ["2026-03-01T12:00:01Z", "2026-03-01t12:00:01.999z", "2026-03-01T14:00:01+02:00"]
)
def test_an_expiry_is_kept_in_whole_seconds_and_ends_the_link_to_the_second(text: str) -> None:
    memory = Memory()
    link = logic.create_link(Wish(URL, expires_at=text), request(), memory, lambda: "abcdefg")
    assert link.expires_at == int(NOW.timestamp()) + 1
    assert logic.follow("abcdefg", NOW + timedelta(microseconds=999_999), memory) == URL
    with pytest.raises(Gone):
        logic.follow("abcdefg", NOW + timedelta(seconds=1), memory)


def test_history_has_every_day_by_default_thirty() -> None:
    memory = Memory()
    memory.owners["abcd"] = "ann"
    history = logic.click_history("abcd", "ann", None, None, NOW, memory)
    assert next(iter(history)) == date(2026, 1, 31)
    assert history == dict.fromkeys(history, 0) | {date(2026, 3, 1): 3}
    assert len(history) == logic.DEFAULT_DAYS


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-03-02", "2026-03-01"),
        ("2025-01-01", "2026-01-02"),
        ("yesterday", None),
        (None, "0001-01-01"),
        ("2026-02-30", None),
        ("0001-01-01", "9999-12-31"),
    ],
)
def test_history_of_days_that_are_none_or_too_many_is_refused(first: str | None, last: str | None) -> None:
    with pytest.raises(Refused, match=r"^from, to: "):
        logic.click_history("abcd", "ann", first, last, NOW, Memory())


# Cursors


def _cursor_of(owner: str) -> str:
    _, cursor = logic.list_links(owner, None, 1, Memory())
    assert cursor
    return cursor


def test_a_cursor_leads_on_for_its_owner() -> None:
    logic.list_links("ann", _cursor_of("ann"), 1, Memory())


@settings(deadline=None)
@given(st.one_of(st.text(), st.binary().map(lambda b: b.hex()), st.just(_cursor_of("bob"))))
def test_a_cursor_that_was_not_given_to_this_owner_is_refused(cursor: str) -> None:
    if cursor:
        with pytest.raises(Malformed):
            logic.list_links("ann", cursor, 1, Memory())


# Clicks


class Counter:
    """Counts as the store does; `broken` fails every call."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.clicks: dict[tuple[str, date], int] = {}
        self.calls: list[int] = []
        self.broken = False

    def count_clicks(self, code: str, day: date, click_ids: list[str], now_s: int) -> None:
        self.calls.append(len(click_ids))
        if self.broken:
            raise Unavailable("broken")
        if again := self.seen & set(click_ids):
            raise AlreadyCounted(again)
        self.seen |= set(click_ids)
        self.clicks[code, day] = self.clicks.get((code, day), 0) + len(click_ids)


def message(click_id: str, code: str = "abcd", at: str = "2026-03-01T12:00:00.000Z", **more: object) -> str:
    return json.dumps({"v": 1, "id": click_id, "code": code, "at": at} | more)


def tally(bodies: list[str], counter: Counter, time_left_s: float = 60) -> logic.Tally:
    return logic.count_clicks(
        [(f"m{place}", body) for place, body in enumerate(bodies)], NOW, lambda: time_left_s, counter
    )


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 12)), max_size=5))
def test_clicks_delivered_in_any_way_count_as_often_as_there_are_clicks(batches: list[list[int]]) -> None:
    counter = Counter()
    for batch in batches:
        assert not tally([message(f"click-{number}") for number in batch], counter).failed
    assert sum(counter.clicks.values()) == len({number for batch in batches for number in batch})


def test_a_click_counts_on_its_day_in_utc() -> None:
    counter = Counter()
    tally([message("a", at="2026-03-01T23:30:00-02:00"), message("b")], counter)
    assert counter.clicks == {("abcd", date(2026, 3, 2)): 1, ("abcd", date(2026, 3, 1)): 1}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        "null",
        "[" * 100_000,
        message("a", v=2),
        message("a", v="1"),
        message(""),
        message("a b"),
        message("a", code="a/b"),
        message("a", code="abc\n"),
        message("a", at="yesterday"),
        message("a", at="2026-02-30T00:00:00Z"),
        message("a", at="0001-01-01T00:00:00+23:59"),
        json.dumps({"v": 1, "id": 1, "code": "abcd", "at": 0}),
        json.dumps({"v": 1}),
    ],
)
def test_a_message_that_is_no_click_of_this_version_fails_alone(body: str) -> None:
    with pytest.raises(BadClick):
        logic.read_click(body)
    counter = Counter()
    assert list(tally([message("x"), body, message("y")], counter).failed) == ["m1"]
    assert counter.clicks == {("abcd", date(2026, 3, 1)): 2}


def test_clicks_that_meet_a_broken_store_are_reported_with_their_duplicates() -> None:
    counter = Counter()
    counter.broken = True
    assert list(tally([message("a"), message("a"), message("b", code="efgh")], counter).failed) == [
        "m0",
        "m1",
        "m2",
    ]


def test_nothing_is_begun_when_there_is_no_time_to_end_it() -> None:
    counter = Counter()
    assert len(tally([message("a")], counter, time_left_s=logic.SECONDS_PER_COUNT - 1).failed) == 1
    assert counter.calls == []


def test_many_clicks_of_one_link_are_counted_in_as_few_steps_as_fit() -> None:
    counter = Counter()
    assert tally([message(f"click-{number}") for number in range(250)], counter).counted
    assert counter.calls == [99, 99, 52]
