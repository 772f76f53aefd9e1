"""Lines that only use makes: each takes its quantity from a usage key.

yield from by_use.lines(resource, context, ("Faces stored", "faces", "stored_faces", "rekognition.face_storage"))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, refuse

Row = tuple[str, str, str, str]


def lines(resource: Resource, context: Context, *rows: Row) -> Iterator[CostLine]:
    """One line a row of component, unit, usage key and price key."""
    for component, unit, usage, price_key in rows:
        yield CostLine(component, unit, context.derive(resource, usage), price_key)


def where_declared(resource: Resource, context: Context, *rows: Row) -> Iterator[CostLine]:
    """The same for what few use: no line where the key is not declared."""
    yield from lines(resource, context, *(row for row in rows if row[2] in resource.workload))


def refuse_keys(resource: Resource, why: str, *keys: str) -> None:
    """Refuse usage that the properties of `resource` rule out, instead of leaving it out of the bill."""
    for key in keys:
        if key in resource.workload:
            raise refuse(resource, f"{why}, and {key} is declared")


def is_true(value: Any) -> bool:
    """Whether a property is set to true, as CDK or as a hand writes it."""
    return str(value).lower() == "true"
