"""What a schedule does every minute: apply the changes that a crash left in the outbox, and drop old keys."""

from __future__ import annotations

from typing import Any

from lambdas.messaging_platform.directory import logic
from lambdas.messaging_platform.directory.projection import directory
from lambdas.messaging_platform.directory.store import store
from lambdas.shared.observability import count, logger, observed


@observed
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """EventBridge, whatever the event says."""
    swept = logic.sweep(directory(), lambda: context.get_remaining_time_in_millis() / 1000)
    for (aggregate, version), reason in swept.failed.items():
        logger.warning("change not applied", aggregate=aggregate, version=version, reason=reason)
    store().forget_keys()
    oldest = store().oldest_pending_s()
    logger.info("swept", applied=swept.applied, failed=len(swept.failed), oldest_pending_s=oldest)
    count("ChangeSwept", swept.applied)
    count("ChangeNotApplied", len(swept.failed))
    return {"applied": swept.applied, "failed": len(swept.failed)}
