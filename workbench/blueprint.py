"""What a blueprint declares of itself, in `stacks/<name>/__init__.py`.

Nothing here imports `aws_cdk`: listing the catalogue takes no Node.js.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from workbench.errors import Misuse
from workbench.workload import Load, Workload

if TYPE_CHECKING:
    from aws_cdk import App

Stage = Literal["sandbox", "production"]
Option = TypeVar("Option", bound=str)


@dataclass(frozen=True)
class Choice(Generic[Option]):
    """A part of a system that can be built in more than one way: `cdk deploy -c <key>=<option>`.

    The first of `options` is what is built unless one asks. `question` is what the bill answers, by pricing those of
    `compared` (all, where none is named) at every size.
    """

    key: str
    options: tuple[Option, ...]
    question: str
    compared: tuple[Option, ...] = ()

    def taken(self, asked: object) -> Option:
        """The option that `asked`, a value of the CDK's context, means. Raises `Misuse` for any other."""
        if asked is None:
            return self.options[0]
        for option in self.options:
            if option == asked:
                return option
        raise Misuse(f"{self.key} is one of {', '.join(self.options)}; got {asked!r}")

    @property
    def ways(self) -> tuple[Option, ...]:
        return self.compared or self.options


@dataclass(frozen=True)
class Blueprint:
    """One system of the catalogue.

    `name` is its slug in every room; `seed` and `passage` say where it comes from; `promise` is what its
    scenario proves; `place(app, load, stage)` adds its stack, or stacks, to a CDK app; `choices` are what can be
    built in another way.
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
    choices: tuple[Choice[Any], ...] = ()

    def choice(self, key: str) -> Choice[Any]:
        """The choice `key`. Raises `Misuse` where there is none."""
        for choice in self.choices:
            if choice.key == key:
                return choice
        known = ", ".join(choice.key for choice in self.choices) or "none"
        raise Misuse(f"{self.name} has no choice {key!r}; it has: {known}")
