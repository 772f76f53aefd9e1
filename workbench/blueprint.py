"""What a blueprint declares of itself, in `stacks/<name>/__init__.py`.

Nothing here imports `aws_cdk`: listing the catalogue takes no Node.js.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.workload import Load, Workload

if TYPE_CHECKING:
    from aws_cdk import App

Stage = Literal["sandbox", "production"]


@dataclass(frozen=True)
class Blueprint:
    """One system of the catalogue.

    `name` is its slug in every room; `seed` and `passage` say where it comes from; `promise` is what its
    scenario proves; `place(app, load, stage)` adds its stack, or stacks, to a CDK app.
    """

    name: str
    title: str
    group: str
    seed: str
    passage: str
    promise: str
    services: tuple[str, ...]
    workload: Workload
    place: Callable[[App, Load, Stage], None]
