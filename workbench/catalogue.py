"""The catalogue: which blueprints there are, and their synthesis. The only module that knows `stacks`."""

from __future__ import annotations

import difflib
import importlib
import json
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import stacks
from workbench.blueprint import Blueprint, Stage
from workbench.errors import Misuse, UnknownBlueprint

if TYPE_CHECKING:
    from aws_cdk import App

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_USERS = 1_000
DEFAULT_STAGE: Stage = "sandbox"
MOST_USERS = 10**12


def names() -> list[str]:
    """The slugs, sorted."""
    return sorted(found.name for found in pkgutil.iter_modules(stacks.__path__) if found.ispkg)


def find(name: str) -> Blueprint:
    """The blueprint `name`.

    Raises `UnknownBlueprint`, with the nearest name when there is one.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`blueprint list` shows them all"
        raise UnknownBlueprint(f"there is no blueprint {name!r}; {hint}")
    declared = importlib.import_module(f"stacks.{name}").BLUEPRINT
    if not isinstance(declared, Blueprint):
        raise Misuse(f"stacks/{name}/__init__.py must set BLUEPRINT to a workbench.blueprint.Blueprint")
    return declared


def every() -> list[Blueprint]:
    """All blueprints, by name."""
    return [find(name) for name in names()]


def stage_named(value: str) -> Stage:
    """`value` as a stage. Raises `Misuse` for any other word."""
    for stage in get_args(Stage):
        if value == stage:
            return cast(Stage, stage)
    raise Misuse(f"a stage is {' or '.join(get_args(Stage))}; got {value!r}")


def users_from(text: str) -> int:
    """A number of users as people write it: `1000`, `1_000` or `1,000`.

    Raises `Misuse` unless it is a whole number, at least 1 and at most a million million.
    """
    try:
        users = int(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise Misuse(f"a size is a whole number of users, like 1000; got {text!r}") from None
    if users < 1:
        raise Misuse(f"a size is a number of users, at least 1; got {text}")
    if users > MOST_USERS:
        raise Misuse(
            f"a size is a number of users, at most {MOST_USERS:,}; got one of {len(str(users))} digits"
        )
    return users


def place(app: App, blueprint: Blueprint, users: int, stage: Stage) -> None:
    """Add the stacks of `blueprint`, sized for `users`, to `app`."""
    blueprint.place(app, blueprint.workload.at(users), stage)


def synthesize(
    blueprint: Blueprint,
    output: Path,
    *,
    users: int = DEFAULT_USERS,
    stage: Stage = DEFAULT_STAGE,
    choices: Mapping[str, str] | None = None,
    validate: bool = False,
) -> Path:
    """Write the cloud assembly of `blueprint`, with these `choices`, into the folder `output`, and return it.

    `validate` keeps CDK's own rules on, which more than doubles the time: the gate does, the loops don't.
    """
    app = new_app(output, choices or {}, validate=validate)
    place(app, blueprint, users, stage)
    app.synth()
    return output


def new_app(output: Path, choices: Mapping[str, str] | None = None, *, validate: bool = False) -> App:
    """A CDK app with the context of cdk.json and `choices`, as the CDK command line would make it."""
    from workbench.node import let_the_cdk_finish, use_supported_node

    use_supported_node()
    let_the_cdk_finish()
    from aws_cdk import App

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(
        outdir=str(output),
        context={**context, **(choices or {})},
        analytics_reporting=False,
        builtin_cloud_formation_validation=validate,
    )
