"""What a mapping may say, by the kind of its source, in AWS's words.

Ranges and which parameter belongs to which source: "CreateEventSourceMapping" of the Lambda API reference.
That Kafka's error handling needs provisioned mode: "Configuring error handling controls for Kafka event
sources". That its filters see the `value` only: "Filtering events from Amazon MSK and self-managed Apache
Kafka event sources". Both of the Lambda developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from workbench.offline.event_sources.settings import destination_of

Kind = Literal["kinesis", "dynamodb", "kafka", "sqs"]
Refusal = tuple[str, str]  # the error's code and its text

_RANGES: dict[str, tuple[int, int]] = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "MaximumRetryAttempts": (-1, 10_000),
    "ParallelizationFactor": (1, 10),
    "TumblingWindowInSeconds": (0, 900),
}
_YOUNGEST_LIMIT = 60  # seconds; MaximumRecordAgeInSeconds is -1 or at least this
_ERROR_HANDLING = ("BisectBatchOnFunctionError", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts")
_STREAMS_ONLY = ("ParallelizationFactor", "TumblingWindowInSeconds")
_NOT_FOR: dict[Kind, tuple[str, ...]] = {
    "kinesis": ("Topics", "ScalingConfig", "ProvisionedPollerConfig"),
    "dynamodb": ("Topics", "ScalingConfig", "ProvisionedPollerConfig"),
    "kafka": (*_STREAMS_ONLY, "ScalingConfig"),
    "sqs": (*_STREAMS_ONLY, *_ERROR_HANDLING, "Topics", "StartingPosition", "DestinationConfig"),
}
_POSITIONS: dict[Kind, tuple[str, ...]] = {
    "kinesis": ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"),
    "dynamodb": ("TRIM_HORIZON", "LATEST"),
    "kafka": ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"),
}


def refusal(kind: Kind, request: Mapping[str, Any], *, creating: bool) -> Refusal | None:
    """Why Lambda would not take this request (on an update: with what the mapping said before), or None."""
    for name in _NOT_FOR[kind]:
        if request.get(name):
            return _invalid(f"Unsupported {name} parameter for given event source mapping type.")
    return (
        _out_of_range(request)
        or _wrong_filter(kind, request)
        or _wrong_destination(kind, request)
        or (_wrong_for_kafka(request) if kind == "kafka" else None)
        or (_wrong_position(kind, request) if creating and kind != "sqs" else None)
    )


def _out_of_range(request: Mapping[str, Any]) -> Refusal | None:
    for name, (lowest, highest) in _RANGES.items():
        value = request.get(name)
        if value is None:
            continue
        if int(value) < lowest:
            return _constraint(value, name, f"have value greater than or equal to {lowest}")
        if int(value) > highest:
            return _constraint(value, name, f"have value less than or equal to {highest}")
    if -1 < int(request.get("MaximumRecordAgeInSeconds") or -1) < _YOUNGEST_LIMIT:
        return _invalid("MaximumRecordAgeInSeconds must be -1 or between 60 and 604800.")
    return None


def _wrong_filter(kind: Kind, request: Mapping[str, Any]) -> Refusal | None:
    for each in (request.get("FilterCriteria") or {}).get("Filters") or ():
        try:
            pattern = json.loads(each.get("Pattern") or "null")
        except ValueError:
            pattern = None
        if not isinstance(pattern, dict):
            return _invalid("Invalid filter pattern definition.")
        if kind == "kafka" and set(pattern) != {"value"}:
            return _invalid(
                "Invalid filter pattern definition. Kafka's records are filtered by `value` alone."
            )
    return None


def _wrong_destination(kind: Kind, request: Mapping[str, Any]) -> Refusal | None:
    destination = destination_of(request)
    if destination.startswith("kafka://"):
        if kind != "kafka":
            return _invalid("A Kafka topic is an on-failure destination of Kafka event source mappings only.")
        if destination.removeprefix("kafka://") in (request.get("Topics") or ()):
            return _invalid("The source topic cannot be its own on-failure destination.")
    elif destination and destination.split(":")[2:3] not in (["sqs"], ["sns"], ["s3"]):
        return _invalid(f"The destination ARN {destination} is invalid.")
    return None


def _wrong_for_kafka(request: Mapping[str, Any]) -> Refusal | None:
    if len(request.get("Topics") or ()) != 1:
        return _invalid("Exactly one topic is required for a Kafka event source mapping.")
    if not request.get("ProvisionedPollerConfig"):
        for name in _ERROR_HANDLING:
            if request.get(name) not in (None, False, -1):
                return _invalid(f"{name} is supported in provisioned mode only: set ProvisionedPollerConfig.")
        if request.get("FunctionResponseTypes"):
            return _invalid(
                "FunctionResponseTypes is supported in provisioned mode only: set ProvisionedPollerConfig."
            )
    return None


def _wrong_position(kind: Kind, request: Mapping[str, Any]) -> Refusal | None:
    position = request.get("StartingPosition")
    if not position:
        return _constraint("null", "startingPosition", "not be null")
    if position not in _POSITIONS[kind]:
        return _invalid(f"Unsupported starting position for {kind} event source: {position}.")
    if (position == "AT_TIMESTAMP") != (request.get("StartingPositionTimestamp") is not None):
        return _invalid(
            "StartingPositionTimestamp goes with the starting position AT_TIMESTAMP, and with no other."
        )
    return None


def _constraint(value: object, name: str, rule: str) -> Refusal:
    member = name[0].lower() + name[1:]
    return (
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must {rule}",
    )


def _invalid(text: str) -> Refusal:
    return "InvalidParameterValueException", text
