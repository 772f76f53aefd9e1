"""Queueing: Erlang's formulas worked out by hand, against the sums that define them, and at their ends."""

from __future__ import annotations

from decimal import Decimal
from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.review.queueing import P99, Queue, erlang_b, erlang_c, little
from workbench.workload import Figure

pytestmark = pytest.mark.fast

NEAR = Decimal("1e-18")

small_numbers = st.integers(min_value=1, max_value=60)
loads = st.decimals(min_value="0.001", max_value="0.999", places=3)


def queue(arrivals: str, service: str, servers: int) -> Queue:
    return Queue(Decimal(arrivals), Decimal(service), servers)


def by_definition(servers: int, offered: Decimal) -> Decimal:
    """Erlang B as the sum that defines it."""
    terms = [offered**k / factorial(k) for k in range(servers + 1)]
    return terms[-1] / sum(terms)


def by_recursion(servers: int, offered: Decimal) -> Decimal:
    """Erlang B as B(k) = a·B(k−1) ÷ (k + a·B(k−1)), from B(0) = 1."""
    blocked = Decimal(1)
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked


def test_two_servers_that_are_half_busy_by_hand() -> None:
    # a = 5/s × 0.2 s = 1 erlang on c = 2: B = ½ ÷ (1 + 1 + ½) = 1/5, C = 1/5 ÷ (1 − ½ × 4/5) = 1/3,
    # and the wait is 1/3 ÷ (2 ÷ 0.2 − 5) = 1/15 s.
    half = queue("5", "0.2", 2)
    assert half.utilisation == Decimal("0.5")
    assert half.chance_to_be_refused == Decimal("0.2")
    assert abs(half.chance_to_wait - Decimal(1) / 3) < NEAR
    assert half.mean_wait is not None
    assert abs(half.mean_wait - Decimal(1) / 15) < NEAR
    assert half.is_stable
    assert half.growth == 0


def test_three_servers_by_hand() -> None:
    # a = 2 on c = 3: B = 8/6 ÷ (1 + 2 + 2 + 8/6) = 4/19, C = 4/19 ÷ (1 − 2/3 × 15/19) = 4/9.
    assert abs(erlang_b(3, Decimal(2)) - Decimal(4) / 19) < NEAR
    assert abs(erlang_c(3, Decimal(2)) - Decimal(4) / 9) < NEAR


@given(servers=small_numbers, rho=loads)
def test_erlang_b_is_the_sum_that_defines_it(servers: int, rho: Decimal) -> None:
    offered = rho * servers
    assert abs(erlang_b(servers, offered) - by_definition(servers, offered)) < NEAR
    assert abs(erlang_b(servers, offered) - by_recursion(servers, offered)) < NEAR


@given(servers=st.integers(min_value=1, max_value=3_000), rho=st.decimals("0.5", "1.5", places=3))
def test_erlang_b_agrees_with_the_recursion_over_thousands_of_servers(servers: int, rho: Decimal) -> None:
    offered = rho * servers
    assert abs(erlang_b(servers, offered) - by_recursion(servers, offered)) < NEAR


@pytest.mark.parametrize("rho", ["0.5", "0.9", "0.99", "0.999", "1.01"])
def test_a_hundred_thousand_servers_are_as_the_recursion_says(rho: str) -> None:
    offered = Decimal(rho) * 100_000
    assert abs(erlang_b(100_000, offered) - by_recursion(100_000, offered)) < NEAR


@given(rho=loads, service=st.decimals("0.001", "100", places=3))
def test_one_server_is_m_m_1(rho: Decimal, service: Decimal) -> None:
    # A wait has the chance ρ, is ρ·s ÷ (1 − ρ) on average, and P(W > t) = ρ·e^(−(1 − ρ)·t/s).
    one = Queue(rho / service, service, 1)
    assert abs(one.chance_to_wait - rho) < NEAR
    assert one.mean_wait is not None
    assert abs(one.mean_wait - rho * service / (1 - rho)) <= NEAR * (1 + one.mean_wait)
    longest = one.wait(P99)
    assert longest is not None
    late = float(rho) * exp(-float((1 - rho) * longest / service))
    assert late == pytest.approx(0.01) if rho > Decimal("0.01") else longest == 0


@given(servers=small_numbers, rho=loads, part=st.decimals("0.5", "0.999", places=3))
def test_a_quantile_is_where_the_tail_of_the_wait_ends(servers: int, rho: Decimal, part: Decimal) -> None:
    many = Queue(rho * servers, Decimal(1), servers)
    longest = many.wait(part)
    assert longest is not None
    beyond = many.chance_to_wait * (-(servers - rho * servers) * longest).exp()
    assert beyond <= 1 - part + NEAR
    assert longest == 0 or abs(beyond - (1 - part)) < NEAR


@given(servers=small_numbers, rho=loads, more=loads)
def test_more_work_waits_longer_and_more_servers_wait_less(servers: int, rho: Decimal, more: Decimal) -> None:
    less, busier = sorted((rho, more))
    calm, busy = Queue(less * servers, Decimal(1), servers), Queue(busier * servers, Decimal(1), servers)
    helped = Queue(busier * servers, Decimal(1), servers + 1)
    for each in ("chance_to_wait", "chance_to_be_refused", "mean_wait", "utilisation"):
        assert getattr(calm, each) <= getattr(busy, each) + NEAR
        assert getattr(helped, each) <= getattr(busy, each) + NEAR
    assert (calm.wait(P99) or 0) <= (busy.wait(P99) or 0) + NEAR


@given(servers=small_numbers)
def test_with_next_to_nothing_to_do_nobody_waits(servers: int) -> None:
    idle = Queue(Decimal("1e-12"), Decimal(1), servers)
    assert idle.chance_to_wait < Decimal("1e-11")
    assert idle.wait(P99) == 0
    assert Queue(Decimal(0), Decimal(1), servers).mean_wait == 0


@given(servers=small_numbers, rho=loads)
def test_who_waits_is_between_who_is_refused_and_everybody(servers: int, rho: Decimal) -> None:
    offered = rho * servers
    assert 0 <= erlang_b(servers, offered) <= erlang_c(servers, offered) < 1


@pytest.mark.parametrize(("arrivals", "growth"), [("10", "0"), ("12", "2")])
def test_what_the_servers_cannot_do_grows_without_end(arrivals: str, growth: str) -> None:
    # 2 servers of 0.2 s each do 10 a second.
    over = queue(arrivals, "0.2", 2)
    assert not over.is_stable
    assert (over.mean_wait, over.wait(P99)) == (None, None)
    assert over.chance_to_wait == 1
    assert over.growth == Decimal(growth)


def test_what_is_refused_needs_no_queue_to_be_stable() -> None:
    # a = 4 on c = 2: 8 ÷ (1 + 4 + 8) of the calls find both busy.
    assert abs(queue("20", "0.2", 2).chance_to_be_refused - Decimal(8) / 13) < NEAR


def test_no_server_serves_nobody() -> None:
    assert erlang_b(0, Decimal(1)) == 1
    assert erlang_b(0, Decimal(0)) == 1
    assert erlang_c(0, Decimal(0)) == 1


def test_littles_law_keeps_its_formula() -> None:
    held = little(Figure(Decimal(50), "50 connections/s"), Figure(Decimal(600), "600 s"))
    assert held == Figure(Decimal(30_000), "50 connections/s × 600 s")
