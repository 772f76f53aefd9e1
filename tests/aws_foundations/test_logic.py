"""Counting, without AWS: what is an entry, what is not, and what happens when a batch comes again."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.aws_foundations import logic

pytestmark = pytest.mark.fast


class Memory:
    """A store in memory, which remembers what it counted."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.authors: dict[str, int] = {}
        self.parked: list[str] = []

    def count(self, entry_id: str, author: str) -> bool:
        if entry_id in self.seen:
            return False
        self.seen.add(entry_id)
        self.authors[author] = self.authors.get(author, 0) + 1
        return True

    def park(self, record: Mapping[str, Any], reason: str) -> None:
        self.parked.append(reason)


def record(value: Any, *, raw: bool = False) -> dict[str, Any]:
    content = value if raw else json.dumps(value).encode()
    return {"topic": "entries", "partition": 0, "value": base64.b64encode(content).decode()}


def entry(entry_id: str, author: str = "ada") -> dict[str, Any]:
    return record({"id": entry_id, "author": author, "at": "2026-11-20T00:00:00Z", "text": "…"})


def test_each_entry_counts_for_its_author() -> None:
    store = Memory()
    tally = logic.count_entries([entry("1"), entry("2", "grace"), entry("3")], store)
    assert store.authors == {"ada": 2, "grace": 1}
    assert tally.counted == ["1", "2", "3"]


def test_a_batch_that_comes_again_counts_nothing() -> None:
    store = Memory()
    logic.count_entries([entry("1"), entry("2")], store)
    tally = logic.count_entries([entry("1"), entry("2"), entry("3")], store)
    assert (tally.repeated, tally.counted) == (["1", "2"], ["3"])
    assert store.authors == {"ada": 3}


@pytest.mark.parametrize(
    "bad",
    [
        record(b"not JSON", raw=True),
        record(b"\xff\xfe", raw=True),
        record([1]),
        record({"id": "1"}),
        record({"id": 1, "author": "ada"}),
        record({"id": "", "author": "ada"}),
        pytest.param(record({"id": "1", "author": "ä" * 1_025}), id="an author of 2,050 bytes"),
        record({"id": "\ud800", "author": "ada"}),
        pytest.param(record(b"[" * 100_000, raw=True), id="nested deeper than Python reads"),
        {"topic": "entries"},
        {"value": "%%%"},
        {"value": None},
    ],
    ids=str,
)
def test_what_is_no_entry_is_parked_and_the_rest_counts(bad: dict[str, Any]) -> None:
    store = Memory()
    tally = logic.count_entries([entry("1"), bad, entry("2")], store)
    assert (tally.parked, len(store.parked)) == (1, 1)
    assert tally.counted == ["1", "2"]


@given(st.binary(max_size=200))
def test_no_record_whatever_ends_the_batch(value: bytes) -> None:
    logic.count_entries([record(value, raw=True)], Memory())


def test_the_records_of_every_partition_come_each_in_its_order() -> None:
    event = {"records": {"entries-0": [entry("1"), entry("2")], "entries-1": [entry("3")]}}
    assert [logic.read(each)[0] for each in logic.records_of(event)] == ["1", "2", "3"]
