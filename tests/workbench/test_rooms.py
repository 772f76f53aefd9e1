"""One golden file a resource type: what a template says of it, and what the review makes of that.

`tests/workbench/rooms/<module of the room>.json` holds `resources`, written by hand: each with its `type`, and with
`properties` and `usage` where it has any; as many as it takes to show every usage key and every way to pay.
`make golden` writes `review`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource
from workbench.assembly import Assembly
from workbench.review import capacity, registry
from workbench.review.cost import Bill, price
from workbench.review.numbers import plain
from workbench.review.room import module_of

pytestmark = pytest.mark.fast

FOLDER = Path(__file__).parent / "rooms"
HALF = Decimal("0.5")


def _file(resource_type: str) -> Path:
    return FOLDER / Path(module_of(resource_type)).with_suffix(".json").name


def _given(resource_type: str) -> dict[str, Any]:
    file = _file(resource_type)
    assert file.exists(), f"{file.name} is missing: write {{'resources': …}} there, then `make golden`"
    given: dict[str, Any] = json.loads(file.read_text())
    return given


def _assembly(resource_type: str) -> Assembly:
    resources = {
        logical_id: resource(each["type"], each.get("properties"), **each.get("usage", {}))
        for logical_id, each in _given(resource_type)["resources"].items()
    }
    return assembly(resources, users=1_000)


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
