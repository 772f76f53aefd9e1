"""A chat in a WebSocket API, made with CDK's own constructs: what tests/workbench/test_sockets.py deploys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_cdk import Stack
    from aws_cdk import aws_apigatewayv2 as gateway
    from aws_cdk import aws_lambda as functions
    from aws_cdk import aws_sqs as sqs

STAGE = "live"

AUTHORIZER = """
def handler(event, context):
    who = event["queryStringParameters"]["ticket"]
    if who == "broken":
        raise RuntimeError("no")
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Deny" if who == "stranger" else "Allow",
        "Resource": event["methodArn"],
    }
    return {
        "principalId": who,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"user": who, "device": 1},
    }
"""

# Every route is this one; what a message's "do" says is done.
SOCKET = """
import json, os, time
import boto3
from botocore.config import Config

table = None


def rows():
    global table
    table = table or boto3.resource("dynamodb").Table(os.environ["TABLE"])
    return table


def manage(connection, how, data=""):
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_URL"], config=once)
    try:
        if how == "post":
            client.post_to_connection(ConnectionId=connection, Data=data.encode())
        elif how == "get":
            return client.get_connection(ConnectionId=connection)["Identity"]["SourceIp"]
        else:
            client.delete_connection(ConnectionId=connection)
    except client.exceptions.ClientError as problem:
        return problem.response["Error"]["Code"]
    return "ok"


def handler(event, context):
    about = event["requestContext"]
    if about["eventType"] == "CONNECT":
        wanted = event["queryStringParameters"].get("status", "200")
        if wanted == "fails":
            raise RuntimeError("no")
        rows().put_item(Item={"id": about["connectionId"], "event": json.dumps(event)})
        return {"statusCode": int(wanted)}
    if about["eventType"] == "DISCONNECT":
        rows().put_item(Item={"id": about["connectionId"], "event": json.dumps(event)})
        return {"statusCode": 200}
    told = json.loads(event["body"])
    do = told.get("do", "echo")
    print("doing", do, told.get("mark", ""))
    if do == "fail":
        raise RuntimeError("no")
    if do == "nothing":
        return None
    if do == "dict":
        return {"statusCode": 200, "body": {"a": 1}}
    if do == "put":
        rows().put_item(Item={"id": told["mark"]})
    if do == "wait":
        until = time.monotonic() + 10
        while "Item" not in rows().get_item(Key={"id": told["mark"]}, ConsistentRead=True):
            assert time.monotonic() < until, "nobody came"
            time.sleep(0.05)
    answer = {"event": event, "mark": told.get("mark")}
    if do in ("post", "get", "delete"):
        answer["outcome"] = manage(told["to"], do, told.get("data", ""))
    return {"statusCode": told.get("status", 200), "body": json.dumps(answer)}
"""

# A program on an instance: it posts what its queue says, with an endpoint as AWS has it.
PROGRAM = """
import json, os
import boto3

queue, url = boto3.client("sqs"), os.environ["QUEUE"]
sockets = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_URL"])
while True:
    for message in queue.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
        told = json.loads(message["Body"])
        try:
            sockets.post_to_connection(ConnectionId=told["to"], Data=told["data"].encode())
        except sockets.exceptions.ClientError as problem:
            print("refused", problem.response["Error"]["Code"], flush=True)
        queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
"""


def template_of(folder: Path) -> dict[str, Any]:
    """The chat's template, as CDK synthesizes it without assets; the program's files are put into `folder`."""
    from aws_cdk import App, BootstraplessSynthesizer, CfnOutput, RemovalPolicy, Stack
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_sqs as sqs

    stack = Stack(App(outdir=str(folder / "cdk.out")), "chat", synthesizer=BootstraplessSynthesizer())
    table = dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        removal_policy=RemovalPolicy.DESTROY,
    )
    function = _function(stack, "Socket", SOCKET)
    table.grant_read_write_data(function)
    api, stage = _api(stack, function)
    queue = sqs.Queue(stack, "Posts")
    function.add_environment("TABLE", table.table_name)
    function.add_environment("MANAGEMENT_URL", stage.callback_url)
    stage.grant_management_api_access(function)
    _program(stack, folder, stage, queue)
    outputs = {
        "Url": stage.url,
        "Api": api.api_id,
        "Management": stage.callback_url,
        "Function": function.function_arn,
        "Logs": function.log_group.log_group_name,
        "Rows": table.table_name,
        "Queue": queue.queue_url,
    }
    for name, value in outputs.items():
        CfnOutput(stack, name, value=value)
    app: Any = stack.node.root
    app.synth()
    written = json.loads((folder / "cdk.out" / "chat.template.json").read_text())
    assert isinstance(written, dict)
    return written


def _function(stack: Stack, name: str, code: str) -> functions.Function:
    from aws_cdk import Duration, RemovalPolicy
    from aws_cdk import aws_lambda as functions
    from aws_cdk import aws_logs as logs

    group = logs.LogGroup(stack, f"{name}Logs", removal_policy=RemovalPolicy.DESTROY)
    return functions.Function(
        stack,
        name,
        runtime=functions.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=functions.Code.from_inline(code),
        timeout=Duration.seconds(20),
        log_group=group,
    )


def _api(stack: Stack, function: functions.Function) -> tuple[gateway.WebSocketApi, gateway.WebSocketStage]:
    from aws_cdk import RemovalPolicy
    from aws_cdk import aws_apigatewayv2 as gateway
    from aws_cdk import aws_apigatewayv2_authorizers as authorizers
    from aws_cdk import aws_apigatewayv2_integrations as integrations
    from aws_cdk import aws_logs as logs

    def integration() -> Any:
        return integrations.WebSocketLambdaIntegration("Integration", function)

    ticket = authorizers.WebSocketLambdaAuthorizer(
        "Authorizer",
        _function(stack, "Ticket", AUTHORIZER),
        identity_source=["route.request.querystring.ticket"],
    )
    api = gateway.WebSocketApi(
        stack,
        "Chat",
        connect_route_options=gateway.WebSocketRouteOptions(integration=integration(), authorizer=ticket),
        disconnect_route_options=gateway.WebSocketRouteOptions(integration=integration()),
    )
    api.add_route("ask", integration=integration(), return_response=True)
    api.add_route("tell", integration=integration())
    accessed = logs.LogGroup(stack, "Accessed", removal_policy=RemovalPolicy.DESTROY)
    stage = gateway.WebSocketStage(
        stack,
        "Stage",
        web_socket_api=api,
        stage_name=STAGE,
        auto_deploy=True,
        throttle=gateway.ThrottleSettings(rate_limit=100, burst_limit=200),
    )
    bare: Any = stage.node.default_child
    bare.access_log_settings = gateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=accessed.log_group_arn, format=json.dumps({"status": "$context.status"})
    )
    return api, stage


def _program(stack: Stack, folder: Path, stage: gateway.WebSocketStage, queue: sqs.Queue) -> None:
    """An instance whose user data runs the program; its role may post, and neither get nor delete."""
    from aws_cdk import Fn, RemovalPolicy, Tags
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_ecr as ecr
    from aws_cdk import aws_iam as iam

    (folder / "app.py").write_text(PROGRAM)
    dockerfile = ["FROM python:3.13-slim", "COPY app.py .", 'CMD ["python", "app.py"]']
    (folder / "Dockerfile").write_text("\n".join(dockerfile))
    repository = ecr.Repository(stack, "Image", empty_on_delete=True, removal_policy=RemovalPolicy.DESTROY)
    Tags.of(repository).add("program", str(folder))
    role = iam.Role(stack, "Poster", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    queue.grant_consume_messages(role)
    posts = stack.format_arn(
        service="execute-api", resource=f"{stage.api.api_id}/{STAGE}/POST/@connections", resource_name="*"
    )
    role.add_to_policy(iam.PolicyStatement(actions=["execute-api:ManageConnections"], resources=[posts]))
    network = ec2.CfnVPC(stack, "Vpc", cidr_block="10.0.0.0/16")
    subnet = ec2.CfnSubnet(
        stack, "Subnet", vpc_id=network.ref, cidr_block="10.0.0.0/24", availability_zone="us-east-1a"
    )
    environment = f"-e QUEUE={queue.queue_url} -e MANAGEMENT_URL={stage.callback_url}"
    user_data = f"#!/bin/bash\ndocker run -d {environment} {repository.repository_uri}:1\n"
    profile = iam.CfnInstanceProfile(stack, "Profile", roles=[role.role_name])
    launched = ec2.CfnLaunchTemplate(
        stack,
        "Launch",
        launch_template_data={
            "imageId": "ami-12345678",
            "instanceType": "t4g.nano",
            "iamInstanceProfile": {"arn": profile.attr_arn},
            "userData": Fn.base64(user_data),
        },
    )
    ec2.CfnInstance(
        stack,
        "Machine",
        subnet_id=subnet.ref,
        launch_template=ec2.CfnInstance.LaunchTemplateSpecificationProperty(
            launch_template_id=launched.ref, version=launched.attr_latest_version_number
        ),
    )
