"""EFS file systems: data held, bytes read and written (elastic), provisioned throughput.

All data is priced as Standard, or One Zone. Facts: https://aws.amazon.com/efs/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse

_MODES = ("bursting", "elastic", "provisioned")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("ReplicationConfiguration"):
        raise refuse(resource, "ReplicationConfiguration keeps a second file system")
    stored = context.derive(resource, "stored_gb")
    kind, words = (
        ("one_zone", "One Zone") if properties.get("AvailabilityZoneName") else ("standard", "Standard")
    )
    yield CostLine(f"Stored data ({words})", "GB-months", stored, f"efs.storage.{kind}")
    mode = one_of(resource, properties.get("ThroughputMode", "bursting"), "ThroughputMode", _MODES)
    if mode == "elastic":
        read = context.derive(resource, "read_gb_per_month")
        yield CostLine("Data read (elastic)", "GB", read, "efs.elastic.read")
        written = context.derive(resource, "written_gb_per_month")
        yield CostLine("Data written (elastic)", "GB", written, "efs.elastic.write")
    if mode == "provisioned":
        name = "ProvisionedThroughputInMibps"
        rate = number(resource, properties.get(name), name)
        figure = constant(rate, f"{shown(rate)} MiB/s (what the stored data earns is not taken off)")
        yield CostLine("Throughput (provisioned)", "MiB/s-months", figure, "efs.throughput.provisioned")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("LifecyclePolicies"):
        yield f"{context.name_of(resource)}: data that changes its storage class is priced as Standard"
    if (resource.properties.get("BackupPolicy") or {}).get("Status") == "ENABLED":
        yield f"{context.name_of(resource)}: its automatic backups go to a vault of the account, which is not counted"


ROOM = Room(
    type="AWS::EFS::FileSystem",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held"),
        "read_gb_per_month": Usage("GB", "elastic throughput: bytes read"),
        "written_gb_per_month": Usage("GB", "elastic throughput: bytes written"),
    },
    lines=_lines,
    warnings=_warnings,
)
