"""Counting entries by author, from the records of a Kafka topic. Pure but for the store it is given.

A record's value is {"id", "author", "at", "text"}, in JSON. Kafka delivers at least once: an entry is counted
when its id was not counted before. What cannot be read is parked, so that it never holds up its partition.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

LONGEST_KEY = 2048  # bytes; DynamoDB's quota for a partition key


class Store(Protocol):
    """What this needs of the stores."""

    def count(self, entry_id: str, author: str) -> bool: ...
    def park(self, record: Mapping[str, Any], reason: str) -> None: ...


@dataclass
class Tally:
    """What became of a batch: ids counted, repeats, and how many were parked."""

    counted: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    parked: int = 0


class Unreadable(Exception):
    """A record is no entry."""


def records_of(event: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The records of a Lambda event from Kafka, partition by partition, each in its order."""
    for records in event["records"].values():
        yield from records


def count_entries(records: Iterable[Mapping[str, Any]], store: Store) -> Tally:
    """Count each entry of `records` once. What the store raises ends the batch: it is delivered again."""
    tally = Tally()
    for record in records:
        try:
            entry_id, author = read(record)
        except Unreadable as problem:
            store.park(record, str(problem))
            tally.parked += 1
            continue
        (tally.counted if store.count(entry_id, author) else tally.repeated).append(entry_id)
    return tally


def read(record: Mapping[str, Any]) -> tuple[str, str]:
    """The id and the author of an entry. Raises `Unreadable`."""
    try:
        entry = json.loads(base64.b64decode(record["value"], validate=True))
    except (KeyError, TypeError, ValueError, RecursionError) as problem:  # the last: of "[[[[…"
        raise Unreadable(f"its value is not JSON: {problem}") from None
    if not isinstance(entry, dict):
        raise Unreadable("its value is not an object")
    entry_id, author = entry.get("id"), entry.get("author")
    if not isinstance(entry_id, str) or not entry_id or not isinstance(author, str) or not author:
        raise Unreadable("it lacks an id or an author")
    if not all(_is_a_key(each) for each in (entry_id, author)):
        raise Unreadable("its id or its author is nothing that a table takes as a key")
    return entry_id, author


def _is_a_key(text: str) -> bool:
    """Whether DynamoDB takes it: UTF-8 of no more than its quota, which half a surrogate pair is not."""
    try:
        return len(text.encode()) <= LONGEST_KEY
    except UnicodeEncodeError:
        return False
