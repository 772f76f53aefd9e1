"""The price book: dated data, exact arithmetic."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import NotPriced
from workbench.review.prices import PRICES, Price, PriceBook, Tier
from workbench.review.quotas import quotas

pytestmark = pytest.mark.fast

BOOK = PriceBook.load()
TIERED = Price(
    key="test.tiered",
    unit="thing",
    tiers=(
        Tier(Decimal(100), Decimal("0.5")),
        Tier(Decimal(1_000), Decimal("0.3")),
        Tier(None, Decimal("0.1")),
    ),
    grade="A",
    source="a test",
    as_of="2026-01-01",
)


@pytest.mark.parametrize("key", sorted(BOOK))
def test_every_price_says_what_it_is_of_and_where_it_comes_from(key: str) -> None:
    price = BOOK[key]
    assert price.unit
    assert price.source
    assert price.as_of
    assert price.grade in "ABCD"
    assert len(price.grade) == 1


@pytest.mark.parametrize("key", sorted(BOOK))
def test_tiers_rise_and_the_last_has_no_end(key: str) -> None:
    bounds = [tier.up_to for tier in BOOK[key].tiers]
    assert bounds[-1] is None
    assert [bound for bound in bounds if bound is None] == [None]
    rising = [bound for bound in bounds if bound is not None]
    assert rising == sorted(set(rising))


def test_prices_are_decimals_as_they_are_written() -> None:
    assert BOOK["dynamodb.ondemand.write"].tiers == (Tier(None, Decimal("0.000000625")),)
    assert BOOK["lambda.duration.arm"].tiers[0].price == Decimal("0.0000133334")


def test_the_book_is_of_one_region_and_one_day() -> None:
    assert BOOK.region == "us-east-1"
    assert BOOK.as_of == "2026-11-20"
    assert len(BOOK) == len(json.loads(PRICES.read_text())["entries"])


def test_a_price_that_the_book_lacks_says_where_to_add_it() -> None:
    with pytest.raises(NotPriced, match=r"quantum\.teleport.*workbench/data/prices/us-east-1\.json"):
        BOOK["quantum.teleport"]


@pytest.mark.parametrize(
    ("quantity", "dollars"),
    [
        ("0", "0"),
        ("1", "0.5"),
        ("100", "50"),
        ("101", "50.3"),
        ("1000", "320"),
        ("1001", "320.1"),
        ("3000", "520"),
    ],
)
def test_a_tier_applies_to_what_lies_inside_it(quantity: str, dollars: str) -> None:
    assert TIERED.cost(Decimal(quantity)) == Decimal(dollars)


@given(quantity=st.decimals(min_value=0, max_value=10**13, places=3), key=st.sampled_from(sorted(BOOK)))
def test_the_tiers_agree_with_counting_each_price_change_from_its_bound(quantity: Decimal, key: str) -> None:
    tiers = BOOK[key].tiers
    expected, bound, before = Decimal(0), Decimal(0), Decimal(0)
    for tier in tiers:
        expected += (tier.price - before) * max(Decimal(0), quantity - bound)
        bound, before = tier.up_to or bound, tier.price
    assert abs(BOOK[key].cost(quantity) - expected) <= Decimal("1e-9")


@given(
    quantities=st.lists(st.decimals(min_value=0, max_value=10**13, places=2), min_size=2, max_size=2),
    key=st.sampled_from(sorted(BOOK)),
)
def test_more_never_costs_less(quantities: list[Decimal], key: str) -> None:
    less, more = sorted(quantities)
    assert BOOK[key].cost(less) <= BOOK[key].cost(more)


@pytest.mark.parametrize("key", sorted(quotas()))
def test_every_quota_has_a_page_of_aws_and_a_day(key: str) -> None:
    quota = quotas()[key]
    assert quota.value > 0
    assert quota.source.startswith("https://docs.aws.amazon.com/")
    assert quota.as_of == "2026-11-20"
