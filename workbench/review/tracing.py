"""Traces that X-Ray records: the first request of each second, and 5 % of the rest.

That is its default sampling: https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html A request
that passes through several services is one trace, so it is counted where it comes in first.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.review.numbers import constant, shown
from workbench.review.room import CostLine, is_declared
from workbench.workload import SECONDS_PER_MONTH, Figure

SAMPLED_SHARE = Decimal("0.05")


def lines(requests: Figure) -> Iterator[CostLine]:
    """The traces of `requests` a month."""
    traces = sampled(requests) if is_declared(requests) else requests
    yield CostLine("Traces recorded (default sampling)", "traces", traces, "xray.traces_recorded")


def sampled(requests: Figure) -> Figure:
    """The most that default sampling can record: it is most when the requests come one by one."""
    first = min(requests.value, SECONDS_PER_MONTH)
    rest = requests.value - first
    seconds_words = f"at most 730 h × 3,600 s = {shown(SECONDS_PER_MONTH)}"
    rule = f"the first request of each second ({seconds_words}) + 5 % of the rest"
    return constant(first + rest * SAMPLED_SHARE, f"{rule}, of {requests.formula}")
