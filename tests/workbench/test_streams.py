"""Event source mappings on the running offline AWS: what a function gets of Kinesis, DynamoDB and Kafka, and when."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.offline import ACCOUNT, create_function, create_role, create_stack, eventually
from tests.templates import LAMBDA, Statement, allow, ref, resource, template
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator

HANDLER = '''
import base64, json

failed_once = set()

def payload(record):
    if "kinesis" in record:
        return json.loads(base64.b64decode(record["kinesis"]["data"]))
    if "dynamodb" in record:
        return {name: next(iter(value.values())) for name, value in record["dynamodb"]["NewImage"].items()}
    return json.loads(base64.b64decode(record["value"]))

def records_of(event):
    return event["Records"] if "Records" in event else [r for held in event["records"].values() for r in held]

def whole(event, context):
    """Process all or nothing: a poison in the batch fails the batch."""
    print("EVENT", json.dumps(event))
    payloads = [payload(record) for record in records_of(event)]
    if any(each.get("poison") for each in payloads):
        raise ValueError("poison")
    for each in payloads:
        print("PROCESSED", json.dumps(each))

def one_by_one(event, context):
    """Process in order; say which record failed, and nothing of those after it. A flaky one fails once."""
    print("EVENT", json.dumps(event))
    for record in event["Records"]:
        each = payload(record)
        if each.get("flaky") and each["n"] not in failed_once:
            failed_once.add(each["n"])
            return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
        print("PROCESSED", json.dumps(each))
    return {"batchItemFailures": []}
'''
READ = {
    "kinesis": ["GetRecords", "GetShardIterator", "DescribeStream", "ListShards"],
    "dynamodb": ["GetRecords", "GetShardIterator", "DescribeStream"],
}
MSK = [
    "kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers",
    "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups",
]  # fmt: skip


@dataclass
class Aws:
    """The offline AWS, and what these tests ask of it again and again."""

    emulator: Emulator
    control: Control

    def client(self, service: str) -> Any:
        return self.emulator.endpoint.client(service)

    def function(self, name: str, handler: str, **allowed: str) -> str:
        """A function under a role of its own, which may do `allowed`: actions (with _ for :) on resources."""
        self.create_function(
            name,
            handler,
            *(allow(action.replace("__", ":"), Resource=arn) for action, arn in allowed.items()),
        )
        return name

    def create_function(self, name: str, handler: str, *statements: Statement) -> None:
        """The same, with the statements of its role as they are."""
        role = create_role(self.emulator.endpoint, name, *statements, trusts=LAMBDA)
        create_function(self.emulator.endpoint, name, HANDLER, role, handler=handler, Timeout=10)

    def stream(self, name: str, payloads: list[dict[str, Any]]) -> str:
        """A Kinesis stream of one shard with these records."""
        kinesis = self.client("kinesis")
        kinesis.create_stream(StreamName=name, ShardCount=1)
        self.put(name, payloads)
        return str(kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"])

    def put(self, stream: str, payloads: list[dict[str, Any]]) -> None:
        records = [{"Data": json.dumps(each).encode(), "PartitionKey": "k"} for each in payloads]
        if records:
            self.client("kinesis").put_records(StreamName=stream, Records=records)

    def queue(self, name: str) -> str:
        self.client("sqs").create_queue(QueueName=name)
        return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    def received(self, queue: str) -> list[dict[str, Any]]:
        """What the queue holds, once it holds something."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]

        def messages() -> list[dict[str, Any]]:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
            return [json.loads(each["Body"]) for each in found.get("Messages", [])]

        return eventually(messages, f"a message in {queue}")

    def map(self, function: str, **request: Any) -> str:
        made = self.client("lambda").create_event_source_mapping(FunctionName=function, **request)
        return str(made["UUID"])

    def logged(self, function: str, kind: str) -> list[Any]:
        """What the function printed after the word `kind`, in order."""
        try:
            events = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        except ClientError:
            return []
        lines = [each["message"].strip() for each in events]
        return [json.loads(line.removeprefix(kind)) for line in lines if line.startswith(f"{kind} ")]

    def processed(self, function: str, until: Callable[[list[int]], bool]) -> list[int]:
        """The numbers of the records that the function processed, once `until` holds."""
        return eventually(
            lambda: [each["n"] for each in self.logged(function, "PROCESSED")],
            f"the records that {function} processes",
            holds=until,
        )

    def command(self, command: str, **arguments: Any) -> Any:
        return self.control.call(command, **arguments)

    def waiting(self, mapping: str) -> int:
        [found] = [each for each in self.command("streams/list")["mappings"] if each["mapping"] == mapping]
        return int(found["waiting"])


@pytest.fixture(scope="module")
def aws(emulator: Emulator, control: Control) -> Aws:
    return Aws(emulator, control)


# Kinesis.


@pytest.mark.parametrize("bisect", [True, False])
def test_a_poison_record_is_isolated_by_bisecting_and_by_nothing_else(aws: Aws, bisect: bool) -> None:
    name = f"poison-{bisect}".lower()
    dead = aws.queue(f"{name}-dead")
    records = [{"n": n, "poison": n == 5} for n in range(8)]
    arn = aws.stream(name, records)
    aws.function(name, "whole", **reading(arn), sqs__SendMessage=dead)
    aws.map(
        name,
        EventSourceArn=arn,
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=bisect,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": dead}},
    )
    [told] = aws.received(f"{name}-dead")
    info = told["KinesisBatchInfo"]
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["responseContext"] == {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"
    }  # fmt: skip
    assert (info["streamArn"], info["shardId"]) == (arn, "shardId-000000000000")
    assert info["batchSize"] == (1 if bisect else 8)
    aws.put(name, [{"n": 9}])
    good = [0, 1, 2, 3, 4, 6, 7] if bisect else []
    assert aws.processed(name, lambda seen: 9 in seen) == [*good, 9], "the shard goes on"
    poison = aws.logged(name, "EVENT")[0]["Records"][5]
    assert (info["startSequenceNumber"] == poison["kinesis"]["sequenceNumber"]) == bisect


@pytest.mark.parametrize("reports", [True, False])
def test_a_partial_answer_loses_nothing_where_the_mapping_asks_for_it(aws: Aws, reports: bool) -> None:
    name = f"partial-{reports}".lower()
    arn = aws.stream(name, [{"n": n, "flaky": n in (2, 3)} for n in range(6)])
    aws.function(name, "one_by_one", **reading(arn))
    mapping = aws.map(
        name,
        EventSourceArn=arn,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"] if reports else [],
    )
    eventually(lambda: aws.waiting(mapping) == 0, "all records to be taken")
    processed = aws.processed(name, lambda seen: bool(seen))
    assert processed == ([0, 1, 2, 3, 4, 5] if reports else [0, 1]), "unasked, the answer counts as success"
    shown = aws.client("lambda").get_event_source_mapping(UUID=mapping)
    assert (shown["State"], shown["LastProcessingResult"]) == ("Enabled", "OK")


def test_a_record_looks_as_lambda_shows_it(aws: Aws) -> None:
    arn = aws.stream("shape", [{"n": 1}])
    aws.function("shape", "whole", **reading(arn))
    mapping = aws.map("shape", EventSourceArn=arn, StartingPosition="TRIM_HORIZON")
    aws.processed("shape", lambda seen: seen == [1])
    [record] = aws.logged("shape", "EVENT")[0]["Records"]
    kinesis = record.pop("kinesis")
    assert record == {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{kinesis['sequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/shape",
        "awsRegion": "us-east-1",
        "eventSourceARN": arn,
    }
    assert (kinesis["partitionKey"], kinesis["kinesisSchemaVersion"]) == ("k", "1.0")
    assert json.loads(base64.b64decode(kinesis["data"])) == {"n": 1}
    assert abs(kinesis["approximateArrivalTimestamp"] - time.time()) < 60
    metric = {"Namespace": "AWS/Lambda", "MetricName": "IteratorAge"}
    listed = aws.client("cloudwatch").list_metrics(**metric)["Metrics"]
    assert {"Name": "FunctionName", "Value": "shape"} in [each["Dimensions"][0] for each in listed]
    used = {each["action"] for each in aws.emulator.decisions() if each["principal"].endswith("/shape/shape")}
    assert used == {f"kinesis:{action}" for action in READ["kinesis"]}, "so these grants count as used"
    aws.client("lambda").delete_event_source_mapping(UUID=mapping)
    aws.put("shape", [{"n": 2}])
    eventually(
        lambda: aws.command("streams/list")["mappings"],
        "the end of the mapping",
        holds=lambda found: mapping not in {each["mapping"] for each in found},
    )
    assert aws.processed("shape", lambda seen: bool(seen)) == [1]


def test_a_bucket_gets_the_whole_batch_that_was_given_up(aws: Aws) -> None:
    arn = aws.stream("buried", [{"n": 1, "poison": True}])
    bucket = "arn:aws:s3:::buried"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="buried")
    aws.function("buried", "whole", **reading(arn), s3__PutObject=f"{bucket}/*", s3__ListBucket=bucket)
    mapping = aws.map(
        "buried",
        EventSourceArn=arn,
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=time.time() - 60,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": bucket}},
    )
    [found] = eventually(
        lambda: s3.list_objects_v2(Bucket="buried").get("Contents"), "an object in the bucket"
    )
    assert found["Key"].startswith(f"aws/lambda/{mapping}/shardId-000000000000/")
    document = json.load(s3.get_object(Bucket="buried", Key=found["Key"])["Body"])
    assert document["KinesisBatchInfo"]["batchSize"] == 1
    assert json.loads(document["payload"]) == aws.logged("buried", "EVENT")[0]


def test_a_shard_that_was_split_is_read_to_its_end_before_its_children(aws: Aws) -> None:
    arn = aws.stream("split", [])
    aws.function("split", "whole", **reading(arn))
    mapping = aws.map("split", EventSourceArn=arn, StartingPosition="LATEST", BatchSize=1)
    aws.command("streams/hold", mapping=mapping)
    aws.put("split", [{"n": n} for n in range(4)])
    aws.client("kinesis").split_shard(
        StreamName="split", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    aws.put("split", [{"n": n} for n in range(4, 8)])
    aws.command("streams/release", mapping=mapping)
    assert aws.processed("split", lambda seen: len(seen) == 8) == list(range(8))


def test_a_paused_function_uses_up_no_retries(aws: Aws) -> None:
    arn = aws.stream("paused", [])
    aws.function("paused", "whole", **reading(arn))
    functions = aws.client("lambda")
    mapping = aws.map("paused", EventSourceArn=arn, StartingPosition="LATEST", MaximumRetryAttempts=0)
    functions.put_function_concurrency(FunctionName="paused", ReservedConcurrentExecutions=0)
    aws.put("paused", [{"n": 1}])
    throttled = {"Namespace": "AWS/Lambda", "MetricName": "Throttles"}
    dimensions = [{"Name": "FunctionName", "Value": "paused"}]
    now = time.time()
    eventually(
        lambda: aws.client("cloudwatch").get_metric_statistics(
            **throttled,
            Dimensions=dimensions,
            StartTime=now - 60,
            EndTime=now + 60,
            Period=120,
            Statistics=["Sum"],
        )["Datapoints"],
        "three throttles",
        holds=lambda points: sum(each["Sum"] for each in points) >= 3,
    )
    assert aws.waiting(mapping) == 1
    functions.delete_function_concurrency(FunctionName="paused")
    assert aws.processed("paused", lambda seen: bool(seen)) == [1]


def test_held_records_pile_up_and_the_last_batch_can_come_again(aws: Aws) -> None:
    arn = aws.stream("held", [])
    aws.function("held", "whole", **reading(arn))
    mapping = aws.map("held", EventSourceArn=arn, StartingPosition="LATEST")
    aws.command("streams/hold", mapping=mapping)
    aws.put("held", [{"n": 1}, {"n": 2}])
    assert aws.waiting(mapping) == 2
    functions = aws.client("lambda")
    functions.update_event_source_mapping(UUID=mapping, BatchSize=1)
    assert aws.logged("held", "EVENT") == []
    aws.command("streams/release", mapping=arn)
    assert aws.processed("held", lambda seen: len(seen) == 2) == [1, 2]
    assert len(aws.logged("held", "EVENT")) == 2, "the update was picked up: a record a batch"
    eventually(lambda: aws.waiting(mapping) == 0, "all records to be taken")
    assert aws.command("streams/again", mapping=mapping)["mappings"] == [{"mapping": mapping, "records": 1}]
    assert aws.processed("held", lambda seen: len(seen) == 3) == [1, 2, 2]


def test_a_mapping_whose_role_may_not_read_is_refused_in_lambdas_words(aws: Aws) -> None:
    arn = aws.stream("forbidden", [{"n": 1}])
    aws.function("forbidden", "whole", kinesis__GetRecords=arn)
    says = "Cannot access stream .* Please ensure the role can perform the GetRecords, GetShardIterator"
    with pytest.raises(ClientError, match=f"InvalidParameterValueException.*{says}"):
        aws.map("forbidden", EventSourceArn=arn, StartingPosition="LATEST")
    queue = aws.queue("forbidden")
    with pytest.raises(ClientError, match="does not have permissions to call ReceiveMessage on SQS"):
        aws.map("forbidden", EventSourceArn=queue)
    refused = {each["action"] for each in aws.emulator.decisions() if not each["allowed"]}
    assert {"kinesis:GetShardIterator", "sqs:ReceiveMessage"} <= refused


def test_what_no_mapping_may_say_is_refused(aws: Aws) -> None:
    arn = aws.stream("wrong", [])
    aws.function("wrong", "whole", **reading(arn))
    with pytest.raises(ClientError, match=r"less than or equal to 10$"):
        aws.map("wrong", EventSourceArn=arn, StartingPosition="LATEST", ParallelizationFactor=11)
    aws.client("kinesis").delete_stream(StreamName="wrong")
    with pytest.raises(ClientError, match=f"Stream not found: {arn}"):
        aws.map("wrong", EventSourceArn=arn, StartingPosition="LATEST")


def test_a_grant_taken_away_ends_the_delivery(aws: Aws) -> None:
    arn = aws.stream("revoked", [])
    aws.function("revoked", "whole", **reading(arn))
    mapping = aws.map("revoked", EventSourceArn=arn, StartingPosition="LATEST")
    aws.client("iam").delete_role_policy(RoleName="revoked", PolicyName="p")
    aws.put("revoked", [{"n": 1}])
    shown = eventually(
        lambda: aws.client("lambda").get_event_source_mapping(UUID=mapping)["LastProcessingResult"],
        "a problem",
        holds=lambda result: result.startswith("PROBLEM"),
    )
    assert "not authorized" in shown
    assert aws.logged("revoked", "EVENT") == []


# DynamoDB.


def test_a_table_s_changes_arrive_in_order_and_a_poison_one_is_pointed_at(aws: Aws) -> None:
    dead = aws.queue("changes-dead")
    tables = aws.client("dynamodb")
    made = tables.create_table(
        TableName="changes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn = made["TableDescription"]["LatestStreamArn"]
    for n in range(4):
        item: dict[str, Any] = {"id": {"S": str(n)}, "n": {"N": str(n)}}
        tables.put_item(TableName="changes", Item=item | ({"poison": {"BOOL": True}} if n == 1 else {}))
    aws.function("changes", "whole", **reading(arn), sqs__SendMessage=dead)
    aws.map(
        "changes",
        EventSourceArn=arn,
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": dead}},
    )
    numbers = eventually(
        lambda: [each["n"] for each in aws.logged("changes", "PROCESSED")],
        "three changes",
        holds=lambda seen: len(seen) == 3,
    )
    assert numbers == ["0", "2", "3"]
    [told] = aws.received("changes-dead")
    records = aws.logged("changes", "EVENT")[0]["Records"]
    change = records[1]["dynamodb"]
    assert told["DDBStreamBatchInfo"]["startSequenceNumber"] == change["SequenceNumber"]
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1
    assert (change["Keys"], change["StreamViewType"]) == ({"id": {"S": "1"}}, "NEW_AND_OLD_IMAGES")
    assert change["SizeBytes"] == len("id1") + len("id1") + len("n") + 2 + len("poison") + 1
    assert set(records[1]) == {
        "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN"
    }  # fmt: skip


# Kafka.

CLUSTER = {
    "Network": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
    **{
        f"Subnet{zone}": resource(
            "EC2::Subnet",
            VpcId=ref("Network"),
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"us-east-1{zone}",
        )
        for number, zone in enumerate("ab")
    },
    "Cluster": resource(
        "MSK::Cluster",
        ClusterName="events",
        KafkaVersion="3.9.x",
        NumberOfBrokerNodes=2,
        BrokerNodeGroupInfo={
            "InstanceType": "kafka.m7g.large",
            "ClientSubnets": [ref("Subneta"), ref("Subnetb")],
        },
        # As a string, which CloudFormation takes, too: who reads it goes by the doors that it opened.
        ClientAuthentication={"Sasl": {"Iam": {"Enabled": "true"}}, "Unauthenticated": {"Enabled": True}},
        EncryptionInfo={"EncryptionInTransit": {"ClientBroker": "TLS_PLAINTEXT"}},
    ),
    "Topic": resource(
        "MSK::Topic",
        ClusterArn=ref("Cluster"),
        TopicName="clicks",
        PartitionCount=2,
        ReplicationFactor=2,
    ),
}


@dataclass
class Clicks:
    """A topic of two partitions, and the mapping that reads it."""

    aws: Aws
    cluster: str
    brokers: str
    mapping: str

    def produce(self, numbers: list[int], **more: Any) -> None:
        """Each number goes to the partition of its parity."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.brokers, "acks": "all"})
        for n in numbers:
            value = json.dumps({"n": n, **more})
            producer.produce("clicks", value, f"k{n}", partition=n % 2, headers=[("origin", b"test")])
        assert producer.flush(10) == 0

    def taken(self, topic: str) -> list[tuple[bytes | None, Any]]:
        """What the first partition of a topic holds: each a key, and a value that is JSON."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "test"})
        place = TopicPartition(topic, 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=10)
        consumer.assign([place])
        found = consumer.consume(end, timeout=10) if end else []
        consumer.close()
        return [(each.key(), json.loads(each.value() or "null")) for each in found]


@pytest.fixture(scope="module")
def clicks(aws: Aws) -> Clicks:
    """Made by CloudFormation, as a stack makes it."""
    place = f"arn:aws:kafka:us-east-1:{ACCOUNT}"
    aws.create_function(
        "clicks",
        "whole",
        allow(MSK, Resource="*"),
        allow("kafka-cluster:Connect", Resource=f"{place}:cluster/events/*"),
        allow(
            ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"],
            Resource=f"{place}:topic/events/*/clicks",
        ),
        allow(
            ["kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"],
            Resource=f"{place}:group/events/*/readers",
        ),
    )
    mapping = resource(
        "Lambda::EventSourceMapping",
        FunctionName="clicks",
        EventSourceArn=ref("Cluster"),
        Topics=["clicks"],
        StartingPosition="LATEST",
        BatchSize="4",
        AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "readers"},
    )
    resources = {**CLUSTER, "Mapping": mapping | {"DependsOn": "Topic"}}
    outputs = {name: ref(name) for name in ("Cluster", "Mapping")}
    made = create_stack(aws.emulator.endpoint, "clicks", template(resources, outputs))
    brokers = aws.client("kafka").get_bootstrap_brokers(ClusterArn=made["Cluster"])
    return Clicks(aws, made["Cluster"], brokers["BootstrapBrokerString"], made["Mapping"])


def test_a_topic_s_records_reach_the_function_as_msk_sends_them(aws: Aws, clicks: Clicks) -> None:
    shown = aws.client("lambda").get_event_source_mapping(UUID=clicks.mapping)
    assert (shown["State"], shown["BatchSize"], shown["Topics"]) == ("Enabled", 4, ["clicks"])
    clicks.produce([1, 2, 3])
    assert sorted(aws.processed("clicks", lambda seen: len(seen) == 3)) == [1, 2, 3]
    event = aws.logged("clicks", "EVENT")[0]
    assert (event["eventSource"], event["eventSourceArn"]) == ("aws:kafka", clicks.cluster)
    assert "127.0.0.1:" in event["bootstrapServers"]
    first = event["records"]["clicks-1"][0]
    assert abs(first.pop("timestamp") / 1000 - time.time()) < 60
    assert first == {
        "topic": "clicks",
        "partition": 1,
        "offset": 0,
        "timestampType": "CREATE_TIME",
        "key": base64.b64encode(b"k1").decode(),
        "value": base64.b64encode(b'{"n": 1}').decode(),
        "headers": [{"origin": list(b"test")}],
    }
    used = {
        each["action"] for each in aws.emulator.decisions() if each["principal"].endswith("/clicks/clicks")
    }
    assert used >= {*MSK, "kafka-cluster:ReadData", "kafka-cluster:AlterGroup"}


def test_a_broker_that_goes_down_costs_no_record_and_no_order(aws: Aws, clicks: Clicks) -> None:
    before = len(aws.logged("clicks", "PROCESSED"))
    clicks.produce(list(range(10, 20)))
    aws.command("kafka/stop_broker", name="events", broker=1)
    clicks.produce(list(range(20, 30)))
    aws.command("kafka/start_broker", name="events", broker=1)
    clicks.produce(list(range(30, 40)))
    seen = aws.processed("clicks", lambda seen: len(set(seen[before:])) == 30)[before:]
    assert sorted(set(seen)) == list(range(10, 40))
    for parity in (0, 1):
        of_one_partition = list(dict.fromkeys(n for n in seen if n % 2 == parity))
        assert of_one_partition == sorted(of_one_partition), "what comes again may, but nothing overtakes"


def test_a_topic_is_reordered_across_its_partitions_only(aws: Aws, clicks: Clicks) -> None:
    eventually(lambda: aws.waiting(clicks.mapping) == 0, "all records to be taken")
    before = len(aws.logged("clicks", "PROCESSED"))
    aws.command("streams/hold", mapping=clicks.cluster)
    clicks.produce(list(range(50, 58)))
    aws.command("streams/reorder", mapping=clicks.cluster)
    assert len(aws.logged("clicks", "PROCESSED")) == before
    aws.command("streams/release", mapping=clicks.cluster)
    seen = aws.processed("clicks", lambda seen: len(seen) == before + 8)[before:]
    assert seen == [51, 53, 55, 57, 50, 52, 54, 56]


def test_a_failed_batch_of_a_topic_is_retried_until_its_destination_takes_it(
    aws: Aws, clicks: Clicks
) -> None:
    """In provisioned mode, with a limit; a self-managed cluster shows itself by its brokers alone."""
    dead = aws.queue("clicks-dead")
    aws.function("managed", "whole", sqs__SendMessage=dead)
    request = {
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": clicks.brokers.split(",")}},
        "Topics": ["clicks"],
        "StartingPosition": "LATEST",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": dead}},
    }
    with pytest.raises(ClientError, match="provisioned mode"):
        aws.map("managed", **request)
    mapping = aws.map("managed", **request, ProvisionedPollerConfig={"MinimumPollers": 1})
    state = lambda: aws.client("lambda").get_event_source_mapping(UUID=mapping)["State"]  # noqa: E731
    eventually(state, "the mapping to be enabled", holds=lambda state: state == "Enabled")
    aws.command("streams/hold", mapping=clicks.cluster)
    clicks.produce([60, 61], poison=True)
    [told] = aws.received("clicks-dead")
    events = aws.logged("managed", "EVENT")
    assert [event["eventSource"] for event in events] == 2 * ["SelfManagedKafka"], "once, and once again"
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["KafkaBatchInfo"]["batchSize"] == 2
    assert set(told["KafkaBatchInfo"]["recordsInfo"]) == {"clicks-0", "clicks-1"}
    clicks.produce([62])
    assert aws.processed("managed", lambda seen: bool(seen)) == [62]
    aws.client("lambda").delete_event_source_mapping(UUID=mapping)


def test_a_topic_as_the_destination_gets_each_record_and_one_that_it_cannot_take_blocks_nothing(
    aws: Aws, clicks: Clicks
) -> None:
    aws.command("kafka/create_topic", name="events", topic="given-up", replication=2)
    aws.function("told", "whole")
    mapping = aws.map(
        "told",
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": clicks.brokers.split(",")}},
        Topics=["clicks"],
        StartingPosition="LATEST",
        BatchSize=1,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "kafka://given-up"}},
        ProvisionedPollerConfig={"MinimumPollers": 1},
    )
    state = lambda: aws.client("lambda").get_event_source_mapping(UUID=mapping)["State"]  # noqa: E731
    eventually(state, "the mapping to be enabled", holds=lambda state: state == "Enabled")
    clicks.produce([70], poison=True)
    clicks.produce([72], poison=True, padding="x" * 800_000)  # with its envelope more than a topic takes
    clicks.produce([74])
    assert aws.processed("told", lambda seen: bool(seen)) == [74]
    [(key, told)] = clicks.taken("given-up")
    assert key == b"k70"
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 1
    [record] = told["payload"]["records"]["clicks-0"]
    assert json.loads(base64.b64decode(record["value"])) == {"n": 70, "poison": True}
    assert f"clicks-0:{record['offset'] + 1} not delivered to kafka://given-up" in (
        aws.emulator.log_file.read_text()
    )
    aws.client("lambda").delete_event_source_mapping(UUID=mapping)


# Queues, which MiniStack itself polls.


def test_the_messages_of_a_held_queue_wait_and_can_come_in_another_order(aws: Aws) -> None:
    queue = aws.queue("work")
    allowed = {
        f"sqs__{action}": queue for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    }
    aws.function("work", "whole", **allowed)
    mapping = aws.map("work", EventSourceArn=queue, BatchSize=10)
    aws.command("streams/hold", mapping=queue)
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    for n in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(n))
    assert aws.waiting(mapping) == 3
    aws.command("streams/reorder", mapping=queue)
    assert aws.logged("work", "EVENT") == []
    aws.command("streams/release", mapping=queue)
    [event, *_] = eventually(lambda: aws.logged("work", "EVENT"), "an event")
    assert [each["body"] for each in event["Records"]] == ["2", "1", "0"]


def reading(arn: str) -> dict[str, str]:
    """The permissions that a mapping of this stream needs, as `Aws.function` takes them."""
    service = arn.split(":")[2]
    return {f"{service}__{action}": arn for action in READ[service]}
