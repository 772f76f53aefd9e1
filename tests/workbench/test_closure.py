"""The grant closure: each wire with its statement, and the same wire without it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from workbench.assembly import Assembly
from workbench.review.closure import missing

pytestmark = pytest.mark.fast

Resources = dict[str, dict[str, Any]]
LAMBDA = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}


def _arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def _role(document: dict[str, Any] = LAMBDA) -> dict[str, Any]:
    return resource("AWS::IAM::Role", {"AssumeRolePolicyDocument": document})


def _policy(*actions: str, on: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return resource(
        "AWS::IAM::Policy", {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": [statement]}}
    )


def _on(kind: str, held_by: str, name: str, service: str, action: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": "*"}
    return resource(kind, {held_by: [{"Ref": name}], "PolicyDocument": {"Statement": [statement]}})


def _permission(service: str) -> dict[str, Any]:
    return resource(
        "AWS::Lambda::Permission",
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": _arn("Function"),
            "Principal": service,
            "SourceArn": "arn:aws:some:source",
        },
    )


def _function() -> Resources:
    return {"Role": _role(), "Function": resource("AWS::Lambda::Function", {"Role": _arn("Role")})}


def _mapping(source: str, attribute: str = "Arn", **rest: Any) -> dict[str, Any]:
    properties = {"FunctionName": {"Ref": "Function"}, "EventSourceArn": {"Fn::GetAtt": [source, attribute]}}
    made = resource("AWS::Lambda::EventSourceMapping", {**properties, **rest})
    return {**made, "DependsOn": ["Policy"]}


def _queue_feeds_function() -> Resources:
    return {
        **_function(),
        "Queue": resource("AWS::SQS::Queue"),
        "Mapping": _mapping("Queue"),
        "Policy": _policy(
            "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=_arn("Queue")
        ),
    }


def _stream_feeds_function() -> Resources:
    return {
        **_function(),
        "Table": resource("AWS::DynamoDB::Table"),
        "Mapping": _mapping("Table", "StreamArn"),
        "Policy": _policy(
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:DescribeStream",
            "dynamodb:ListStreams",
            on={"Fn::GetAtt": ["Table", "StreamArn"]},
        ),
    }


def _topic_feeds_function() -> Resources:
    def part(kind: str, name: str) -> dict[str, Any]:
        return {
            "Fn::Join": ["", [f"arn:aws:kafka:us-east-1:123456789012:{kind}/", _arn("Cluster"), f"/{name}"]]
        }

    return {
        **_function(),
        "Cluster": resource("AWS::MSK::Cluster"),
        "Mapping": _mapping(
            "Cluster", Topics=["orders"], AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "readers"}
        ),
        "Policy": resource(
            "AWS::IAM::Policy",
            {
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": [
                                "kafka:DescribeClusterV2",
                                "kafka:GetBootstrapBrokers",
                                "kafka-cluster:Connect",
                                "kafka-cluster:DescribeClusterDynamicConfiguration",
                            ],
                            "Resource": _arn("Cluster"),
                        },
                        {
                            "Effect": "Allow",
                            "Action": ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"],
                            "Resource": part("topic", "orders"),
                        },
                        {
                            "Effect": "Allow",
                            "Action": ["kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"],
                            "Resource": part("group", "readers"),
                        },
                    ]
                },
            },
        ),
    }


def _failures_go_to_a_queue() -> Resources:
    return {
        **_function(),
        "Dead": resource("AWS::SQS::Queue"),
        "Config": resource(
            "AWS::Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Ref": "Function"},
                "DestinationConfig": {"OnFailure": {"Destination": _arn("Dead")}},
            },
        ),
        "Policy": _policy("sqs:SendMessage", on=_arn("Dead")),
    }


def _api_calls_function() -> Resources:
    return {
        **_function(),
        "Integration": resource("AWS::ApiGatewayV2::Integration", {"IntegrationUri": _arn("Function")}),
        "Permission": _permission("apigateway.amazonaws.com"),
    }


def _rule_calls_function() -> Resources:
    rule = resource("AWS::Events::Rule", {"Targets": [{"Id": "a", "Arn": _arn("Function")}]})
    return {**_function(), "Rule": rule, "Permission": _permission("events.amazonaws.com")}


def _rule_fills_queue() -> Resources:
    rule = resource("AWS::Events::Rule", {"Targets": [{"Id": "a", "Arn": _arn("Queue")}]})
    policy = _on("AWS::SQS::QueuePolicy", "Queues", "Queue", "events.amazonaws.com", "sqs:SendMessage")
    return {"Queue": resource("AWS::SQS::Queue"), "Rule": rule, "QueuePolicy": policy}


def _schedule_starts_machine() -> Resources:
    target = {"Arn": _arn("Machine"), "RoleArn": _arn("Role")}
    return {
        "Role": _role(),
        "Machine": resource("AWS::StepFunctions::StateMachine"),
        "Schedule": resource("AWS::Scheduler::Schedule", {"Target": target}),
        "Policy": _policy("states:StartExecution", on=_arn("Machine")),
    }


def _topic_fills_queue() -> Resources:
    subscription = resource("AWS::SNS::Subscription", {"Protocol": "sqs", "Endpoint": _arn("Queue")})
    policy = _on("AWS::SQS::QueuePolicy", "Queues", "Queue", "sns.amazonaws.com", "sqs:SendMessage")
    return {"Queue": resource("AWS::SQS::Queue"), "Subscription": subscription, "QueuePolicy": policy}


def _topic_calls_function() -> Resources:
    subscription = resource("AWS::SNS::Subscription", {"Protocol": "lambda", "Endpoint": _arn("Function")})
    return {**_function(), "Subscription": subscription, "Permission": _permission("sns.amazonaws.com")}


def _bucket_tells_function() -> Resources:
    configurations = [{"Event": "s3:ObjectCreated:*", "Function": _arn("Function")}]
    bucket = resource(
        "AWS::S3::Bucket", {"NotificationConfiguration": {"LambdaConfigurations": configurations}}
    )
    return {**_function(), "Bucket": bucket, "Permission": _permission("s3.amazonaws.com")}


def _machine_calls_function_and_table() -> Resources:
    definition = {
        "Fn::Join": [
            "",
            [
                '{"States":{"a":{"Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"',
                _arn("Function"),
                '"}},"b":{"Resource":"arn:aws:states:::dynamodb:putItem","Parameters":{"TableName":"',
                {"Ref": "Table"},
                '"}}}}',
            ],
        ]
    }
    properties = {"RoleArn": _arn("Role"), "DefinitionString": definition}
    return {
        **_function(),
        "Table": resource("AWS::DynamoDB::Table"),
        "Machine": resource("AWS::StepFunctions::StateMachine", properties),
        "Policy": _policy("lambda:InvokeFunction", on=_arn("Function")),
        "Other": _policy("dynamodb:PutItem", on=_arn("Table")),
    }


def _function_reads_encrypted_queue() -> Resources:
    return {
        **_queue_feeds_function(),
        "Queue": resource("AWS::SQS::Queue", {"KmsMasterKeyId": _arn("Key")}),
        "Key": resource("AWS::KMS::Key"),
        "OfTheKey": _policy("kms:Decrypt", "kms:GenerateDataKey", on=_arn("Key")),
    }


def _writer_of_encrypted_table() -> Resources:
    sse = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": _arn("Key")}
    return {
        **_function(),
        "Table": resource("AWS::DynamoDB::Table", {"SSESpecification": sse}),
        "Key": resource("AWS::KMS::Key"),
        "Policy": _policy("dynamodb:PutItem", "dynamodb:DescribeTable", on=_arn("Table")),
        "OfTheKey": _policy("kms:Decrypt", on=_arn("Key")),
    }


def _reader_of_encrypted_stream() -> Resources:
    table = _writer_of_encrypted_table()["Table"]
    return {
        **_stream_feeds_function(),
        "Table": table,
        "Key": resource("AWS::KMS::Key"),
        "OfTheKey": _policy("kms:Decrypt", on=_arn("Key")),
    }


def _user_of_encrypted_objects(action: str, *asked: str) -> Resources:
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": _arn("Key")}
    rules = [{"ServerSideEncryptionByDefault": by_default}]
    made = {
        **_function(),
        "Bucket": resource(
            "AWS::S3::Bucket", {"BucketEncryption": {"ServerSideEncryptionConfiguration": rules}}
        ),
        "Key": resource("AWS::KMS::Key"),
        "Policy": _policy(action, on={"Fn::Join": ["", [_arn("Bucket"), "/*"]]}),
    }
    return {**made, "OfTheKey": _policy(*asked, on=_arn("Key"))} if asked else made


def _uploader_of_encrypted_objects() -> Resources:
    return _user_of_encrypted_objects("s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt")


def _socket_asks_function() -> Resources:
    return {
        **_function(),
        "Authorizer": resource("AWS::ApiGatewayV2::Authorizer", {"AuthorizerUri": _arn("Function")}),
        "Permission": _permission("apigateway.amazonaws.com"),
    }


def _function_stands_in_network() -> Resources:
    function = resource(
        "AWS::Lambda::Function", {"Role": _arn("Role"), "VpcConfig": {"SubnetIds": ["subnet-1"]}}
    )
    actions = [
        f"ec2:{verb}NetworkInterface{'s' * (verb == 'Describe')}" for verb in ("Create", "Describe", "Delete")
    ]
    return {**_function(), "Function": function, "Policy": _policy(*actions, on="*")}


WIRES: dict[str, tuple[Callable[[], Resources], str, str]] = {
    # what → the wire, the resource that allows it, and a word of what is said without
    "a queue feeds a function": (_queue_feeds_function, "Policy", "sqs:ReceiveMessage"),
    "a table's stream feeds a function": (_stream_feeds_function, "Policy", "dynamodb:GetRecords"),
    "a topic of Kafka feeds a function": (_topic_feeds_function, "Policy", "kafka-cluster:ReadData"),
    "failures go to a queue": (_failures_go_to_a_queue, "Policy", "sqs:SendMessage"),
    "an API calls a function": (_api_calls_function, "Permission", "apigateway.amazonaws.com"),
    "a rule calls a function": (_rule_calls_function, "Permission", "events.amazonaws.com"),
    "a rule fills a queue": (_rule_fills_queue, "QueuePolicy", "events.amazonaws.com"),
    "a schedule starts a state machine": (_schedule_starts_machine, "Policy", "states:StartExecution"),
    "a topic fills a queue": (_topic_fills_queue, "QueuePolicy", "SNS"),
    "a topic calls a function": (_topic_calls_function, "Permission", "sns.amazonaws.com"),
    "a bucket tells a function": (_bucket_tells_function, "Permission", "S3 may not"),
    "a state machine calls a function": (
        _machine_calls_function_and_table,
        "Policy",
        "lambda:InvokeFunction",
    ),
    "a state machine writes to a table": (_machine_calls_function_and_table, "Other", "dynamodb:PutItem"),
    "a function stands in a network": (_function_stands_in_network, "Policy", "ec2:CreateNetworkInterface"),
    "a reader of an encrypted queue": (_function_reads_encrypted_queue, "OfTheKey", "kms:Decrypt"),
    "a writer of an encrypted table": (_writer_of_encrypted_table, "OfTheKey", "kms:Decrypt"),
    "a reader of an encrypted stream": (_reader_of_encrypted_stream, "OfTheKey", "kms:Decrypt"),
    "a writer of encrypted objects": (_uploader_of_encrypted_objects, "OfTheKey", "kms:GenerateDataKey"),
    "a socket asks a function who comes in": (
        _socket_asks_function,
        "Permission",
        "apigateway.amazonaws.com",
    ),
}


@pytest.mark.parametrize("wire", WIRES)
def test_a_wire_with_its_statement_is_closed(wire: str) -> None:
    make, _, _ = WIRES[wire]
    assert [str(each) for each in missing(assembly(make()))] == []


@pytest.mark.parametrize("wire", WIRES)
def test_without_the_statement_it_is_named(wire: str) -> None:
    make, allows, said = WIRES[wire]
    resources = make()
    del resources[allows]
    assert any(said in str(each) for each in missing(assembly(resources))), missing(assembly(resources))


def test_a_mapping_that_does_not_wait_for_its_grant_is_named() -> None:
    resources = _queue_feeds_function()
    del resources["Mapping"]["DependsOn"]
    assert "does not wait" in str(missing(assembly(resources))[0])


def test_a_grant_on_another_resource_is_none() -> None:
    resources = _queue_feeds_function() | {"Other": resource("AWS::SQS::Queue")}
    statement = resources["Policy"]["Properties"]["PolicyDocument"]["Statement"][0]
    statement["Resource"] = _arn("Other")
    assert len(missing(assembly(resources))) == 3


def test_a_grant_on_a_table_is_none_on_its_stream() -> None:
    resources = _stream_feeds_function()
    statement = resources["Policy"]["Properties"]["PolicyDocument"]["Statement"][0]
    statement["Resource"] = _arn("Table")
    assert {each.what for each in missing(assembly(resources))} == {
        f"its function may not dynamodb:{action} on Table"
        for action in ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
    }


def test_of_an_encrypted_table_only_the_use_of_its_items_asks_for_the_key() -> None:
    resources = _writer_of_encrypted_table()
    del resources["OfTheKey"]
    [lacking] = missing(assembly(resources))
    assert lacking.what == "it may dynamodb:PutItem on Table, but not kms:Decrypt on Key"


@pytest.mark.parametrize(("service", "lets"), [("dynamodb", True), ("s3", False)])
@pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
def test_a_key_that_one_service_may_use_is_not_another_ones(operator: str, service: str, lets: bool) -> None:
    """A table asks through DynamoDB, whatever S3 may do with the same key in the same role's name."""
    resources = _writer_of_encrypted_table()
    [statement] = resources["OfTheKey"]["Properties"]["PolicyDocument"]["Statement"]
    through = {"Fn::Join": ["", [f"{service}.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]}
    statement["Condition"] = {operator: {"kms:ViaService": through}}
    assert (missing(assembly(resources)) == []) is lets


@pytest.mark.parametrize(
    ("action", "asked", "lacking"),
    [
        ("s3:GetObject", (), {"kms:Decrypt"}),
        ("s3:GetObject", ("kms:Decrypt",), set()),
        ("s3:PutObject", ("kms:GenerateDataKey",), {"kms:Decrypt"}),
        ("s3:*", (), {"kms:Decrypt", "kms:GenerateDataKey"}),
        ("s3:DeleteObject", (), set()),
    ],
)
def test_of_encrypted_objects_each_action_asks_for_its_own(
    action: str, asked: tuple[str, ...], lacking: set[str]
) -> None:
    found = missing(assembly(_user_of_encrypted_objects(action, *asked)))
    assert {each.what.removesuffix(" on Key").split()[-1] for each in found} == lacking


def test_a_grant_on_another_topic_is_none() -> None:
    resources = copy.deepcopy(_topic_feeds_function())
    resources["Mapping"]["Properties"]["Topics"] = ["payments"]
    assert {each.what for each in missing(assembly(resources))} == {
        "its function may not kafka-cluster:DescribeTopic on Cluster",
        "its function may not kafka-cluster:ReadData on Cluster",
    }


def test_a_permission_without_a_source_lets_anybody_s_api_in_and_counts_for_nothing() -> None:
    resources = _api_calls_function()
    del resources["Permission"]["Properties"]["SourceArn"]
    assert len(missing(assembly(resources))) == 1


def test_a_role_that_does_not_trust_lambda_is_named() -> None:
    resources = _function()
    elsewhere = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]}
    resources["Role"] = _role(elsewhere)
    assert "does not trust" in str(missing(assembly(resources))[0])


@pytest.mark.parametrize(("default", "found"), [("yes", 0), (None, 0), ("no", 1)])
def test_a_grant_that_hangs_on_a_condition_counts_where_it_may_be_there(
    default: str | None, found: int
) -> None:
    made = copy.deepcopy(_queue_feeds_function())
    document = made["Policy"]["Properties"]["PolicyDocument"]
    nothing = {"Ref": "AWS::NoValue"}
    document["Statement"] = [{"Fn::If": ["Wanted", each, nothing]} for each in document["Statement"]]
    made["Role"]["Properties"]["Policies"] = {"Fn::If": ["Wanted", nothing, nothing]}
    wanted = {"Type": "String"} if default is None else {"Type": "String", "Default": default}
    there = stack(
        made,
        Parameters={"Asked": wanted},
        Conditions={"Wanted": {"Fn::Equals": [{"Ref": "Asked"}, "yes"]}},
    )
    assert bool(missing(Assembly(Path(), (there,)))) == found


def test_a_policy_that_only_deployment_knows_grants_nothing() -> None:
    made = copy.deepcopy(_queue_feeds_function())
    made["Policy"]["Properties"] = {
        "Roles": {"Ref": "Asked"},
        "PolicyDocument": {"Statement": "{{resolve:ssm:/x}}"},
    }
    assert missing(assembly(made))
