"""What the schedulers of instances, auto-scaling groups and ECS services have in common.

They look four times a second, and wait as long as a person would: on AWS, it takes them minutes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from ministack.core.responses import request_scope

from workbench.offline.parts import load_balancers

STEADY_WITHIN = 60.0
REPLACED_AFTER = 2.0
NO_SUBNET = "172.31.0.0/16"  # the addresses of a default VPC
_LOOK_EVERY = 0.25

_log = logging.getLogger("programs")


def look_after(kept: Any, keep: Callable[[dict[str, Any]], None], name: str) -> None:
    """Do what a scheduler does all the time: `keep` each of the records that MiniStack has `kept`."""

    def for_ever() -> None:
        while True:
            for (account, region, called), each in kept.all_items():
                with request_scope(account, region):
                    try:
                        keep(each)
                    except Exception as problem:  # the next one, and the next look, may do better
                        _log.warning("%s: %s", called, problem)
            time.sleep(_LOOK_EVERY)

    threading.Thread(target=for_ever, daemon=True, name=name).start()


def wait_for(happened: Callable[[], bool], what: str, why: Callable[[], str] = lambda: "") -> None:
    until = time.monotonic() + STEADY_WITHIN
    while not happened():
        if time.monotonic() >= until:
            raise ValueError(f"waited {STEADY_WITHIN:.0f} s for {what}: {why()}".removesuffix(": "))
        time.sleep(0.05)


def target_is_unhealthy(target_groups: Iterable[str], target: str) -> bool:
    healths = (load_balancers.health_of(arn, target) for arn in target_groups)
    return any(health is not None and health.state == "unhealthy" for health in healths)


def has_been_unhealthy(record: dict[str, Any], healthy: bool) -> bool:
    """Whether it is for so long that it is to be replaced; remembers since when in the record."""
    if healthy:
        record.pop("_unhealthy_since", None)
        return False
    return time.monotonic() - float(record.setdefault("_unhealthy_since", time.monotonic())) >= REPLACED_AFTER
