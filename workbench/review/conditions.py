"""What the conditions of templates leave open: resources that are left out, and those that may not be there.

A condition holds or doesn't by the values that the template gives: the defaults of its parameters, its region. With
other values at deployment there may be more than was counted, or less, which a bill has to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workbench.assembly import NESTED_STACK, Assembly, Resource
from workbench.review import registry
from workbench.review.free import Free
from workbench.review.room import Context

_MOST_NAMED = 5


def left_out(assembly: Assembly) -> Iterator[Resource]:
    """The resources whose condition is false; of a nested stack that is left out, the stack alone."""
    for stack in assembly.every_stack:
        yield from stack.left_out


def is_uncertain(resource: Resource) -> bool:
    """Whether only deployment knows if the resource is there."""
    return resource.condition is not None and resource.stack.condition(resource.condition) is None


def notes(assembly: Assembly, context: Context) -> Iterator[str]:
    """A sentence a condition, about what isn't free: what it leaves out, and what is counted and may not be there."""
    for condition, names in _grouped(left_out(assembly), context):
        yield f"left out, as {condition} is false with the values that the template gives: {names}"
    for condition, names in _grouped(filter(is_uncertain, assembly.resources), context):
        yield f"counted, though only deployment knows whether {condition} holds: {names}"


def _grouped(resources: Iterable[Resource], context: Context) -> Iterator[tuple[str, str]]:
    """Each condition with the names of what hangs on it."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in resources:
        if each.type == NESTED_STACK or not isinstance(registry.class_of(each.type), Free):
            key = (each.stack.name, str(each.condition))
            found.setdefault(key, []).append(context.name_of(each))
    for (stack, condition), names in found.items():
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        yield f"the condition {condition} of {stack}", f"{', '.join(names[:_MOST_NAMED])}{more}"
