"""Which AWS calls a fault strikes, and what a service answers to a call that it throttles or fails.

Pure; `parts/faults.py` puts these rules in front of the offline AWS's API.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from workbench.offline.standing import Fault

Effect = Literal["slow", "throttled", "failing", "reply_lost", "killed", "frozen"]


@dataclass(frozen=True)
class Call:
    """An AWS call: the ARN of the session that signed it, and IAM's names of service and action."""

    caller: str
    service: str
    action: str


@dataclass(frozen=True)
class Answer:
    """An error as a service gives it."""

    status: int
    code: str
    message: str


@dataclass(kw_only=True)
class Rule(Fault):
    """A fault that strikes calls whose caller's ARN `caller` finds, of `service` and `action` (None: of any).

    Of these it strikes the `after`-th alone, or the `first` ones, or else a `share` of them (0 to 1), chosen by
    `seed`: the same calls in the same order are struck alike in every run. `seconds` is how slow, `status`
    how a failing service answers. `processes` finds the caller's processes by the port of its connection.
    """

    effect: Effect
    caller: re.Pattern[str]
    service: str | None = None
    action: str | None = None
    share: float = 1.0
    first: int | None = None
    after: int | None = None
    seed: int = 1
    seconds: float = 0.0
    status: int = 500
    processes: Callable[[int], list[int]] | None = None
    frozen: list[int] = field(default_factory=list)  # what it has frozen, to let it go on
    seen: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 (chosen to be repeatable, not to be secret)

    def strikes(self, call: Call) -> bool:
        """Whether the call is struck; asked once for each call, because it counts them."""
        if not self.caller.search(call.caller):
            return False
        if self.service not in (None, call.service) or self.action not in (None, call.action):
            return False
        self.seen += 1
        if self.after is not None:
            return self.seen == self.after
        if self.first is not None:
            return self.seen <= self.first
        return self._chance.random() < self.share


_TOO_FAST = "Rate exceeded"
_THROUGHPUT = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
_THROTTLED = {
    "dynamodb": Answer(400, "ProvisionedThroughputExceededException", _THROUGHPUT),
    "execute-api": Answer(429, "LimitExceededException", "Limit exceeded"),
    "kinesis": Answer(400, "ProvisionedThroughputExceededException", "Rate exceeded for shard."),
    "lambda": Answer(429, "TooManyRequestsException", "Rate Exceeded."),
    "s3": Answer(503, "SlowDown", "Please reduce your request rate."),
    "sqs": Answer(400, "RequestThrottled", "The request was denied due to request throttling."),
}
_FAILED = {
    "dynamodb": "InternalServerError",
    "lambda": "ServiceException",
    "s3": "InternalError",
}


def throttled(service: str) -> Answer:
    """What the service answers to a call too many.

    The codes are those of the service's API reference ("Error Handling with DynamoDB", "Amazon S3 Error
    Responses", "SendMessage", "Invoke", "PutRecord", "PostToConnection"), elsewhere that of "Common Error Types".
    """
    return _THROTTLED.get(service) or Answer(400, "ThrottlingException", _TOO_FAST)


def failed(service: str, status: int) -> Answer:
    """What the service answers when it fails by itself, with a status from 500 on."""
    if status == 503:
        return Answer(503, "ServiceUnavailable", "The service is temporarily unavailable.")
    return Answer(status, _FAILED.get(service, "InternalFailure"), "An internal error occurred.")
