"""Schedules of EventBridge Scheduler: each sends in the name of its target's role, and only what that role may.

A call that is refused is dropped, and never made again. What is not as on AWS: nothing goes to a schedule's own
dead-letter queue, and that the role trusts the scheduler is not asked for.

Sources: "Using templated targets in EventBridge Scheduler" and "Setting up Amazon EventBridge Scheduler", EventBridge
Scheduler User Guide.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import eventbridge, scheduler

from workbench.offline.identity import role_may
from workbench.offline.surroundings import LOOPBACK

SESSION = "scheduler"
# What a target is called with, by the service of its ARN: the templated targets that are made here.
ASKED_FOR = {
    "events": "events:PutEvents",
    "kinesis": "kinesis:PutRecord",
    "lambda": "lambda:InvokeFunction",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}
_LOOK_EVERY = 1.0  # seconds; on AWS, a schedule is up to a minute late

_log = logging.getLogger("schedules")


def extend() -> None:
    """Ask before a schedule's target is called; what a rule's target is called with stays as it is."""
    scheduler._SCHEDULE_TICK_INTERVAL = _LOOK_EVERY
    invoke = eventbridge._invoke_target

    def invoke_if_the_role_may(
        target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], *rest: Any, **more: Any
    ) -> None:
        if _service_of(rule.get("Arn", "")) == "scheduler" and not _may_send(target):
            _log.warning("%s: its role may not call %s; nothing is sent", rule["Arn"], target["Arn"])
            return
        invoke(target, event, rule, *rest, **more)

    eventbridge._invoke_target = invoke_if_the_role_may


def _may_send(target: Mapping[str, Any]) -> bool:
    """Whether the target's role may call it; also where MiniStack cannot call it, and says so."""
    action = ASKED_FOR.get(_service_of(target["Arn"]))
    if action is None:
        return True
    # There is no request here that would say so; AWS calls by TLS, and queues may insist on it.
    iam_evaluator.pin_request_origin(LOOPBACK, True)
    return role_may(target.get("RoleArn", ""), SESSION, action, target["Arn"], get_region())


def _service_of(arn: str) -> str:
    """The service that an ARN names; empty where it is none."""
    return "".join(arn.split(":")[2:3])
