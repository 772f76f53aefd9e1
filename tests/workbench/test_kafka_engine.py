"""Kafka's protocol behind MSK in the offline AWS: brokers, their loss, and IAM at the door."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.kafka_cluster import cluster_resources, session_of_a_role
from tests.offline import create_stack, delete_stack, eventually, is_alive, is_open, update_stack
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator
from workbench.offline.engines.kafka import Kafka
from workbench.offline.engines.kafka_front import Conversation, Door, Permission
from workbench.offline.engines.kafka_groups import Group, Member
from workbench.offline.engines.kafka_topics import NO_BROKER

STACK = "streams"
WITHIN = 15.0  # seconds
TEMPLATE = {
    "Resources": {
        "Settings": {
            "Type": "AWS::MSK::Configuration",
            "Properties": {
                "Name": "settings",
                "ServerProperties": "auto.create.topics.enable=true\nnum.partitions=2",
            },
        },
        **cluster_resources(
            "orders",
            "abc",
            {"placed": 3},
            ClientAuthentication={
                "Sasl": {"Iam": {"Enabled": True}, "Scram": {"Enabled": True}},
                "Unauthenticated": {"Enabled": True},
            },
            EncryptionInfo={"EncryptionInTransit": {"ClientBroker": "TLS_PLAINTEXT"}},
            ConfigurationInfo={
                "Arn": {"Ref": "Settings"},
                "Revision": {"Fn::GetAtt": ["Settings", "LatestRevision.Revision"]},
            },
            Tags={"team": "streams"},
        ),
        "Password": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "Name": "AmazonMSK_clerk",
                "SecretString": json.dumps({"username": "clerk", "password": "a-password-of-clerk"}),
            },
        },
        "Passwords": {
            "Type": "AWS::MSK::BatchScramSecret",
            "Properties": {"ClusterArn": {"Ref": "Cluster"}, "SecretArnList": [{"Ref": "Password"}]},
        },
        "Serverless": {
            "Type": "AWS::MSK::ServerlessCluster",
            "Properties": {
                "ClusterName": "serverless",
                "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
                "VpcConfigs": [{"SubnetIds": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]}],
            },
        },
    },
    "Outputs": {"Cluster": {"Value": {"Ref": "Cluster"}}, "Serverless": {"Value": {"Ref": "Serverless"}}},
}
BROKER_SETTINGS = {
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "2",
    "min.insync.replicas": "1",
}
ALL_OF_A_PRODUCER = ("Connect", "DescribeTopic", "WriteData")
ALL_OF_A_CONSUMER = ("Connect", "DescribeTopic", "ReadData", "DescribeGroup", "AlterGroup")


@pytest.fixture(scope="module")
def arns(emulator: Emulator) -> dict[str, str]:
    return create_stack(emulator.endpoint, STACK, TEMPLATE)


@pytest.fixture(scope="module")
def brokers(emulator: Emulator, arns: dict[str, str]) -> dict[str, str]:
    """The bootstrap brokers of the cluster, by the names that MSK's API has for them."""
    answer = emulator.endpoint.client("kafka").get_bootstrap_brokers(ClusterArn=arns["Cluster"])
    return {name: value for name, value in answer.items() if name.startswith("Bootstrap")}


@pytest.fixture(scope="module")
def plain(brokers: dict[str, str]) -> dict[str, Any]:
    return {"bootstrap.servers": brokers["BootstrapBrokerString"]}


def produce(settings: dict[str, Any], topic: str, records: list[tuple[str, str]]) -> list[KafkaError | None]:
    """Write records, each a key and a value; what became of each, in the order of their acknowledgements."""
    ended: list[KafkaError | None] = []
    producer = Producer({**settings, "linger.ms": 0, "message.timeout.ms": WITHIN * 1000, "log_level": 0})
    producer.list_topics(timeout=WITHIN)  # else librdkafka looks for leaders once a second
    for key, value in records:
        producer.produce(topic, value, key, on_delivery=lambda error, _: ended.append(error))
    assert producer.flush(WITHIN) == 0
    return ended


def consume(settings: dict[str, Any], topic: str, count: int, group: str) -> list[tuple[str, str]]:
    """Read `count` records of a topic from its beginning, or from where `group` had committed."""
    consumer = Consumer(
        {
            **settings,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    found: list[tuple[str, str]] = []
    until = time.monotonic() + WITHIN
    while len(found) < count and time.monotonic() < until:
        record = consumer.poll(0.1)
        if record is None:
            continue
        error = record.error()
        if error is not None:
            consumer.close()
            raise KafkaException(error)
        found.append((text(record.key()), text(record.value())))
    if found:
        consumer.commit(asynchronous=False)
    consumer.close()
    return found


def text(data: bytes | None) -> str:
    return str(data or b"", "utf-8")


def of_key(key: str, records: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in records if name == key]


def wave(name: str, count: int = 12) -> list[tuple[str, str]]:
    return [(f"k{number % 4}", f"{name}-{number}") for number in range(count)]


def test_the_cluster_names_the_ways_in_that_its_template_asks_for(
    emulator: Emulator, arns: dict[str, str], brokers: dict[str, str]
) -> None:
    assert {name: len(value.split(",")) for name, value in brokers.items()} == {
        "BootstrapBrokerString": 3,
        "BootstrapBrokerStringTls": 3,
        "BootstrapBrokerStringSaslScram": 3,
        "BootstrapBrokerStringSaslIam": 3,
    }
    kafka = emulator.endpoint.client("kafka")
    serverless = kafka.get_bootstrap_brokers(ClusterArn=arns["Serverless"])
    assert [name for name in serverless if name.startswith("Bootstrap")] == ["BootstrapBrokerStringSaslIam"]
    assert kafka.list_tags_for_resource(ResourceArn=arns["Cluster"])["Tags"] == {"team": "streams"}
    nodes = kafka.list_nodes(ClusterArn=arns["Cluster"])["NodeInfoList"]
    assert len({each["BrokerNodeInfo"]["ClientSubnet"] for each in nodes}) == 3


def test_brokers_stand_in_the_zones_of_the_client_subnets(control: Control, arns: dict[str, str]) -> None:
    described = control.call("kafka/list")
    assert described["orders"]["zones"] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert described["serverless"]["zones"] == ["us-east-1a", "us-east-1b", "us-east-1a"]
    assert sorted(described["orders"]["topics"]["placed"]) == [1, 2, 3]


def test_records_of_a_key_are_read_in_the_order_they_were_written(plain: dict[str, Any]) -> None:
    assert produce(plain, "ordered", wave("first", 200)) == [None] * 200
    read = consume(plain, "ordered", 200, "ordered-readers")
    for key in ("k0", "k1", "k2", "k3"):
        assert of_key(key, read) == of_key(key, wave("first", 200))


def test_an_update_gives_the_brokers_their_new_configuration(
    emulator: Emulator, control: Control, arns: dict[str, str], plain: dict[str, Any]
) -> None:
    changed = json.loads(json.dumps(TEMPLATE))
    settings = changed["Resources"]["Settings"]["Properties"]
    settings["ServerProperties"] = settings["ServerProperties"].replace(
        "num.partitions=2", "num.partitions=5"
    )
    for template in (changed, TEMPLATE):
        update_stack(emulator.endpoint, STACK, template)
        topic = "after-the-first" if template is changed else "after-the-second"
        produce(plain, topic, wave("any", 1))
    topics = control.call("kafka/list")["orders"]["topics"]
    assert [len(topics[f"after-the-{each}"]) for each in ("first", "second")] == [5, 2]


def test_a_topic_is_made_on_first_use_only_where_the_configuration_says_so(
    emulator: Emulator, control: Control, arns: dict[str, str], plain: dict[str, Any]
) -> None:
    produce(plain, "made-on-use", wave("any", 1))
    topics = {name: each["topics"] for name, each in control.call("kafka/list").items()}
    assert len(topics["orders"]["made-on-use"]) == 2
    keys = session_of_a_role(emulator.endpoint, "writes-anywhere", ALL_OF_A_PRODUCER, arns["Serverless"])
    settings = signed(emulator, emulator_brokers(emulator, arns["Serverless"]), keys)
    (error,) = produce({**settings, "topic.metadata.propagation.max.ms": 500}, "not-made", wave("any", 1))
    assert error is not None
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_an_administrator_creates_and_deletes_topics(plain: dict[str, Any]) -> None:
    admin = AdminClient(plain)
    wanted = NewTopic("by-hand", num_partitions=4, replication_factor=2)
    admin.create_topics([wanted])["by-hand"].result(WITHIN)
    assert len(admin.list_topics("by-hand", timeout=WITHIN).topics["by-hand"].partitions) == 4
    with pytest.raises(KafkaException, match="already"):
        admin.create_topics([wanted])["by-hand"].result(WITHIN)
    with pytest.raises(KafkaException, match="brokers up"):
        admin.create_topics([NewTopic("too-wide", 1, 4)])["too-wide"].result(WITHIN)
    admin.delete_topics(["by-hand"])["by-hand"].result(WITHIN)
    assert "by-hand" not in admin.list_topics(timeout=WITHIN).topics


def test_with_one_broker_down_writing_and_reading_go_on_and_it_leads_again_when_it_is_back(
    control: Control, plain: dict[str, Any]
) -> None:
    assert produce({**plain, "acks": "all"}, "placed", wave("before")) == [None] * 12
    assert len(consume(plain, "placed", 12, "survivors")) == 12
    for broker in (1, 2, 3):
        control.call("kafka/stop_broker", name="orders", broker=broker)
        assert broker not in control.call("kafka/list")["orders"]["topics"]["placed"]
        written = wave(f"without-{broker}")
        assert produce({**plain, "acks": "all"}, "placed", written) == [None] * 12
        read = consume(plain, "placed", 12, "survivors")
        assert {key: of_key(key, read) for key, _ in read} == {
            key: of_key(key, written) for key, _ in written
        }
        control.call("kafka/start_broker", name="orders", broker=broker)
    assert sorted(control.call("kafka/list")["orders"]["topics"]["placed"]) == [1, 2, 3]


def test_a_consumer_that_runs_outlives_its_coordinator_and_its_leaders(
    control: Control, plain: dict[str, Any]
) -> None:
    settings = {
        **plain,
        "group.id": "steady",
        "auto.offset.reset": "latest",
        "reconnect.backoff.max.ms": 100,
        "log_level": 0,
    }
    consumer = Consumer(settings)
    consumer.subscribe(["placed"])
    eventually(lambda: consumer.poll(0.1) is None and len(consumer.assignment()) == 3, "all partitions")
    eventually(
        lambda: consumer.poll(0.1) is None and all(each.offset >= 0 for each in positions(consumer)),
        "positions in all partitions",
    )
    for broker in (1, 2, 3):
        control.call("kafka/stop_broker", name="orders", broker=broker)
        written = wave(f"running-{broker}", 4)
        assert produce(plain, "placed", written) == [None] * 4
        read: list[str] = []

        def all_read(read: list[str] = read) -> bool:
            record = consumer.poll(0.1)
            if record is not None and record.error() is None:
                read.append(text(record.value()))
            return len(read) == 4

        eventually(all_read, f"four records without broker {broker}")
        assert sorted(read) == sorted(value for _, value in written)
        control.call("kafka/start_broker", name="orders", broker=broker)
    consumer.close()


def positions(consumer: Consumer) -> list[TopicPartition]:
    """Where a consumer will read on; librdkafka knows it once it has asked the leader."""
    found = []
    for each in consumer.assignment():
        low, high = consumer.get_watermark_offsets(each, cached=True)
        found.append(TopicPartition(each.topic, each.partition, high if low >= 0 else -1))
    return found


MEMBER = """
import json, sys, confluent_kafka
consumer = confluent_kafka.Consumer(json.loads(sys.argv[1]))
consumer.subscribe(["placed"])
while not consumer.assignment():
    consumer.poll(0.02)
print("joined", flush=True)
while True:
    consumer.poll(0.02)
"""


def test_members_of_a_group_share_its_partitions_and_take_over_from_one_that_is_killed(
    plain: dict[str, Any],
) -> None:
    settings = {
        **plain,
        "group.id": "sharing",
        "session.timeout.ms": 1000,
        "heartbeat.interval.ms": 100,
        "log_level": 0,
    }
    one, other = Consumer(settings), Consumer(settings)
    for each in (one, other):
        each.subscribe(["placed"])
    both = (one, other)
    eventually(lambda: sorted(len(partitions(each)) for each in both) == [1, 2], "two members' shares")
    third = subprocess.Popen(
        [sys.executable, "-c", MEMBER, json.dumps(settings)], stdout=subprocess.PIPE, text=True
    )
    with third:
        try:
            eventually(lambda: [len(partitions(each)) for each in both] == [1, 1], "a third one's share")
            assert third.stdout is not None
            assert third.stdout.readline() == "joined\n"
        finally:
            third.kill()
    eventually(lambda: sorted(partitions(one) + partitions(other)) == [0, 1, 2], "two members' shares")
    for each in both:
        each.close()


def partitions(consumer: Consumer) -> list[int]:
    consumer.poll(0.02)
    return [each.partition for each in consumer.assignment()]


def test_a_write_to_all_replicas_is_refused_while_too_few_are_up(
    control: Control, plain: dict[str, Any]
) -> None:
    for broker in (1, 2):
        control.call("kafka/stop_broker", name="orders", broker=broker)
    hasty = {**plain, "acks": "all", "retries": 0}
    codes = {error.code() for error in produce(hasty, "placed", wave("unsafe")) if error is not None}
    assert codes == {KafkaError.NOT_ENOUGH_REPLICAS}
    assert produce({**plain, "acks": 1}, "placed", wave("daring")) == [None] * 12
    for broker in (1, 2):
        control.call("kafka/start_broker", name="orders", broker=broker)
    assert produce(hasty, "placed", wave("safe")) == [None] * 12


def test_the_loss_of_a_zone_takes_its_brokers_down_and_its_return_brings_back_those_alone() -> None:
    cluster = Kafka("six", "arn:of:six", ("a", "b", "c") * 2, ("a", "b", "c") * 2, BROKER_SETTINGS)
    cluster.start()
    try:
        cluster.create_topic("t", 6)
        cluster.stop_broker(5)
        assert cluster.lose_zone("b") == ["broker 2 of six"]
        assert cluster.lose_zone("b") == []
        assert {each.leader for each in cluster.topics["t"].partitions} == {1, 3, 4, 6}
        assert cluster.restore_zone("b") == ["broker 2 of six"]
        assert sorted(cluster.up) == [1, 2, 3, 4, 6]
        cluster.stop()
        assert {each.leader for each in cluster.topics["t"].partitions} == {NO_BROKER}
    finally:
        cluster.delete()


def test_deleting_works_though_the_brokers_died(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.offline.engines.kafka.LOST_ZONES", {"b"})
    cluster = Kafka("three", "arn:of:three", ("a", "b", "c"), ("a", "b", "c"), BROKER_SETTINGS)
    cluster.start()
    assert cluster.up == {1, 3}, "one of them stands in a lost zone"
    os.kill(cluster.pids[0], signal.SIGKILL)
    eventually(lambda: not is_alive(cluster.pids[0]), "the brokers' end")
    with pytest.raises(RuntimeError, match="the brokers of the Kafka cluster three ended"):
        cluster.create_topic("t", 1)
    cluster.delete()
    assert cluster.pids == []


def test_a_write_without_acknowledgement_is_not_answered(plain: dict[str, Any]) -> None:
    host, _, port = plain["bootstrap.servers"].partition(",")[0].partition(":")
    unacknowledged = struct.pack(">hhihhhii", 0, 3, 1, -1, -1, 0, 1000, 0)
    offsets = struct.pack(">hhihii", 2, 1, 2, -1, -1, 0)
    with (
        socket.create_connection((host, int(port)), timeout=WITHIN) as connection,
        connection.makefile("rwb") as stream,
    ):
        for request in (unacknowledged, offsets):
            stream.write(struct.pack(">i", len(request)) + request)
        stream.flush()
        _, correlation = struct.unpack(">ii", stream.read(8))
    assert correlation == 2


class Entitled:
    """A log-in that lets everybody in, to do nothing."""

    def step(self, message: bytes) -> tuple[bytes, Permission]:
        return message, lambda *_: False


def test_who_may_not_write_and_wants_no_answer_is_hung_up_on() -> None:
    def framed(request: bytes) -> bytes:
        return struct.pack(">i", len(request)) + request

    handshake = struct.pack(">hhihh5s", 17, 1, 1, -1, 5, b"PLAIN")
    log_in = struct.pack(">hhihi", 36, 1, 2, -1, 0)
    write = struct.pack(">hhihhhiih6siii", 0, 3, 3, -1, -1, 0, 1000, 1, 6, b"placed", 1, 0, -1)

    async def speak() -> list[bytes]:
        said: list[bytes] = []
        reader, writer = asyncio.StreamReader(), Mock(drain=AsyncMock(), write=said.append)
        reader.feed_data(framed(handshake) + framed(log_in) + framed(write))
        reader.feed_eof()
        door = Door("iam", {"PLAIN": Entitled})
        with pytest.raises(ValueError, match="nobody may be told"):
            await Conversation(Mock(), 1, door, (asyncio.StreamReader(), Mock())).run(reader, writer)
        return said

    assert len(asyncio.run(speak())) == 2


def test_who_is_cut_off_while_it_joins_is_no_member() -> None:
    def member() -> Member:
        return Member("", None, session=30, rebalance=30, protocols={"range": b""})

    async def come_again() -> Group:
        group = Group("g")
        cut_off = asyncio.create_task(group.join(member(), "consumer"))
        await asyncio.sleep(0)
        cut_off.cancel()
        with suppress(asyncio.CancelledError):
            await cut_off
        assert await group.join(member(), "consumer") == 0
        return group

    group = asyncio.run(asyncio.wait_for(come_again(), WITHIN))
    assert len(group.members) == 1


def test_a_group_that_was_left_keeps_nothing_of_the_rebalance_that_it_waited_for() -> None:
    async def leave_and_come_again() -> Group:
        group = Group("g")

        def member(rebalance: float) -> Member:
            return Member("", None, session=30, rebalance=rebalance, protocols={"range": b""})

        async def settle(*members: Member) -> None:
            await asyncio.gather(*(group.join(each, "consumer") for each in members))
            await group.sync(group.leader, group.generation, {})

        one, other = member(0.2), member(0.2)
        await settle(one, other)
        group.leave([one.id])
        group.leave([other.id])
        assert group.state == "Empty"
        await settle(member(30))
        await asyncio.sleep(0.3)  # the time that the two who left would have had to join again
        return group

    group = asyncio.run(leave_and_come_again())
    assert (group.state, len(group.members)) == ("Stable", 1)


# Who may come in, and what for.


def emulator_brokers(emulator: Emulator, arn: str) -> str:
    answer = emulator.endpoint.client("kafka").get_bootstrap_brokers(ClusterArn=arn)
    return str(answer["BootstrapBrokerStringSaslIam"])


def signed(emulator: Emulator, brokers: str, keys: Credentials) -> dict[str, Any]:
    """What a client sets to log in with IAM, its token made as the AWS MSK IAM signers make theirs."""

    def token(_: object) -> tuple[str, float]:
        request = AWSRequest("GET", "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect")
        SigV4QueryAuth(keys, "kafka-cluster", "us-east-1", expires=900).add_auth(request)
        url = f"{request.url}&User-Agent=test"
        return base64.urlsafe_b64encode(url.encode()).decode().rstrip("="), time.time() + 900

    return {
        "bootstrap.servers": brokers,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "ssl.ca.location": emulator.endpoint.ca_bundle,
        "oauth_cb": token,
    }


def refusal(settings: dict[str, Any]) -> str:
    """The words with which a client is kept out; empty when it is let in."""
    said: list[str] = []
    noting: dict[str, Any] = {"error_cb": lambda error: said.append(error.str()), "log_level": 0}
    admin = AdminClient({**settings, **noting})

    def answered() -> bool:
        with suppress(KafkaException):
            admin.list_topics(timeout=0.2)
            return True
        admin.poll(0)
        return bool(said)

    eventually(answered, "an answer or a refusal")
    return " ".join(said)


def test_a_role_that_may_writes_and_one_that_may_reads_with_the_token_of_the_msk_signers(
    emulator: Emulator, control: Control, arns: dict[str, str], brokers: dict[str, str]
) -> None:
    way_in = brokers["BootstrapBrokerStringSaslIam"]
    writer = signed(
        emulator, way_in, session_of_a_role(emulator.endpoint, "writer", ALL_OF_A_PRODUCER, arns["Cluster"])
    )
    reader = signed(
        emulator, way_in, session_of_a_role(emulator.endpoint, "reader", ALL_OF_A_CONSUMER, arns["Cluster"])
    )
    control.call("kafka/create_topic", name="orders", topic="signed", partitions=1)
    assert produce(writer, "signed", wave("signed")) == [None] * 12
    assert consume(reader, "signed", 12, "readers") == wave("signed")
    used = {
        (each["action"].partition(":")[2], each["resource"].split(":")[5].split("/")[0])
        for each in emulator.decisions()
        if each["allowed"] and each["principal"].endswith(":assumed-role/reader/session")
    }
    assert used == {
        ("Connect", "cluster"),
        ("DescribeTopic", "topic"),
        ("ReadData", "topic"),
        ("DescribeGroup", "group"),
        ("AlterGroup", "group"),
    }


def test_a_role_without_connect_is_kept_out_and_so_is_a_forged_token(
    emulator: Emulator, arns: dict[str, str], brokers: dict[str, str]
) -> None:
    way_in = brokers["BootstrapBrokerStringSaslIam"]
    stranger = session_of_a_role(emulator.endpoint, "stranger", (), arns["Cluster"])
    assert "is not allowed kafka-cluster:Connect" in refusal(signed(emulator, way_in, stranger))
    forged = Credentials(stranger.access_key, "made up", stranger.token)
    assert "signature does not match" in refusal(signed(emulator, way_in, forged))
    last = [each for each in emulator.decisions() if each["action"] == "kafka-cluster:Connect"][-1]
    assert (last["allowed"], last["resource"]) == (False, arns["Cluster"])


def test_the_mechanism_of_the_java_and_go_libraries_lets_in_the_same_roles(
    emulator: Emulator, arns: dict[str, str], brokers: dict[str, str]
) -> None:
    first = brokers["BootstrapBrokerStringSaslIam"].split(",")[0]
    keys = session_of_a_role(emulator.endpoint, "in-java", ("Connect",), arns["Cluster"])
    request = AWSRequest("GET", f"https://{first}/?Action=kafka-cluster%3AConnect")
    SigV4QueryAuth(keys, "kafka-cluster", "us-east-1", expires=900).add_auth(request)
    signed_query = parse_qsl(urlsplit(str(request.url)).query)
    fields = {"version": "2020_10_22", "host": first, **{name.lower(): value for name, value in signed_query}}
    assert sasl(emulator, first, fields)[0] == 0
    error, words = sasl(emulator, first, fields | {"x-amz-expires": "899"})
    assert (error, b"signature does not match" in words) == (58, True)


def sasl(emulator: Emulator, broker: str, fields: dict[str, str]) -> tuple[int, bytes]:
    """Log in by AWS_MSK_IAM over Kafka's own requests: the error code, and the whole answer."""
    host, _, port = broker.partition(":")
    mechanism, message = b"AWS_MSK_IAM", json.dumps(fields).encode()
    handshake = struct.pack(">hhihh", 17, 1, 1, -1, len(mechanism)) + mechanism
    authenticate = struct.pack(">hhihi", 36, 1, 2, -1, len(message)) + message
    context = ssl.create_default_context(cafile=emulator.endpoint.ca_bundle)
    with (
        socket.create_connection((host, int(port)), timeout=WITHIN) as connection,
        context.wrap_socket(connection, server_hostname=host) as encrypted,
        encrypted.makefile("rwb") as stream,
    ):
        for request in (handshake, authenticate):
            stream.write(struct.pack(">i", len(request)) + request)
            stream.flush()
            (length,) = struct.unpack(">i", stream.read(4))
            answer = stream.read(length)
    return struct.unpack_from(">h", answer, 4)[0], answer


def test_a_role_may_not_do_what_it_was_not_granted(
    emulator: Emulator, arns: dict[str, str], brokers: dict[str, str]
) -> None:
    way_in = brokers["BootstrapBrokerStringSaslIam"]
    looks = session_of_a_role(
        emulator.endpoint, "looks", ("Connect", "DescribeTopic", "DescribeGroup"), arns["Cluster"]
    )
    settings = signed(emulator, way_in, looks)
    (error,) = produce(settings, "placed", wave("any", 1))
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(KafkaException) as caught:
        consume(settings, "placed", 1, "not-ours")
    assert caught.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    admin = AdminClient(settings)
    with pytest.raises(KafkaException, match="CreateTopic on new is not allowed"):
        admin.create_topics([NewTopic("new", 1, 1)])["new"].result(WITHIN)


def test_a_user_of_an_associated_secret_logs_in_by_its_password_alone(
    emulator: Emulator, brokers: dict[str, str]
) -> None:
    settings = {
        "bootstrap.servers": brokers["BootstrapBrokerStringSaslScram"],
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "ssl.ca.location": emulator.endpoint.ca_bundle,
        "sasl.username": "clerk",
        "sasl.password": "a-password-of-clerk",
    }
    assert refusal(settings) == ""
    assert "the password is wrong" in refusal({**settings, "sasl.password": "another"})
    assert "no secret of the cluster" in refusal({**settings, "sasl.username": "somebody"})


def test_tls_without_a_log_in_is_open_where_the_template_allows_it(
    emulator: Emulator, brokers: dict[str, str]
) -> None:
    settings = {
        "bootstrap.servers": brokers["BootstrapBrokerStringTls"],
        "security.protocol": "SSL",
        "ssl.ca.location": emulator.endpoint.ca_bundle,
    }
    assert refusal(settings) == ""


def test_deleting_the_stack_closes_every_port_and_ends_the_brokers(
    emulator: Emulator, control: Control, arns: dict[str, str], brokers: dict[str, str]
) -> None:
    ports = [int(each.rpartition(":")[2]) for every in brokers.values() for each in every.split(",")]
    assert all(is_open(each) for each in ports)
    delete_stack(emulator.endpoint, STACK)
    assert control.call("kafka/list") == {}
    assert not any(is_open(each) for each in ports)
