"""Redshift clusters: hours of the RA3 nodes, managed storage, and what is billed beside them.

A second zone has as many nodes again. Automated snapshots of RA3 are free. A cluster that the internet reaches pays
for the address of its leader; an elastic one has a line of its own. Facts:
https://aws.amazon.com/redshift/pricing/ ; the secret: https://aws.amazon.com/secrets-manager/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, zones
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, each, number, one_of, refuse
from workbench.workload import Figure

_NODES = ("ra3.large", "ra3.xlplus", "ra3.4xlarge")


def _nodes(resource: Resource) -> Figure:
    properties = resource.properties
    kind = one_of(resource, properties.get("ClusterType"), "ClusterType", ("single-node", "multi-node"))
    value = 1 if kind == "single-node" else properties.get("NumberOfNodes")
    count = number(resource, value, "NumberOfNodes")
    nodes = constant(count, "1 node" if count == 1 else f"{shown(count)} nodes")
    return nodes * each(2, "zones") if by_use.is_true(properties.get("MultiAZ")) else nodes


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("DestinationRegion"):
        raise refuse(resource, "DestinationRegion keeps snapshots in another region")
    kind = one_of(resource, properties.get("NodeType"), "NodeType", _NODES)
    nodes = _nodes(resource)
    yield from Grown(nodes).lines("Nodes", kind, "node-hours", HOURS, f"redshift.{kind}")
    yield from by_use.lines(resource, context, ("Managed storage", "GB-months", "stored_gb", "redshift.rms"))
    if "concurrency_scaling_hours_per_month" in resource.workload:
        more = context.derive(resource, "concurrency_scaling_hours_per_month", by=lambda hours: nodes * hours)
        yield CostLine(f"Concurrency scaling ({kind})", "node-hours", more, f"redshift.{kind}")
    row = ("Data scanned (Spectrum)", "TB", "spectrum_scanned_tb_per_month", "redshift.spectrum")
    yield from by_use.where_declared(resource, context, row)
    if by_use.is_true(properties.get("PubliclyAccessible")) and not properties.get("ElasticIp"):
        yield from zones.public_addresses(zones.always(1, "address of the leader"))
    if by_use.is_true(properties.get("ManageMasterPassword")):
        yield CostLine("Secrets (master password)", "secrets", each(1, "secret"), "secretsmanager.secret")


ROOM = Room(
    type="AWS::Redshift::Cluster",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data in managed storage"),
        "concurrency_scaling_hours_per_month": Usage(
            "hours", "hours that added clusters run, beyond the free hour a day, if any"
        ),
        "spectrum_scanned_tb_per_month": Usage("TB", "data of S3 that queries read, if any"),
    },
    lines=_lines,
)
