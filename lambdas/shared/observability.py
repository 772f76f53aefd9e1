"""The log and the metrics of every handler: one logger, one set of metrics, one decorator.

The log is JSON, one line an entry, with the service (`POWERTOOLS_SERVICE_NAME`) and the request's id.
Metrics are log lines too (CloudWatch's embedded metric format): counting never calls an API.

Tracing is left to Lambda's own active tracing, which records each invocation without the X-Ray SDK: importing
the SDK costs more than everything else in a handler together, on every cold start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

NAMESPACE = "SystemDesignBlueprints"

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def count(name: str, times: int = 1) -> None:
    """Add to one of the metrics that this invocation reports."""
    if times:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=times)


def request_id_of(event: dict[str, Any]) -> str:
    """API Gateway's id of the request: the thread that ties the log lines of every function together."""
    return str(event["requestContext"]["requestId"])


def observed(handler: Handler) -> Handler:
    """Give every log line of the invocation its ids, and report what it counted, also when it fails."""

    @wraps(handler)
    def wrapper(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.clear_state()
        logger.append_keys(function_request_id=context.aws_request_id)
        if "requestContext" in event:
            logger.set_correlation_id(request_id_of(event))
        try:
            return handler(event, context)
        except Exception:
            logger.exception("unexpected failure")
            raise
        finally:
            # Reporting an empty set is a warning of Powertools', and not every request counts something.
            if metrics.metric_set:
                metrics.add_metadata(key="correlation_id", value=logger.get_correlation_id())
                metrics.flush_metrics()

    return wrapper
