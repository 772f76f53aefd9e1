"""RDS with real PostgreSQL: every DB instance, Aurora cluster and RDS Proxy of that engine answers at its endpoint.

MiniStack keeps the records of RDS; the servers follow them. After each call that may have changed a record, of the
API or of CloudFormation, `settle` compares: what has a record and no server gets one, a new password is set, what is
gone is taken away (`databases.py`, `database_proxies.py`). Nothing else starts or stops a server but the commands
below and the loss of a zone.

Source: the RDS User Guide, "Password management with Amazon RDS and AWS Secrets Manager".
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import rds, secretsmanager
from ministack.services.cloudformation import provisioners

from workbench.offline import database_proxies, databases
from workbench.offline.control import command
from workbench.offline.database_records import Record, is_true, of_cluster
from workbench.offline.engine_commands import offer_stopping, report
from workbench.offline.engines.postgres import Postgres
from workbench.offline.parts import Answer, make_in_a_thread
from workbench.offline.surroundings import surroundings

_INSTANCE, _CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"
_ZONES = "abc"
_lock = threading.RLock()


def extend() -> None:
    """Have servers follow RDS's records."""
    rds._get_docker = lambda: None
    rds._rotate_instance_password = lambda *_: None
    rds._rotate_real_password = lambda *_: True
    for action, handler in list(rds._ACTION_MAP.items()):
        if not action.startswith(("Describe", "List")):
            rds._ACTION_MAP[action] = _settling(action, handler)
    _restart_at_reboot()
    _forget_at_reset()
    _keep_snapshots()
    _show_the_managed_secret()
    for kind in (_INSTANCE, _CLUSTER):
        _follow_the_stack(kind, provisioners._RESOURCE_HANDLERS[kind])
    make_in_a_thread(_INSTANCE, _CLUSTER)


def settle() -> None:
    """Start, change and end servers and proxies until they are what RDS's records say."""
    with _lock:
        databases.settle()
        database_proxies.settle()


# What MiniStack does, and what follows it.


def _settling(action: str, handler: Callable[[Record], Answer]) -> Callable[[Record], Answer]:
    def handle(parameters: Record) -> Answer:
        answer = handler(parameters)
        if answer[0] >= 300:
            return answer
        amended = _amend_after(action, parameters)
        settle()
        return answer if amended is None else _RENDERINGS[action](amended)

    return handle


def _amend_after(action: str, parameters: Record) -> Record | None:
    """Complete a record that the API made or changed; the record, where the answer shows an endpoint of ours."""

    def asked(name: str) -> Any:
        return rds._p(parameters, name)

    if action in _OF_AN_INSTANCE:
        record: Record = rds._resolve_instance(asked("DBInstanceIdentifier"))
        if action == "ModifyDBInstance":
            _amend_modified(record, asked)
        else:
            _amend_instance(record, asked)
    elif action == "CreateDBCluster":
        record = rds._clusters[asked("DBClusterIdentifier")]
    elif action == "CreateDBProxy":
        record = rds._db_proxies[asked("DBProxyName")]
    elif action == "CreateDBProxyEndpoint":
        record = rds._db_proxy_endpoints[asked("DBProxyEndpointName")]
    else:
        return None
    return record


def _rendered(action: str, inner: Callable[[Record], str]) -> Callable[[Record], Answer]:
    def render(record: Record) -> Answer:
        answer: Answer = rds._xml(
            200, f"{action}Response", f"<{action}Result>{inner(record)}</{action}Result>"
        )
        return answer

    return render


def _instance_element(record: Record) -> str:
    return f"<DBInstance>{rds._instance_xml(record)}</DBInstance>"


_OF_AN_INSTANCE = (
    "CreateDBInstance",
    "CreateDBInstanceReadReplica",
    "ModifyDBInstance",
    "RestoreDBInstanceFromDBSnapshot",
)
_RENDERINGS = {
    "CreateDBInstance": _rendered("CreateDBInstance", _instance_element),
    "CreateDBInstanceReadReplica": _rendered("CreateDBInstanceReadReplica", _instance_element),
    "ModifyDBInstance": _rendered("ModifyDBInstance", _instance_element),
    "RestoreDBInstanceFromDBSnapshot": _rendered("RestoreDBInstanceFromDBSnapshot", _instance_element),
    "CreateDBCluster": _rendered(
        "CreateDBCluster", lambda r: f"<DBCluster>{rds._cluster_xml(r)}</DBCluster>"
    ),
    "CreateDBProxy": _rendered("CreateDBProxy", lambda r: f"<DBProxy>{rds._db_proxy_xml(r)}</DBProxy>"),
    "CreateDBProxyEndpoint": _rendered(
        "CreateDBProxyEndpoint",
        lambda r: f"<DBProxyEndpoint>{rds._db_proxy_endpoint_xml(r)}</DBProxyEndpoint>",
    ),
}


def _follow_the_stack(kind: str, handler: dict[str, Any]) -> None:
    create, update, delete = handler["create"], handler["update"], handler["delete"]

    def finish(physical_id: str, properties: Record) -> tuple[str, Record]:
        store = rds._instances if kind == _INSTANCE else rds._clusters
        amend = _amend_instance if kind == _INSTANCE else _amend_cluster
        amend(store[physical_id], properties.get)
        settle()
        return physical_id, _attributes(kind, store[physical_id])

    def created(logical_id: str, properties: Record, stack_name: str) -> tuple[str, Record]:
        physical_id, _ = create(logical_id, properties, stack_name)
        return finish(physical_id, properties)

    def updated(physical_id: str, old: Record, new: Record, *rest: Any) -> tuple[str, Record]:
        physical_id, _ = update(physical_id, old, new, *rest)
        return finish(physical_id, new)

    def deleted(physical_id: str, properties: Record) -> None:
        delete(physical_id, properties)
        settle()

    handler.update(create=created, update=updated, delete=deleted)


def _attributes(kind: str, record: Record) -> Record:
    """What Fn::GetAtt answers."""
    of = provisioners._rds_db_instance_attrs if kind == _INSTANCE else provisioners._rds_db_cluster_attrs
    attributes: Record = of(record)
    if secret := record.get("MasterUserSecret"):
        attributes["MasterUserSecret.SecretArn"] = secret["SecretArn"]
    return attributes


def _amend_instance(record: Record, asked: Callable[[str], Any]) -> None:
    """Complete the record of an instance by what MiniStack leaves out of the request."""
    if source := asked("SourceDBInstanceIdentifier"):
        record["ReadReplicaSourceDBInstanceIdentifier"] = source.rsplit(":", 1)[-1]
    if snapshot := rds._snapshots.get(asked("DBSnapshotIdentifier") or ""):
        kept = ("DBName", "MasterUsername", "_MasterUserPassword", "_folder")
        record.update({name: snapshot[name] for name in kept if name in snapshot})
        record["_MasterUserPassword"] = asked("MasterUserPassword") or record["_MasterUserPassword"]
    elif not asked("DBName") and not of_cluster(record):
        record["DBName"] = record["DBName"] if source else "postgres"
    if not asked("AvailabilityZone") and of_cluster(record):
        cluster = rds._clusters.get(record["DBClusterIdentifier"], {})
        members = [each["DBInstanceIdentifier"] for each in cluster.get("DBClusterMembers", [])]
        index = members.index(record["DBInstanceIdentifier"])
        record["AvailabilityZone"] = record["AvailabilityZone"][:-1] + _ZONES[index % len(_ZONES)]
    if record.get("MultiAZ") and not record.get("SecondaryAvailabilityZone"):
        zone = record["AvailabilityZone"]
        record["SecondaryAvailabilityZone"] = zone[:-1] + ("a" if zone[-1] != "a" else "b")
    if is_true(asked("ManageMasterUserPassword")):
        _manage_password(record, "db", record["DBInstanceIdentifier"])


def _amend_cluster(record: Record, asked: Callable[[str], Any]) -> None:
    record["DBClusterParameterGroup"] = asked("DBClusterParameterGroupName") or "default"
    if is_true(asked("ManageMasterUserPassword")):
        _manage_password(record, "cluster", record["DBClusterIdentifier"])


def _amend_modified(record: Record, asked: Callable[[str], Any]) -> None:
    if is_true(asked("ManageMasterUserPassword")):
        _manage_password(record, "db", record["DBInstanceIdentifier"])
    if is_true(asked("RotateMasterUserPassword")) and (secret := record.get("MasterUserSecret")):
        record["_MasterUserPassword"] = rds._generate_master_user_password()
        secretsmanager.put_secret_value_in_process(secret["SecretArn"], _master_secret(record))


def _manage_password(record: Record, prefix: str, identifier: str) -> None:
    """Have RDS keep the master user's password in a secret of its own."""
    if record.get("MasterUserSecret"):
        return
    record["_MasterUserPassword"] = rds._generate_master_user_password()
    arn = secretsmanager.create_secret_in_process(
        f"rds!{prefix}-{rds.new_uuid()}",
        _master_secret(record),
        description=f"The secret that RDS manages for {identifier}",
    )
    record["MasterUserSecret"] = {"SecretArn": arn, "SecretStatus": "active"}


def _master_secret(record: Record) -> str:
    return json.dumps({"username": record["MasterUsername"], "password": record["_MasterUserPassword"]})


def _restart_at_reboot() -> None:
    finish = rds._finish_instance_reboot

    def restart_and_finish(instance: Record, cluster: Record | None) -> None:
        for each in _databases().values():
            if instance["DBInstanceIdentifier"] in {node.name for node in each.engine.nodes}:
                each.engine.restart()
        finish(instance, cluster)

    rds._finish_instance_reboot = restart_and_finish


def _forget_at_reset() -> None:
    reset = rds.reset

    def reset_and_settle() -> None:
        reset()
        settle()

    rds.reset = reset_and_settle


def _keep_snapshots() -> None:
    """A snapshot of an instance holds its data, and the password of that moment."""
    describe, forget = rds._create_snapshot_internal, rds._ACTION_MAP["DeleteDBSnapshot"]

    def create(name: str, instance: Record) -> Record:
        snapshot: Record = describe(name, instance)
        key = (rds.get_account_id(), rds.get_region(), instance["DBInstanceIdentifier"])
        if database := databases.INSTANCES.get(key):
            folder = surroundings().folder / "postgres-snapshots" / snapshot["DbiResourceId"] / name
            folder.parent.mkdir(parents=True, exist_ok=True)
            database.engine.copy_to(folder)
            snapshot.update(_folder=folder, _MasterUserPassword=database.password)
        return snapshot

    def delete(parameters: Record) -> Answer:
        snapshot = rds._snapshots.get(rds._p(parameters, "DBSnapshotIdentifier")) or {}
        answer: Answer = forget(parameters)
        if answer[0] < 300 and "_folder" in snapshot:
            shutil.rmtree(snapshot["_folder"])
        return answer

    rds._create_snapshot_internal = create
    rds._ACTION_MAP["DeleteDBSnapshot"] = delete


def _show_the_managed_secret() -> None:
    element = rds._instance_xml

    def with_secret(record: Record) -> str:
        secret = record.get("MasterUserSecret")
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in (secret or {}).items())
        return str(element(record)) + (f"<MasterUserSecret>{inner}</MasterUserSecret>" if secret else "")

    rds._instance_xml = with_secret


# Faults.


def _databases() -> dict[str, databases.Database]:
    return {each.engine.name: each for each in (*databases.INSTANCES.values(), *databases.CLUSTERS.values())}


@command("postgres/list")
def list_servers() -> list[Record]:
    """Every server: its name, its port, and whether it runs."""
    return [{**report(each.engine), "port": each.engine.port} for _, each in sorted(_databases().items())]


offer_stopping(Postgres, "PostgreSQL called", _lock)
