"""What the CDK command line needs of the offline AWS besides: stack events that tell their order by their time.

MiniStack answers `DescribeStackEvents` newest first, as AWS does, but makes a whole stack within a few
milliseconds; the command line sorts events by their timestamp, and shows those of one millisecond backwards:
COMPLETE before IN_PROGRESS, and resources after their stack.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from ministack.services.cloudformation import stacks

RESOLUTION = timedelta(milliseconds=1)  # of the timestamps of events


def extend() -> None:
    """Give each stack event a time of its own."""
    stacks.now_iso = each_later(stacks.now_iso)


def each_later(now: Callable[[], str]) -> Callable[[], str]:
    """A clock whose every answer is later than the one before, by a millisecond at least.

    `now` and the clock answer in AWS's format, `2026-01-31T12:00:00.000Z`.
    """
    lock = threading.Lock()
    last = datetime.fromisoformat("1970-01-01T00:00:00.000Z")

    def clock() -> str:
        nonlocal last
        with lock:
            last = max(datetime.fromisoformat(now()), last + RESOLUTION)
            return last.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return clock
