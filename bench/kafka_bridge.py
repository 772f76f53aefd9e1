"""How fast the bridge takes records from a Kafka topic to a function, by the size of its batches.

The function does nothing, and the records wait before the clock runs: it is the bridge, and what it costs to
hand a batch to a worker.
"""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

from bench.bare import Bare, bare
from bench.fresh import Bench, ProbeFailed
from bench.table import Row, Table
from workbench.dryrun.control import Control

RECORDS = 50_000
RECORD_BYTES = 200
PARTITIONS = 4
BATCH_SIZES = (100, 1_000, 10_000)
WITHIN = 120.0
CLUSTER, TOPIC, NAME = "bench", "records", "sink"
MAY = ["kafka:*", "kafka-cluster:*", "ec2:*"]


def run(bench: Bench) -> Table:
    """Records a second, for each batch size."""
    with bare(bench) as aws:
        arn = _cluster(aws)
        _function(aws)
        _fill(aws.client("kafka").get_bootstrap_brokers(ClusterArn=arn)["BootstrapBrokerString"])
        rows = tuple(
            Row(f"records to a function, at most {size} a batch", _rate(aws, arn, size), "/s")
            for size in BATCH_SIZES
        )
    note = (
        f"{RECORDS} records of {RECORD_BYTES} bytes in {PARTITIONS} partitions, one consumer, one run each."
    )
    return Table("kafka-bridge", "Kafka to Lambda", rows, (note,))


def _rate(aws: Bare, arn: str, batch_size: int) -> float:
    functions = aws.client("lambda")
    mapping = functions.create_event_source_mapping(
        FunctionName=NAME,
        EventSourceArn=arn,
        Topics=[TOPIC],
        StartingPosition="TRIM_HORIZON",
        BatchSize=batch_size,
        Enabled=False,
    )["UUID"]
    _wait(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] == "Disabled", "be connected")
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    started = time.perf_counter()
    _wait(lambda: _settled(aws.control, mapping), "take all records")
    seconds = time.perf_counter() - started
    functions.delete_event_source_mapping(UUID=mapping)
    return RECORDS / seconds


def _settled(control: Control, mapping: str) -> bool:
    [found] = [each for each in control.call("streams/list")["mappings"] if each["mapping"] == mapping]
    return bool(found["waiting"] == 0)


def _wait(holds: Any, what: str) -> None:
    until = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > until:
            raise ProbeFailed(f"the bridge did not {what} within {WITHIN:.0f} s")
        time.sleep(0.05)


def _cluster(aws: Bare) -> str:
    made = aws.client("kafka").create_cluster(
        ClusterName=CLUSTER,
        KafkaVersion="3.9.x",
        NumberOfBrokerNodes=3,
        BrokerNodeGroupInfo={"ClientSubnets": ["a", "b", "c"], "InstanceType": "kafka.m7g.large"},
        ClientAuthentication={"Unauthenticated": {"Enabled": True}},
        EncryptionInfo={"EncryptionInTransit": {"ClientBroker": "PLAINTEXT"}},
    )
    aws.control.call("kafka/create_topic", name=CLUSTER, topic=TOPIC, partitions=PARTITIONS)
    return str(made["ClusterArn"])


def _function(aws: Bare) -> None:
    role = aws.role(NAME, {"Service": "lambda.amazonaws.com"}, MAY)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return None\n")
    aws.client("lambda").create_function(
        FunctionName=NAME,
        Runtime="python3.12",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": content.getvalue()},
        Timeout=60,
    )


def _fill(brokers: str) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers, "acks": "all", "linger.ms": 50})
    for number in range(RECORDS):
        producer.produce(TOPIC, b"x" * RECORD_BYTES, str(number), partition=number % PARTITIONS)
        producer.poll(0)
    if producer.flush(30):
        raise ProbeFailed("the brokers did not take all records within 30 s")
