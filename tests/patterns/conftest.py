"""A stack to stand constructs in, and its template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import catalogue
from workbench.blueprint import Stage
from workbench.workload import Action, Figure, Load, Quantity, Rate, Workload

WORKLOAD = Workload(
    actions={"ask": Action("8.64", peak_factor="10")},
    quantities={"ms": Quantity("200", "ms"), "bytes": Quantity("1000", "bytes"), "one": Quantity("1", "")},
)


@pytest.fixture
def load() -> Load:
    """10,000 users, who ask once a second on average and ten times at the peak."""
    return WORKLOAD.at(10_000)


@pytest.fixture
def rate(load: Load) -> Rate:
    return load.rate("ask")


@pytest.fixture
def one(load: Load) -> Figure:
    return load.quantity("one")


@pytest.fixture
def stack_of(tmp_path: Path, load: Load):  # type: ignore[no-untyped-def]
    """`stack_of(stage, **context)`: a blueprint stack to put constructs into."""
    from patterns.blueprint_stack import BlueprintStack

    def make(stage: Stage = "production", **context: str) -> BlueprintStack:
        app = catalogue.new_app(tmp_path / "assembly")
        for key, value in context.items():
            app.node.set_context(key, value)
        return BlueprintStack(app, "some_system", load=load, stage=stage, description="A system")

    return make


@pytest.fixture
def template_of() -> Callable[..., object]:
    """`template_of(stack)`: its template, to make assertions on."""
    from aws_cdk.assertions import Template

    return Template.from_stack
