"""What changes in the bill from one assembly to another."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assemblies import assembly, resource, stack
from workbench.assembly import Assembly
from workbench.review.cost import Bill, price
from workbench.review.difference import Difference, difference

pytestmark = pytest.mark.fast

MILLION = 1_000_000


def between(old: dict[str, Any], new: dict[str, Any]) -> Difference:
    return difference(price(assembly(old)), price(assembly(new)))


def queue(requests: int) -> dict[str, Any]:
    return resource("AWS::SQS::Queue", requests_per_month=requests)


BOARD = resource("AWS::CloudWatch::Dashboard")


def test_what_is_new_gone_or_dearer_is_a_change_and_the_largest_comes_first() -> None:
    found = between(
        {"Jobs": queue(MILLION), "Old": queue(MILLION), "Same": queue(MILLION)},
        {"Jobs": queue(2 * MILLION), "Same": queue(MILLION), "Board": BOARD},
    )
    assert [(each.resource, each.before_usd, each.after_usd, each.delta_usd) for each in found.changes] == [
        ("Board", None, Decimal(3), Decimal(3)),
        ("Jobs", Decimal("0.4"), Decimal("0.8"), Decimal("0.4")),
        ("Old", Decimal("0.4"), None, Decimal("-0.4")),
    ]
    assert found.monthly_usd == Decimal(3)
    assert found.idle_usd == Decimal(3)


def test_a_change_of_quantity_alone_is_shown_too() -> None:
    free = resource("AWS::SNS::Topic", publishes_per_month=0)
    asked = resource("AWS::SQS::Queue")
    found = between({"Jobs": asked}, {"Jobs": asked, "News": free})
    assert {each.resource for each in found.changes} == {"News"}
    assert found.monthly_usd == 0


def test_what_is_new_and_not_priced_is_named_and_what_was_there_is_not() -> None:
    old = {"Old": resource("AWS::CloudWatch::AnomalyDetector")}
    found = between(old, {**old, "New": resource("AWS::CloudWatch::AnomalyDetector")})
    assert [each.resource for each in found.unpriced] == ["New"]


def test_a_second_stack_changes_nothing_of_the_first() -> None:
    unpriced = resource("AWS::CloudWatch::AnomalyDetector")
    shop = stack({"Jobs": queue(MILLION), "Odd": unpriced}, name="Shop")
    more = stack({"Jobs": queue(2 * MILLION), "Odd": unpriced}, name="More")
    one, two = price(Assembly(Path(), (shop,))), price(Assembly(Path(), (shop, more)))
    there, back = difference(one, two), difference(two, one)
    assert [(each.resource, each.delta_usd) for each in there.changes] == [("More/Jobs", Decimal("0.8"))]
    assert [each.resource for each in there.unpriced] == ["More/Odd"]
    assert [(each.resource, each.delta_usd) for each in back.changes] == [("More/Jobs", Decimal("-0.8"))]
    assert back.unpriced == ()


def test_two_stacks_that_are_called_otherwise_are_compared_by_their_resources() -> None:
    old, new = (Assembly(Path(), (stack({"Jobs": queue(MILLION)}, name=name),)) for name in ("Old", "New"))
    assert difference(price(old), price(new)).changes == ()


def test_resources_of_one_name_in_two_stacks_are_kept_apart() -> None:
    def of(first: int, second: int) -> Bill:
        stacks = (stack({"Jobs": queue(first)}, name="A"), stack({"Jobs": queue(second)}, name="B"))
        return price(Assembly(Path(), stacks))

    found = difference(of(MILLION, 2 * MILLION), of(2 * MILLION, MILLION))
    assert sorted((each.resource, each.delta_usd) for each in found.changes) == [
        ("A/Jobs", Decimal("0.4")),
        ("B/Jobs", Decimal("-0.4")),
    ]


def test_what_the_free_tier_takes_off_is_a_change_too() -> None:
    before, after = (
        price(assembly({"Jobs": queue(each)}), with_free_tier=True) for each in (MILLION // 2, 3 * MILLION)
    )
    found = difference(before, after)
    # $1.20 − $0.20, and $0.40 of a million taken off instead of $0.20
    assert [(each.resource, each.component, each.delta_usd) for each in found.changes] == [
        ("Jobs", "Requests (standard)", Decimal("1")),
        ("Free tier", "SQS requests", Decimal("-0.2")),
    ]
    assert found.monthly_usd == Decimal("0.8")
    assert difference(after, after).changes == ()


SYSTEMS = st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(0, 10**9).map(queue), min_size=1)


@given(SYSTEMS)
def test_nothing_differs_from_itself(system: dict[str, Any]) -> None:
    found = between(system, system)
    assert found.changes == ()
    assert found.unpriced == ()
    assert found.monthly_usd == found.idle_usd == 0


@given(SYSTEMS, SYSTEMS)
def test_the_changes_add_up_to_the_difference_and_back_again(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    there, back = between(old, new), between(new, old)
    assert sum(each.delta_usd for each in there.changes) == there.monthly_usd == -back.monthly_usd
