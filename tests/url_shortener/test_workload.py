"""The declared sizes are those of what the handlers write, on the real input; the declared times, of the code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdas.url_shortener import logic, store
from lambdas.url_shortener.records import Link, Remembered, Wish
from lambdas.url_shortener.settings import OWNER_INDEX_ATTRIBUTES, Settings
from stacks.url_shortener.workload import WORKLOAD

pytestmark = pytest.mark.fast

DYNAMODB_OVERHEAD = 100  # bytes an item, for storage: "DynamoDB Item sizes and formats", developer guide
OWNER = "0a8e0b9c-1c5d-4f5e-9a52-3f0f5b8f3a6d"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
URLS = (Path(__file__).parent / "urls.txt").read_text().splitlines()
REQUEST = "JKJaXmPLvHcESHA="


def _declared(name: str) -> float:
    return float(WORKLOAD.quantities[name].value)


def _size(item: Mapping[str, Any]) -> int:
    """Bytes of an item, as DynamoDB counts them: names, strings as UTF-8, numbers by their digits."""
    total = 0
    for name, typed in item.items():
        [(kind, value)] = typed.items()
        total += len(name) + (len(value.encode()) if kind == "S" else 1 + (len(value) + 1) // 2)
    return total


def _average(sizes: list[int]) -> float:
    return sum(sizes) / len(sizes)


def test_a_link_and_its_index_entry_weigh_what_is_declared() -> None:
    sizes = []
    for url in URLS:
        link = Link("aB3dE6g", url, OWNER, "2026-11-20T00:00:00.000Z", None)
        item = store._link_item(link, REQUEST)
        index = {
            name: item[name]
            for name in ("code", "owner", "listed_at", *OWNER_INDEX_ATTRIBUTES)
            if name in item
        }
        sizes.append(_size(item) + _size(index) + 2 * DYNAMODB_OVERHEAD)
    assert _average(sizes) == pytest.approx(_declared("link_bytes"), rel=0.1)


def test_most_links_are_within_one_write_unit() -> None:
    items = [
        store._link_item(Link("aB3dE6g", url, OWNER, "2026-11-20T00:00:00.000Z", None), REQUEST)
        for url in URLS
    ]
    assert sum(_size(item) > 1024 for item in items) / len(items) < 0.01


def test_a_marker_a_counter_and_a_key_weigh_what_is_declared() -> None:
    sent: list[dict[str, Any]] = []

    class Recording(store.Store):
        def _transact(self, items: Any) -> set[int]:
            sent.extend(items)
            return set()

    recording = Recording(Settings("l", "i", "c", "m", "q"))
    recording.count_clicks("aB3dE6g", date(2026, 11, 20), [REQUEST], int(NOW.timestamp()))
    outcome = Remembered("0" * 64, "aB3dE6g", "2026-11-20T00:00:00.000Z", None, 1_795_000_000)
    link = Link("aB3dE6g", URLS[0], OWNER, "2026-11-20T00:00:00.000Z", None)
    recording.add_link_once(link, REQUEST, f"{OWNER}#{'k' * 36}", outcome, 0)
    marker, counter, key, _ = sent
    assert _size(marker["Put"]["Item"]) + DYNAMODB_OVERHEAD == pytest.approx(
        _declared("click_marker_bytes"), rel=0.1
    )
    counted = counter["Update"]["Key"] | {"clicks": {"N": "1000"}}
    each = _size(counted) + DYNAMODB_OVERHEAD
    assert 10 * each == pytest.approx(_declared("click_counters_bytes"), rel=0.1)
    assert _size(key["Put"]["Item"]) + DYNAMODB_OVERHEAD == pytest.approx(_declared("key_bytes"), rel=0.1)


def test_things_are_kept_as_long_as_the_handlers_keep_them() -> None:
    assert _declared("markers_kept_days") * 86_400 == store.MARKER_LIFETIME_S
    assert _declared("keys_kept_days") * 86_400 == logic.KEY_LIFETIME_S


def test_a_click_waits_less_long_than_its_marker_is_kept() -> None:
    in_the_queue, among_the_dead, after_a_redrive = 4, 14, 4
    assert in_the_queue + among_the_dead + after_a_redrive < _declared("markers_kept_days")


def test_the_wish_that_is_fingerprinted_is_all_that_a_client_can_say() -> None:
    assert set(Wish.__dataclass_fields__) == {"url", "alias", "expires_at"}
