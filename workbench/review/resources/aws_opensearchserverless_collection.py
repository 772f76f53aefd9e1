"""Serverless collections: capacity units (OCUs) with a floor, and data held.

Search and time series share the units of one account and region; vector search has its own, and so has each KMS key,
where the collection itself names one. There are two at least with standby replicas, which are the default, and one
without. The first collection of those that share bears the line. Facts:
https://aws.amazon.com/opensearch-service/pricing/ and
https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-scaling.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS, Grown, above
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse, sum_declared

_LEAST_UNITS = {"ENABLED": 2, "DISABLED": 1}
_POOLS = {
    "SEARCH": "search and time series",
    "TIMESERIES": "search and time series",
    "VECTORSEARCH": "vector search",
}


def _standby(resource: Resource) -> str:
    value = resource.properties.get("StandbyReplicas", "ENABLED")
    return one_of(resource, value, "StandbyReplicas", tuple(_LEAST_UNITS))


def _pool(resource: Resource) -> str:
    """Which collections it may share units with, in words."""
    return _POOLS[one_of(resource, resource.properties.get("Type", "TIMESERIES"), "Type", tuple(_POOLS))]


def _shares(resource: Resource) -> tuple[str, ...]:
    key = (resource.properties.get("EncryptionConfig") or {}).get("KmsKeyArn", "")
    return resource.stack.region, _pool(resource), _standby(resource), str(key)


def _together(context: Context) -> Mapping[tuple[str, ...], list[Resource]]:
    """What collections may share → those that do."""
    found: dict[tuple[str, ...], list[Resource]] = {}
    for each in context.all_of("AWS::OpenSearchServerless::Collection"):
        found.setdefault(_shares(each), []).append(each)
    return found


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("CollectionGroupName"):
        raise refuse(resource, "CollectionGroupName: a group sets a floor of its own")
    acceleration = (resource.properties.get("VectorOptions") or {}).get(
        "ServerlessVectorAcceleration", "DISABLED"
    )
    one_of(resource, acceleration, "ServerlessVectorAcceleration", ("DISABLED",))
    together = context.once(_together)[_shares(resource)]
    if together[0] is resource:
        yield from _capacity(resource, context, together)
    row = ("Stored data", "GB-months", "stored_gb", "opensearch.serverless.storage")
    yield from by_use.lines(resource, context, row)


def _capacity(resource: Resource, context: Context, together: list[Resource]) -> Iterator[CostLine]:
    units = _LEAST_UNITS[_standby(resource)]
    shared = f", shared by {len(together)} collections" if len(together) > 1 else ""
    least = constant(units, f"{units} OCU, the least{shared}")
    wanted = sum_declared(context.derive(each, "average_ocus") for each in together)
    kind = f"{_pool(resource)}, {'with' if _standby(resource) == 'ENABLED' else 'without'} standby"
    units_used = Grown(least, above(least, wanted))
    yield from units_used.lines("Capacity", kind, "OCU-hours", HOURS, "opensearch.serverless.ocu")


ROOM = Room(
    type="AWS::OpenSearchServerless::Collection",
    classification="mixed",
    usage={
        "average_ocus": Usage(
            "OCUs", "units that its indexing and search take together, averaged over the month"
        ),
        "stored_gb": Usage("GB", "data held in S3, copies not counted"),
    },
    lines=_lines,
)
