"""What stays of a resource when its stack is deleted: by its deletion policy, and by what its service keeps besides.

Deletion policies, their defaults and the types that can be snapshotted:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html . What
`UpdateReplacePolicy` keeps is left by an update, not by `cdk destroy`, and is not looked at.

What services keep of a deleted resource:

- RDS and Aurora: automated backups, where `DeleteAutomatedBackups` is false, until their retention period ends. They
  are paid, and so is a final snapshot: the allowance of free backup storage is the size of the databases that there
  are. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.Retaining.html and
  https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Managing.Backups.Retaining.html . A read replica
  has no final snapshot: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html
- DynamoDB: a system backup of a table with point-in-time recovery, for 35 days, free.
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
- KMS: the key, for `PendingWindowInDays`, 30 where nothing is said; it can't be used and costs nothing.
  https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html and https://aws.amazon.com/kms/pricing/
- ElastiCache: automatic backups go with the cluster; a final one of a serverless cache is asked for by its name.
  https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.Delete.html
- EFS: automatic backups, for 35 days. https://docs.aws.amazon.com/efs/latest/ug/awsbackup.html
- AWS Backup: recovery points in a vault that is not in the template, such as the account's own "Default".
- EC2: volumes that are not deleted on termination, of every instance that there ever was.
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/preserving-volumes-on-termination.html

Nothing stays of a secret: CloudFormation deletes it without a recovery window, as
https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1999 says. Metrics and traces end by
themselves and cost nothing to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from workbench.assembly import Resource, Stack, Unresolved
from workbench.errors import MalformedAssembly, NotPriced
from workbench.review import ec2, zones
from workbench.review.free import Free
from workbench.review.numbers import constant, shown
from workbench.review.protections import protections
from workbench.review.registry import UNEXPECTED, ask, class_of
from workbench.review.room import NOT_DECLARED, Context, CostLine, Room, is_declared, module_of, number
from workbench.workload import Figure

DELETE, RETAIN, SNAPSHOT = "Delete", "Retain", "Snapshot"
_POLICIES = {DELETE: DELETE, RETAIN: RETAIN, "RetainExceptOnCreate": RETAIN, SNAPSHOT: SNAPSHOT}
_DAYS_OF_A_SYSTEM_BACKUP, _DAYS_OF_AN_EFS_BACKUP, _DAYS_OF_A_KEY = 35, 35, 30

# Of these nothing stays, whatever the policy says.
_NOTHING = (
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
)
# What is a part of something else, and gone with it: type → the property that names that.
_PART_OF = {
    "AWS::ApiGateway::Deployment": "RestApiId",
    "AWS::ApiGateway::Stage": "RestApiId",
    "AWS::ApiGatewayV2::Deployment": "ApiId",
    "AWS::ApiGatewayV2::Stage": "ApiId",
    "AWS::Cognito::UserPoolClient": "UserPoolId",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::Lambda::Version": "FunctionName",
    "AWS::Logs::LogStream": "LogGroupName",
}
_REMOVE = {
    "AWS::Backup::BackupVault": "delete its recovery points, then: "
    "aws backup delete-backup-vault --backup-vault-name NAME",
    "AWS::Cognito::UserPool": "aws cognito-idp delete-user-pool --user-pool-id ID",
    "AWS::DynamoDB::Table": "aws dynamodb delete-table --table-name NAME",
    "AWS::ECR::Repository": "aws ecr delete-repository --repository-name NAME --force",
    "AWS::KMS::Key": "aws kms schedule-key-deletion --key-id ID",
    "AWS::Logs::LogGroup": "aws logs delete-log-group --log-group-name NAME",
    "AWS::MSK::Cluster": "aws kafka delete-cluster --cluster-arn ARN",
    "AWS::S3::Bucket": "delete every version of every object, then: aws s3api delete-bucket --bucket NAME",
    "AWS::SQS::Queue": "aws sqs delete-queue --queue-url URL",
    "AWS::SecretsManager::Secret": "aws secretsmanager delete-secret --secret-id ID --force-delete-without-recovery",
}


@dataclass(frozen=True)
class Rest:
    """One thing that a deleted stack leaves, or that keeps it from being deleted.

    `what` names it where it isn't the resource itself ("final snapshot"). `remove` is a command or a sentence;
    words in capitals stand for what only deployment knows. `ends_after_days`: when AWS takes it away by itself.
    `not_priced` says why its lines are not all that it costs.
    """

    resource: Resource
    what: str
    why: str
    remove: str
    lines: tuple[CostLine, ...] = ()
    not_priced: str = ""
    ends_after_days: int | None = None


class Standing:
    """What a resource costs a month when nobody comes any more, and what it holds is still there.

    The idle bill takes all declared usage as zero, also the data held. Here a line is taken from the idle bill,
    unless it is data at rest (gigabyte-months; gigabyte-hours of a serverless cache): that one is taken at the
    declared traffic. It needs no mark on any usage key: the unit of a line says whether it is paid for being there,
    also where what is there follows from what was written, as with logs. What a fleet adds under load is gone.
    """

    def __init__(self, full: Context, idle: Context) -> None:
        self.full, self._idle = full, idle

    def lines(self, resource: Resource) -> tuple[tuple[CostLine, ...], str]:
        """The lines, without those that are zero; and why they are not known, empty where they are."""
        room = class_of(resource.type)
        if not isinstance(room, Room):
            return (), _why_unpriced(resource, room)
        try:
            held = [line for line in ask(resource, room.lines, self.full) if _is_at_rest(line)]
            idle = [line for line in ask(resource, room.lines, self._idle) if not _is_at_rest(line)]
        except NotPriced as problem:
            return (), str(problem)
        stored = [line for line in held if line.quantity.value or not is_declared(line.quantity)]
        return (*stored, *(line for line in idle if line.quantity.value)), ""


def _is_at_rest(line: CostLine) -> bool:
    return line.unit in ("GB-months", "GB-hours") and "as load grows" not in line.component


def _why_unpriced(resource: Resource, known: Free | str | None) -> str:
    """Empty for what is free."""
    if isinstance(known, str):
        return known
    if known is None:
        return f"the review doesn't know {resource.type}: teach it in {module_of(resource.type)}"
    costly = {name: resource.properties.get(name) for name in known.unless}
    set_ = [name for name, value in costly.items() if value and value not in known.unless[name]]
    return f"it is free unless {', '.join(set_)} is set" if set_ else ""


def policy_of(resource: Resource) -> str:
    """What CloudFormation does with `resource` at the end: `Delete`, `Retain` or `Snapshot`.

    A policy that only deployment knows counts as `Retain`, and so does any in a nested stack that is kept. Raises
    `MalformedAssembly` for one that CloudFormation doesn't take.
    """
    written = resource.stack.resolve(resource.raw.get("DeletionPolicy"))
    if isinstance(written, Unresolved) or _kept_stack(resource.stack) is not None:
        return RETAIN
    policy = _default(resource) if written is None else _POLICIES.get(str(written))
    if policy is None or (policy == SNAPSHOT and resource.type not in _SNAPSHOTS):
        raise MalformedAssembly(
            f"{resource.stack.name}/{resource.logical_id}: {resource.type} can't have the DeletionPolicy {written}"
        )
    return DELETE if policy == SNAPSHOT and _has_no_snapshot(resource) else policy


def _kept_stack(stack: Stack) -> Resource | None:
    """The resource that `stack` is in its parent, or a parent of that, where it is kept; None for any other stack."""
    if stack.parent is None:
        return None
    holder = stack.parent.resources[stack.nested_as]
    return holder if policy_of(holder) == RETAIN else None


def _default(resource: Resource) -> str:
    return SNAPSHOT if resource.type in ("AWS::RDS::DBCluster", "AWS::RDS::DBInstance") else DELETE


def _has_no_snapshot(resource: Resource) -> bool:
    """A member of a cluster, whose data is the cluster's, and a read replica."""
    properties = resource.properties
    return resource.type == "AWS::RDS::DBInstance" and bool(
        properties.get("DBClusterIdentifier") or properties.get("SourceDBInstanceIdentifier")
    )


def remains(resource: Resource, standing: Standing) -> Iterator[Rest]:
    """All that stays of `resource`."""
    policy = policy_of(resource)
    if policy == RETAIN:
        yield from or_unknown(resource, partial(_kept, resource, standing))
        return
    if policy == SNAPSHOT:
        yield from or_unknown(resource, partial(_snapshot, resource, standing.full))
    for kept_besides in _BESIDES.get(resource.type, ()):
        yield from or_unknown(resource, partial(kept_besides, resource, standing.full))


def or_unknown(resource: Resource, find: Callable[[], Iterable[Rest]]) -> list[Rest]:
    """What `find` finds; where a property is not of the shape that it expects, that this is not known."""
    try:
        return list(find())
    except NotPriced as problem:
        why = str(problem)
    except UNEXPECTED as problem:
        why = f"a property is known only at deployment, or not as CloudFormation writes it ({problem})"
    return [Rest(resource, "", why, "look for what is left of it", not_priced="what is left is not known")]


def _kept(resource: Resource, standing: Standing) -> Iterator[Rest]:
    if resource.type in _NOTHING or _goes_with_its_whole(resource, standing.full):
        return
    lines, not_priced = standing.lines(resource)
    yield Rest(resource, "", _why_kept(resource), _how_to_remove(resource), lines, not_priced)


def _goes_with_its_whole(resource: Resource, context: Context) -> bool:
    named = resource.properties.get(_PART_OF.get(resource.type, ""))
    whole = context.target(resource, named) if named is not None else None
    return whole is not None and policy_of(whole) != RETAIN


def _why_kept(resource: Resource) -> str:
    written = resource.stack.resolve(resource.raw.get("DeletionPolicy"))
    if isinstance(written, Unresolved):
        return "whether it stays is known only at deployment"
    holder = _kept_stack(resource.stack)
    if holder is not None:
        return f"it is in a nested stack that is kept: {holder.name}"
    why = f"DeletionPolicy is {written}"
    if resource.type == "AWS::Logs::LogGroup":
        days = resource.properties.get("RetentionInDays")
        return f"{why}; what is in it " + (
            "never expires" if days is None else f"expires after {days} days, the empty group does not"
        )
    if resource.type.startswith("Custom::") or resource.type == "AWS::CloudFormation::CustomResource":
        return f"{why}, so its function isn't called: what it made stays"
    return why


def _how_to_remove(resource: Resource) -> str:
    """One command, or one sentence; what protects it is ended first."""
    default = f"aws cloudcontrol delete-resource --type-name {resource.type} --identifier ID"
    unlock = [command for _, command in protections(resource)]
    return " && ".join([*unlock, _REMOVE.get(resource.type, default)])


# Snapshots: the price, the command, and of what the size is known.

_SNAPSHOTS: dict[str, tuple[str | None, str]] = {
    "AWS::DocDB::DBCluster": (
        "docdb.backup",
        "aws docdb delete-db-cluster-snapshot --db-cluster-snapshot-identifier ID",
    ),
    "AWS::EC2::Volume": ("ebs.snapshot", "aws ec2 delete-snapshot --snapshot-id ID"),
    "AWS::ElastiCache::CacheCluster": (
        "elasticache.backup",
        "aws elasticache delete-snapshot --snapshot-name NAME",
    ),
    "AWS::ElastiCache::ReplicationGroup": (
        "elasticache.backup",
        "aws elasticache delete-snapshot --snapshot-name NAME",
    ),
    "AWS::Neptune::DBCluster": (
        "neptune.backup",
        "aws neptune delete-db-cluster-snapshot --db-cluster-snapshot-identifier ID",
    ),
    "AWS::RDS::DBCluster": (
        "aurora.backup",
        "aws rds delete-db-cluster-snapshot --db-cluster-snapshot-identifier ID",
    ),
    "AWS::RDS::DBInstance": ("rds.backup", "aws rds delete-db-snapshot --db-snapshot-identifier ID"),
    "AWS::Redshift::Cluster": (None, "aws redshift delete-cluster-snapshot --snapshot-identifier ID"),
}


def _why_snapshot(resource: Resource) -> str:
    if resource.raw.get("DeletionPolicy") is None:
        return "no DeletionPolicy is written, and CloudFormation's own for it is Snapshot"
    return "DeletionPolicy is Snapshot"


def _snapshot(resource: Resource, context: Context) -> Iterator[Rest]:
    why, (_, command) = _why_snapshot(resource), _SNAPSHOTS[resource.type]
    key = _backup_price(resource)
    if key is None:
        unknown = f"no price of a snapshot of {resource.type} is in the price book"
        yield Rest(resource, "final snapshot", why, command, not_priced=unknown)
        return
    line = CostLine("Snapshots", "GB-months", _size(resource, context), key)
    yield Rest(resource, "final snapshot", why, command, (line,))


def _backup_price(resource: Resource) -> str | None:
    engine = str(resource.properties.get("Engine", ""))
    if resource.type == "AWS::RDS::DBCluster" and not engine.startswith("aurora"):
        return "rds.backup"  # a Multi-AZ cluster of RDS
    return _SNAPSHOTS[resource.type][0]


def _size(resource: Resource, context: Context) -> Figure:
    """What the snapshot holds: all of the data; of a volume, at the most, its size."""
    if resource.type == "AWS::EC2::Volume":
        size = number(resource, resource.properties.get("Size"), "Size")
        return constant(size, f"{shown(size)} GB (Size; blocks never written are not in it)")
    return _held(resource, context, "stored_gb")


def _held(resource: Resource, context: Context, key: str) -> Figure:
    room = context.rooms.get(resource.type)
    if room is None or key not in room.usage:
        return Figure(Decimal(0), f"{NOT_DECLARED}{key}")
    return context.derive(resource, key)


# What services keep besides.


def _automated_backups(resource: Resource, context: Context) -> Iterator[Rest]:
    properties = resource.properties
    days = int(number(resource, properties.get("BackupRetentionPeriod"), "BackupRetentionPeriod", default=1))
    kept = str(properties.get("DeleteAutomatedBackups", True)).lower() == "false"
    if not kept or not days or _has_no_snapshot(resource):
        return
    stored, more = (_held(resource, context, key) for key in ("stored_gb", "backup_gb"))
    size = stored if not is_declared(stored) or not is_declared(more) else stored + more
    is_cluster = resource.type == "AWS::RDS::DBCluster"
    yield Rest(
        resource,
        "automated backups",
        f"DeleteAutomatedBackups is false; the last one expires after {days} days",
        "aws rds delete-db-cluster-automated-backup --db-cluster-resource-id ID"
        if is_cluster
        else "aws rds delete-db-instance-automated-backup --dbi-resource-id ID",
        (CostLine("Automated backups", "GB-months", size, _backup_price(resource) or ""),),
        ends_after_days=days,
    )


def _system_backup(resource: Resource, _context: Context) -> Iterator[Rest]:
    properties = resource.properties
    tables = [properties, *(properties.get("Replicas") or [])]
    settings = [each.get("PointInTimeRecoverySpecification") or {} for each in tables]
    if any(each.get("PointInTimeRecoveryEnabled") for each in settings):
        yield Rest(
            resource,
            "system backup",
            f"point-in-time recovery is on: DynamoDB keeps a last backup for {_DAYS_OF_A_SYSTEM_BACKUP} days, free",
            "nothing to do: it can't be deleted, and ends by itself",
            ends_after_days=_DAYS_OF_A_SYSTEM_BACKUP,
        )


def _pending_key(resource: Resource, _context: Context) -> Iterator[Rest]:
    value = resource.properties.get("PendingWindowInDays")
    days = int(number(resource, value, "PendingWindowInDays", default=_DAYS_OF_A_KEY))
    yield Rest(
        resource,
        "key pending deletion",
        f"KMS deletes a key {days} days after it is asked to; until then it can't be used, and costs nothing",
        "nothing to do: it ends by itself",
        ends_after_days=days,
    )


def _final_snapshot(resource: Resource, context: Context) -> Iterator[Rest]:
    name = resource.properties.get("FinalSnapshotName")
    if name:
        size = _held(resource, context, "stored_gb")
        yield Rest(
            resource,
            "final snapshot",
            f"FinalSnapshotName is {name}",
            f"aws elasticache delete-serverless-cache-snapshot --serverless-cache-snapshot-name {name}",
            (CostLine("Snapshots", "GB-months", size, "elasticache.backup"),),
        )


def _file_backups(resource: Resource, context: Context) -> Iterator[Rest]:
    if (resource.properties.get("BackupPolicy") or {}).get("Status") == "ENABLED":
        size = _held(resource, context, "stored_gb")
        yield Rest(
            resource,
            "automatic backups",
            f"BackupPolicy is ENABLED: the account's EFS vault keeps each for {_DAYS_OF_AN_EFS_BACKUP} days",
            "delete its recovery points in the vault aws/efs/automatic-backup-vault",
            (CostLine("Backups", "GB-months", size, "backup.efs.warm"),),
            ends_after_days=_DAYS_OF_AN_EFS_BACKUP,
        )


def _recovery_points(resource: Resource, context: Context) -> Iterator[Rest]:
    for rule in (resource.properties.get("BackupPlan") or {}).get("BackupPlanRule") or []:
        vault = rule.get("TargetBackupVault")
        if context.target(resource, vault) is None:
            days = (rule.get("Lifecycle") or {}).get("DeleteAfterDays")
            yield Rest(
                resource,
                f"recovery points in {vault}",
                f"the vault of the rule {rule.get('RuleName')} is not in the template; each recovery point stays "
                + ("for ever" if days is None else f"{days} days"),
                f"delete those of this stack in the vault {vault}",
                not_priced="how much the vault holds is not declared: it is in no template",
                ends_after_days=None if days is None else int(number(resource, days, "DeleteAfterDays")),
            )


def _volumes(resource: Resource, _context: Context) -> Iterator[Rest]:
    settings: Mapping[str, Any] = resource.properties.get("LaunchTemplateData") or resource.properties
    for mapping in settings.get("BlockDeviceMappings") or []:
        disk = mapping.get("Ebs") or {}
        if str(disk.get("DeleteOnTermination", True)).lower() == "false":
            device = f"volume {mapping.get('DeviceName')}"
            why = "DeleteOnTermination is false" + (
                ""
                if resource.type == "AWS::EC2::Instance"
                else "; each instance that there ever was leaves one"
            )
            lines, not_priced = _lines_of_volume(resource, disk)
            yield Rest(resource, device, why, "aws ec2 delete-volume --volume-id ID", lines, not_priced)


def _lines_of_volume(resource: Resource, disk: Mapping[str, Any]) -> tuple[tuple[CostLine, ...], str]:
    try:
        each = ec2.volume(resource, disk, "VolumeSize", "VolumeType")
    except NotPriced as problem:
        return (), str(problem)
    return tuple(ec2.volume_lines(zones.always(1, "volume"), each)), ""


_BESIDES: dict[str, tuple[Callable[[Resource, Context], Iterator[Rest]], ...]] = {
    "AWS::AutoScaling::LaunchConfiguration": (_volumes,),
    "AWS::Backup::BackupPlan": (_recovery_points,),
    "AWS::DynamoDB::GlobalTable": (_system_backup,),
    "AWS::DynamoDB::Table": (_system_backup,),
    "AWS::EC2::Instance": (_volumes,),
    "AWS::EC2::LaunchTemplate": (_volumes,),
    "AWS::EFS::FileSystem": (_file_backups,),
    "AWS::ElastiCache::ServerlessCache": (_final_snapshot,),
    "AWS::KMS::Key": (_pending_key,),
    "AWS::RDS::DBCluster": (_automated_backups,),
    "AWS::RDS::DBInstance": (_automated_backups,),
}
