"""Delivery and canaries on the offline AWS: they deploy and leave nothing, calls reach the alias, roles suffice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aws_cdk import App, CfnOutput, Duration
from aws_cdk.aws_apigatewayv2 import HttpMethod
from aws_cdk.aws_lambda import CfnFunction
from botocore.exceptions import ClientError

from patterns.blueprint_stack import BlueprintStack
from patterns.json_http_api import JsonHttpApi
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.traffic import FunctionTraffic
from patterns.work_queue import WorkQueue
from stacks.messaging_platform.clients.device import Device, Person
from stacks.messaging_platform.clients.observer import Chat
from stacks.messaging_platform.clients.pushes import Pushes
from stacks.messaging_platform.delivery import SANDBOX, Delivery
from stacks.messaging_platform.workload import WORKLOAD as MESSAGING
from tests.offline import _zipped, client_with, create_role, deployed, eventually, session_keys
from tests.patterns.conftest import WORKLOAD
from tests.templates import allow, get_att, policy, ref, resource, template
from workbench import catalogue
from workbench.assembly import DEFAULT_REGION, Assembly
from workbench.blueprint import Stage
from workbench.dryrun import deploy
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http
from workbench.dryrun.pipeline import Options, Run, standing
from workbench.dryrun.report import Report
from workbench.dryrun.world import World
from workbench.errors import DryRunFailed

ANSWER = """
def handler(event, context):
    return {"statusCode": 200, "body": "%s " + context.function_version}
"""
# What every build may do, and what only the sandbox's own key asks for: the tables here have none.
NOT_PLAYED = ("logs:", "s3:", "kms:")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("aws")) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def http(emulator: Emulator) -> Iterator[Http]:
    with closing(Http(emulator.endpoint)) as client:
        yield client


# Canaries.


def test_what_comes_by_the_api_reaches_the_alias_and_is_shifted_with_it(
    emulator: Emulator, http: Http, tmp_path: Path
) -> None:
    assembly = _canaried(tmp_path / "assembly")
    functions = emulator.endpoint.client("lambda")
    with _standing(emulator, assembly, tmp_path, stage="production") as outputs:

        def answer() -> list[str]:
            return http.get(outputs["Url"]).text.split()

        assert answer() == ["first", "1"]
        [mapping] = functions.list_event_source_mappings(FunctionName=f"{outputs['Name']}:live")[
            "EventSourceMappings"
        ]
        assert mapping["FunctionArn"].endswith(":live")

        functions.update_function_code(FunctionName=outputs["Name"], ZipFile=_zipped(ANSWER % "second"))
        second = functions.publish_version(FunctionName=outputs["Name"])["Version"]
        assert answer() == ["first", "1"], "what is new is not called before CodeDeploy shifts to it"

        functions.update_alias(FunctionName=outputs["Name"], Name="live", FunctionVersion=second)
        eventually(lambda: answer() == ["second", second], "the shifted calls")


# The pipeline.


@pytest.mark.parametrize("stage", ["sandbox", "production"])
def test_the_pipeline_deploys_and_a_sandboxs_leaves_nothing(
    stage: Stage, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assembly = _delivery(tmp_path / "assembly", stage)
    with Emulator(tmp_path_factory.mktemp("aws")) as fresh, ExitStack() as ended:
        fresh.wait_until_ready()
        outputs = ended.enter_context(_standing(fresh, assembly, tmp_path, stage))
        assert outputs["PipelineName"].startswith(f"messaging-platform-delivery-{stage}")
        assert ":codeconnections:" in outputs["ConnectionArn"]


def test_the_scenarios_role_suffices_for_what_the_scenario_asks_of_aws(
    emulator: Emulator, http: Http, tmp_path: Path
) -> None:
    statements = _statements_of_the_scenario(tmp_path)
    with deployed(emulator.endpoint, SANDBOX, _stores()):
        _play_as(statements, emulator, http)


def test_each_action_of_the_scenarios_role_is_needed(emulator: Emulator, http: Http, tmp_path: Path) -> None:
    statements = _statements_of_the_scenario(tmp_path)
    assert len(statements) > 15
    with deployed(emulator.endpoint, SANDBOX, _stores()):
        for taken in statements:
            rest = [each for each in statements if each is not taken]
            with pytest.raises((ClientError, DryRunFailed), match=r"AccessDenied|AuthorizationError"):
                _play_as(rest, emulator, http)


# What they stand on.


@contextmanager
def _standing(emulator: Emulator, assembly: Assembly, folder: Path, stage: Stage) -> Iterator[dict[str, str]]:
    """The outputs while it stands. Nothing is left out of it, nor of a sandbox left behind."""
    blueprint = catalogue.find("messaging_platform")
    report = Report(blueprint.name, blueprint.title, blueprint.promise, stage)
    run = Run(blueprint, Options(), report, folder)
    with standing(emulator.endpoint, run, assembly, emulator) as stacks:
        yield {name: value for stack in stacks for name, value in stack.outputs.items()}
    assert report.skipped == []
    if stage == "sandbox":
        assert report.left_behind == []


def _canaried(folder: Path) -> Assembly:
    """A function with a canary in production, behind an API and a queue; it says who it is."""
    app, load = catalogue.new_app(folder), WORKLOAD.at(1_000)
    stack = BlueprintStack(app, "some_system", load=load, stage="production", description="A system")
    rate, of = load.rate("ask"), load.quantity
    worker = PythonFunction(
        stack,
        "Worker",
        handler="lambdas.url_shortener.redirect.handler",
        environment={},
        traffic=FunctionTraffic(rate, of("ms"), of("bytes"), of("one")),
        canary=True,
    )
    code = cast(CfnFunction, worker.function.node.default_child)
    code.code = CfnFunction.CodeProperty(zip_file=ANSWER % "first")
    code.handler, code.layers = "index.handler", None
    api = JsonHttpApi(stack, "Api", requests=rate, log_bytes=of("bytes"), response_bytes=of("bytes"))
    api.route("/", HttpMethod.GET, to=worker)
    queue = WorkQueue(
        stack, "Jobs", messages=rate, requests_per_message=of("one"), consumer_timeout=worker.timeout
    )
    queue.feed(worker, batch_size=10, batching_window=Duration.seconds(0))
    Operations(stack, "Operations").watch_function(worker, p99=Duration.seconds(1))
    CfnOutput(stack, "Url", value=f"https://{api.host}/")
    CfnOutput(stack, "Name", value=worker.function.function_name)
    return _synthesized(app)


def _delivery(folder: Path, stage: Stage) -> Assembly:
    app = catalogue.new_app(folder)
    Delivery(app, load=MESSAGING.at(1_000), stage=stage)
    return _synthesized(app)


def _synthesized(app: App) -> Assembly:
    return Assembly.load(Path(app.synth().directory))


def _statements_of_the_scenario(folder: Path) -> list[dict[str, Any]]:
    """What the role may do, without conditions on tags: the offline AWS knows none of those."""
    [held] = [
        each
        for each in _delivery(folder / "assembly", "production").resources
        if each.type == "AWS::IAM::Policy" and "/ScenarioRole/" in each.name
    ]
    found: list[dict[str, Any]] = []
    for statement in held.properties["PolicyDocument"]["Statement"]:
        actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
        if not actions[0].startswith(NOT_PLAYED):
            found += [allow(action, Resource=str(each)) for each in resources for action in actions]
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _stores() -> dict[str, Any]:
    """Of the sandbox what the scenario reads and writes, under the names that CloudFormation makes there."""

    def table(first: str, second: str) -> dict[str, Any]:
        return resource(
            "DynamoDB::Table",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in (first, second)],
            KeySchema=[
                {"AttributeName": first, "KeyType": "HASH"},
                {"AttributeName": second, "KeyType": "RANGE"},
            ],
        )

    resources = {
        "StoresInboxes": table("device", "entry"),
        "StoresChats": table("chat", "entry"),
        "StoresPeople": table("user", "entry"),
        "StoresMessages": table("chat", "entry"),
        "StoresParked": resource("SQS::Queue"),
        "NotificationsPushes": resource("SQS::Queue"),
        "NotificationsParked": resource("SQS::Queue"),
        "NotificationsPushFunction": resource(
            "Lambda::Function",
            Code={"ZipFile": ANSWER},
            Handler="index.handler",
            Runtime="python3.12",
            Role=get_att("Role", "Arn"),
        ),
        "Role": resource(
            "IAM::Role",
            AssumeRolePolicyDocument=policy(
                allow("sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"})
            ),
        ),
        "NotificationsChannelTopic": resource("SNS::Topic"),
        # As `enforce_ssl` writes it: with it the policy is gone that lets in whoever is of the account.
        "Tls": resource(
            "SNS::TopicPolicy",
            Topics=[ref("NotificationsChannelTopic")],
            PolicyDocument=policy(
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": ref("NotificationsChannelTopic"),
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ),
        ),
        "Pool": resource("Cognito::UserPool"),
        "Client": resource(
            "Cognito::UserPoolClient",
            UserPoolId=ref("Pool"),
            ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        ),
    }
    outputs = {
        "InboxesTable": ref("StoresInboxes"),
        "ChatsTable": ref("StoresChats"),
        "PeopleTable": ref("StoresPeople"),
        "MessagesTable": ref("StoresMessages"),
        "ParkedRecordsUrl": ref("StoresParked"),
        "PushQueueUrl": ref("NotificationsPushes"),
        "ParkedPushesUrl": ref("NotificationsParked"),
        "PushFunctionArn": get_att("NotificationsPushFunction", "Arn"),
        "PushTopicArn": ref("NotificationsChannelTopic"),
        "UserPoolId": ref("Pool"),
        "ClientId": ref("Client"),
        "PoolArn": get_att("Pool", "Arn"),
    }
    return template(resources, outputs)


def _play_as(statements: list[dict[str, Any]], emulator: Emulator, http: Http) -> None:
    """All that the scenario does with AWS in steps without a fault, under a role of these statements."""
    name = f"scenario-{len(emulator.decisions())}"
    keys = session_keys(emulator.endpoint, create_role(emulator.endpoint, name, *statements))
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = client_with(keys, emulator.endpoint, service)
        return clients[service]

    outputs = deploy.describe(client("cloudformation"), SANDBOX, DEFAULT_REGION).outputs
    world = World(outputs, client, http)
    world.sign_in(outputs["UserPoolId"], outputs["ClientId"])
    chat, person = Chat(world), cast(Person, SimpleNamespace(id="ada", group=lambda _name: "everybody"))
    device = cast(Device, SimpleNamespace(id="phone", owner=person, shown=lambda _chat: 0))
    assert chat.inbox(device) == 0
    assert chat.is_away(device)
    assert chat.crowd_of(30, person, device) == "everybody"
    assert chat.reached("everybody", 1, 10) == 0
    chat.put_what_is_no_event("everybody")
    assert chat.parked() == ""
    with ExitStack() as ended:
        pushes = Pushes(world, ended)
        with world.faults.paused(outputs["PushFunctionArn"]):
            assert not pushes.are_waiting()
        assert not pushes.is_parked()
        message: Mapping[str, Any] = {"device": {"DataType": "String", "StringValue": "phone"}}
        emulator.endpoint.client("sns").publish(
            TopicArn=outputs["PushTopicArn"], Message=json.dumps({}), MessageAttributes=message
        )
        assert pushes.next_for(device)["device"] == "phone"
