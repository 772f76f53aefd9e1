"""A review of twice as many resources looks at twice as many: no room reads through all others for each one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource
from workbench.assembly import Assembly, Resource
from workbench.review.capacity import limits
from workbench.review.cost import price
from workbench.review.links import Links
from workbench.review.room import Context

pytestmark = pytest.mark.fast

FOLDER = Path(__file__).parent / "rooms"
FEW, MANY = 6, 12
# Twice the resources, and a little for what is made once; each through all others would be four times.
MOST = 2.2
# An account and region has one of them.
ALONE = {"aws_ses_vdmattributes"}
GOLDEN = sorted(file for file in FOLDER.glob("*.json") if file.stem not in ALONE)


class Looks:
    """How many resources a review looks at, to find out what points where."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        target, mentions, all_of = Links.target, Links.mentions, Context.all_of

        def targeted(links: Links, resource: Resource, value: Any) -> Resource | None:
            self.count += 1
            return target(links, resource, value)

        def mentioned(links: Links, resource: Resource, value: Any) -> list[Resource]:
            self.count += 1
            return mentions(links, resource, value)

        def every(context: Context, resource_type: str) -> Iterator[Resource]:
            for each in all_of(context, resource_type):
                self.count += 1
                yield each

        whole = Assembly.__dict__["resources"].fget

        def read_through(reviewed: Assembly) -> Iterator[Resource]:
            for each in whole(reviewed):
                self.count += 1
                yield each

        patch.setattr(Assembly, "resources", property(read_through))
        patch.setattr(Links, "target", targeted)
        patch.setattr(Links, "mentions", mentioned)
        patch.setattr(Context, "all_of", every)

    def of(self, reviewed: Assembly) -> int:
        before = self.count
        price(reviewed)
        limits(reviewed)
        return self.count - before


def _copies(given: Mapping[str, Any], times: int) -> Assembly:
    """The resources of a golden file, `times` over; each copy refers to itself alone."""
    made = {
        f"{logical_id}x{number}": resource(
            each["type"], _renamed(each.get("properties") or {}, given, number), **each.get("usage", {})
        )
        for number in range(times)
        for logical_id, each in given.items()
    }
    return assembly(made, users=1_000)


def _renamed(value: Any, names: Mapping[str, Any], number: int) -> Any:
    """`value` with the references to `names` changed to those of a copy."""
    match value:
        case {"Ref": str(named), **rest} if not rest and named in names:
            return {"Ref": f"{named}x{number}"}
        case {"Fn::GetAtt": [str(named), *attribute], **rest} if not rest and named in names:
            return {"Fn::GetAtt": [f"{named}x{number}", *attribute]}
        case dict():
            return {key: _renamed(each, names, number) for key, each in value.items()}
        case list():
            return [_renamed(each, names, number) for each in value]
        case str():
            for named in names:
                value = value.replace(f"${{{named}}}", f"${{{named}x{number}}}")
                value = value.replace(f"${{{named}.", f"${{{named}x{number}.")
    return value


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_review_of_twice_as_many_looks_at_twice_as_many(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = json.loads(file.read_text())["resources"]
    few, many = _copies(given, FEW), _copies(given, MANY)
    looks = Looks(monkeypatch)
    assert looks.of(many) <= looks.of(few) * MOST
