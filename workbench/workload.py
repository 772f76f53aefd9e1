"""What a system is asked to do, declared as data, and every figure derived from it with its formula.

    WORKLOAD = Workload(
        actions={"redirect": Action(per_user_per_day="5", peak_factor="4")},
        quantities={"click_bytes": Quantity("350", "bytes/click")},
    )
    load = WORKLOAD.at(1_000)
    load.monthly("redirect").value    # Decimal("152083.333333")
    load.monthly("redirect").formula  # "1,000 users × 5 redirect/user/day × 30.4167 days"

A month is 730 hours, as in the bill. Gigabytes are 10⁹ bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal

from workbench.errors import Misuse

HOURS_PER_MONTH = Decimal(730)
DAYS_PER_MONTH = HOURS_PER_MONTH / 24
SECONDS_PER_DAY = Decimal(86_400)
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3_600
BYTES_PER_GB = Decimal(10) ** 9

_TWELVE_DIGITS = Context(prec=12)


def _tidy(value: Decimal) -> Decimal:
    """`value` to twelve significant digits, without an exponent or trailing zeros."""
    return Decimal(f"{_TWELVE_DIGITS.plus(value).normalize():f}")


def _shown(value: Decimal) -> str:
    digits = Context(prec=6).plus(value).normalize()
    return f"{digits:,f}"


@dataclass(frozen=True)
class Figure:
    """A number, and how it was made.

    `value` is exact to twelve digits; `formula` names every input with its unit. Arithmetic between figures
    keeps the formula: `a * b`, `a + b`, `a / b`. A plain number takes part as itself.
    """

    value: Decimal
    formula: str

    def __mul__(self, other: Figure | Decimal | int | str) -> Figure:
        right = _figure(other)
        return Figure(_tidy(self.value * right.value), f"{_factor(self.formula)} × {_factor(right.formula)}")

    def __truediv__(self, other: Figure | Decimal | int | str) -> Figure:
        right = _figure(other)
        return Figure(_tidy(self.value / right.value), f"{_factor(self.formula)} ÷ {_divisor(right.formula)}")

    def __add__(self, other: Figure | Decimal | int | str) -> Figure:
        right = _figure(other)
        return Figure(_tidy(self.value + right.value), f"{self.formula} + {right.formula}")

    def __float__(self) -> float:
        return float(self.value)


def _figure(value: Figure | Decimal | int | str) -> Figure:
    if isinstance(value, Figure):
        return value
    number = Decimal(value)
    return Figure(_tidy(number), _shown(number))


def _factor(formula: str) -> str:
    return f"({formula})" if " + " in formula else formula


def _divisor(formula: str) -> str:
    return f"({formula})" if any(sign in formula for sign in (" + ", " × ", " ÷ ")) else formula


def total(*figures: Figure) -> Figure:
    """The sum of `figures`; at least one."""
    first, *rest = figures
    for figure in rest:
        first = first + figure
    return first


def gigabytes(count: Figure, bytes_each: Figure) -> Figure:
    """`count` things of `bytes_each`, in gigabytes of 10⁹ bytes."""
    size = _tidy(count.value * bytes_each.value / BYTES_PER_GB)
    return Figure(size, f"{_factor(count.formula)} × {_factor(bytes_each.formula)} ÷ 10⁹")


@dataclass(frozen=True)
class Rate:
    """How often something happens: `per_month`, and `peak_per_second` in the busiest second.

    Arithmetic applies to both: `load.rate("redirect") * load.quantity("reads_each")`.
    """

    per_month: Figure
    peak_per_second: Figure

    def __mul__(self, other: Figure | Decimal | int | str) -> Rate:
        return Rate(self.per_month * other, self.peak_per_second * other)

    def __truediv__(self, other: Figure | Decimal | int | str) -> Rate:
        return Rate(self.per_month / other, self.peak_per_second / other)

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.per_month + other.per_month, self.peak_per_second + other.peak_per_second)


NEVER = Rate(Figure(Decimal(0), "never"), Figure(Decimal(0), "never"))


@dataclass(frozen=True)
class Action:
    """Something users do. Rates are per user of the whole population, not per active user.

    `peak_factor` is the busiest second's rate over the average rate.
    """

    per_user_per_day: str
    peak_factor: str
    why: str = ""


@dataclass(frozen=True)
class Quantity:
    """A measured or chosen number about the work: bytes, milliseconds, days, a ratio."""

    value: str
    unit: str
    why: str = ""


@dataclass(frozen=True)
class Workload:
    """Who does what how often: data, no code. `at(users)` derives the load."""

    actions: Mapping[str, Action]
    quantities: Mapping[str, Quantity] = field(default_factory=dict)

    def at(self, users: int) -> Load:
        """The load that `users` people make.

        Raises `Misuse` for fewer than one user.
        """
        if users < 1:
            raise Misuse(f"a size is a number of users, at least 1; got {users}")
        return Load(self, users)


@dataclass(frozen=True)
class Load:
    """A workload at one size. Every method returns a `Figure`."""

    workload: Workload
    users: int

    def quantity(self, name: str) -> Figure:
        """The declared quantity `name`, in its declared unit."""
        declared = self.workload.quantities[name]
        return Figure(_tidy(Decimal(declared.value)), f"{_shown(Decimal(declared.value))} {declared.unit}")

    def daily(self, action: str) -> Figure:
        """`action` a day, over all users."""
        rate = Decimal(self.workload.actions[action].per_user_per_day)
        return Figure(_tidy(rate * self.users), f"{self.users:,} users × {_shown(rate)} {action}/user/day")

    def monthly(self, action: str) -> Figure:
        """`action` a month of 730 hours."""
        daily = self.daily(action)
        return Figure(_tidy(daily.value * DAYS_PER_MONTH), f"{daily.formula} × {_shown(DAYS_PER_MONTH)} days")

    def average(self, action: str) -> Figure:
        """`action` a second, averaged over a day."""
        daily = self.daily(action)
        return Figure(_tidy(daily.value / SECONDS_PER_DAY), f"{daily.formula} ÷ 86,400 s")

    def peak(self, action: str) -> Figure:
        """`action` a second in the busiest second."""
        factor = Decimal(self.workload.actions[action].peak_factor)
        average = self.average(action)
        return Figure(_tidy(average.value * factor), f"{average.formula} × {_shown(factor)} (peak)")

    def requests(self) -> Figure:
        """All that users do in a month."""
        return total(*map(self.monthly, self.workload.actions))

    def rate(self, *actions: str) -> Rate:
        """How often any of `actions` happens; their peaks are taken to fall together."""
        return Rate(total(*map(self.monthly, actions)), total(*map(self.peak, actions)))

    def stored_gb(self, action: str, bytes_each: str, kept_days: str) -> Figure:
        """Gigabytes held in the steady state, when each `action` leaves `bytes_each` for `kept_days`."""
        days = self.quantity(kept_days)
        held = self.daily(action) * days
        return gigabytes(held, self.quantity(bytes_each))

    def people(self, share: str) -> Figure:
        """Users times the quantity `share`, for those who do something at all in a month."""
        return Figure(Decimal(self.users), f"{self.users:,} users") * self.quantity(share)
