"""One golden file a resource type: what a template says of it, and what the review makes of that.

`tests/workbench/rooms/<module of the room>.json` holds `resources`, written by hand: each with its `type`, and with
`properties` and `usage` where it has any; as many as it takes to show every usage key and every way to pay.
`make golden` writes `review`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review import capacity, registry
from workbench.review.cost import Bill, price
from workbench.review.difference import difference
from workbench.review.numbers import plain
from workbench.review.prices import PriceBook
from workbench.review.room import module_of

pytestmark = pytest.mark.fast

FOLDER = Path(__file__).parent / "rooms"
HALF = Decimal("0.5")
ROUNDING = Decimal("1e-6")  # each line to 10⁻¹² dollar, each figure to twelve digits


def _file(resource_type: str) -> Path:
    return FOLDER / Path(module_of(resource_type)).with_suffix(".json").name


def _given(resource_type: str) -> dict[str, Any]:
    file = _file(resource_type)
    assert file.exists(), f"{file.name} is missing: write {{'resources': …}} there, then `make golden`"
    given: dict[str, Any] = json.loads(file.read_text())
    return given


Used = Callable[[str, str, Any], Any]
"""(type, usage key, what the file says) → what is declared instead."""


def _resources(resource_type: str, used: Used = lambda _type, _key, value: value) -> dict[str, Any]:
    return {
        logical_id: resource(
            each["type"],
            each.get("properties"),
            **{key: used(each["type"], key, value) for key, value in each.get("usage", {}).items()},
        )
        for logical_id, each in _given(resource_type)["resources"].items()
    }


def _assembly(resource_type: str) -> Assembly:
    return assembly(_resources(resource_type), users=1_000)


TYPES = sorted(registry.rooms())
each_type = pytest.mark.parametrize("resource_type", TYPES)


@pytest.mark.golden
@each_type
def test_the_review_of_a_type_equals_its_golden(
    resource_type: str, golden: Callable[[Path, str], None]
) -> None:
    given = _given(resource_type)
    given["review"] = _review(_assembly(resource_type))
    golden(_file(resource_type), json.dumps(given, indent=1, ensure_ascii=False) + "\n")


def _review(built: Assembly) -> dict[str, Any]:
    bill = price(built)
    return {
        "bill": list(_lines(bill)),
        "limits": [
            f"{each.resource} · {each.limit}: {plain(each.load)} of {plain(each.quota)} {each.unit}"
            for each in capacity.limits(built)
        ],
        "notes": [*bill.warnings, *(f"not priced: {each.resource}: {each.why}" for each in bill.unpriced)],
    }


def _lines(bill: Bill) -> Iterator[str]:
    for line in bill.lines:
        paid = f"${plain(line.monthly_usd)} ({line.price_key})" if line.declared else "depends on usage"
        yield f"{line.resource} · {line.component}: {plain(line.quantity)} {line.unit} = {paid}"
    yield f"total ${plain(bill.monthly_usd)}, idle ${plain(bill.idle_usd)}"


@each_type
def test_its_golden_declares_every_usage_key(resource_type: str) -> None:
    declared = {
        key
        for found in _assembly(resource_type).resources
        if found.type == resource_type
        for key in found.workload
    }
    assert declared == set(registry.rooms()[resource_type].usage)


@each_type
def test_a_bill_rises_with_usage_and_falls_to_its_baseline_without(resource_type: str) -> None:
    built = _assembly(resource_type)
    half, whole = price(built, traffic=HALF), price(built)
    assert whole.idle_usd <= half.monthly_usd <= whole.monthly_usd
    still = price(built, traffic=Decimal(0))
    assert still.monthly_usd == still.idle_usd == whole.idle_usd


# Metrics that are sent as long as anybody comes, however few.
AS_SOON_AS_USED = {
    "AWS::ApiGateway::Stage",
    "AWS::ApiGatewayV2::Stage",
    "AWS::Lambda::Function",
    "AWS::Logs::MetricFilter",
    "AWS::S3::Bucket",
}


@each_type
def test_no_usage_at_all_is_the_baseline(resource_type: str) -> None:
    def nothing(kind: str, key: str, value: Any) -> Any:
        return 0 if registry.rooms()[kind].usage[key].scales else value

    idle = price(_assembly(resource_type)).idle_usd
    still = price(assembly(_resources(resource_type, nothing)))
    assert still.idle_usd == idle
    assert still.monthly_usd >= idle if resource_type in AS_SOON_AS_USED else still.monthly_usd == idle


# Keys that move work from one price to a lower one: an invocation is cheaper where its environment is kept ready.
MOVING = {("AWS::Lambda::Function", "provisioned_invocations_per_month")}


@each_type
def test_more_of_each_usage_by_itself_never_costs_less(resource_type: str) -> None:
    for key in registry.rooms()[resource_type].usage:
        if (resource_type, key) in MOVING:
            continue
        paid = list(_paid_for(resource_type, key))
        assert len(paid) > 1, key
        for less, more in pairwise(paid):
            assert less <= more + ROUNDING, key


def _paid_for(resource_type: str, key: str) -> Iterator[Decimal]:
    """Dollars for more and more of `key`, but for what contradicts the other keys and is refused."""
    for times in map(Decimal, ("0", "0.5", "1", "2", "1000")):

        def scaled(kind: str, name: str, value: Any, times: Decimal = times) -> Any:
            return Decimal(str(value)) * times if (kind, name) == (resource_type, key) else value

        with suppress(NotPriced):
            yield price(assembly(_resources(resource_type, scaled))).monthly_usd


# Counted over all that an assembly has of it, also where that is in several accounts. The subscription of Shield is
# one of the whole organisation.
NOT_BY_ACCOUNT = {
    "AWS::Logs::MetricFilter",
    "AWS::OpenSearchServerless::Collection",
    "AWS::SES::VdmAttributes",
    "AWS::Shield::Protection",
}


@each_type
def test_bills_of_two_accounts_add_up(resource_type: str) -> None:
    one = stack(_resources(resource_type), name="One")
    other = replace(stack(_resources(resource_type), name="Other"), account="123456789012")
    apart = 2 * price(Assembly(Path(), (one,))).monthly_usd
    both = price(Assembly(Path(), (one, other))).monthly_usd
    assert abs(both - apart) <= ROUNDING or resource_type in NOT_BY_ACCOUNT


@each_type
def test_a_bill_is_the_sum_of_its_lines_and_of_each_price_through_its_tiers(resource_type: str) -> None:
    built = Assembly(Path(), tuple(stack(_resources(resource_type), name=name) for name in "AB"))
    bill = price(built)
    assert sum(line.monthly_usd for line in bill.lines) == bill.monthly_usd
    whole: dict[str, Decimal] = {}
    for line in bill.lines:
        whole[line.price_key] = whole.get(line.price_key, Decimal(0)) + line.quantity
    paid = sum((PriceBook.load()[key].cost(quantity) for key, quantity in whole.items()), Decimal(0))
    assert abs(bill.monthly_usd - paid) <= ROUNDING


@each_type
def test_a_bill_does_not_differ_from_itself(resource_type: str) -> None:
    before, after = (price(_assembly(resource_type), with_free_tier=True) for _ in range(2))
    found = difference(before, after)
    assert not found.changes
    assert not found.unpriced
    assert found.monthly_usd == 0


@each_type
def test_a_room_that_pays_by_use_has_a_usage_key_and_one_that_exists_has_a_floor(resource_type: str) -> None:
    room = registry.rooms()[resource_type]
    bill = price(_assembly(resource_type))
    own = [line for line in bill.lines if line.type == resource_type]
    idle = price(_assembly(resource_type), traffic=Decimal(0))
    floor = sum(line.monthly_usd for line in idle.lines if line.type == resource_type)
    match room.classification:
        case "free":
            assert own == []
        case "usage":
            assert own
            assert room.usage
        case "baseline":
            assert floor
        case "mixed":
            assert floor
            assert sum(line.monthly_usd for line in own) > floor
