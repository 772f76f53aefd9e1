"""Every type of CloudFormation's registry has one class, and every line of the lists is of a type that there is.

The registry is cfn-lint's copy for us-east-1; `docs/prices.md`, which counts it, is written by `make golden`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.assemblies import assembly, resource, stack
from tests.conftest import ROOT
from workbench import pages
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review import registry
from workbench.review.cost import price
from workbench.review.coverage import CLASSES, Covered, TypeClass, coverage, page_parts, type_class
from workbench.review.free import FREE
from workbench.review.prices import GRADES, HOME, MEMORY, PriceBook, known_regions
from workbench.review.room import Context
from workbench.review.unpriced import MACROS, UNPRICED, unpriced_type

pytestmark = pytest.mark.fast

REGION = "us-east-1"
ROOMS = Path(__file__).parent / "rooms"
PAGE = ROOT / "docs" / "prices.md"
# Of no registry: what CDK and others call their own custom resources.
OUR_OWN = "Custom::"


@cache
def registered() -> tuple[str, ...]:
    """Every resource type of the registry, in order."""
    return tuple(sorted(set(PROVIDER_SCHEMA_MANAGER.get_resource_types(REGION))))


def schema(resource_type: str) -> dict[str, Any]:
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
    return found


def patterns(table: Mapping[str, object]) -> list[str]:
    return [name for name in table if name.endswith("*")]


def covered_by(pattern: str) -> list[str]:
    return [each for each in registered() if each.startswith(pattern.removesuffix("*"))]


# Of the registry


def test_nearly_every_type_has_a_class() -> None:
    counted = Counter(type_class(each) for each in registered())
    assert sum(counted.values()) == len(registered()) >= 1_868
    assert len(registered()) - counted["unknown"] - counted["a macro"] >= 1_848
    assert counted["unknown"] <= 6


@pytest.mark.parametrize(
    ("classes", "least"),
    [
        (("free",), 720),
        (("pays by existing",), 30),
        (("pays by use",), 105),
        (("pays by both",), 62),
        (("pays by existing", "pays by use", "pays by both"), 205),
    ],
)
def test_no_class_loses_types_unseen(classes: tuple[TypeClass, ...], least: int) -> None:
    counted = Counter(type_class(each) for each in registered())
    assert sum(counted[name] for name in classes) >= least


def test_no_type_is_named_in_two_classes() -> None:
    named = [set(registry.rooms()), set(FREE), set(UNPRICED), set(MACROS)]
    twice = [name for name, count in Counter(name for each in named for name in each).items() if count > 1]
    assert twice == []


def test_no_pattern_makes_a_type_free_that_is_of_another_class() -> None:
    for pattern in patterns(FREE):
        for each in covered_by(pattern):
            assert each not in registry.rooms(), (pattern, each)
            assert unpriced_type(each) is None, (pattern, each)


def test_no_two_patterns_cover_one_type() -> None:
    every = [*patterns(FREE), *patterns(UNPRICED), *patterns(MACROS)]
    for each in registered():
        assert len([pattern for pattern in every if each.startswith(pattern[:-1])]) <= 1, each


def test_a_name_goes_before_a_pattern() -> None:
    shadowed = [name for name in FREE if any(name.startswith(each[:-1]) for each in patterns(UNPRICED))]
    assert shadowed, "no line of free.py stands under a pattern of unpriced.py any more"
    assert all(type_class(name) == "free" for name in shadowed)


# Of the lists


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("free.py", tuple(FREE)),
        ("unpriced.py", (*UNPRICED, *MACROS)),
        ("resources/", tuple(registry.rooms())),
    ],
)
def test_every_name_is_of_a_type_that_there_is(where: str, names: tuple[str, ...]) -> None:
    misspelt = [
        name
        for name in names
        if not name.startswith(OUR_OWN)
        and not (covered_by(name) if name.endswith("*") else name in registered())
    ]
    assert misspelt == [], f"no such types: correct them in workbench/review/{where}"


def test_every_property_that_ends_what_is_free_is_one_of_its_type() -> None:
    for name, free in FREE.items():
        for each in free.unless:
            assert each.split(".")[0] in schema(name)["properties"], (name, each)


def reasons() -> Iterator[tuple[str, str]]:
    for name, free in FREE.items():
        yield name, free.reason
    yield from UNPRICED.items()
    yield from MACROS.items()


def test_every_reason_is_a_part_of_a_sentence() -> None:
    for name, reason in reasons():
        words = reason.split(" ")
        assert len(words) >= 2, name
        assert all(words), name
        assert reason[-1].isalnum(), name
        assert len(reason) <= 200, name
        assert not re.search(r"\b(todo|tbd|fixme)\b", reason, re.IGNORECASE), name


def test_who_says_that_the_price_book_has_nothing_says_so_of_a_type_without_a_room() -> None:
    for name, why in UNPRICED.items():
        if "price book has nothing" in why and not name.endswith("*"):
            assert name not in registry.rooms(), name


# What is in no class


def test_an_unknown_type_is_an_error_that_names_itself() -> None:
    unknown = [each for each in registered() if type_class(each) == "unknown"]
    assert unknown
    for each in (*unknown, "AWS::Quantum::Computer"):
        with pytest.raises(NotPriced, match=rf"Demo/It: the review doesn't know {each};"):
            price(assembly({"It": resource(each)}))


def test_a_macro_is_refused_with_what_to_do() -> None:
    macros = [each for each in registered() if type_class(each) == "a macro"]
    assert "AWS::Serverless::Function" in macros
    for each in macros:
        with pytest.raises(NotPriced, match=rf"Demo/It: {each} is no resource: .* review what it expands to"):
            price(assembly({"It": resource(each)}))


# Of an assembly


def states(**resources: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each.resource: (each.state, each.why) for each in coverage(assembly(resources))}


def test_every_resource_has_a_state_and_why() -> None:
    found = states(
        Paid=resource("AWS::SQS::Queue", requests_per_month=1),
        Still=resource("AWS::SQS::Queue", requests_per_month=0),
        Silent=resource("AWS::SQS::Queue"),
        Role=resource("AWS::IAM::Role"),
        Report=resource("AWS::Backup::Framework"),
        Odd=resource("AWS::EC2::VPNConnection", {"EnableAcceleration": True}),
        Typo=resource("AWS::SQS::Queue", request_per_month=1),
        Robot=resource("AWS::RoboMaker::Fleet"),
        Sam=resource("AWS::Serverless::Function"),
        Door=resource("AWS::EC2::VPCEndpoint", {"ServiceName": "s3"}),
    )
    assert found["Paid"] == ("priced", "Requests (standard)")
    assert found["Still"] == ("usage zero", "Requests (standard)")
    assert found["Silent"] == ("usage undeclared", "no usage declared: requests_per_month")
    assert found["Role"] == ("free", "IAM is free")
    assert found["Report"] == ("not priced", UNPRICED["AWS::Backup::Framework"])
    assert found["Odd"][0] == "refused"
    assert "EnableAcceleration" in found["Odd"][1]
    assert found["Typo"][0] == "refused"
    assert "'request_per_month'" in found["Typo"][1]
    assert found["Robot"] == ("unknown", "neither a room nor a list has the type")
    assert found["Sam"] == ("refused", MACROS["AWS::Serverless::*"])
    assert found["Door"] == ("free", "nothing of it pays, as it is set")


def test_what_pays_and_has_more_that_nobody_declared_says_both() -> None:
    found = states(Gateway=resource("AWS::EC2::NatGateway"))
    assert found["Gateway"] == ("priced", "NAT gateways; no usage declared: processed_gb_per_month")


def test_a_price_that_a_region_lacks_is_named() -> None:
    queue = resource("AWS::SQS::Queue", requests_per_month=1)
    built = Assembly(Path(), (stack({"It": queue}, region="eu-west-1"),))
    why = "no price of sqs.standard in eu-west-1"
    assert coverage(built) == (Covered("It", "AWS::SQS::Queue", "not priced", why),)


def test_a_stack_in_a_region_without_prices_is_refused() -> None:
    queue = resource("AWS::SQS::Queue", requests_per_month=1)
    [found] = coverage(Assembly(Path(), (stack({"It": queue}, region="mars-north-1"),)))
    assert (found.state, "mars-north-1" in found.why) == ("refused", True)


@pytest.mark.parametrize("name", [each.stem for each in sorted(ROOMS.glob("*.json"))[::7]])
def test_a_bill_can_be_made_of_what_is_covered(name: str) -> None:
    built = _golden(ROOMS / f"{name}.json")
    found = coverage(built)
    assert len(found) == len(list(built.resources))
    assert not {each.state for each in found} & {"refused", "unknown"}
    paid = {line.resource for line in price(built).lines if line.quantity and line.declared}
    assert {each.resource for each in found if each.state == "priced"} == paid


# The page


def _golden(file: Path) -> Assembly:
    given = json.loads(file.read_text())["resources"]
    return assembly(
        {
            logical_id: resource(each["type"], each.get("properties"), **each.get("usage", {}))
            for logical_id, each in given.items()
        }
    )


@cache
def used() -> Mapping[str, frozenset[str]]:
    """Which prices the room of each type is seen to use, in its golden."""
    found: dict[str, frozenset[str]] = {}
    for name, room in registry.rooms().items():
        file = ROOMS / f"{name.lower().replace('::', '_')}.json"
        if not file.exists():  # test_rooms.py says so
            continue
        built = _golden(file)
        context = Context(built, registry.rooms(), Decimal(1))
        found[name] = frozenset(
            line.price_key
            for each in built.resources
            if each.type == name
            for line in registry.ask(each, room.lines, context)
        )
    return found


@pytest.mark.golden
def test_the_page_of_prices_is_current(golden: Callable[[Path, str], None]) -> None:
    golden(PAGE, pages.fill(PAGE.read_text(), page_parts(registered(), used())))


def test_the_page_names_every_price_from_memory_and_every_type_that_is_not_priced() -> None:
    parts = page_parts(registered(), used())
    book = PriceBook.load()
    for each in book.values():
        assert (f"`{each.key}`" in parts["memory"]) == (each.grade == MEMORY), each.key
    for name, why in UNPRICED.items():
        assert f"`{name}`" in parts["unpriced"], name
        assert why in parts["unpriced"], name
    assert parts["books"].count("\n") == 1 + len(known_regions())
    assert all(f"{grade}: {meaning}" in parts["books"] for grade, meaning in GRADES.items())
    assert all(name in parts["classes"] for name in CLASSES)
    assert f"| all | {len(registered())} |" in parts["classes"]


def test_the_page_says_what_other_regions_lack_of_what_rooms_use() -> None:
    said = page_parts(["AWS::SQS::Queue"], {"AWS::SQS::Queue": {"sqs.standard", "sqs.fifo"}})
    assert "| sqs | 2 | all | all |" in said["regions"]
    one = page_parts([], {"AWS::X::Y": {"sqs.standard", "route53.hosted_zone"}})
    assert "route53" not in one["regions"]  # the same everywhere
    assert HOME not in one["regions"]
