"""What an event source mapping says about delivery, with the defaults of its kind of source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FOR_EVER = -1
RETRIES_WITH_A_DESTINATION = 10  # "Using a Kafka topic as an on-failure destination": for want of a limit
KAFKA_WINDOW = 0.5  # "MaximumBatchingWindowInSeconds": the default of MSK and self-managed Kafka


@dataclass(frozen=True)
class Settings:
    """Sizes in records, times in seconds; `retries` and `max_age` are -1 where nothing limits them."""

    batch_size: int = 100
    window: float = 0.0
    retries: int = FOR_EVER
    max_age: float = FOR_EVER
    bisect: bool = False
    partial: bool = False  # ReportBatchItemFailures
    parallel: int = 1
    tumbling: float = 0.0

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Settings:
        """Read from a mapping as `GetEventSourceMapping` shows it."""
        kafka = bool(mapping.get("Topics"))
        retries = int(mapping.get("MaximumRetryAttempts", FOR_EVER))
        if kafka and retries == FOR_EVER and destination_of(mapping):
            retries = RETRIES_WITH_A_DESTINATION
        return cls(
            batch_size=int(mapping.get("BatchSize", 100)),
            window=float(mapping.get("MaximumBatchingWindowInSeconds", KAFKA_WINDOW if kafka else 0)),
            retries=retries,
            max_age=float(mapping.get("MaximumRecordAgeInSeconds", FOR_EVER)),
            bisect=bool(mapping.get("BisectBatchOnFunctionError", False)),
            partial="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
            parallel=int(mapping.get("ParallelizationFactor", 1)),
            tumbling=float(mapping.get("TumblingWindowInSeconds", 0)),
        )


def destination_of(mapping: Mapping[str, Any]) -> str:
    """The on-failure destination's ARN (or `kafka://<topic>`), or nothing."""
    return str(((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or "")
