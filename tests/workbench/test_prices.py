"""The price book: dated data, exact arithmetic."""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import NotPriced
from workbench.review.free_tier import allowances
from workbench.review.prices import FOLDER, GRADES, HOME, Price, PriceBook, Tier, known_regions

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


FIELDS = {"key", "service", "unit", "source", "as_of", "grade"}
MORE_FIELDS = {"price", "tiers", "scope", "free_tier", "as_of_approximate", "confirmed_as_of", "note"}


@pytest.mark.parametrize("region", known_regions())
def test_every_price_stands_once_with_its_source_day_and_grade(region: str) -> None:
    content = json.loads((FOLDER / f"{region}.json").read_text())
    keys = [entry["key"] for entry in content["entries"]]
    assert keys == sorted(set(keys))
    for entry in content["entries"]:
        assert FIELDS <= set(entry) <= FIELDS | MORE_FIELDS, entry["key"]
        assert ("price" in entry) != ("tiers" in entry), entry["key"]
        assert all(entry[name].strip() for name in FIELDS), entry["key"]
        assert entry["grade"] in GRADES, entry["key"]
        for day in ("as_of", "confirmed_as_of"):
            said = datetime.date.fromisoformat(entry.get(day, content["compiled_on"]))
            assert said <= datetime.date.fromisoformat(content["compiled_on"]), entry["key"]


@pytest.mark.parametrize("region", known_regions())
def test_tiers_rise_and_the_last_has_no_end(region: str) -> None:
    for price in PriceBook.load(region).values():
        *bounds, last = (tier.up_to for tier in price.tiers)
        assert last is None, price.key
        assert all(low and high and low < high for low, high in pairwise([Decimal("0.001"), *bounds])), (
            price.key
        )


@pytest.mark.parametrize("region", known_regions())
def test_tiers_are_continuous_at_their_borders(region: str) -> None:
    step = Decimal("0.001")
    for price in PriceBook.load(region).values():
        dearest = max(tier.price for tier in price.tiers)
        for border in (tier.up_to for tier in price.tiers if tier.up_to is not None):
            jump = price.cost(border + step) - price.cost(border)
            assert 0 <= jump <= dearest * step, price.key


def test_no_price_is_below_zero_and_those_of_zero_say_why() -> None:
    for price in BOOK.values():
        assert all(tier.price >= 0 for tier in price.tiers), price.key
        if not any(tier.price for tier in price.tiers):
            assert price.key in FREE_OF_CHARGE, price.key


FREE_OF_CHARGE = {
    "acm.public_certificate",
    "bedrock.knowledge_base.base",
    "budgets.budget",
    "cloudfront.flat_rate_plan.free",
    "eventbridge.aws_service_events",
    "s3.retrieval.glacier_flexible_bulk",
    "s3.transfer_to_cloudfront",
    "sns.delivery.lambda",
    "sns.delivery.sqs",
    "ssm.parameter.standard",
    "transfer.internet_in",
    "transfer.to_cloudfront",
    "vpc.endpoint.gateway",
}


def test_other_regions_have_what_is_the_same_everywhere_and_what_is_known_of_them() -> None:
    assert known_regions() == (HOME, "ap-south-1", "eu-west-1")
    there = PriceBook.load("eu-west-1")
    assert there["route53.hosted_zone"] == BOOK["route53.hosted_zone"]
    assert set(there) < set(BOOK)
    assert there["apigateway.http.requests"].tiers[0].price == Decimal("0.00000111")
    with pytest.raises(NotPriced, match=r"'sqs\.standard' in eu-west-1"):
        there["sqs.standard"]


def test_every_allowance_is_of_prices_that_there_are_and_no_price_has_two() -> None:
    keys = [key for each in allowances() for key in each.keys]
    assert len(keys) == len(set(keys))
    assert set(keys) <= set(BOOK)
    for each in allowances():
        assert each.amount > 0
        assert each.source.startswith("https://aws.amazon.com/")


# Told by the price book, and not to be taken off: for some months or some accounts only, or of another kind.
NOT_ALWAYS_FREE = {
    "cloudformation.third_party_handler": "of hooks and third-party types, which no room prices",
    "cloudtrail.management_events": "the first copy of management events, which its room leaves out",
    "ecr.storage": "of public repositories",
    "sagemaker.serverless_inference": "for two months",
    "ses.email": "for a year",
    "vpc.lattice.request": "by the hour",
}


def test_every_free_tier_that_has_no_end_can_be_taken_off() -> None:
    known = {key for each in allowances() for key in each.keys}
    for price in BOOK.values():
        for_some = re.search(r"pre-2025|before 2025", price.free_tier)
        if price.free_tier and not for_some:
            assert (price.key in known) != (price.key in NOT_ALWAYS_FREE), price.key


def test_prices_are_decimals_as_they_are_written() -> None:
    assert BOOK["dynamodb.ondemand.write"].tiers == (Tier(None, Decimal("0.000000625")),)
    assert BOOK["lambda.duration.arm"].tiers[0].price == Decimal("0.0000133334")


def test_the_book_is_of_one_region_and_one_day() -> None:
    assert BOOK.region == "us-east-1"
    assert BOOK.as_of == "2026-11-20"
    assert len(BOOK) == len(json.loads((FOLDER / f"{HOME}.json").read_text())["entries"]) == 1_177


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
