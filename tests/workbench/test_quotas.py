"""The quota book: dated data, where each comes from, and what to do about it."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from workbench.review import registry
from workbench.review.quotas import QUOTAS, by_size, quotas

pytestmark = pytest.mark.fast

ENTRIES: list[dict[str, Any]] = json.loads(QUOTAS.read_text())["entries"]
ROOMS = Path(registry.__file__).parent
each_quota = pytest.mark.parametrize("key", sorted(quotas()))
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["key"])


@each_quota
def test_every_quota_has_a_page_of_aws_a_day_and_a_grade(key: str) -> None:
    quota = quotas()[key]
    assert quota.value >= 0  # of GPUs a new account has none
    assert quota.name
    assert quota.unit
    assert quota.source.startswith("https://docs.aws.amazon.com/")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", quota.as_of)
    assert quota.grade in {"A", "B", "C", "D"}


@each_entry
def test_what_aws_raises_says_where_to_ask_and_a_hard_limit_what_to_redesign(entry: dict[str, Any]) -> None:
    assert isinstance(entry["adjustable"], bool)
    assert ("raise" in entry) == entry["adjustable"]
    assert ("redesign" in entry) == (not entry["adjustable"])
    assert str(entry.get("raise") or entry.get("redesign")).strip()


@each_entry
def test_an_entry_holds_one_value_or_one_for_each_size(entry: dict[str, Any]) -> None:
    assert ("value" in entry) != ("by" in entry)
    known = {
        "key",
        "name",
        "value",
        "by",
        "unit",
        "adjustable",
        "raise",
        "redesign",
        "note",
        "source",
        "as_of",
        "grade",
    }
    assert set(entry) <= known


def test_a_key_is_there_once() -> None:
    assert [key for key, count in Counter(entry["key"] for entry in ENTRIES).items() if count > 1] == []
    assert len(quotas()) == sum(len(entry.get("by") or [1]) for entry in ENTRIES)


def test_a_code_of_service_quotas_is_written_as_aws_writes_it() -> None:
    for entry in ENTRIES:
        for code in re.findall(r"L-\w+", entry.get("raise", "")):
            assert re.fullmatch(r"L-[0-9A-F]{8}", code), entry["key"]


def test_the_advice_names_the_way_up_or_the_way_round() -> None:
    soft, hard = quotas()["lambda.concurrent_executions"], quotas()["dynamodb.partition_write"]
    assert soft.advice == "raise it: Service Quotas, lambda L-B99A9384; AWS grants tens of thousands"
    assert hard.advice.startswith("redesign: spread the key by a suffix")
    assert (soft.figure.value, soft.figure.formula) == (Decimal(1_000), "1,000 concurrent executions")


def test_a_limit_that_goes_by_size_is_found_by_its_size() -> None:
    assert by_size("rds.iops_by_class")["db.m7g.large"].value == Decimal(3_600)
    assert quotas()["rds.iops_by_class.db.m7g.large"] is by_size("rds.iops_by_class")["db.m7g.large"]
    assert by_size("msk.broker_mb_per_second")["kafka.m7g.large"].value == Decimal("78.75")
    with pytest.raises(KeyError, match=r"nodes\.of_no_size"):
        by_size("nodes.of_no_size")


def test_every_quota_that_a_room_names_is_in_the_book() -> None:
    named = {
        key
        for file in ROOMS.rglob("*.py")
        for key in re.findall(r'(?:against|quota)\(\s*"([a-z0-9]+\.[a-z0-9_]+)"', file.read_text())
    }
    assert named
    assert named - set(quotas()) == set()
