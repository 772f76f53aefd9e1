"""Search domains, of OpenSearch and of the older type for Elasticsearch: nodes, volumes, managed storage.

Data between the zones of a domain and automated snapshots are free. A gp3 volume brings 3,000 IOPS and 125 MiB/s,
above 170 GB 250 MiB/s. Facts: https://aws.amazon.com/opensearch-service/pricing/ ; the versions past their standard
support: https://docs.aws.amazon.com/opensearch-service/latest/developerguide/what-is.html#choosing-version ; what of
a volume holds data: https://docs.aws.amazon.com/opensearch-service/latest/developerguide/bp-storage.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, dollars, plain, shown
from workbench.review.prices import PriceBook
from workbench.review.room import (
    Context,
    CostLine,
    Limit,
    Usage,
    each,
    number,
    one_of,
    refuse,
    setting,
    text,
)
from workbench.workload import Figure

USAGE = {
    "stored_gb": Usage("GB", "data on the volumes: indexes and their replicas"),
    "managed_stored_gb": Usage(
        "GB", "data in managed storage: warm, cold, and what OR1 and OR2 nodes keep beside their volumes"
    ),
}

_STORAGE_PAGE = "https://docs.aws.amazon.com/opensearch-service/latest/developerguide/bp-storage.html"
_EXTENDED = {
    "OpenSearch": ("1.0", "1.1", "1.2", "2.3", "2.5", "2.7", "2.9"),
    "Elasticsearch": (
        *("1.5", "2.3", "5"),
        *("6.0", "6.2", "6.3", "6.4", "6.5", "6.7"),
        *("7.1", "7.4", "7.7", "7.8"),
    ),
}
_REMOTE_BACKED = ("or1.", "or2.", "om2.", "oi2.")
_SMALL = ("t2.", "t3.")
_VOLUMES = ("gp3", "gp2", "io1", "standard")
_GP3_IOPS, _GP3_MIB_PER_SECOND, _GP3_MIB_PER_SECOND_LARGE, _LARGE_GB = 3_000, 125, 250, 170
# OpenSearch keeps a fifth of a volume for itself, at most 20 GB; Linux five percent of the rest.
_OWN_SHARE, _OWN_MOST_GB, _LINUX_SHARE = Decimal("0.2"), Decimal(20), Decimal("0.05")


@dataclass(frozen=True)
class Nodes:
    """`count` nodes of one role and type, `m7g.large.search`."""

    role: str
    type: str
    count: int


def refuse_old(resource: Resource, engine: str, version: str) -> None:
    """Refuse a version that pays a surcharge for extended support, whose price the book hasn't got."""
    for old in _EXTENDED[engine]:
        if version == old or version.startswith(f"{old}."):
            raise refuse(resource, f"{engine} {version} pays for extended support")


def nodes(resource: Resource, cluster: Mapping[str, Any]) -> Iterator[Nodes]:
    """Every kind of node that `cluster`, the ClusterConfig, asks for; the data nodes come first."""
    yield _nodes(resource, cluster, "Data nodes", "InstanceType", "InstanceCount", default=1)
    if by_use.is_true(cluster.get("DedicatedMasterEnabled")):
        yield _nodes(resource, cluster, "Dedicated masters", "DedicatedMasterType", "DedicatedMasterCount")
    if by_use.is_true(cluster.get("WarmEnabled")):
        yield _nodes(resource, cluster, "Warm nodes", "WarmType", "WarmCount")
    for option in cluster.get("NodeOptions") or []:
        one_of(resource, option.get("NodeType"), "NodeType", ("coordinator",))
        settings = option.get("NodeConfig") or {}
        if by_use.is_true(settings.get("Enabled")):
            yield _nodes(resource, settings, "Coordinators", "Type", "Count")


def _nodes(
    resource: Resource,
    settings: Mapping[str, Any],
    role: str,
    kind: str,
    count: str,
    default: int | None = None,
) -> Nodes:
    machine = text(resource, settings.get(kind), kind).replace(".elasticsearch", ".search")
    return Nodes(role, machine, int(number(resource, settings.get(count), count, default)))


def lines(resource: Resource, context: Context, cluster: Mapping[str, Any]) -> Iterator[CostLine]:
    """All that a domain pays."""
    data, *others = nodes(resource, cluster)
    for some in (data, *others):
        fleet = Grown(each(some.count, some.role.lower()))
        yield from fleet.lines(some.role, some.type, "node-hours", HOURS, f"opensearch.{some.type}")
    yield from _volume_lines(resource, data)
    if _has_managed_storage(data, cluster):
        row = ("Managed storage", "GB-months", "managed_stored_gb", "opensearch.managed_storage")
        yield from by_use.lines(resource, context, row)
    else:
        by_use.refuse_keys(resource, "no node of it has managed storage", "managed_stored_gb")


def _has_managed_storage(data: Nodes, cluster: Mapping[str, Any]) -> bool:
    cold = (cluster.get("ColdStorageOptions") or {}).get("Enabled")
    warm = cluster.get("WarmEnabled")
    return data.type.startswith(_REMOTE_BACKED) or by_use.is_true(warm) or by_use.is_true(cold)


def _volume(resource: Resource) -> tuple[str, Decimal] | None:
    """Type and size of the volume of each data node; None where it has disks of its own."""
    settings = resource.properties.get("EBSOptions") or {}
    if not by_use.is_true(settings.get("EBSEnabled")):
        return None
    kind = one_of(resource, settings.get("VolumeType", "gp2"), "VolumeType", _VOLUMES)
    return kind, number(resource, settings.get("VolumeSize"), "VolumeSize")


def _volume_lines(resource: Resource, data: Nodes) -> Iterator[CostLine]:
    volume = _volume(resource)
    if volume is None:
        return
    kind, size = volume
    settings = resource.properties["EBSOptions"]
    fleet = Grown(each(data.count, "data nodes"))
    price_key = f"opensearch.storage.{'magnetic' if kind == 'standard' else kind}"
    yield from fleet.lines("Volumes", kind, "GB-months", constant(size, f"{shown(size)} GB"), price_key)
    if kind == "io1":
        iops = number(resource, settings.get("Iops"), "Iops")
        figure = constant(iops, f"{shown(iops)} IOPS")
        yield from fleet.lines("IOPS", kind, "IOPS-months", figure, "opensearch.storage.io1.iops")
    if kind == "gp3":
        rate = _GP3_MIB_PER_SECOND_LARGE if size > _LARGE_GB else _GP3_MIB_PER_SECOND
        for name, included in (("Iops", _GP3_IOPS), ("Throughput", rate)):
            if number(resource, settings.get(name), name, included) > included:
                raise refuse(resource, f"{name} is {settings[name]}, and gp3 includes {included:,}")


def limits(resource: Resource, context: Context, cluster: Mapping[str, Any]) -> Iterator[Limit]:
    """What the volumes of the data nodes hold, and how many such nodes a domain may have."""
    name, data = context.name_of(resource), next(nodes(resource, cluster))
    count, volume = each(data.count, "data nodes"), _volume(resource)
    if volume is not None:
        load = context.derive(resource, "stored_gb")
        advice = setting(name, "VolumeSize or InstanceCount")
        space = count * _usable(volume[1])
        yield Limit(name, "Volumes of the data nodes", "GB", space, load, True, _STORAGE_PAGE, advice)
    key = "small_nodes_per_domain" if data.type.startswith(_SMALL) else "nodes_per_domain"
    yield context.against(f"opensearch.{key}", resource, "Data nodes of the domain", count)


def _usable(size: Decimal) -> Figure:
    own = min(size * _OWN_SHARE, _OWN_MOST_GB)
    return constant(
        (size - own) * (1 - _LINUX_SHARE),
        f"({shown(size)} GB − {shown(own)} for OpenSearch) less 5 % for Linux",
    )


def warnings(resource: Resource, context: Context, cluster: Mapping[str, Any]) -> Iterator[str]:
    """Where the same costs less, and what one node can't do."""
    volume, name, data = _volume(resource), context.name_of(resource), next(nodes(resource, cluster))
    if volume is not None and volume[0] == "gp2":
        book = PriceBook.load()
        gp2, gp3 = (book[f"opensearch.storage.{kind}"].tiers[0].price for kind in ("gp2", "gp3"))
        gigabytes = data.count * volume[1]
        yield (
            f"{name}: gp2 costs ${plain(gp2)} a GB and gp3, which is faster, ${plain(gp3)}: "
            f"{dollars((gp2 - gp3) * gigabytes)} a month less for {shown(gigabytes)} GB"
        )
    if data.count == 1:
        yield f"{name}: it has one data node, so its data is in one place only and replicas are never assigned"
