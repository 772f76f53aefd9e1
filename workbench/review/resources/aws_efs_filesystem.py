"""EFS file systems: data held by storage class, bytes read and written (elastic), provisioned throughput, backups.

Data is in Standard, or One Zone, unless a key of another class says so. A copy elsewhere is paid like the original.
Facts: https://aws.amazon.com/efs/pricing/ and https://aws.amazon.com/backup/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of
from workbench.workload import Figure

_CLASSES = {"ia": "Infrequent Access", "archive": "Archive"}
_MODES = ("bursting", "elastic", "provisioned")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    stored = context.derive(resource, "stored_gb")
    kind, words = (
        ("one_zone", "One Zone") if properties.get("AvailabilityZoneName") else ("standard", "Standard")
    )
    yield CostLine(f"Stored data ({words})", "GB-months", stored, f"efs.storage.{kind}")
    for each, words in _CLASSES.items():
        key = f"stored_gb_{each}"
        if key in resource.workload or words in _moves(resource):
            held = context.derive(resource, key)
            yield CostLine(f"Stored data ({words})", "GB-months", held, f"efs.storage.{each}")
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
    yield from _copies(resource, context, stored)


def _copies(resource: Resource, context: Context, stored: Figure) -> Iterator[CostLine]:
    """Automatic backups, and copies of the file system."""
    if (resource.properties.get("BackupPolicy") or {}).get("Status") == "ENABLED":
        backups = context.derive(resource, "backup_gb")
        yield CostLine("Backups (automatic)", "GB-months", backups, "backup.efs.warm")
    for copy in (resource.properties.get("ReplicationConfiguration") or {}).get("Destinations") or []:
        zone = copy.get("AvailabilityZoneName")
        kind, words = ("one_zone", "One Zone") if zone else ("standard", "Standard")
        yield CostLine(f"Stored data (copy, {words})", "GB-months", stored, f"efs.storage.{kind}")
        if copy.get("Region") not in (None, resource.stack.region):
            moved = context.derive(resource, "replicated_gb_per_month")
            yield CostLine("Data replicated (other region)", "GB", moved, "transfer.inter_region")


def _moves(resource: Resource) -> list[str]:
    """The classes that its lifecycle moves data to."""
    policies = resource.properties.get("LifecyclePolicies") or []
    names = {"TransitionToIA": "ia", "TransitionToArchive": "archive"}
    return [_CLASSES[each] for name, each in names.items() if any(name in policy for policy in policies)]


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    name = context.name_of(resource)
    if _moves(resource):
        yield f"{name}: reading what lifecycle has moved pays by the byte, which is not priced"
    if resource.properties.get("AvailabilityZoneName") and _CLASSES["ia"] in _moves(resource):
        yield f"{name}: Infrequent Access of One Zone costs less than that of Standard, which is counted"


ROOM = Room(
    type="AWS::EFS::FileSystem",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "data held in Standard, or in One Zone"),
        "stored_gb_ia": Usage("GB", "data that lifecycle has moved to Infrequent Access"),
        "stored_gb_archive": Usage("GB", "data that lifecycle has moved to Archive"),
        "backup_gb": Usage("GB", "automatic backups held, where BackupPolicy is on"),
        "replicated_gb_per_month": Usage("GB", "bytes written, where a copy is in another region"),
        "read_gb_per_month": Usage("GB", "elastic throughput: bytes read"),
        "written_gb_per_month": Usage("GB", "elastic throughput: bytes written"),
    },
    lines=_lines,
    warnings=_warnings,
)
