"""The sizes of a bill: where ways cross, and how the curve is drawn."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import plots
from workbench.review.curve import cheapest, crossings

pytestmark = pytest.mark.fast

Cost = Callable[[int], Decimal]


def line(fixed: int, each: str) -> Cost:
    """`fixed` dollars and `each` for a user."""
    return lambda users: fixed + Decimal(each) * users


BY_USE, BY_EXISTING = line(0, "0.01"), line(300, "0.001")  # cross at 300 ÷ 0.009 = 33,333 users


def test_the_crossing_is_where_the_other_becomes_cheaper() -> None:
    ways = {"by_use": BY_USE, "by_existing": BY_EXISTING}
    [found] = crossings(ways, fewest=1_000, most=10**7)
    assert (found.before, found.then) == ("by_use", "by_existing")
    assert 33_333 < found.users <= 33_333 * 1.011
    assert cheapest(ways, found.users) == "by_existing"


def test_of_equals_the_first_is_the_cheapest_and_nothing_crosses() -> None:
    assert cheapest({"one": BY_USE, "other": BY_USE}, 10) == "one"
    assert crossings({"one": BY_USE, "other": BY_USE}, fewest=1, most=10**6) == []
    assert crossings({"low": line(1, "0.1"), "high": line(2, "0.1")}, fewest=1, most=10**6) == []


def test_three_ways_may_cross_twice() -> None:
    ways = {"use": BY_USE, "exist": BY_EXISTING, "own": line(3_000, "0.0001")}
    found = crossings(ways, fewest=1_000, most=10**8)
    assert [(each.before, each.then) for each in found] == [("use", "exist"), ("exist", "own")]
    assert 3_000_000 < found[1].users <= 3_030_300  # 2,700 ÷ 0.0009


def test_a_way_that_is_cheapest_only_at_a_size_that_was_asked_for_is_found() -> None:
    def between(users: int) -> Decimal:
        return Decimal(1) if 20_000 < users < 40_000 else Decimal(100)

    ways = {"always": line(50, "0"), "between": between}
    assert crossings(ways, fewest=1_000, most=10**6) == []
    found = crossings(ways, fewest=1_000, most=10**6, also=[30_000])
    assert [(each.before, each.then) for each in found] == [("always", "between"), ("between", "always")]
    assert 20_000 < found[0].users <= 20_202
    assert 40_000 <= found[1].users <= 40_404


@given(fixed=st.integers(1, 10**6), each=st.decimals("0.0001", "1", places=4))
def test_a_crossing_is_exact_to_one_percent(fixed: int, each: Decimal) -> None:
    users = fixed / each
    found = crossings({"use": line(0, str(each)), "exist": line(fixed, "0")}, fewest=1, most=10**11)
    assert len(found) == (users >= 1)
    for crossing in found:
        assert users < crossing.users <= max(users * Decimal("1.0102"), users + 1)


CURVES = {
    "a month": [(1_000, Decimal("10.68")), (10_000, Decimal("40")), (1_000_000, Decimal("1564"))],
    "idle": [(1_000, Decimal(0)), (10_000, Decimal(0)), (1_000_000, Decimal(0))],
}


def test_the_terminal_plot_has_its_axes_and_no_colour_codes() -> None:
    drawn = plots.terminal("shop: dollars a month", CURVES, width=80, height=18)
    assert "shop: dollars a month" in drawn
    assert "\x1b" not in drawn
    for tick in ("1K", "10K", "100K", "1M", "$10.00", "$1,000.00", "users", "idle"):
        assert tick in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    assert drawn == plots.terminal("shop: dollars a month", CURVES, width=80, height=18)


def test_the_svg_is_whole_and_needs_nothing_from_elsewhere() -> None:
    drawn = plots.svg("shop & Co: <dollars>", CURVES)
    root = ElementTree.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == "shop & Co: <dollars>"
    lines = root.findall(f"{space}polyline")
    assert [len(each.attrib["points"].split()) for each in lines] == [3, 3]
    said = [each.findtext(f"{space}title") for each in root.findall(f"{space}circle")]
    assert "a month: 1,000,000 users, $1,564.00 a month" in said
    assert "href" not in drawn
    assert drawn.count("http") == 1


def test_a_higher_bill_stands_higher_and_more_users_stand_further_right() -> None:
    root = ElementTree.fromstring(plots.svg("shop", CURVES))
    month, _idle = root.findall("{http://www.w3.org/2000/svg}polyline")
    places = [tuple(map(float, each.split(","))) for each in month.attrib["points"].split()]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1"), (999, "999"), (1_000, "1K"), (1_500_000, "1.5M"), (10**10, "10B")]
)
def test_numbers_of_users_are_written_shortly(number: int, text: str) -> None:
    assert plots.count(number) == text
