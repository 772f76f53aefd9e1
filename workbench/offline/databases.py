"""The PostgreSQL servers behind RDS's records: started, changed and ended until they are what the records say.

Sources: the RDS User Guide, "IAM database authentication for MariaDB, MySQL, and PostgreSQL"; the Aurora User Guide,
"Amazon Aurora endpoint connections".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from ministack.core.responses import request_scope
from ministack.services import rds, secretsmanager

from workbench.offline.database_records import (
    Key,
    Record,
    max_connections,
    members_of,
    name_the_writer,
    of_cluster,
    parameters_of,
    require_tls_by,
    status_of,
    writer_of,
)
from workbench.offline.engines import LOST_ZONES, RUNNING, free_name, free_port
from workbench.offline.engines.postgres import SETTINGS_TAKEN, Node, Postgres
from workbench.offline.engines.postgres_front import HOST, Authorize, Endpoint, further_address
from workbench.offline.identity import NotSigned, Presigned, allowed, signer_of
from workbench.offline.surroundings import LOOPBACK


@dataclass
class Database:
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


INSTANCES: dict[Key, Database] = {}
CLUSTERS: dict[Key, Database] = {}
_cluster_ports: dict[Key, tuple[int, int]] = {}  # its own, and the one that was declared
_reader_addresses: dict[Key, str] = {}


def settle() -> None:
    """Start, change and end servers until they are what RDS's records say. Raises `RuntimeError` when one fails."""
    _settle_all(INSTANCES, dict(_wanted_instances()), _start_instance, _follow_instance)
    _settle_all(CLUSTERS, dict(_wanted_clusters()), _start_cluster, _follow_cluster)


def _settle_all(
    databases: dict[Key, Database],
    wanted: dict[Key, Record],
    start: Callable[[Key, Record], Database],
    follow: Callable[[Key, Record, Database], None],
) -> None:
    for key in [each for each in databases if each not in wanted]:
        _remove(key, databases.pop(key))
    for key, record in wanted.items():
        if key not in databases:
            try:
                databases[key] = start(key, record)
            except RuntimeError:
                record[status_of(record)] = "failed"
                raise
        follow(key, record, databases[key])


def _wanted_instances() -> Iterator[tuple[Key, Record]]:
    for key, record in rds._instances.all_items():
        alone = not (of_cluster(record) or record.get("ReadReplicaSourceDBInstanceIdentifier"))
        if record["Engine"] == "postgres" and alone and record["DBInstanceStatus"] != "failed":
            yield key, record


def _wanted_clusters() -> Iterator[tuple[Key, Record]]:
    for key in [each for each in _cluster_ports if rds._clusters.get_scoped(*each) is None]:
        del _cluster_ports[key], _reader_addresses[key]
    for key, record in rds._clusters.all_items():
        if record["Engine"] == "aurora-postgresql" and record["Status"] != "failed":
            _place_cluster(key, record)
            if record["DBClusterMembers"] or key in CLUSTERS:  # without a member there is nothing to run on
                yield key, record


def _place_cluster(key: Key, record: Record) -> None:
    """Give a cluster its endpoints, which it has before its first member."""
    if key not in _cluster_ports:
        _cluster_ports[key] = (free_port(), record["Port"])
        _reader_addresses[key] = further_address()
    port, _declared = _cluster_ports[key]
    record.update(Endpoint=HOST, ReaderEndpoint=_reader_addresses[key], Port=port)
    record["_shared_endpoint"] = {"Address": HOST, "Port": port}


def _start_instance(key: Key, record: Record) -> Database:
    nodes = [Node(key[2], record["AvailabilityZone"])]
    if record.get("MultiAZ"):
        nodes.append(Node(f"{key[2]} (standby)", record["SecondaryAvailabilityZone"]))
    group = record["DBParameterGroups"][0]["DBParameterGroupName"]
    parameters = parameters_of(rds._param_groups.get_scoped(*key[:2], group))

    def failed_over(node: Node) -> None:
        other = next(each for each in engine.nodes if each is not node)
        record.update(AvailabilityZone=node.zone, SecondaryAvailabilityZone=other.zone)

    engine = _server(key, free_port(), nodes, parameters, record["DBInstanceClass"], failed_over)
    authorize = authorizer(key[0], key[1], lambda: record["DbiResourceId"])
    require_tls = require_tls_by(record, parameters, default_from=15)
    engine.front_ends["the endpoint"] = Endpoint(
        engine, LOOPBACK, engine.port, authorize=authorize, require_tls=require_tls
    )
    made = _create(record, record["DBName"], engine)
    return Database(engine, record["Endpoint"]["Port"], authorize, require_tls, **made)


def _start_cluster(key: Key, record: Record) -> Database:
    group = record.get("DBClusterParameterGroup", "")
    parameters = parameters_of(rds._db_cluster_param_groups.get_scoped(*key[:2], group))
    first = members_of(key, record)[writer_of(record)]
    nodes = [Node(first["DBInstanceIdentifier"], first["AvailabilityZone"])]
    engine = _server(
        key,
        _cluster_ports[key][0],
        nodes,
        parameters,
        first["DBInstanceClass"],
        lambda node: name_the_writer(record, node.name),
    )
    authorize = authorizer(key[0], key[1], lambda: record["DbClusterResourceId"])
    require_tls = require_tls_by(record, parameters, default_from=17)
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
    return Database(engine, _cluster_ports[key][1], authorize, require_tls, **made)


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
        free_name(Postgres.kind, name, region),
        port=port,
        nodes=nodes,
        max_connections=max_connections(parameters, instance_class),
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
    return {"password": password, "status": record[status_of(record)], "secret": secret}


def _remove(key: Key, database: Database) -> None:
    del RUNNING[f"{database.engine.kind}/{database.engine.name}"]
    database.engine.remove()
    if database.secret:
        with request_scope(key[0], key[1]):
            secretsmanager.delete_secret_in_process(database.secret)


def _follow_instance(key: Key, record: Record, database: Database) -> None:
    record["Endpoint"].update(Address=HOST, Port=database.engine.port)
    replicas = {
        other[2]: each
        for other, each in rds._instances.all_items()
        if other[:2] == key[:2] and each.get("ReadReplicaSourceDBInstanceIdentifier") == key[2]
    }
    _place_members(database, replicas, promotable=False)
    _follow(record, database)


def _follow_cluster(key: Key, record: Record, database: Database) -> None:
    engine = database.engine
    stood = bool(engine.nodes)
    members = members_of(key, record)
    _place_members(database, members, promotable=True)
    if not members:
        engine.stop()
    elif not stood:
        engine.start()
    elif engine.nodes[0].name != (writer := writer_of(record)):
        engine.fail_over(writer)
    _follow(record, database)


def _place_members(database: Database, members: dict[str, Record], *, promotable: bool) -> None:
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
                zone = member["AvailabilityZone"]
                engine.nodes.append(Node(name, zone, promotable, lost=zone in LOST_ZONES))
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


def _follow(record: Record, database: Database) -> None:
    """Do to the server what was done to the record: its status, its password, its IAM authentication."""
    engine = database.engine
    status = record[status_of(record)]
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


def authorizer(account: str, region: str, resource_id: Callable[[], str]) -> Authorize:
    """Who may log in by token: its signer, where a policy of its allows rds-db:connect. The decision is recorded."""

    def authorize(token: str, user: str, address: str, port: int) -> str | None:
        try:
            request = Presigned.of(f"//{token}")
            says = {"Action": "connect", "DBUser": user}
            who = signer_of(request, service="rds-db", account=account, region=region, says=says)
        except NotSigned as problem:
            return str(problem)
        if request.host.lower() != f"{address}:{port}":
            return f"the token is for {request.host}"
        arn = f"arn:aws:rds-db:{region}:{account}:dbuser:{resource_id()}/{user}"
        return None if allowed(who, "rds-db:connect", arn, region) else f"{who.arn} may not connect to {arn}"

    return authorize
