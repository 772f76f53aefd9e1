"""Figures: exact, and never without the formula that made them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import Misuse
from workbench.workload import NEVER, Action, Figure, Quantity, Workload, gigabytes, total

pytestmark = pytest.mark.fast

WORKLOAD = Workload(
    actions={"read": Action("4", peak_factor="3"), "write": Action("0.5", peak_factor="2")},
    quantities={
        "bytes": Quantity("2000", "bytes/item"),
        "days": Quantity("10", "days"),
        "share": Quantity("0.25", "of users"),
    },
)


def test_a_month_is_730_hours() -> None:
    monthly = WORKLOAD.at(240).monthly("read")
    assert monthly.value == 240 * 4 * 730 // 24
    assert monthly.formula == "240 users × 4 read/user/day × 30.4167 days"


def test_the_peak_is_the_average_second_times_the_peak_factor() -> None:
    load = WORKLOAD.at(86_400)
    assert load.average("read").value == 4
    assert load.peak("read").value == 12
    assert load.peak("read").formula.endswith("× 3 (peak)")


def test_what_is_stored_is_what_a_day_leaves_times_the_days_it_is_kept() -> None:
    stored = WORKLOAD.at(1_000_000).stored_gb("write", "bytes", "days")
    assert stored.value == Decimal(500_000 * 10 * 2000) / 10**9
    assert stored.formula == "1,000,000 users × 0.5 write/user/day × 10 days × 2,000 bytes/item ÷ 10⁹"


def test_gigabytes_are_of_ten_to_the_nine() -> None:
    assert gigabytes(Figure(Decimal(10**6), "a"), Figure(Decimal(1000), "b")).value == 1


def test_people_are_the_users_who_do_it_at_all() -> None:
    assert WORKLOAD.at(1_000).people("share").value == 250


def test_a_rate_keeps_month_and_peak_together() -> None:
    rate = WORKLOAD.at(86_400).rate("read", "write") * 2 / Decimal(4)
    assert rate.peak_per_second.value == Decimal("6.5")
    assert rate.per_month.value == Decimal(86_400 * 4.5) * 730 / 24 / 2
    assert (rate + NEVER).peak_per_second.value == rate.peak_per_second.value


def test_a_sum_is_put_in_brackets_before_it_is_multiplied() -> None:
    one, two = Figure(Decimal(1), "a"), Figure(Decimal(2), "b")
    assert ((one + two) * two).formula == "(a + b) × b"
    assert (one / (one * two)).formula == "a ÷ (a × b)"
    assert total(one, two, two).value == 5


@pytest.mark.parametrize("users", [0, -1])
def test_nobody_is_no_size(users: int) -> None:
    with pytest.raises(Misuse, match="at least 1"):
        WORKLOAD.at(users)


@given(st.integers(1, 10**9), st.integers(2, 1000))
def test_traffic_grows_in_proportion_to_the_users(users: int, times: int) -> None:
    small, large = WORKLOAD.at(users).monthly("read").value, WORKLOAD.at(users * times).monthly("read").value
    assert abs(large - small * times) <= large * Decimal("1e-11")


def test_a_figure_may_be_larger_than_anything_there_is() -> None:
    assert (Figure(Decimal(10) ** 18, "a") * (Decimal(10) ** 18)).value == Decimal(10) ** 36
    assert str((Figure(Decimal("1.50"), "a") * 2).value) == "3"
    assert str((Figure(Decimal("1000"), "a") * 3).value) == "3000"
