"""A log and a place for metrics that tests do not read, unless they ask."""

from __future__ import annotations

import io
from functools import cache

from aws_lambda_powertools.logging import Logger


class Nowhere(io.StringIO):
    """What is written stays here."""


@cache
def quiet_log() -> Logger:
    return Logger(service="tests", stream=Nowhere(), logger_formatter=None)
