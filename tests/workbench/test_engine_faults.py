"""The faults of servers, brokers, zones and topics, and those that AWS has calls for, on what they really strike.

Each test looks at what is down, at what goes on meanwhile, and at what is as before when the fault is over; none
passes when its fault does nothing.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pg8000.native
import pytest
import redis
from botocore.exceptions import ClientError
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tests.offline import client_with, create_function, create_role, create_stack, is_open, session_keys
from tests.templates import LAMBDA, allow, get_att, policy, ref, resource, template
from workbench.dryrun.control import CommandRefused, Control
from workbench.dryrun.emulator import Emulator, Endpoint
from workbench.dryrun.faults import Faults
from workbench.dryrun.http import Http
from workbench.dryrun.world import Refusal, World

# pg8000 leaves the socket of a login that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

STACK = "stack"
PROGRAM = Path(__file__).parent / "program"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
ZONE, NEXT_ZONE, QUIET_ZONE = ZONES  # the one that is lost, that of the standby, and the cache's
PASSWORD = "a-password-of-keeper"
WITHIN = 15.0  # seconds
USER_DATA = "#!/bin/bash\ndocker run --network host -e PORT=8080 ${Repository.RepositoryUri}:1\n"
HANDLER = """
import base64, json

def handler(event, context):
    for message in event.get("Records", []):
        print("READ", message["body"])
    for record in (each for partition in event.get("records", {}).values() for each in partition):
        print("READ", base64.b64decode(record["value"]).decode())
"""


def _topic(name: str, partitions: int) -> dict[str, Any]:
    return resource(
        "MSK::Topic",
        ClusterArn=ref("Cluster"),
        TopicName=name,
        PartitionCount=partitions,
        ReplicationFactor=3,
    )


SUBNETS = {
    f"Subnet{number}": resource(
        "EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone
    )
    for number, zone in enumerate(ZONES)
}
STORES = {
    "Database": resource(
        "RDS::DBInstance",
        Engine="postgres",
        EngineVersion="17.2",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage="20",
        DBName="orders",
        MasterUsername="keeper",
        MasterUserPassword=PASSWORD,
        MultiAZ=True,
    ),
    "Cache": resource(
        "ElastiCache::ReplicationGroup",
        ReplicationGroupDescription="sessions",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=1,
        AutomaticFailoverEnabled=False,
        PreferredCacheClusterAZs=[QUIET_ZONE],
    ),
    "Cluster": resource(
        "MSK::Cluster",
        ClusterName="events",
        KafkaVersion="3.9.x",
        NumberOfBrokerNodes=3,
        BrokerNodeGroupInfo={
            "InstanceType": "kafka.m7g.large",
            "ClientSubnets": [ref(each) for each in SUBNETS],
        },
        ClientAuthentication={"Unauthenticated": {"Enabled": True}},
        EncryptionInfo={"EncryptionInTransit": {"ClientBroker": "PLAINTEXT"}},
    ),
    "Orders": _topic("orders", 3),
    "Clicks": _topic("clicks", 2),
}
PROGRAMS = {
    "Repository": resource(
        "ECR::Repository", EmptyOnDelete=True, Tags=[{"Key": "program", "Value": str(PROGRAM)}]
    ),
    "Role": resource(
        "IAM::Role",
        AssumeRolePolicyDocument=policy(allow("sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"})),
    ),
    "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
    "Template": resource(
        "EC2::LaunchTemplate",
        LaunchTemplateData={
            "ImageId": "ami-12345678",
            "InstanceType": "t4g.micro",
            "IamInstanceProfile": {"Arn": get_att("Profile", "Arn")},
            "UserData": {"Fn::Base64": {"Fn::Sub": USER_DATA}},
        },
    ),
    "Instance": resource(
        "EC2::Instance",
        LaunchTemplate={"LaunchTemplateId": ref("Template"), "Version": "1"},
        SubnetId=ref("Subnet0"),
    ),
    "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref(each) for each in SUBNETS]),
    "Targets": resource(
        "ElasticLoadBalancingV2::TargetGroup",
        Port=8080,
        Protocol="HTTP",
        VpcId=ref("Vpc"),
        HealthCheckPath="/health",
        Targets=[{"Id": ref("Instance"), "Port": 8080}],
    ),
    "Http": resource(
        "ElasticLoadBalancingV2::Listener",
        LoadBalancerArn=ref("Balancer"),
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": ref("Targets")}],
    ),
}
OUTPUTS = {
    "Database": ref("Database"),
    "DatabaseHost": get_att("Database", "Endpoint.Address"),
    "DatabasePort": get_att("Database", "Endpoint.Port"),
    "Cache": ref("Cache"),
    "CacheHost": get_att("Cache", "PrimaryEndPoint.Address"),
    "CachePort": get_att("Cache", "PrimaryEndPoint.Port"),
    "Cluster": ref("Cluster"),
    "Instance": ref("Instance"),
    "Balancer": get_att("Balancer", "DNSName"),
}
RESOURCES = {"Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"), **SUBNETS, **STORES, **PROGRAMS}


class System:
    """What the faults are made on: a database, a cache, brokers, a program, and functions that read."""

    def __init__(self, world: World, endpoint: Endpoint) -> None:
        self.world, self.outputs, self.client = world, world.outputs, world.client
        self.faults: Faults = world.faults
        self.endpoint = endpoint
        self._tls = ssl.create_default_context(cafile=endpoint.ca_bundle)
        brokers = self.client("kafka").get_bootstrap_brokers(ClusterArn=self.outputs["Cluster"])
        self.kafka: dict[str, Any] = {"bootstrap.servers": brokers["BootstrapBrokerString"], "log_level": 0}
        self.ports = {
            each.id: each.port
            for each in AdminClient(self.kafka).list_topics(timeout=WITHIN).brokers.values()
        }

    def database(self) -> pg8000.native.Connection:
        return pg8000.native.Connection(
            "keeper",
            host=self.outputs["DatabaseHost"],
            port=int(self.outputs["DatabasePort"]),
            password=PASSWORD,
            database="orders",
            ssl_context=self._tls,
            timeout=WITHIN,
        )

    def cache(self) -> redis.Redis:
        """One connection, which is not made again when it breaks."""
        made: redis.Redis = redis.Redis(
            host=self.outputs["CacheHost"],
            port=int(self.outputs["CachePort"]),
            decode_responses=True,
            socket_timeout=WITHIN,
            single_connection_client=True,
            retry=Retry(ConstantBackoff(0), 0),
        )
        return made

    def produce(self, topic: str, values: list[str], partition: int = -1) -> None:
        """Write records, to a partition or wherever they go; fails when one is not acknowledged by all in time."""
        ended: list[object] = []
        settings = {**self.kafka, "acks": "all", "message.timeout.ms": WITHIN * 1000, "linger.ms": 0}
        producer = Producer(settings)
        producer.list_topics(timeout=WITHIN)  # else librdkafka looks for leaders once a second
        for each in values:
            producer.produce(
                topic, each, partition=partition, on_delivery=lambda error, _: ended.append(error)
            )
        assert producer.flush(WITHIN) == 0
        assert ended == [None] * len(values)

    def consume(self, topic: str, count: int) -> set[str]:
        """What the topic holds, read from its beginning until there are `count`."""
        consumer = Consumer({**self.kafka, "group.id": "tests", "enable.auto.commit": False})
        partitions = consumer.list_topics(topic, timeout=WITHIN).topics[topic].partitions
        consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in partitions])
        found: set[str] = set()

        def all_found() -> bool:
            for record in consumer.consume(count, timeout=0.1):
                if record.error() is None:
                    found.add(str(record.value() or b"", "utf-8"))
            return len(found) >= count

        try:
            self.world.eventually(all_found, within=WITHIN, what=f"{count} records of {topic}")
        finally:
            consumer.close()
        return found

    def function(self, name: str) -> str:
        """A function that prints what it is given to read; its ARN."""
        role = create_role(self.endpoint, name, allow("*", Resource="*"), trusts=LAMBDA)
        return create_function(self.endpoint, name, HANDLER, role)

    def reader(self, name: str) -> str:
        """A function that reads the topic clicks; the UUID of its event source mapping."""
        self.function(name)
        made = self.client("lambda").create_event_source_mapping(
            FunctionName=name,
            EventSourceArn=self.outputs["Cluster"],
            Topics=["clicks"],
            StartingPosition="TRIM_HORIZON",
        )
        return str(made["UUID"])

    def read(self, function: str, test: str) -> list[str]:
        """What the function has read of the records of a test, in order."""
        logs = self.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        lines = [each["message"].split() for each in events]
        return [words[1] for words in lines if words[:1] == ["READ"] and words[1].startswith(f"{test}-")]

    def read_all(self, function: str, test: str, count: int) -> list[str]:
        """The same, once there are `count`."""

        def enough() -> list[str]:
            found = self.read(function, test)
            return found if len(found) >= count else []

        return self.world.eventually(enough, within=WITHIN, what=f"{count} records of {test} in {function}")


@pytest.fixture(scope="module")
def system(emulator: Emulator, control: Control, http: Http) -> System:
    outputs = create_stack(emulator.endpoint, STACK, template(RESOURCES, OUTPUTS))
    world = World(outputs, emulator.endpoint.client, http, control=control)
    return System(world, emulator.endpoint)


@pytest.fixture(scope="module")
def mapping(system: System) -> str:
    """Of the function `reader`; beside it the function `witness` reads the same topic."""
    system.reader("witness")
    return system.reader("reader")


# Servers.


def test_a_stopped_database_refuses_everyone_and_comes_back_with_what_was_committed(system: System) -> None:
    before = system.database()
    before.run("CREATE TABLE stopped (entry int)")
    before.run("INSERT INTO stopped VALUES (1)")
    before.run("BEGIN")
    before.run("INSERT INTO stopped VALUES (2)")
    with system.faults.stopped("postgres", system.outputs["Database"]):
        with pytest.raises(pg8000.native.InterfaceError):
            before.run("COMMIT")
        with pytest.raises(pg8000.native.InterfaceError):
            system.database()
    with system.database() as after:
        assert after.run("SELECT entry FROM stopped") == [[1]]


def test_a_restarted_database_breaks_its_connections_and_keeps_what_was_committed(system: System) -> None:
    before = system.database()
    before.run("CREATE TABLE restarted AS SELECT 1 AS entry")
    system.faults.restarted("postgres", system.outputs["Database"])
    with pytest.raises(pg8000.native.InterfaceError):
        before.run("SELECT 1")
    with system.database() as after:
        assert after.run("SELECT entry FROM restarted") == [[1]]


def test_a_stopped_cache_refuses_everyone_and_a_single_node_comes_back_empty(system: System) -> None:
    with system.cache() as before:
        before.set("stopped", "1")
        with system.faults.stopped("redis", system.outputs["Cache"]):
            with pytest.raises(redis.exceptions.ConnectionError):
                before.get("stopped")
            assert not is_open(system.outputs["CachePort"])
    with system.cache() as after:
        assert after.get("stopped") is None


def test_a_restarted_cache_breaks_its_connections_and_a_single_node_is_empty(system: System) -> None:
    with system.cache() as before:
        before.set("restarted", "1")
        system.faults.restarted("redis", system.outputs["Cache"])
        with pytest.raises(redis.exceptions.ConnectionError):
            before.get("restarted")
    with system.cache() as after:
        assert after.get("restarted") is None


# Brokers and zones.


def test_with_a_broker_down_its_port_refuses_and_the_others_take_and_give_every_record(
    system: System,
) -> None:
    before, meanwhile = [f"before-{n}" for n in range(12)], [f"meanwhile-{n}" for n in range(12)]
    system.produce("orders", before)
    assert len(system.ports) == 3
    with system.faults.broker_down("events", 2):
        assert [is_open(system.ports[broker]) for broker in (1, 2, 3)] == [True, False, True]
        assert 2 not in _leaders(system)
        system.produce("orders", meanwhile)
        assert {*before, *meanwhile} <= system.consume("orders", 24)
    assert is_open(system.ports[2])
    assert sorted(_leaders(system)) == [1, 2, 3]


def test_what_stands_in_a_lost_zone_is_down_and_what_has_another_zone_goes_on(system: System) -> None:
    page = f"http://{system.outputs['Balancer']}/"
    system.world.eventually(lambda: system.world.http.get(page).status == 200, what="the program")
    assert _primary(system) == ZONE
    before = system.database()
    before.run("CREATE TABLE lost AS SELECT 1 AS entry")
    with system.cache() as cache:
        cache.set("elsewhere", "1")
        with system.faults.zone_lost(ZONE) as stopped:
            assert sorted(stopped) == sorted(
                ["broker 1 of events", system.outputs["Database"], system.outputs["Instance"]]
            )
            with pytest.raises(pg8000.native.InterfaceError):
                before.run("SELECT 1")
            with system.database() as after:
                assert after.run("SELECT entry FROM lost") == [[1]]
            assert _primary(system) == NEXT_ZONE
            assert [is_open(system.ports[broker]) for broker in (1, 2, 3)] == [False, True, True]
            system.produce("orders", [f"lost-{n}" for n in range(6)])
            assert system.world.http.get(page).status == 502
            assert cache.get("elsewhere") == "1"
    assert is_open(system.ports[1])
    system.world.eventually(lambda: system.world.http.get(page).status == 200, what="the program is back")
    with system.database() as after:
        assert after.run("SELECT entry FROM lost") == [[1]]
    assert _primary(system) == NEXT_ZONE  # RDS does not fail back


def test_what_was_stopped_by_itself_stays_down_when_its_zone_comes_back(system: System) -> None:
    page, ec2 = f"http://{system.outputs['Balancer']}/", system.client("ec2")
    broker = ZONES.index(QUIET_ZONE) + 1
    with (
        system.faults.stopped("postgres", system.outputs["Database"]),
        system.faults.stopped("redis", system.outputs["Cache"]),
        system.faults.broker_down("events", broker),
    ):
        ec2.stop_instances(InstanceIds=[system.outputs["Instance"]])
        for zone in ZONES:
            with system.faults.zone_lost(zone):
                assert not is_open(system.outputs["DatabasePort"])
        assert not is_open(system.outputs["DatabasePort"])
        assert not is_open(system.outputs["CachePort"])
        assert not is_open(system.ports[broker])
        assert system.world.http.get(page).status == 502
    ec2.start_instances(InstanceIds=[system.outputs["Instance"]])
    system.world.eventually(lambda: system.world.http.get(page).status == 200, what="the program is back")
    assert is_open(system.outputs["CachePort"])
    assert is_open(system.ports[broker])
    system.database().close()


def test_what_is_started_in_a_lost_zone_waits_for_it_unless_it_has_another(system: System) -> None:
    broker = ZONES.index(QUIET_ZONE) + 1
    with system.faults.zone_lost(QUIET_ZONE):
        with system.faults.broker_down("events", broker):
            system.faults.restarted("redis", system.outputs["Cache"])
        assert not is_open(system.outputs["CachePort"])
        assert not is_open(system.ports[broker])
    assert is_open(system.outputs["CachePort"])
    assert is_open(system.ports[broker])
    primary = _primary(system)
    with system.faults.stopped("postgres", system.outputs["Database"]), system.faults.zone_lost(primary):
        system.faults.restarted("postgres", system.outputs["Database"])
        system.database().close()
        assert _primary(system) != primary


def test_losing_a_zone_in_which_nothing_stands_proves_nothing(system: System) -> None:
    with (
        pytest.raises(AssertionError, match="nothing stands in us-east-1f"),
        system.faults.zone_lost("us-east-1f"),
    ):
        pytest.fail("nothing was to run")


# Topics that feed a function.


def test_nothing_of_a_held_topic_is_delivered_before_the_end(system: System, mapping: str) -> None:
    values = [f"held-{n}" for n in range(4)]
    with system.faults.held(mapping):
        for at, value in enumerate(values):  # one after the other, so that it would have had its time
            system.produce("clicks", [value], partition=0)
            system.read_all("witness", "held", at + 1)
        assert system.read("reader", "held") == []
    assert system.read_all("reader", "held", 4) == values


def test_a_topic_is_delivered_in_another_order_across_its_partitions_and_in_order_within_one(
    system: System, mapping: str
) -> None:
    first, second = [f"order-a{n}" for n in range(4)], [f"order-b{n}" for n in range(4)]
    with system.faults.reordered(mapping):
        system.produce("clicks", first, partition=0)
        system.read_all("witness", "order", 4)
        system.produce("clicks", second, partition=1)
    assert system.read_all("reader", "order", 8) == [*second, *first]
    assert system.read_all("witness", "order", 8) == [*first, *second]


def test_the_last_batch_of_a_topic_is_delivered_again(system: System, mapping: str) -> None:
    with system.faults.held(mapping):  # so that they are one batch
        system.produce("clicks", ["again-0", "again-1", "again-2"], partition=1)
    once = system.read_all("reader", "again", 3)
    with system.faults.delivered_again(mapping) as again:
        batch = once[-again() :]
    assert system.read_all("reader", "again", 3 + len(batch)) == [*once, *batch]
    assert system.read_all("witness", "again", 3) == once


def test_a_topic_that_could_not_be_held_in_time_is_not_left_held() -> None:
    asked = []

    class Busy(Control):
        """Of an offline AWS whose function runs on and on."""

        def call(self, command: str, **_: Any) -> Any:
            asked.append(command)
            if command == "streams/hold":
                raise CommandRefused("streams/hold: reader still runs after 30 s")

    faults = Faults(lambda _: None, Busy(Endpoint("https://nowhere")), lambda *_: None)
    with pytest.raises(CommandRefused, match="still runs"), faults.held("a topic"):
        pytest.fail("nothing was to run")
    assert asked == ["streams/hold", "streams/release"]


# What AWS has calls for, too.


def test_a_paused_function_runs_for_nobody_and_what_waits_is_delivered_afterwards(system: System) -> None:
    function, functions, sqs = system.function("counter"), system.client("lambda"), system.client("sqs")
    queue = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=7)
    functions.create_event_source_mapping(FunctionName=function, EventSourceArn=_queue_arn(system, queue))
    with system.faults.paused(function):
        with pytest.raises(functions.exceptions.TooManyRequestsException):
            functions.invoke(FunctionName=function)
        for n in range(3):
            sqs.send_message(QueueUrl=queue, MessageBody=f"paused-{n}")
    assert sorted(system.read_all("counter", "paused", 3)) == ["paused-0", "paused-1", "paused-2"]
    reserved = functions.get_function_concurrency(FunctionName=function)["ReservedConcurrentExecutions"]
    assert reserved == 7


def test_a_queue_that_refuses_sends_gives_what_it_has_and_takes_again_afterwards(system: System) -> None:
    sqs, role = system.client("sqs"), create_role(system.endpoint, "sender", allow("*", Resource="*"))
    queue = sqs.create_queue(QueueName="letters")["QueueUrl"]
    arn = _queue_arn(system, queue)
    before = json.dumps(policy(allow("sqs:SendMessage", Principal={"AWS": role}, Resource=arn)))
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": before})
    sender = client_with(session_keys(system.endpoint, role), system.endpoint, "sqs")
    sender.send_message(QueueUrl=queue, MessageBody="before")
    with system.faults.refusing_sends(queue):
        with pytest.raises(ClientError, match="AccessDenied"):
            sender.send_message(QueueUrl=queue, MessageBody="meanwhile")
        assert [each["Body"] for each in sender.receive_message(QueueUrl=queue)["Messages"]] == ["before"]
    sender.send_message(QueueUrl=queue, MessageBody="after")
    assert Refusal("sqs:SendMessage", arn) in system.world.expected_refusals
    after = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    assert json.loads(after) == json.loads(before)


def _queue_arn(system: System, queue: str) -> str:
    asked = system.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    return str(asked["Attributes"]["QueueArn"])


def _leaders(system: System) -> list[int]:
    """Of each partition of the topic orders, as a client is told."""
    topic = AdminClient(system.kafka).list_topics("orders", timeout=WITHIN).topics["orders"]
    return [each.leader for each in topic.partitions.values()]


def _primary(system: System) -> str:
    """The zone that the database's primary stands in."""
    described = system.client("rds").describe_db_instances(DBInstanceIdentifier=system.outputs["Database"])
    return str(described["DBInstances"][0]["AvailabilityZone"])
