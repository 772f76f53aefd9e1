"""Records between services: what was written once is read for ever, and what is none is said to be none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.records import Event, Presence, Receipt, Typing, Unreadable, decode, encode

pytestmark = pytest.mark.fast

CHAT, DIRECT = "g-00112233445566778899aabbccddeeff", "d-00112233445566778899aabbccddeeff"
AT = 1_790_000_000_000
# What programs of version 1 have written, one a line; lines are added here, and never changed.
GOLDEN = (Path(__file__).parent / "golden" / "records.jsonl").read_text(encoding="utf-8").splitlines()
MEANT = [
    Event(CHAT, 1, "message", "ann", "phone", "c1", AT, {"text": "Grüße 👋"}),
    Event(
        DIRECT, 2, "message", "ann", "phone", "c2", AT + 1, {"media": "m1", "type": "image/png", "size": 7}
    ),
    Event(CHAT, 3, "edit", "ann", "phone", "c3", AT + 2, {"text": "again"}, target=1),
    Event(CHAT, 4, "delete", "ann", "phone", "c4", AT + 3, target=1),
    Event(CHAT, 5, "members", "ann", "", "change-7", AT + 4, members={"added": ["bob"], "removed": ["cleo"]}),
    Event(CHAT, 6, "message", "bob", "tablet", "c6", AT + 5, edited_at=AT + 6, deleted_at=AT + 7),
    Receipt(DIRECT, "bob", 2, 1, (1, 1)),
    Receipt(DIRECT, "bob", 2, None, (1, 0)),
    Presence("ann", True, None),
    Presence("ann", False, AT),
    Typing(DIRECT, "ann", True, AT),
]


@pytest.mark.parametrize(("line", "meant"), list(zip(GOLDEN, MEANT, strict=True)))
def test_what_was_once_written_is_still_read(line: str, meant: Any) -> None:
    assert decode(line) == meant


@pytest.mark.parametrize(("line", "meant"), list(zip(GOLDEN, MEANT, strict=True)))
def test_what_is_written_is_what_older_programs_read(line: str, meant: Any) -> None:
    assert encode(meant).decode() == line


@pytest.mark.parametrize("line", GOLDEN)
def test_a_field_that_a_newer_program_adds_is_passed_over(line: str) -> None:
    newer = json.loads(line) | {"reactions": {"👍": 3}}
    assert decode(json.dumps(newer)) == decode(line)


@pytest.mark.parametrize("line", GOLDEN)
def test_a_later_version_is_unreadable(line: str) -> None:
    with pytest.raises(Unreadable, match="version"):
        decode(json.dumps(json.loads(line) | {"v": 2}))


@pytest.mark.parametrize("line", GOLDEN)
def test_a_record_that_lacks_what_it_must_have_is_unreadable(line: str) -> None:
    whole = json.loads(line)
    may_lack = {"body", "target", "members", "edited_at", "deleted_at", "read", "last_seen"}
    for name in set(whole) - may_lack:
        with pytest.raises(Unreadable):
            decode(json.dumps({key: value for key, value in whole.items() if key != name}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"chat": ""},
        {"chat": "a#b"},
        {"chat": None},
        {"sender": ""},
        {"sender": "ann\x00"},
        {"device": 7},
        {"id": "x" * 129},
        {"seq": 0},
        {"seq": -1},
        {"seq": True},
        {"seq": 1.0},
        {"seq": "1"},
        {"seq": 10**16},
        {"at": None},
        {"at": 10**300},
        {"kind": "reaction"},
        {"kind": []},
        {"body": []},
        {"body": {"text": "\ud800"}},
        {"body": {"text": float("nan")}},
        {"target": 0},
        {"members": {"added": "ann"}},
        {"members": {"removed": [7]}},
    ],
    ids=str,
)
def test_an_event_with_a_field_that_no_store_would_take_is_unreadable(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        decode(json.dumps(json.loads(GOLDEN[0]) | wrong))


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"null", b"[" * 5_000, b'{"v":1}', b"9" * 5_000])
def test_what_is_no_record_at_all_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@example(GOLDEN[0], {"members": {}})
@example(GOLDEN[0], {"body": {}})
@given(st.sampled_from(GOLDEN), st.dictionaries(st.sampled_from(sorted(Event.__dataclass_fields__)), JSON))
def test_whatever_its_fields_hold_it_is_a_record_or_unreadable(line: str, wrong: dict[str, Any]) -> None:
    try:
        record = decode(json.dumps(json.loads(line) | wrong))
    except Unreadable:
        return
    assert decode(encode(record)) == record


@given(st.lists(st.integers(1, 10**16 - 1), min_size=2))
def test_sequence_numbers_sort_as_text_as_they_do_as_numbers(numbers: list[int]) -> None:
    assert sorted(numbers) == sorted(numbers, key=keys.sequence)


@given(st.text("abc-", min_size=1), st.text("abc-", min_size=1))
def test_the_chat_of_two_people_is_the_same_whoever_asks_and_a_chats_id(one: str, other: str) -> None:
    assert keys.direct_chat(one, other) == keys.direct_chat(other, one)
    assert keys.CHAT_ID.fullmatch(keys.direct_chat(one, other))


def test_the_name_of_an_inbox_says_whose_it_is() -> None:
    assert keys.owner_of(keys.inbox("ann", "phone")) == ("ann", "phone")
