"""Invoking the function of a mapping as MiniStack's own pollers do: the same workers, logs and role."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from workbench.offline.event_sources.responses import NOT_REACHED, Reply

log = logging.getLogger("event_sources")


def configuration_of(mapping: Mapping[str, Any]) -> dict[str, Any] | None:
    """The configuration of the mapping's function, at its version or alias; None when it is gone."""
    found: dict[str, Any] | None
    _, found = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    return found


def invoke(mapping: Mapping[str, Any], event: dict[str, Any]) -> Reply:
    """The function's answer to `event`. Throttled, paused or gone, or where MiniStack erred, it was not reached."""
    function, configuration = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    if function is None:
        return NOT_REACHED
    try:
        result = lambda_svc._execute_function(function, event)
    except Exception:
        log.exception("event source mapping %s: %s was not invoked", mapping["UUID"], mapping["FunctionName"])
        return NOT_REACHED
    if result.get("throttle"):
        return NOT_REACHED
    if result.get("error"):
        log.warning(
            "event source mapping %s: %s failed: %s\n%s",
            mapping["UUID"],
            mapping["FunctionName"],
            result.get("body"),
            result.get("log", ""),
        )
    version = str(configuration.get("Version", "$LATEST"))
    return Reply(body=result.get("body"), failed=bool(result.get("error")), version=version)


def record_metric(mapping: Mapping[str, Any], metric: str, value: float, unit: str) -> None:
    """Put a metric of the function into CloudWatch: "IteratorAge" in milliseconds, "OffsetLag" as a count."""
    cloudwatch.record_metric("AWS/Lambda", metric, value, unit, {"FunctionName": mapping["FunctionName"]})
