"""The consumer of the push queue: a device that is away hears of a chat once, and not of what it has.

A message is {"v": 1, "user", "device", "chat", "seq", "at"}; it comes after the time of grace. What fails is reported
message by message (`batchItemFailures`): SQS delivers it again, and parks it in the end.
"""

from __future__ import annotations

import time
from typing import Any

from lambdas.messaging_platform.notifications import logic
from lambdas.messaging_platform.notifications.store import store
from lambdas.shared.observability import count, logger, observed

SECONDS_PER_PUSH = 3  # what one may take; one that would not be done in time is left for the next delivery


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """SQS event source with `ReportBatchItemFailures`."""
    failed = [
        record["messageId"]
        for record in event["Records"]
        if not _done(record["messageId"], record["body"], context.get_remaining_time_in_millis() / 1000)
    ]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _done(message_id: str, body: str, seconds_left: float) -> bool:
    """Handle one message; whether it is done with."""
    if seconds_left < SECONDS_PER_PUSH:
        logger.warning("no time is left for a push", message_id=message_id)
        count("PushFailed")
        return False
    try:
        outcome = logic.handle(logic.read(body), int(time.time() * 1000), store())
    except logic.Busy as problem:
        logger.info("a push has to wait", message_id=message_id, reason=str(problem))
        count("PushBusy")
        return False
    except Exception as problem:  # whatever it is, it is this message's alone
        logger.exception("a push failed", message_id=message_id, reason=str(problem))
        count("PushFailed")
        return False
    logger.info("a push is decided", message_id=message_id, outcome=outcome)
    count(f"Push{outcome.capitalize()}")
    return True
