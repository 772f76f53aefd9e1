"""The consumer of the topic: how many entries each author has written, each counted once."""

from __future__ import annotations

from typing import Any

from lambdas.aws_foundations import logic
from lambdas.aws_foundations.store import store
from lambdas.shared.observability import count, logger, observed


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """MSK event source. An exception has the whole batch delivered again; what was counted stays counted."""
    tally = logic.count_entries(logic.records_of(event), store())
    logger.info("entries counted", entry_ids=tally.counted, repeated=tally.repeated, parked=tally.parked)
    count("EntryCounted", len(tally.counted))
    count("EntryRepeated", len(tally.repeated))
    count("EntryParked", tally.parked)
    return {}
