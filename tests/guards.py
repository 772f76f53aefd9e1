"""Taking one guard of a template away, to see the test red that it was there for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import changed
from tests.templates import Template
from workbench.assembly import Assembly

Guard = tuple[Callable[[Template], None], Callable[[Assembly], None]]  # what takes it away, and who notices


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    """The resources of a type."""
    return [each for each in template["Resources"].values() if each["Type"] == kind]


def remove(template: Template, which: Callable[[dict[str, Any]], bool]) -> None:
    """Take the resources out of which `which` holds."""
    for logical_id in [each for each, resource in template["Resources"].items() if which(resource)]:
        del template["Resources"][logical_id]


def for_each(guards: Iterable[Guard]) -> pytest.MarkDecorator:
    """A test of `guard`, for each of them, by the name of what takes it away."""
    return pytest.mark.parametrize("guard", [pytest.param(each, id=each[0].__name__[1:]) for each in guards])


def assert_missed(guard: Guard, whole: Assembly, folder: Path) -> None:
    """The guard's test passes with it, and fails without; `folder` takes the broken assembly."""
    take_away, test = guard
    test(whole)
    with pytest.raises(AssertionError):
        test(Assembly.load(changed(whole, folder, take_away)))
