"""RDS on the offline AWS: what the template declares is a PostgreSQL that clients can really use, and break."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

from tests.offline import (
    client_with,
    create_function,
    create_stack,
    delete_stack,
    deployed,
    eventually,
    is_open,
    session_keys,
)
from tests.templates import allow, get_att, policy, ref, resource, template
from workbench.dryrun.control import CommandRefused, Control
from workbench.dryrun.emulator import Emulator
from workbench.offline.engines import free_port
from workbench.offline.engines.postgres import Node, Postgres

# pg8000 leaves the socket of a login that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

HANDLER = """
import os, boto3, pg8000.native, ssl

def handler(event, context):
    host, port, user = os.environ["HOST"], int(os.environ["PORT"]), os.environ["USER"]
    rds = boto3.client("rds")
    token = rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    tls = ssl.create_default_context()
    with pg8000.native.Connection(
        user, host=host, port=port, password=token, database="orders", ssl_context=tls
    ) as session:
        return session.run("SELECT current_user")
"""

REGION = "us-east-1"
MASTER = "keeper"


@pytest.fixture(scope="module")
def orders(emulator: Emulator) -> Iterator[dict[str, str]]:
    """The outputs of a stack with a database, its secret, a proxy, and two roles: one may connect."""
    with closing(emulator.endpoint.client("ec2")) as ec2:
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
                "Subnet"
            ]
            for n, zone in enumerate("ab")
        ]
    with deployed(
        emulator.endpoint, "orders", _orders_template([each["SubnetId"] for each in subnets])
    ) as made:
        yield made


def test_a_secret_that_the_stack_generated_opens_the_database_that_the_stack_made(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    secret = _secret(emulator, orders["Secret"])
    assert (secret["host"], str(secret["port"])) == (orders["Host"], orders["Port"])
    with _connect(emulator, secret) as session:
        session.run("CREATE EXTENSION vector")
        session.run("CREATE TABLE places (name text PRIMARY KEY, at vector(2))")
        session.run("INSERT INTO places VALUES ('near', '[1,1]'), ('far', '[9,9]')")
        assert session.run("SELECT name FROM places ORDER BY at <-> '[0,0]'") == [["near"], ["far"]]
        assert session.run("SELECT current_database()") == [["orders"]]
        assert session.run("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [[False]]
        assert session.run("SHOW max_connections") == [["112"]], "that of a db.t4g.micro"


def test_a_connection_without_tls_and_one_with_a_wrong_password_are_refused(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    secret = _secret(emulator, orders["Secret"])
    with pytest.raises(pg8000.native.DatabaseError, match="no encryption"):
        _connect(emulator, secret, ssl_context=False)
    with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
        _connect(emulator, secret, password="not this")


def test_what_was_committed_outlives_a_crash_and_the_port_stays_the_same(
    emulator: Emulator, control: Control, orders: dict[str, str]
) -> None:
    secret = _secret(emulator, orders["Secret"])
    before = _connect(emulator, secret)
    before.run("CREATE TABLE ledger (entry int)")
    before.run("INSERT INTO ledger VALUES (1)")
    before.run("BEGIN")
    before.run("INSERT INTO ledger VALUES (2)")
    assert control.call("postgres/stop", name=orders["Name"])["running"] is False
    with pytest.raises(pg8000.native.InterfaceError):
        before.run("COMMIT")
    assert not is_open(orders["Port"])
    assert control.call("postgres/start", name=orders["Name"])["running"] is True
    with _connect(emulator, secret) as after:
        assert after.run("SELECT entry FROM ledger") == [[1]]


def test_an_unknown_server_is_refused_with_the_names_of_the_known(
    control: Control, orders: dict[str, str]
) -> None:
    with pytest.raises(CommandRefused, match=orders["Name"]):
        control.call("postgres/stop", name="nobody")
    assert orders["Name"] in {each["name"] for each in control.call("postgres/list")}


def test_a_token_opens_the_database_to_a_user_with_rds_iam_whose_role_may_connect(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    secret = _secret(emulator, orders["Secret"])
    with _connect(emulator, secret) as session:
        session.run("CREATE USER clerk")
        session.run("GRANT rds_iam TO clerk")
    target = {**secret, "username": "clerk"}
    token = _token(emulator, orders["Allowed"], target)
    with _connect(emulator, target, password=token) as session:
        assert session.run("SELECT current_user") == [["clerk"]]
    refused = _token(emulator, orders["Refused"], target)
    with pytest.raises(pg8000.native.DatabaseError, match="PAM authentication failed"):
        _connect(emulator, target, password=refused)
    with pytest.raises(pg8000.native.DatabaseError, match="PAM authentication failed"):
        _connect(emulator, target, password=token[:-1] + ("0" if token[-1] != "0" else "1"))
    connects = [each for each in emulator.decisions() if each["action"] == "rds-db:connect"]
    assert {(each["principal"].split("/")[1], each["allowed"]) for each in connects} >= {
        (orders["Allowed"].split("/")[-1], True),
        (orders["Refused"].split("/")[-1], False),
    }
    assert {each["resource"] for each in connects} >= {
        f"arn:aws:rds-db:{REGION}:000000000000:dbuser:{orders['ResourceId']}/clerk"
    }


def test_a_proxy_lets_in_by_token_and_logs_in_with_the_secret(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    target = _through_the_proxy(emulator, orders)
    for port in (target["port"], 5432):  # the database's, and the one that the template declares
        token = _token(emulator, orders["Allowed"], {**target, "port": port})
        with _connect(emulator, {**target, "port": port}, password=token) as session:
            assert session.run("SELECT current_user") == [[MASTER]]
    for wrong in (_token(emulator, orders["Refused"], target), target["password"]):
        with pytest.raises(pg8000.native.DatabaseError, match="IAM authentication failed"):
            _connect(emulator, target, password=wrong)
    read = [each for each in emulator.decisions() if each["action"] == "secretsmanager:GetSecretValue"]
    assert {(each["resource"], each["allowed"]) for each in read} == {(orders["Secret"], True)}


def test_a_proxy_has_no_credentials_for_a_user_without_a_secret(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    target = _through_the_proxy(emulator, orders) | {"username": "stranger"}
    with pytest.raises(pg8000.native.DatabaseError, match="no credentials for the role stranger"):
        _connect(emulator, target)


def test_clients_of_a_proxy_share_its_connections_and_wait_when_all_are_in_transactions(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    target = _through_the_proxy(emulator, orders)
    token = _token(emulator, orders["Allowed"], target)
    clients = [_connect(emulator, target, password=token) for _ in range(12)]
    backends = {each.run("SELECT pg_backend_pid()")[0][0] for each in clients}
    assert len(backends) == 1, "one after the other, they need but one connection"
    busy = clients[:2]  # 2 % of 112 connections
    for each in busy:
        each.run("BEGIN")
        each.run("SELECT 1")
    with pytest.raises(pg8000.native.DatabaseError, match="Timed-out waiting"):
        clients[2].run("SELECT 1")
    busy[0].run("COMMIT")
    assert clients[2].run("SELECT 1") == [[1]]
    clients[3].run("SET statement_timeout = 1000")
    assert clients[3].run("SHOW statement_timeout") == [["1s"]], "a changed session keeps its connection"
    for each in clients:
        each.close()


def test_a_proxy_keeps_its_clients_while_the_database_restarts(
    emulator: Emulator, control: Control, orders: dict[str, str]
) -> None:
    target = _through_the_proxy(emulator, orders)
    token = _token(emulator, orders["Allowed"], target)
    with _connect(emulator, target, password=token) as session:
        assert session.run("SELECT 1") == [[1]]
        control.call("postgres/restart", name=orders["Name"])
        assert session.run("SELECT 2") == [[2]]


def test_the_password_that_rds_manages_opens_the_database_and_goes_with_it(emulator: Emulator) -> None:
    database = resource(
        "RDS::DBInstance",
        Engine="postgres",
        EngineVersion="17.2",
        DBInstanceClass="db.r6g.large",
        AllocatedStorage="20",
        MasterUsername=MASTER,
        ManageMasterUserPassword=True,
    )
    outputs = {
        "Host": get_att("Database", "Endpoint.Address"),
        "Port": get_att("Database", "Endpoint.Port"),
        "Secret": get_att("Database", "MasterUserSecret.SecretArn"),
        "Name": ref("Database"),
    }
    made = create_stack(emulator.endpoint, "managed", template({"Database": database}, outputs))
    rds = emulator.endpoint.client("rds")
    [described] = rds.describe_db_instances(DBInstanceIdentifier=made["Name"])["DBInstances"]
    assert described["MasterUserSecret"]["SecretArn"] == made["Secret"]
    assert described["Endpoint"]["Port"] == int(made["Port"])
    secret = _secret(emulator, made["Secret"])
    assert set(secret) == {"username", "password"}
    target = {**secret, "host": made["Host"], "port": made["Port"], "dbname": "postgres"}
    with _connect(emulator, target) as session:
        assert session.run("SHOW max_connections") == [["1802"]]
    rds.modify_db_instance(
        DBInstanceIdentifier=made["Name"], RotateMasterUserPassword=True, ApplyImmediately=True
    )
    with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
        _connect(emulator, target)
    _connect(emulator, {**target, **_secret(emulator, made["Secret"])}).close()
    delete_stack(emulator.endpoint, "managed")
    assert not is_open(made["Port"])
    assert not (emulator.folder / "postgres" / made["Name"]).exists()
    secrets = emulator.endpoint.client("secretsmanager").list_secrets()["SecretList"]
    assert made["Secret"] not in {each["ARN"] for each in secrets}


def test_an_aurora_cluster_writes_at_one_endpoint_reads_at_the_other_and_fails_over(
    emulator: Emulator,
) -> None:
    def member(after: list[str]) -> dict[str, Any]:
        instance = resource(
            "RDS::DBInstance",
            Engine="aurora-postgresql",
            DBClusterIdentifier=ref("Cluster"),
            DBInstanceClass="db.t4g.medium",
        )
        return instance | {"DependsOn": after}

    cluster = resource(
        "RDS::DBCluster",
        Engine="aurora-postgresql",
        EngineVersion="17.7",
        DatabaseName="shop",
        MasterUsername=MASTER,
        ManageMasterUserPassword=True,
    )
    outputs = {
        "Name": ref("Cluster"),
        "Writer": get_att("Cluster", "Endpoint.Address"),
        "Reader": get_att("Cluster", "ReadEndpoint.Address"),
        "Port": get_att("Cluster", "Endpoint.Port"),
        "Secret": get_att("Cluster", "MasterUserSecret.SecretArn"),
        "Second": ref("Second"),
    }
    resources = {"Cluster": cluster, "First": member([]), "Second": member(["First"])}
    made = create_stack(emulator.endpoint, "aurora", template(resources, outputs))
    target = {
        **_secret(emulator, made["Secret"]),
        "host": made["Writer"],
        "port": made["Port"],
        "dbname": "shop",
    }
    with _connect(emulator, target) as writer:
        writer.run("CREATE TABLE items (name text)")
        writer.run("INSERT INTO items VALUES ('lamp')")
    with _connect(emulator, {**target, "host": made["Reader"]}) as reader:
        assert reader.run("SELECT name FROM items") == [["lamp"]]
        with pytest.raises(pg8000.native.DatabaseError, match="read-only transaction"):
            reader.run("INSERT INTO items VALUES ('chair')")
    rds = emulator.endpoint.client("rds")
    rds.failover_db_cluster(DBClusterIdentifier=made["Name"], TargetDBInstanceIdentifier=made["Second"])
    [described] = rds.describe_db_clusters(DBClusterIdentifier=made["Name"])["DBClusters"]
    assert [
        each["DBInstanceIdentifier"] for each in described["DBClusterMembers"] if each["IsClusterWriter"]
    ] == [made["Second"]]
    [second] = rds.describe_db_instances(DBInstanceIdentifier=made["Second"])["DBInstances"]
    member_target = {**target, "host": second["Endpoint"]["Address"], "port": second["Endpoint"]["Port"]}
    with _connect(emulator, member_target) as promoted:
        promoted.run("INSERT INTO items VALUES ('chair')")
        assert promoted.run("SELECT count(*) FROM items") == [[2]]
    delete_stack(emulator.endpoint, "aurora")
    assert not is_open(made["Port"])


def test_a_function_logs_in_through_the_proxy_with_a_token_of_its_own_role(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    target = _through_the_proxy(emulator, orders)
    client = emulator.endpoint.client("lambda")
    for role, expected in ((orders["Allowed"], MASTER), (orders["Refused"], "IAM authentication failed")):
        name = role.split("/")[-1][-20:]
        create_function(
            emulator.endpoint,
            name,
            HANDLER,
            role,
            Timeout=20,
            Environment={"Variables": {"HOST": target["host"], "PORT": str(target["port"]), "USER": MASTER}},
        )
        answer = client.invoke(FunctionName=name)["Payload"].read().decode()
        client.delete_function(FunctionName=name)
        assert expected in answer


def test_a_snapshot_restores_what_was_there_when_it_was_taken(
    emulator: Emulator, orders: dict[str, str]
) -> None:
    secret = _secret(emulator, orders["Secret"])
    rds = emulator.endpoint.client("rds")
    with _connect(emulator, secret) as session:
        session.run("CREATE TABLE history (event text)")
        session.run("INSERT INTO history VALUES ('before')")
        rds.create_db_snapshot(DBSnapshotIdentifier="noon", DBInstanceIdentifier=orders["Name"])
        session.run("INSERT INTO history VALUES ('after')")
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="restored", DBSnapshotIdentifier="noon"
    )["DBInstance"]["Endpoint"]
    target = {**secret, "host": restored["Address"], "port": restored["Port"]}
    with _connect(emulator, target) as session:
        assert session.run("SELECT event FROM history") == [["before"]]
    rds.delete_db_instance(DBInstanceIdentifier="restored", SkipFinalSnapshot=True)
    rds.delete_db_snapshot(DBSnapshotIdentifier="noon")
    assert not list(emulator.folder.glob("postgres-snapshots/*/noon"))


def test_two_databases_made_through_the_api_do_not_know_of_each_other(emulator: Emulator) -> None:
    rds = emulator.endpoint.client("rds")
    made = []
    for name in ("left", "right"):
        answer = rds.create_db_instance(
            DBInstanceIdentifier=name,
            Engine="postgres",
            EngineVersion="14.9",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername=MASTER,
            MasterUserPassword=f"of the {name}",
            DBName="things",
        )["DBInstance"]
        endpoint = answer["Endpoint"]
        made.append(
            {
                "host": endpoint["Address"],
                "port": endpoint["Port"],
                "username": MASTER,
                "password": f"of the {name}",
                "dbname": "things",
            }
        )
    left, right = made
    with _connect(emulator, left) as session:
        session.run("CREATE TABLE only_left (x int)")
    with _connect(emulator, right, ssl_context=False) as session:  # PostgreSQL 14 did not force it yet
        assert session.run("SELECT to_regclass('only_left')") == [[None]]
    with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
        _connect(emulator, {**right, "password": left["password"]})
    rds.modify_db_instance(
        DBInstanceIdentifier="left", MasterUserPassword="another one", ApplyImmediately=True
    )
    _connect(emulator, {**left, "password": "another one"}).close()
    rds.stop_db_instance(DBInstanceIdentifier="left")
    assert not is_open(left["port"])
    assert is_open(right["port"])
    for name in ("left", "right"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    assert not is_open(right["port"])


# The engine by itself.


@pytest.fixture
def database(room: Path) -> Iterator[Callable[[list[Node]], Postgres]]:
    made: list[Postgres] = []

    def make(nodes: list[Node]) -> Postgres:
        made.append(Postgres("stock", port=free_port(), nodes=nodes))
        made[0].create(MASTER, "secret", "stock", tokens=False)
        return made[0]

    yield make
    for each in made:
        each.remove()


def test_a_database_in_one_zone_is_down_while_the_zone_is_lost(
    database: Callable[[list[Node]], Postgres],
) -> None:
    stock = database([Node("stock", f"{REGION}a")])
    stock.query("CREATE TABLE shelf AS SELECT 7 AS lamps", database="stock")
    assert stock.lose_zone(f"{REGION}b") == []
    assert stock.running
    assert stock.lose_zone(f"{REGION}a") == ["stock"]
    stock.start()
    assert not stock.running, "there is nowhere to run"
    assert stock.restore_zone(f"{REGION}a") == ["stock"]
    assert stock.query("SELECT lamps FROM shelf", database="stock") == [["7"]]


def test_a_database_in_two_zones_fails_over_and_keeps_what_was_committed(
    database: Callable[[list[Node]], Postgres],
) -> None:
    stock = database([Node("stock", f"{REGION}a"), Node("standby", f"{REGION}b")])
    stock.query("CREATE TABLE shelf AS SELECT 7 AS lamps", database="stock")
    assert stock.lose_zone(f"{REGION}a") == ["stock"]
    assert (stock.running, stock.nodes[0].name) == (True, "standby")
    assert stock.query("SELECT lamps FROM shelf", database="stock") == [["7"]]
    assert stock.lose_zone(f"{REGION}b") == ["standby"]
    assert not stock.running
    assert stock.restore_zone(f"{REGION}b") == ["standby"]
    assert stock.running


def test_a_killed_server_starts_again_and_leaves_no_shared_memory(
    database: Callable[[list[Node]], Postgres],
) -> None:
    stock = database([Node("stock", f"{REGION}a")])
    stock.query("CREATE TABLE shelf AS SELECT 7 AS lamps", database="stock")
    segment = (stock.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    os.kill(stock.pids[0], signal.SIGKILL)
    eventually(lambda: not stock.running, "the server's end")
    eventually(lambda: segment not in _shared_memory(), "the end of its shared memory")
    stock.start()
    assert stock.query("SELECT lamps FROM shelf", database="stock") == [["7"]]


def test_a_snapshot_of_a_busy_database_has_what_was_committed_before(
    database: Callable[[list[Node]], Postgres], room: Path
) -> None:
    stock = database([Node("stock", f"{REGION}a")])
    stock.query("CREATE TABLE shelf (lamps int)", database="stock")
    over = threading.Event()

    def be_busy() -> None:
        while not over.is_set():
            stock.query("CREATE TEMP TABLE t AS SELECT 1; DROP TABLE t; CHECKPOINT", database="stock")

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(be_busy)
        try:
            for number in range(10):
                stock.query(f"INSERT INTO shelf VALUES ({number})", database="stock")
                stock.copy_to(room / f"snapshot-{number}")
            shutil.rmtree(room / "snapshot-0")
            stock.copy_to(room / "snapshot-0")  # under the name of one that is no more
        finally:
            over.set()
            busy.result(20)
    for number, held in ((0, 10), (8, 9)):
        restored = Postgres(f"restored-{number}", port=free_port(), nodes=[Node("restored", f"{REGION}a")])
        try:
            snapshot = room / f"snapshot-{number}"
            restored.create(MASTER, "secret", "stock", tokens=False, snapshot=snapshot)
            found = restored.query("SELECT count(*) FROM shelf", database="stock")
            assert found == [[str(held)]]
        finally:
            restored.remove()


def test_a_setting_that_the_server_cannot_have_is_said_in_its_words(room: Path) -> None:
    stock = Postgres("stock", port=free_port(), nodes=[Node("stock", "a")], settings={"work_mem": "1 apple"})
    with pytest.raises(RuntimeError, match=r"PostgreSQL for stock ended as it started: .*work_mem"):
        stock.create(MASTER, "secret", "stock", tokens=False)
    assert not (room / "postgres" / "stock").exists()


# Helpers.


def _orders_template(subnets: list[str]) -> dict[str, Any]:
    def role(action: str) -> dict[str, Any]:
        everyone = {"Fn::Sub": "arn:aws:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser:*/*"}
        return _role("lambda", allow(action, Resource=everyone))

    secret = ref("Secret")
    generate = {
        "SecretStringTemplate": json.dumps({"username": MASTER}),
        "GenerateStringKey": "password",
        "ExcludeCharacters": "\"@/\\ '",
    }
    database = {
        "Engine": "postgres",
        "EngineVersion": "17.2",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": "20",
        "DBName": "orders",
        "EnableIAMDatabaseAuthentication": True,
        "MasterUsername": MASTER,
        "MasterUserPassword": {"Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString:password}}"},
    }
    attachment = {"SecretId": secret, "TargetType": "AWS::RDS::DBInstance", "TargetId": ref("Database")}
    proxy = {
        "DBProxyName": "orders-proxy",
        "EngineFamily": "POSTGRESQL",
        "RequireTLS": True,
        "RoleArn": get_att("ProxyRole", "Arn"),
        "Auth": [{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED", "SecretArn": secret}],
        "VpcSubnetIds": subnets,
    }
    group = {
        "DBProxyName": ref("Proxy"),
        "TargetGroupName": "default",
        "DBInstanceIdentifiers": [ref("Database")],
        "ConnectionPoolConfigurationInfo": {"MaxConnectionsPercent": 2, "ConnectionBorrowTimeout": 1},
    }
    resources = {
        "Secret": resource("SecretsManager::Secret", GenerateSecretString=generate),
        "Database": resource("RDS::DBInstance", **database),
        "Attachment": resource("SecretsManager::SecretTargetAttachment", **attachment),
        "ProxyRole": _role("rds", allow("secretsmanager:GetSecretValue", Resource=secret)),
        "Proxy": resource("RDS::DBProxy", **proxy),
        "TargetGroup": resource("RDS::DBProxyTargetGroup", **group),
        "Allowed": role("rds-db:connect"),
        "Refused": role("rds-db:disconnect"),
    }
    outputs = {
        "Name": ref("Database"),
        "Host": get_att("Database", "Endpoint.Address"),
        "Port": get_att("Database", "Endpoint.Port"),
        "ResourceId": get_att("Database", "DbiResourceId"),
        "Secret": secret,
        "Proxy": get_att("Proxy", "Endpoint"),
        "Allowed": get_att("Allowed", "Arn"),
        "Refused": get_att("Refused", "Arn"),
    }
    return template(resources, outputs)


def _role(service: str, granted: dict[str, Any]) -> dict[str, Any]:
    """A role that the service may assume, and who has made the stack; it may do what is granted."""
    trusted = {"Service": f"{service}.amazonaws.com", "AWS": ref("AWS::AccountId")}
    return resource(
        "IAM::Role",
        AssumeRolePolicyDocument=policy(allow("sts:AssumeRole", Principal=trusted)),
        Policies=[{"PolicyName": "own", "PolicyDocument": policy(granted)}],
    )


def _secret(emulator: Emulator, arn: str) -> Any:
    client = emulator.endpoint.client("secretsmanager")
    return json.loads(client.get_secret_value(SecretId=arn)["SecretString"])


def _connect(emulator: Emulator, target: dict[str, Any], **changed: Any) -> Any:
    options = {
        "host": target["host"],
        "port": int(target["port"]),
        "user": target["username"],
        "password": target["password"],
        "database": target["dbname"],
        "ssl_context": ssl.create_default_context(cafile=emulator.endpoint.ca_bundle),
        "timeout": 20,
    }
    return pg8000.native.Connection(**(options | changed))


def _through_the_proxy(emulator: Emulator, orders: dict[str, str]) -> Any:
    return _secret(emulator, orders["Secret"]) | {"host": orders["Proxy"]}


def _token(emulator: Emulator, role: str, target: dict[str, Any]) -> str:
    """What the SDK signs for a user of the database, with credentials of `role`."""
    keys = session_keys(emulator.endpoint, role)
    client = client_with(keys, emulator.endpoint, "rds")
    token: str = client.generate_db_auth_token(
        target["host"], int(target["port"]), target["username"], REGION
    )
    return token


def _shared_memory() -> set[str]:
    """The numbers of this machine's shared memory segments."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines}
