"""CloudFront functions: invocations at the edge, one a viewer request unless declared otherwise; store reads.

With a key value store that is outside the assembly an invocation is taken to read once, unless declared otherwise.

A function that only some paths of a distribution use is counted for all of them; declare its own figure
where that is too much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.resources.aws_cloudfront_distribution import behaviours, requests
from workbench.review.room import Context, CostLine, Room, Usage, is_declared, sum_declared
from workbench.workload import Figure


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    invocations = _invocations(resource, context)
    yield CostLine("Invocations (edge function)", "invocations", invocations, "cloudfront.functions")
    if _reads_a_store_elsewhere(resource, context):
        reads = invocations
        if "store_reads_per_month" in resource.workload:
            reads = context.derive(resource, "store_reads_per_month")
        yield CostLine("Reads (key value store)", "reads", reads, "cloudfront.keyvaluestore.read")


def _reads_a_store_elsewhere(resource: Resource, context: Context) -> bool:
    """Whether its key value store is outside the assembly; one in it has a line of its own."""
    stores = (resource.properties.get("FunctionConfig") or {}).get("KeyValueStoreAssociations") or []
    return any(context.target(resource, each.get("KeyValueStoreARN")) is None for each in stores)


def _invocations(resource: Resource, context: Context) -> Figure:
    own = context.derive(resource, "invocations_per_month")
    if "invocations_per_month" in resource.workload:
        return own
    used = []
    for distribution, kinds in context.once(_runs).get(resource, {}).items():
        # A request of a viewer passes through it at its arrival, at its answer, or both.
        events = constant(len(kinds), " and ".join(sorted(kinds)))
        asked = requests(distribution, context)
        used.append(events * asked if is_declared(asked) else asked)
    return sum_declared(used) if used else own


def _runs(context: Context) -> Mapping[Resource, Mapping[Resource, set[str]]]:
    """Function → each distribution that runs it → the events at which it does."""
    found: dict[Resource, dict[Resource, set[str]]] = {}
    for distribution in context.assembly.resources:
        if distribution.type == "AWS::CloudFront::Distribution":
            for behaviour in behaviours(distribution):
                for association in behaviour.get("FunctionAssociations") or []:
                    function = context.target(distribution, association.get("FunctionARN"))
                    if function is not None:
                        kinds = found.setdefault(function, {}).setdefault(distribution, set())
                        kinds.add(str(association.get("EventType")))
    return found


ROOM = Room(
    type="AWS::CloudFront::Function",
    classification="usage",
    usage={
        "invocations_per_month": Usage(
            "invocations",
            "viewer requests or responses that pass through it; the distribution's when not declared",
        ),
        "store_reads_per_month": Usage(
            "reads",
            "with a store that is outside the assembly: reads of it; one an invocation when not declared",
        ),
    },
    lines=_lines,
)
