"""How often a schedule fires in a month of 730 hours: `rate(5 minutes)`, `cron(0 8 ? * MON-FRI *)`.

    runs("rate(5 minutes)").value     # Decimal(8760)

The six fields of a cron are minutes, hours, day of the month, month, day of the week (1 is Sunday) and year:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html Days are counted over 28
years, after which the calendar repeats itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from workbench.review.numbers import constant, shown
from workbench.workload import DAYS_PER_MONTH, HOURS_PER_MONTH, Figure

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.+)\)")
_HOURS = {"minute": Decimal(1) / 60, "hour": Decimal(1), "day": Decimal(24)}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_SATURDAY = 7


def runs(expression: str) -> Figure | None:
    """How often `expression` fires a month; None where it doesn't say: a date, a year, or no schedule at all.

    `rate(0 minutes)`, which is how a canary says "once", is zero.
    """
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        every = int(rate[1]) * _HOURS[rate[2]]
        if not every:
            return constant(0, f"{expression}: once")
        return constant(HOURS_PER_MONTH / every, f"{shown(HOURS_PER_MONTH)} h ÷ {expression}")
    cron = _CRON.fullmatch(expression)
    if cron is None:
        return None
    try:
        count = _of_cron(cron[1])
    except ValueError:
        return None
    return constant(count, f"{expression} over {shown(DAYS_PER_MONTH)} days")


@cache
def _of_cron(text: str) -> Decimal:
    """Times a month. Raises `ValueError` for a year, and for what is no cron."""
    minutes, hours, days, months, weekdays, year = text.upper().split()
    if year != "*":
        raise ValueError(text)
    a_day = len(_values(minutes, 0, 59)) * len(_values(hours, 0, 23))
    named = _values(_numbered(months, _MONTHS), 1, 12)
    calendar = list(_calendar())
    matched = sum(
        1
        for day in calendar
        if day.month in named and _is_of_month(day, days) and _is_of_week(day, _numbered(weekdays, _WEEKDAYS))
    )
    return a_day * Decimal(matched) / len(calendar) * DAYS_PER_MONTH


def _calendar() -> Iterator[date]:
    day = date(2001, 1, 1)
    while day.year < 2029:
        yield day
        day += timedelta(days=1)


def _numbered(field: str, names: list[str]) -> str:
    for number, name in enumerate(names, start=1):
        field = field.replace(name, str(number))
    return field


def _values(field: str, least: int, most: int) -> set[int]:
    """The numbers that `1,5-9,*/15` stands for. Raises `ValueError`."""
    found: set[int] = set()
    for part in field.split(","):
        spread, _, step = part.partition("/")
        if spread in ("*", "?"):
            first, last = least, most
        else:
            begin, _, end = spread.partition("-")
            first = int(begin)
            last = int(end) if end else most if step else first
        if not least <= first <= last <= most:
            raise ValueError(field)
        found.update(range(first, last + 1, int(step) if step else 1))
    return found


def _is_of_month(day: date, field: str) -> bool:
    if field == "L":
        return (day + timedelta(days=1)).day == 1
    if field.endswith("W"):
        return day == _nearest_weekday(day, int(field.removesuffix("W")))
    return day.day in _values(field, 1, 31)


def _nearest_weekday(day: date, wanted: int) -> date | None:
    """The Monday to Friday nearest to the day `wanted` of the month, without leaving the month."""
    try:
        asked = day.replace(day=wanted)
    except ValueError:
        return None
    moves = {5: (-1, 2), 6: (1, -2)}.get(asked.weekday(), (0, 0))
    near = asked + timedelta(days=moves[0])
    return near if near.month == asked.month else asked + timedelta(days=moves[1])


def _is_of_week(day: date, field: str) -> bool:
    weekday = day.isoweekday() % 7 + 1
    if "#" in field:
        wanted, count = field.split("#")
        return weekday == int(wanted) and (day.day - 1) // 7 + 1 == int(count)
    if field == "L":
        return weekday == _SATURDAY
    if field.endswith("L"):
        last = (day + timedelta(days=7)).month != day.month
        return weekday == int(field.removesuffix("L")) and last
    return weekday in _values(field, 1, 7)
