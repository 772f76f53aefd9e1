"""RDS with real PostgreSQL: every DB instance, Aurora cluster and RDS Proxy of that engine answers at its endpoint.

MiniStack keeps the records of RDS; the servers follow them. After each call that may have changed a record, of the
API or of CloudFormation, `settle` compares: what has a record and no server gets one, a new password is set, what is
gone is taken away. Nothing else starts or stops a server but the commands below and the loss of a zone.

Sources: the RDS User Guide, "Password management with Amazon RDS and AWS Secrets Manager", "IAM database
authentication for MariaDB, MySQL, and PostgreSQL", "Quotas and constraints for Amazon RDS" (max_connections); the
Aurora User Guide, "Amazon Aurora endpoint connections".
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ministack.core import iam_evaluator, rds_iam
from ministack.core.responses import request_scope
from ministack.services import rds, secretsmanager, sts
from ministack.services.cloudformation import provisioners, stacks

from workbench.offline.control import Refused, command
from workbench.offline.engines import RUNNING, free_port
from workbench.offline.engines.postgres import SETTINGS_TAKEN, Node, Postgres
from workbench.offline.engines.postgres_proxy import (
    HOST,
    Authorize,
    Endpoint,
    Login,
    PoolLimits,
    Proxy,
    further_address,
)
from workbench.offline.engines.postgres_proxy import Refused as LoginRefused
from workbench.offline.surroundings import LOOPBACK, surroundings

Record = dict[str, Any]
Key = tuple[str, str, str]  # account, region, identifier
Answer = tuple[int, dict[str, str], bytes]

_INSTANCE, _CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"
_SESSION_SECONDS = 12 * 3600
_BYTES_A_CONNECTION = 9_531_392  # of RDS's default, LEAST({DBInstanceClassMemory/9531392}, 5000)
_MOST_CONNECTIONS = 5_000
_ZONES = "abc"
_lock = threading.RLock()


@dataclass
class _Database:
    """A server with what it was last told: the password, whether IAM logs in, and the status of its record."""

    engine: Postgres
    declared_port: int
    authorize: Authorize
    require_tls: Callable[[], bool]
    password: str
    status: str
    secret: str
    members: set[str] = field(
        default_factory=set, init=False
    )  # of its nodes, those that have a record of their own


_instances: dict[Key, _Database] = {}
_clusters: dict[Key, _Database] = {}
_cluster_ports: dict[Key, tuple[int, int]] = {}  # its own, and the one that was declared
_reader_addresses: dict[Key, str] = {}
_proxy_addresses: dict[Key, str] = {}
_proxies: dict[Key, Proxy] = {}


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
    _let_sessions_expire()
    for kind in (_INSTANCE, _CLUSTER):
        _follow_the_stack(kind, provisioners._RESOURCE_HANDLERS[kind])
    by_itself = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind in (_INSTANCE, _CLUSTER) or by_itself(kind)


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
    elif not asked("DBName") and not _of_cluster(record):
        record["DBName"] = record["DBName"] if source else "postgres"
    if not asked("AvailabilityZone") and _of_cluster(record):
        cluster = rds._clusters.get(record["DBClusterIdentifier"], {})
        members = [each["DBInstanceIdentifier"] for each in cluster.get("DBClusterMembers", [])]
        index = members.index(record["DBInstanceIdentifier"])
        record["AvailabilityZone"] = record["AvailabilityZone"][:-1] + _ZONES[index % len(_ZONES)]
    if record.get("MultiAZ") and not record.get("SecondaryAvailabilityZone"):
        zone = record["AvailabilityZone"]
        record["SecondaryAvailabilityZone"] = zone[:-1] + ("a" if zone[-1] != "a" else "b")
    if _true(asked("ManageMasterUserPassword")):
        _manage_password(record, "db", record["DBInstanceIdentifier"])


def _amend_cluster(record: Record, asked: Callable[[str], Any]) -> None:
    record["DBClusterParameterGroup"] = asked("DBClusterParameterGroupName") or "default"
    if _true(asked("ManageMasterUserPassword")):
        _manage_password(record, "cluster", record["DBClusterIdentifier"])


def _amend_modified(record: Record, asked: Callable[[str], Any]) -> None:
    if _true(asked("ManageMasterUserPassword")):
        _manage_password(record, "db", record["DBInstanceIdentifier"])
    if _true(asked("RotateMasterUserPassword")) and (secret := record.get("MasterUserSecret")):
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
        if database := _instances.get(key):
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


def _let_sessions_expire() -> None:
    """Give every role session an end: the check of IAM tokens takes one without for incomplete."""
    register = sts.register_session

    def register_with_end(access_key: str, session: Record) -> None:
        session.setdefault("Expiration", time.time() + _SESSION_SECONDS)
        register(access_key, session)

    sts.register_session = register_with_end


# The servers follow the records.


def settle() -> None:
    """Start, change and end servers and proxies until they are what RDS's records say."""
    with _lock:
        _settle(_instances, dict(_wanted_instances()), _start_instance, _follow_instance)
        _settle(_clusters, dict(_wanted_clusters()), _start_cluster, _follow_cluster)
        _settle_proxies()


def _settle(
    databases: dict[Key, _Database],
    wanted: dict[Key, Record],
    start: Callable[[Key, Record], _Database],
    follow: Callable[[Key, Record, _Database], None],
) -> None:
    for key in [each for each in databases if each not in wanted]:
        _remove(key, databases.pop(key))
    for key, record in wanted.items():
        if key not in databases:
            try:
                databases[key] = start(key, record)
            except RuntimeError:
                record[_status_of(record)] = "failed"
                raise
        follow(key, record, databases[key])


def _wanted_instances() -> Iterator[tuple[Key, Record]]:
    for key, record in rds._instances.all_items():
        alone = not (_of_cluster(record) or record.get("ReadReplicaSourceDBInstanceIdentifier"))
        if record["Engine"] == "postgres" and alone and record["DBInstanceStatus"] != "failed":
            yield key, record


def _wanted_clusters() -> Iterator[tuple[Key, Record]]:
    for key in [each for each in _cluster_ports if rds._clusters.get_scoped(*each) is None]:
        del _cluster_ports[key], _reader_addresses[key]
    for key, record in rds._clusters.all_items():
        if record["Engine"] == "aurora-postgresql" and record["Status"] != "failed":
            _place_cluster(key, record)
            if record["DBClusterMembers"] or key in _clusters:  # without a member there is nothing to run on
                yield key, record


def _place_cluster(key: Key, record: Record) -> None:
    """Give a cluster its endpoints, which it has before its first member."""
    if key not in _cluster_ports:
        _cluster_ports[key] = (free_port(), record["Port"])
        _reader_addresses[key] = further_address()
    port, _declared = _cluster_ports[key]
    record.update(Endpoint=HOST, ReaderEndpoint=_reader_addresses[key], Port=port)
    record["_shared_endpoint"] = {"Address": HOST, "Port": port}


def _start_instance(key: Key, record: Record) -> _Database:
    nodes = [Node(key[2], record["AvailabilityZone"])]
    if record.get("MultiAZ"):
        nodes.append(Node(f"{key[2]} (standby)", record["SecondaryAvailabilityZone"]))
    group = record["DBParameterGroups"][0]["DBParameterGroupName"]
    parameters = _parameters(rds._param_groups.get_scoped(*key[:2], group))

    def failed_over(node: Node) -> None:
        other = next(each for each in engine.nodes if each is not node)
        record.update(AvailabilityZone=node.zone, SecondaryAvailabilityZone=other.zone)

    engine = _server(key, free_port(), nodes, parameters, record["DBInstanceClass"], failed_over)
    authorize = _authorizer(key[0], key[1], lambda: record["DbiResourceId"])
    require_tls = _require_tls(record, parameters, default_from=15)
    engine.front_ends["the endpoint"] = Endpoint(
        engine, LOOPBACK, engine.port, authorize=authorize, require_tls=require_tls
    )
    made = _create(record, record["DBName"], engine)
    return _Database(engine, record["Endpoint"]["Port"], authorize, require_tls, **made)


def _start_cluster(key: Key, record: Record) -> _Database:
    group = record.get("DBClusterParameterGroup", "")
    parameters = _parameters(rds._db_cluster_param_groups.get_scoped(*key[:2], group))
    first = _members(key, record)[_writer_of(record)]
    nodes = [Node(first["DBInstanceIdentifier"], first["AvailabilityZone"])]
    engine = _server(
        key,
        _cluster_ports[key][0],
        nodes,
        parameters,
        first["DBInstanceClass"],
        lambda node: _name_the_writer(record, node.name),
    )
    authorize = _authorizer(key[0], key[1], lambda: record["DbClusterResourceId"])
    require_tls = _require_tls(record, parameters, default_from=17)
    engine.front_ends["the writer endpoint"] = Endpoint(
        engine, LOOPBACK, engine.port, authorize=authorize, require_tls=require_tls
    )
    engine.front_ends["the reader endpoint"] = Endpoint(
        engine,
        _reader_addresses[key],
        *_cluster_ports[key],
        authorize=authorize,
        require_tls=require_tls,
        read_only=lambda: any(not each.lost for each in engine.nodes[1:]),
    )
    made = _create(record, record.get("DatabaseName") or "postgres", engine)
    return _Database(engine, _cluster_ports[key][1], authorize, require_tls, **made)


def _server(
    key: Key,
    port: int,
    nodes: list[Node],
    parameters: dict[str, str],
    instance_class: str,
    on_failover: Callable[[Node], None],
) -> Postgres:
    _account, region, name = key
    return Postgres(
        f"{name}@{region}" if f"postgres/{name}" in RUNNING else name,
        port=port,
        nodes=nodes,
        max_connections=_max_connections(parameters, instance_class),
        settings={name: value for name, value in parameters.items() if name in SETTINGS_TAKEN},
        on_failover=on_failover,
    )


def _create(record: Record, database: str, engine: Postgres) -> dict[str, str]:
    """Start a new server; the state of its record that it has now."""
    password, snapshot = record["_MasterUserPassword"], record.get("_folder")
    tokens = bool(record.get("IAMDatabaseAuthenticationEnabled"))
    engine.create(record["MasterUsername"], password, database, tokens=tokens, snapshot=snapshot)
    if snapshot:
        engine.set_password(password)
    RUNNING[f"{engine.kind}/{engine.name}"] = engine
    secret = (record.get("MasterUserSecret") or {}).get("SecretArn", "")
    return {"password": password, "status": record[_status_of(record)], "secret": secret}


def _remove(key: Key, database: _Database) -> None:
    del RUNNING[f"{database.engine.kind}/{database.engine.name}"]
    database.engine.remove()
    if database.secret:
        with request_scope(key[0], key[1]):
            secretsmanager.delete_secret_in_process(database.secret)


def _follow_instance(key: Key, record: Record, database: _Database) -> None:
    record["Endpoint"].update(Address=HOST, Port=database.engine.port)
    replicas = {
        other[2]: each
        for other, each in rds._instances.all_items()
        if other[:2] == key[:2] and each.get("ReadReplicaSourceDBInstanceIdentifier") == key[2]
    }
    _place_members(database, replicas, promotable=False)
    _follow(record, database)


def _follow_cluster(key: Key, record: Record, database: _Database) -> None:
    engine = database.engine
    stood = bool(engine.nodes)
    members = _members(key, record)
    _place_members(database, members, promotable=True)
    if not members:
        engine.stop()
    elif not stood:
        engine.start()
    elif engine.nodes[0].name != (writer := _writer_of(record)):
        engine.fail_over(writer)
    _follow(record, database)


def _place_members(database: _Database, members: dict[str, Record], *, promotable: bool) -> None:
    """Give each member of a cluster, or read replica of an instance, its node and its endpoint."""
    engine = database.engine
    for node in [each for each in engine.nodes if each.name in database.members and each.name not in members]:
        engine.nodes.remove(node)
        engine.front_ends.pop(node.name).close()
        database.members.remove(node.name)
    for name, member in members.items():
        if name not in database.members:
            database.members.add(name)
            if name not in {each.name for each in engine.nodes}:
                engine.nodes.append(Node(name, member["AvailabilityZone"], promotable))
            engine.front_ends[name] = Endpoint(
                engine,
                LOOPBACK,
                free_port(),
                authorize=database.authorize,
                require_tls=database.require_tls,
                read_only=partial(_is_reader, engine, name),
            )
        member["Endpoint"].update(Address=HOST, Port=engine.front_ends[name].port)
    engine.open_front_ends()


def _is_reader(engine: Postgres, name: str) -> bool:
    return engine.nodes[0].name != name


def _follow(record: Record, database: _Database) -> None:
    """Do to the server what was done to the record: its status, its password, its IAM authentication."""
    engine = database.engine
    status = record[_status_of(record)]
    if status != database.status:
        database.status = status
        if status == "stopped":
            engine.stop()
        elif status == "available":
            engine.start()
    if engine.running and record["_MasterUserPassword"] != database.password:
        database.password = record["_MasterUserPassword"]
        engine.set_password(database.password)
    engine.set_tokens(bool(record.get("IAMDatabaseAuthenticationEnabled")))


# What records say.


def _of_cluster(record: Record) -> bool:
    return bool(record.get("DBClusterIdentifier"))


def _status_of(record: Record) -> str:
    """The name of the field that holds the status of an instance or a cluster."""
    return "DBInstanceStatus" if "DBInstanceStatus" in record else "Status"


def _members(key: Key, record: Record) -> dict[str, Record]:
    """The instances of a cluster, by identifier."""
    names = [each["DBInstanceIdentifier"] for each in record["DBClusterMembers"]]
    found = {name: rds._instances.get_scoped(key[0], key[1], name) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def _writer_of(record: Record) -> str:
    """The member that writes: the first that is called so (CloudFormation's are all), or the next in line."""
    members = record["DBClusterMembers"]
    called = [each for each in members if each.get("IsClusterWriter")]
    heir = (called or sorted(members, key=lambda each: each.get("PromotionTier", 1)))[0]
    _name_the_writer(record, heir["DBInstanceIdentifier"])
    return str(heir["DBInstanceIdentifier"])


def _name_the_writer(record: Record, name: str) -> None:
    for each in record["DBClusterMembers"]:
        each["IsClusterWriter"] = each["DBInstanceIdentifier"] == name


def _parameters(group: Record | None) -> dict[str, str]:
    found = (group or {}).get("Parameters", {})
    return {name: str(each.get("ParameterValue", "")) for name, each in found.items()}


def _max_connections(parameters: dict[str, str], instance_class: str) -> int:
    """As the parameter group says, or what RDS allows a class of that memory."""
    if (chosen := parameters.get("max_connections", "")).isdigit():
        return int(chosen)
    return min(_memory_gib(instance_class) * 2**30 // _BYTES_A_CONNECTION, _MOST_CONNECTIONS)


def _memory_gib(instance_class: str) -> int:
    """The memory of an instance class, by its family and size; 2 GiB where neither tells."""
    _db, _, rest = instance_class.partition(".")
    family, _, size = rest.partition(".")
    small = {"micro": 1, "small": 2, "medium": 4}
    if size in small:
        return small[size]
    times = {"large": 1, "xlarge": 2}.get(size) or 2 * int(re.match(r"(\d*)", size).group(1) or 0)  # type: ignore[union-attr]
    return times * {"c": 4, "r": 16, "x": 32}.get(family[:1], 8) or 2


def _require_tls(record: Record, parameters: dict[str, str], default_from: int) -> Callable[[], bool]:
    """rds.force_ssl: as its parameter group says, else by the major version, from which on it is the default."""
    chosen = parameters.get("rds.force_ssl")
    major = int(str(record["EngineVersion"]).split(".")[0])
    forced = chosen == "1" if chosen in ("0", "1") else major >= default_from
    return lambda: forced


# IAM.


def _authorizer(account: str, region: str, resource_id: Callable[[], str]) -> Authorize:
    """Who may log in by token: its signer, where a policy of its allows rds-db:connect. The decision is recorded."""

    def authorize(token: str, user: str, address: str, port: int) -> str | None:
        verified = rds_iam.verify_rds_iam_token(
            token, hostname=address, port=port, db_user=user, region=region, account_id=account
        )
        if isinstance(verified, rds_iam.RdsIamTokenError):
            return str(verified.code)
        arn = f"arn:aws:rds-db:{region}:{account}:dbuser:{resource_id()}/{user}"
        with request_scope(account, region):
            refusal = iam_evaluator.enforce(verified.access_key_id, "rds-db:connect", "rds-db", region, arn)
        return None if refusal is None else f"{verified.principal_arn} may not rds-db:connect to {arn}"

    return authorize


def _role_may(role_arn: str, action: str, region: str, resource: str) -> bool:
    """Whether a proxy's role may do what the proxy does in its name. The decision is recorded."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(role_arn.encode()).hexdigest()
    access_key = f"ASIA{digest[:16].upper()}"
    arn = f"arn:aws:sts::{account}:assumed-role/{name}/rds-proxy"
    session = {"Arn": arn, "UserId": f"{name}:rds-proxy", "SecretAccessKey": digest, "SessionToken": digest}
    with request_scope(account, region):
        sts.register_session(access_key, session)
        return iam_evaluator.enforce(access_key, action, action.split(":")[0], region, resource) is None


# RDS Proxy.


def _settle_proxies() -> None:
    wanted = {
        key: each
        for key, each in rds._db_proxy_endpoints.all_items()
        if _proxy_of(key, each)["EngineFamily"] == "POSTGRESQL"
    }
    for key in [each for each in _proxies if each not in wanted or not _stands(each, wanted[each])]:
        _proxies.pop(key).close()
    for key in [each for each in _proxy_addresses if each not in wanted]:
        del _proxy_addresses[key]
    for key, endpoint in wanted.items():
        if key not in _proxy_addresses:
            _proxy_addresses[key] = further_address()
        endpoint["Endpoint"] = _proxy_addresses[key]
        if endpoint["IsDefault"]:
            _proxy_of(key, endpoint)["Endpoint"] = _proxy_addresses[key]
        if key not in _proxies and (target := _target(key, _proxy_of(key, endpoint))):
            _proxies[key] = _start_proxy(key, endpoint, target)


def _proxy_of(key: Key, endpoint: Record) -> Record:
    proxy: Record = rds._db_proxies.get_scoped(key[0], key[1], endpoint["DBProxyName"])
    return proxy


def _stands(key: Key, endpoint: Record) -> bool:
    """Whether a proxy endpoint's target is the one that its front end was started for."""
    target = _target(key, _proxy_of(key, endpoint))
    return target is not None and target.engine.port == _proxies[key].port


def _target(key: Key, proxy: Record) -> _Database | None:
    for target in proxy["Targets"]:  # one at the most
        databases = _instances if target["Type"] == "RDS_INSTANCE" else _clusters
        return databases.get((key[0], key[1], target["RdsResourceId"]))
    return None


def _server_of(key: Key, proxy: Record) -> Postgres | None:
    target = _target(key, proxy)
    return target.engine if target else None


def _start_proxy(key: Key, endpoint: Record, target: _Database) -> Proxy:
    proxy = _proxy_of(key, endpoint)
    account, region, _name = key
    started = Proxy(
        _proxy_addresses[key],
        target.engine.port,
        target.declared_port,
        server=lambda: _server_of(key, proxy),
        login=lambda user: _proxy_login(key, proxy, user),
        authorize=_authorizer(account, region, lambda: proxy["DBProxyArn"].rsplit(":", 1)[-1]),
        limits=lambda: _pool_limits(key, proxy),
        require_tls=lambda: bool(proxy["RequireTLS"]),
        idle_seconds=lambda: float(proxy["IdleClientTimeout"]),
        read_only=endpoint["TargetRole"] == "READ_ONLY",
    )
    started.open()
    return started


def _pool_limits(key: Key, proxy: Record) -> PoolLimits:
    config = proxy["TargetGroup"]["ConnectionPoolConfig"]
    server = _server_of(key, proxy)
    connections = server.max_connections if server else 0
    return PoolLimits(
        most=max(1, connections * config["MaxConnectionsPercent"] // 100),
        most_idle=connections * config["MaxIdleConnectionsPercent"] // 100,
        borrow_seconds=float(config["ConnectionBorrowTimeout"]),
    )


def _proxy_login(key: Key, proxy: Record, user: str) -> Login:
    """The credentials that a proxy has for a user, read in the name of its role."""
    account, region, _name = key
    for entry in proxy["Auth"]:
        arn = entry.get("SecretArn", "")
        if not _role_may(proxy["RoleArn"], "secretsmanager:GetSecretValue", region, arn):
            continue
        with request_scope(account, region):
            secret = json.loads(secretsmanager.resolve_secret_string(arn) or "{}")
        if secret.get("username") == user:
            return Login(secret.get("password", ""), by_token=entry.get("IAMAuth") == "REQUIRED")
    if proxy.get("DefaultAuthScheme") == "IAM_AUTH":
        return Login("", by_token=True)
    raise LoginRefused(
        "28000",
        f"This RDS proxy has no credentials for the role {user}. Check the credentials for this role and try again.",
    )


# Faults.


def _databases() -> dict[str, _Database]:
    return {each.engine.name: each for each in (*_instances.values(), *_clusters.values())}


def _engine(name: str) -> Postgres:
    known = _databases()
    if name not in known:
        raise Refused(
            f"there is no PostgreSQL called {name}; there are: {', '.join(sorted(known)) or 'none'}"
        )
    return known[name].engine


def _report(engine: Postgres) -> Record:
    return {"name": engine.name, "port": engine.port, "running": engine.running}


@command("postgres/list")
def list_servers() -> list[Record]:
    """Every server: its name, its port, and whether it runs."""
    return [_report(each.engine) for _, each in sorted(_databases().items())]


@command("postgres/stop")
def stop(name: str) -> Record:
    """Crash a server: its connections break, new ones are refused, what was committed is kept."""
    with _lock:
        engine = _engine(name)
        engine.stop()
        return _report(engine)


@command("postgres/start")
def start(name: str) -> Record:
    """Start a server again, on the same port and with its data."""
    with _lock:
        engine = _engine(name)
        engine.start()
        return _report(engine)


@command("postgres/restart")
def restart(name: str) -> Record:
    """Crash a server and start it again."""
    with _lock:
        engine = _engine(name)
        engine.restart()
        return _report(engine)


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
