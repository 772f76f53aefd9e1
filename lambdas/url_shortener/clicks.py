"""The consumer of the click queue: each click is counted once, however often it is delivered.

A message is {"v": 1, "id": request id, "code": str, "at": RFC 3339}. What can't be counted is reported
message by message (`batchItemFailures`), so that the rest of the batch is done with. The batch is grouped
before it is written, which is why this is no processor that is called with one record at a time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdas.shared.observability import count, logger, observed
from lambdas.url_shortener import logic
from lambdas.url_shortener.store import store


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """SQS event source with `ReportBatchItemFailures`."""
    messages = [(record["messageId"], record["body"]) for record in event["Records"]]
    tally = logic.count_clicks(
        messages, datetime.now(UTC), lambda: context.get_remaining_time_in_millis() / 1000, store()
    )
    report(tally)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in tally.failed]}


def report(tally: logic.Tally) -> None:
    """Log and count what became of the batch, with the ids that the redirects were logged under."""
    for (code, day), click_ids in tally.counted.items():
        logger.info("clicks counted", code=code, day=day.isoformat(), request_ids=click_ids)
        count("ClickCounted", len(click_ids))
    for message_id, reason in tally.failed.items():
        logger.warning("click not counted", message_id=message_id, reason=reason)
    count("ClickFailed", len(tally.failed))
    count("ClickDuplicate", tally.duplicates)
