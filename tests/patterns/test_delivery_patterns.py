"""Delivery, canaries and regional names: each construct without a word, with everything said, and without a guard."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Validations
from aws_cdk.assertions import Match, Template
from aws_cdk.aws_apigatewayv2 import HttpMethod, HttpStage, WebSocketStage
from cdk_nag import AwsSolutionsChecks, ServerlessChecks
from cfnlint.api import ManualArgs, lint

from patterns.blueprint_stack import BlueprintStack
from patterns.dead_letters import DeadLetters
from patterns.delivery_pipeline import (
    BUILDS,
    IMAGE_BUILDS,
    DeliveryPipeline,
    Operation,
    Program,
    _pushing,
    _short,
)
from patterns.domain import Domain
from patterns.json_http_api import JsonHttpApi
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.regional_names import RegionalNames
from patterns.table import Table
from patterns.traffic import FunctionTraffic, SocketTraffic, TableTraffic
from patterns.web_socket_api import WebSocketApi
from patterns.work_queue import WorkQueue
from stacks.messaging_platform.delivery import OPERATIONS, Delivery
from stacks.messaging_platform.workload import WORKLOAD as MESSAGING
from tests.guards import Guard, assert_missed, for_each, of_type, remove
from workbench import catalogue
from workbench.assembly import Assembly, Resource
from workbench.blueprint import Stage
from workbench.errors import Misuse
from workbench.review import capacity, closure, cost
from workbench.review.leftovers import leftovers
from workbench.workload import Load

pytestmark = pytest.mark.fast

# What takes no resource ("Actions, resources, and condition keys for AWS services").
TAKE_NO_RESOURCE = {"ecr:GetAuthorizationToken", "sns:Unsubscribe"}
FIVE_MINUTES = 300  # that CodeDeployDefault.LambdaCanary10Percent5Minutes waits


class Ground:
    """A stack, and what stands in it."""

    def __init__(self, stack: BlueprintStack, load: Load) -> None:
        self.stack, self.load = stack, load
        self.rate, self.one = load.rate("ask"), load.quantity("one")

    def pipeline(self, **rest: Any) -> DeliveryPipeline:
        settings: dict[str, Any] = {
            "program": Program("services/a/Dockerfile", "services/a"),
            "repository": "somebody/something",
            **rest,
        }
        return DeliveryPipeline(
            self.stack,
            "Delivery",
            system="some_system",
            users=70_000,
            runs=self.one * 40,
            minutes=dict.fromkeys((*BUILDS, *IMAGE_BUILDS), self.one * 10),
            log_bytes=self.one * 1_000_000,
            artifact_bytes=self.one * 10**9,
            operations=[Operation("sqs", ("SendMessage",), "some-system-sandbox-*", "its name is made")],
            **settings,
        )

    def function(self, name: str = "Worker", *, canary: bool = True, **rest: Any) -> PythonFunction:
        of = self.load.quantity
        traffic = FunctionTraffic(self.rate, of("ms"), of("bytes"), of("one"))
        handler = "lambdas.url_shortener.redirect.handler"
        return PythonFunction(
            self.stack, name, handler=handler, environment={}, traffic=traffic, canary=canary, **rest
        )

    def api(self, to: PythonFunction) -> JsonHttpApi:
        made = JsonHttpApi(self.stack, "Api", requests=self.rate, log_bytes=self.one, response_bytes=self.one)
        made.route("/health", HttpMethod.GET, to=to)
        return made

    def sockets(self, authorizer: PythonFunction, to: PythonFunction) -> WebSocketApi:
        one, rate = self.one, self.rate
        traffic = SocketTraffic(rate, rate, rate, rate, one, one, one, one)
        made = WebSocketApi(self.stack, "Sockets", authorizer=authorizer, traffic=traffic)
        made.connect(to=to)
        return made

    def canaried(self) -> PythonFunction:
        """A function with a canary that is called in every way there is."""
        worker = self.function()
        self.api(worker)
        self.sockets(worker, worker)
        queue = WorkQueue(
            self.stack,
            "Jobs",
            messages=self.rate,
            requests_per_message=self.one,
            consumer_timeout=worker.timeout,
        )
        queue.feed(worker, batch_size=10, batching_window=Duration.seconds(0))
        table = Table(
            self.stack,
            "Things",
            partition_key="id",
            stream="new",
            traffic=TableTraffic(self.rate, self.rate, self.one, self.one),
        )
        table.feed(worker, parked=DeadLetters(self.stack, "Parked"))
        Operations(self.stack, "Operations").watch_function(worker, p99=Duration.seconds(2))
        return worker

    def names(self, domain: Domain | None, **rest: Any) -> RegionalNames:
        worker = self.function(canary=False)
        api, sockets = self.api(worker), self.sockets(worker, worker)
        stages: dict[str, HttpStage | WebSocketStage] = {"api": api.stage, "chat": sockets.stage}
        return RegionalNames(self.stack, "Names", host=api.host, stages=stages, domain=domain, **rest)

    @property
    def template(self) -> Template:
        return Template.from_stack(self.stack)

    def assembly(self) -> Assembly:
        app = self.stack.node.root
        assert isinstance(app, App)
        return Assembly.load(Path(app.synth().directory))


@pytest.fixture
def ground(stack_of: Any, load: Load) -> Callable[..., Ground]:
    """`ground("sandbox")`: what to put constructs on; in production where nothing is said."""
    return lambda *stage: Ground(stack_of(*stage), load)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The messaging platform's, in production at 100,000 users."""
    app = catalogue.new_app(
        tmp_path_factory.mktemp("delivery"),
        {
            "domain": "chat.example.com",
            "zone": "example.com",
            "zone_id": "Z1",
            "zones": "us-east-1a,us-east-1b,us-east-1d",
        },
    )
    Delivery(app, load=MESSAGING.at(100_000), stage="production")
    return Assembly.load(Path(app.synth().directory))


# What must hold of a pipeline; each is also held against a template that lacks it.


def the_word_of_a_person_stands_before_production(assembly: Assembly) -> None:
    stages = _stages(assembly)
    names = [stage["Name"] for stage in stages]
    before = stages[names.index("Production") - 1]
    assert [action["ActionTypeId"]["Category"] for action in before["Actions"]] == ["Approval"]
    assert [each for each in stages if "Release" in str(each)] == [stages[-1]]


def the_sandbox_is_played_before_the_word_is_asked_for(assembly: Assembly) -> None:
    names = [stage["Name"] for stage in _stages(assembly)]
    assert names == ["Source", "Test", "Build", "Sandbox", "Approval", "Production"]
    sandbox = _actions(assembly, "Sandbox")
    order = {name: action["RunOrder"] for name, action in sandbox.items()}
    assert "Scenario" in order
    assert order["Deploy"] < order["Scenario"]


def a_build_may_do_nothing_but_its_own(assembly: Assembly) -> None:
    granted = _granted(assembly)
    for role, statements in granted.items():
        for statement in statements:
            actions = _listed(statement["Action"])
            assert not [action for action in actions if "*" in action], (role, actions)
            if "*" in _listed(statement["Resource"]):
                assert set(actions) <= TAKE_NO_RESOURCE, (role, actions)
    usual = {"logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:GetObjectVersion"}
    may = {
        role: {action for each in statements for action in _listed(each["Action"])} - usual
        for role, statements in granted.items()
    }
    assert may["Test"] == set()
    assert may["Synth"] == may["Image"] == {"s3:PutObject"}
    assert may["Deploy"] == may["Destroy"] == may["Release"] == {"sts:AssumeRole"}
    assert may["Push"] == may["ReleasePush"]
    assert {action.partition(":")[0] for action in may["Push"]} == {"ecr", "cloudformation"}


def a_failure_is_told(assembly: Assembly) -> None:
    [rule] = _all(assembly, "AWS::Events::Rule")
    pattern = rule.properties["EventPattern"]
    assert pattern["source"] == ["aws.codepipeline"]
    assert pattern["detail"]["state"] == ["FAILED"]
    [target] = rule.properties["Targets"]
    [topic] = _all(assembly, "AWS::SNS::Topic")
    assert f"${{{topic.logical_id}}}" in str(target["Arn"])
    assert closure.missing(assembly) == []


def _without_approval(template: dict[str, Any]) -> None:
    [pipeline] = of_type(template, "AWS::CodePipeline::Pipeline")
    stages = pipeline["Properties"]["Stages"]
    stages[:] = [each for each in stages if each["Name"] != "Approval"]


def _without_a_play(template: dict[str, Any]) -> None:
    [pipeline] = of_type(template, "AWS::CodePipeline::Pipeline")
    for stage in pipeline["Properties"]["Stages"]:
        stage["Actions"] = [each for each in stage["Actions"] if each["Name"] != "Scenario"]


def _with_an_administrator(template: dict[str, Any]) -> None:
    for policy in of_type(template, "AWS::IAM::Policy"):
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Action"] == "sts:AssumeRole":
                statement["Action"], statement["Resource"] = "*", "*"


def _with_every_role(template: dict[str, Any]) -> None:
    for policy in of_type(template, "AWS::IAM::Policy"):
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Action"] == "sts:AssumeRole":
                statement["Resource"] = "*"


def _without_leave_to_tell(template: dict[str, Any]) -> None:
    remove(template, lambda each: each["Type"] == "AWS::SNS::TopicPolicy")


PIPELINE_GUARDS: list[Guard] = [
    (_without_approval, the_word_of_a_person_stands_before_production),
    (_without_a_play, the_sandbox_is_played_before_the_word_is_asked_for),
    (_with_an_administrator, a_build_may_do_nothing_but_its_own),
    (_with_every_role, a_build_may_do_nothing_but_its_own),
    (_without_leave_to_tell, a_failure_is_told),
]


@for_each(PIPELINE_GUARDS)
def test_a_pipeline_without_a_guard_is_noticed(guard: Guard, delivery: Assembly, tmp_path: Path) -> None:
    assert_missed(guard, delivery, tmp_path)


class TestDeliveryPipelineAsItIs:
    def test_a_newer_commit_cannot_change_the_sandbox_under_a_play(
        self, ground: Callable[..., Ground]
    ) -> None:
        """What one stage holds, one execution has at a time; between two stages the next comes in."""
        place = ground()
        place.pipeline()
        assembly = place.assembly()
        assert [
            each.properties["ExecutionMode"] for each in _all(assembly, "AWS::CodePipeline::Pipeline")
        ] == ["SUPERSEDED"]
        sandbox = _actions(assembly, "Sandbox")
        assert [(name, each["RunOrder"]) for name, each in sandbox.items()] == [
            ("Deploy", 1),
            ("Push", 1),  # beside it: a cluster pulls long after its repository is there
            ("Scenario", 2),
            ("Destroy", 3),
        ]

    def test_what_is_deployed_is_what_was_synthesized_once(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.pipeline()
        commands = _commands(place.assembly())
        assert [each for each in commands["Synth"] if "cdk synth" in each] == [
            "npx cdk synth --quiet -c blueprint=some_system -c users=1000 -c stage=sandbox"
            ' -c "image_tag=$COMMIT" --output assembly/sandbox',
            "npx cdk synth --quiet -c blueprint=some_system -c users=70000 -c stage=production"
            ' -c "image_tag=$COMMIT" --output assembly/production',
        ]
        for name, verb, stage in (
            ("Deploy", "deploy", "sandbox"),
            ("Destroy", "destroy", "sandbox"),
            ("Release", "deploy", "production"),
        ):
            assert f'npx cdk {verb} --app "$CODEBUILD_SRC_DIR_Assembly/{stage}"' in commands[name][-1]
            assert "synth" not in str(commands[name])
        assert commands["Scenario"][-1] == ".venv/bin/blueprint play some_system"

    def test_each_build_has_what_it_reads_and_leaves_what_the_next_one_reads(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.pipeline()
        made: set[str] = set()
        for stage in _stages(place.assembly()):
            read = {each["Name"] for action in stage["Actions"] for each in action.get("InputArtifacts", [])}
            assert read <= made, stage["Name"]
            made |= {
                each["Name"] for action in stage["Actions"] for each in action.get("OutputArtifacts", [])
            }
        assert made == {"Source", "Assembly", "Image"}

    def test_a_push_to_the_branch_starts_it_and_nothing_else_does(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.pipeline()
        place.template.has_resource_properties(
            "AWS::CodePipeline::Pipeline",
            {
                "PipelineType": "V2",
                "Triggers": [
                    {
                        "ProviderType": "CodeStarSourceConnection",
                        "GitConfiguration": {
                            "SourceActionName": "Source",
                            "Push": [{"Branches": {"Includes": ["main"]}}],
                        },
                    }
                ],
            },
        )
        source = _actions(place.assembly(), "Source")["Source"]
        assert source["Configuration"]["FullRepositoryId"] == "somebody/something"
        assert source["Configuration"]["DetectChanges"] == "false"  # or each push would start it twice

    def test_who_is_to_approve_is_told_and_has_a_day(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.pipeline()
        action = _actions(place.assembly(), "Approval")["Approve"]
        assert "Notices" in str(action["Configuration"]["NotificationArn"])
        assert action["TimeoutInMinutes"] == 24 * 60

    def test_only_docker_is_privileged(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.pipeline()
        privileged = {
            each.name.rpartition("/")[2]
            for each in _all(place.assembly(), "AWS::CodeBuild::Project")
            if each.properties["Environment"].get("PrivilegedMode")
        }
        assert privileged == set(IMAGE_BUILDS)

    def test_every_minute_is_paid_and_the_tests_machine_is_the_larger(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.pipeline()
        bill = cost.price(place.assembly())
        assert bill.unpriced == ()
        assert [line.resource for line in bill.lines if not line.declared] == []
        minutes = {
            line.resource.rpartition("/")[2]: (line.component, line.quantity)
            for line in bill.lines
            if "minutes" in line.component
        }
        of_builds = Decimal(40 * 10)
        assert minutes.pop("Pipeline") == ("Action minutes (V2)", of_builds * 9 + 40)
        assert minutes.keys() == {*BUILDS, *IMAGE_BUILDS}
        assert {quantity for _, quantity in minutes.values()} == {of_builds}
        assert "medium" in minutes["Test"][0]
        assert "small" in minutes["Deploy"][0]  # it waits for CloudFormation

    def test_a_sandboxs_leaves_nothing(self, ground: Callable[..., Ground]) -> None:
        place = ground("sandbox")
        place.pipeline()
        assert leftovers(place.assembly()).nothing


class TestDeliveryPipelineAsAsked:
    def test_without_a_program_there_is_no_image(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.pipeline(program=None)
        assembly = place.assembly()
        names = {each.name.rpartition("/")[2] for each in _all(assembly, "AWS::CodeBuild::Project")}
        assert names == set(BUILDS)
        assert "image_tag" not in str(_commands(assembly))
        assert "ecr:" not in str(_granted(assembly))

    def test_a_sandbox_that_is_kept_is_not_destroyed(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.pipeline(keeps_sandbox=True)
        assembly = place.assembly()
        assert "Destroy" not in _actions(assembly, "Sandbox")
        assert "Destroy" not in _commands(assembly)

    def test_what_else_is_said_of_branch_context_and_approval(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.pipeline(
            branch="release",
            sandbox_users=50,
            context={"transport": "a fleet; rm -rf /"},
            production_context={"domain": "chat.example.com"},
            approved_within=Duration.hours(2),
        )
        assembly = place.assembly()
        sandbox, production = [each for each in _commands(assembly)["Synth"] if "cdk synth" in each]
        for command in (sandbox, production):
            words = subprocess.run(
                ["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
            )
            assert "transport=a fleet; rm -rf /" in words.stdout.splitlines()
        assert "users=50 " in sandbox
        assert "domain" not in sandbox
        assert "-c domain=chat.example.com" in production
        assert _actions(assembly, "Source")["Source"]["Configuration"]["BranchName"] == "release"
        assert _actions(assembly, "Approval")["Approve"]["TimeoutInMinutes"] == 120

    def test_the_scenario_may_do_what_it_was_given_and_find_its_stack(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.pipeline()
        granted = {
            action: str(each["Resource"])
            for each in _granted(place.assembly())["Scenario"]
            for action in _listed(each["Action"])
            if not action.startswith(("logs:", "s3:"))
        }
        assert granted.keys() == {
            "sqs:SendMessage",
            "cloudformation:DescribeStacks",
            "cloudformation:ListStackResources",
        }
        assert granted["sqs:SendMessage"].endswith(":some-system-sandbox-*")
        assert granted["cloudformation:DescribeStacks"].endswith(":stack/some-system-sandbox/*")

    @pytest.mark.parametrize("wrong", ["something", "a/b/c", "a b/c", "https://example.com/a/b"])
    def test_a_repository_has_an_owner_and_a_name(self, wrong: str, ground: Callable[..., Ground]) -> None:
        with pytest.raises(Misuse, match="owner/name"):
            ground().pipeline(repository=wrong)

    def test_connections_are_told_apart_however_long_their_stacks_names_are(self) -> None:
        long = "messaging-platform-delivery-production"
        assert _short("short") == "short"
        assert len({_short(name) for name in (long, f"{long}-alice", f"{long}-bob")}) == 3
        assert all(len(_short(f"{long}{'x' * n}")) <= 32 for n in range(90))

    def test_it_is_clean_under_nag_and_acknowledges_nothing_idly(self, tmp_path: Path, load: Load) -> None:
        def fill(place: Ground) -> None:
            place.pipeline()

        _assert_clean(tmp_path, load, fill)


class TestTheImageIsPushed:
    """The build's own commands, in a shell, with programs in the place of `aws`, `docker` and `sleep`."""

    def test_it_waits_for_the_repository_and_pushes_under_the_commit(self, tmp_path: Path) -> None:
        ended, calls = _shell(_pushing("a-sandbox"), tmp_path, there_at=3, has_tag=False)
        assert ended == 0
        assert calls.count("sleep 10") == 2
        assert calls[-1] == "docker push registry/images:c0ffee"
        assert "docker tag program registry/images:c0ffee" in calls

    def test_a_tag_that_is_there_is_not_pushed_again(self, tmp_path: Path) -> None:
        ended, calls = _shell(_pushing("a-sandbox"), tmp_path, there_at=1, has_tag=True)
        assert ended == 0
        assert not [each for each in calls if each.startswith("docker push")]

    def test_without_a_repository_it_fails_in_a_quarter_of_an_hour(self, tmp_path: Path) -> None:
        ended, calls = _shell(_pushing("a-sandbox"), tmp_path, there_at=1_000, has_tag=False)
        assert ended != 0
        assert calls.count("sleep 10") * 10 == 15 * 60
        assert not [each for each in calls if each.startswith("docker")]


class TestDeliveryOfTheMessagingPlatform:
    def test_every_command_is_a_shells(self, delivery: Assembly) -> None:
        for build, commands in _commands(delivery).items():
            for command in commands:
                parsed = subprocess.run(
                    ["bash", "-n", "-c", command], capture_output=True, text=True, check=False
                )
                assert parsed.returncode == 0, (build, command, parsed.stderr)

    def test_it_is_priced_whole_and_its_wires_are_granted(self, delivery: Assembly) -> None:
        bill = cost.price(delivery)
        assert bill.unpriced == ()
        assert [line.resource for line in bill.lines if not line.declared] == []
        assert capacity.undeclared(delivery) == []
        assert closure.missing(delivery) == []

    def test_the_domain_is_productions_alone(self, delivery: Assembly) -> None:
        sandbox, production = [each for each in _commands(delivery)["Synth"] if "cdk synth" in each]
        assert "domain" not in sandbox
        assert "-c domain=chat.example.com -c zone=example.com -c zone_id=Z1" in production
        assert "-c transport=api_gateway" in sandbox

    def test_both_stages_stand_in_the_zones_that_the_account_names(self, delivery: Assembly) -> None:
        synths = [each for each in _commands(delivery)["Synth"] if "cdk synth" in each]
        assert len(synths) == 2
        assert all("-c zones=us-east-1a,us-east-1b,us-east-1d" in each for each in synths)

    def test_a_pattern_is_of_the_sandbox_or_of_its_tags(self) -> None:
        for each in OPERATIONS:
            named = re.sub("^(table/|function:)", "", each.resource).startswith(
                ("messaging-platform-sandbox-", "pushes-")
            )
            tagged = each.condition.get("StringEquals", {}).get("aws:ResourceTag/stage") == "sandbox"
            without = {f"{each.service}:{action}" for action in each.actions} <= TAKE_NO_RESOURCE
            assert named or tagged or without, each

    def test_what_the_scenario_may_touch_is_there_under_that_name_or_with_those_tags(
        self, tmp_path: Path
    ) -> None:
        made = catalogue.synthesize(catalogue.find("messaging_platform"), tmp_path / "sandbox")
        resources = list(Assembly.load(made).resources)
        kinds = {
            "dynamodb": "AWS::DynamoDB::Table",
            "lambda": "AWS::Lambda::Function",
            "sqs": "AWS::SQS::Queue",
            "sns": "AWS::SNS::Topic",
            "kms": "AWS::KMS::Key",
            "cognito-idp": "AWS::Cognito::UserPool",
        }
        for operation in OPERATIONS:
            of_kind = [each for each in resources if each.type == kinds[operation.service]]
            _, prefix, named = operation.resource.partition("messaging-platform-sandbox-")
            if prefix:
                beginning = named.removesuffix("*")
                assert [each for each in of_kind if each.logical_id.startswith(beginning)], operation
            if operation.condition:
                for each in of_kind:
                    tags = json.dumps(each.raw["Properties"])
                    assert all(word in tags for word in ('"messaging_platform"', '"sandbox"')), each.name

    def test_it_is_placed_where_it_is_chosen(self, tmp_path: Path) -> None:
        blueprint = catalogue.find("messaging_platform")
        names = {}
        for way in blueprint.choice("delivery").options:
            folder = tmp_path / way
            made = catalogue.synthesize(blueprint, folder, stage="sandbox", choices={"delivery": way})
            names[way] = [stack.name for stack in Assembly.load(made).stacks]
        assert names["by_hand"] == ["messaging-platform-sandbox"]
        assert sorted(names["pipeline"]) == [
            "messaging-platform-delivery-sandbox",
            "messaging-platform-sandbox",
        ]

    def test_it_is_clean_under_cfn_lint(self, delivery: Assembly) -> None:
        rules = ManualArgs(regions=["us-east-1", "eu-west-1"], ignore_checks=["I", "W3005"])
        for stack in delivery.stacks:
            assert [str(match) for match in lint(stack.template_file.read_text(), config=rules)] == []


# Canaries.


def whoever_calls_it_calls_the_alias(assembly: Assembly) -> None:
    [alias] = _all(assembly, "AWS::Lambda::Alias")
    callers = [
        *((each, "IntegrationUri") for each in _all(assembly, "AWS::ApiGatewayV2::Integration")),
        *((each, "AuthorizerUri") for each in _all(assembly, "AWS::ApiGatewayV2::Authorizer")),
        *((each, "FunctionName") for each in _all(assembly, "AWS::Lambda::EventSourceMapping")),
        *((each, "FunctionName") for each in _all(assembly, "AWS::Lambda::Permission")),
    ]
    assert {each.type for each, _ in callers} == {
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Authorizer",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
    }
    for caller, name in callers:
        assert f'"Ref": "{alias.logical_id}"' in json.dumps(caller.raw["Properties"][name]), caller.name
    assert closure.missing(assembly) == []


def a_deployment_goes_back_on_an_alarm(assembly: Assembly) -> None:
    [group] = _all(assembly, "AWS::CodeDeploy::DeploymentGroup")
    properties = group.properties
    assert properties["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert properties["AutoRollbackConfiguration"] == {
        "Enabled": True,
        "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"],
    }
    named = json.dumps(group.raw["Properties"]["AlarmConfiguration"])
    alarms = {
        each.properties["MetricName"]: each
        for each in _all(assembly, "AWS::CloudWatch::Alarm")
        if each.logical_id in named
    }
    assert alarms.keys() == {"Errors", "Duration"}
    for alarm in alarms.values():
        # It must be able to go off, of what the alias was asked, while a tenth of the calls is all there is to lose.
        assert alarm.properties["Period"] * alarm.properties["DatapointsToAlarm"] < FIVE_MINUTES
        assert alarm.properties["Dimensions"][1]["Name"] == "Resource"
        assert str(alarm.properties["Dimensions"][1]["Value"]).endswith(":live")
    [alias] = _all(assembly, "AWS::Lambda::Alias")
    assert f'"{group.logical_id}"' in json.dumps(alias.raw["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"])


def _called_past_the_alias(template: dict[str, Any]) -> None:
    [function] = [
        name for name, each in template["Resources"].items() if each["Type"] == "AWS::Lambda::Function"
    ]
    for integration in of_type(template, "AWS::ApiGatewayV2::Integration"):
        integration["Properties"]["IntegrationUri"] = {"Fn::GetAtt": [function, "Arn"]}


def _allowed_past_the_alias(template: dict[str, Any]) -> None:
    """The function's own policy says nothing of its alias."""
    [function] = [
        name for name, each in template["Resources"].items() if each["Type"] == "AWS::Lambda::Function"
    ]
    for permission in of_type(template, "AWS::Lambda::Permission"):
        permission["Properties"]["FunctionName"] = {"Ref": function}


def _without_rollback_alarms(template: dict[str, Any]) -> None:
    for group in of_type(template, "AWS::CodeDeploy::DeploymentGroup"):
        group["Properties"]["AlarmConfiguration"]["Alarms"] = []


def _without_rollback(template: dict[str, Any]) -> None:
    for group in of_type(template, "AWS::CodeDeploy::DeploymentGroup"):
        group["Properties"]["AutoRollbackConfiguration"]["Events"].remove("DEPLOYMENT_STOP_ON_ALARM")


def _with_alarms_that_come_too_late(template: dict[str, Any]) -> None:
    for alarm in of_type(template, "AWS::CloudWatch::Alarm"):
        alarm["Properties"]["Period"] = FIVE_MINUTES


def _shifted_at_once(template: dict[str, Any]) -> None:
    for alias in of_type(template, "AWS::Lambda::Alias"):
        alias["UpdatePolicy"] = {"CodeDeployLambdaAliasUpdate": {}}


CANARY_GUARDS: list[Guard] = [
    (_called_past_the_alias, whoever_calls_it_calls_the_alias),
    (_allowed_past_the_alias, whoever_calls_it_calls_the_alias),
    (_without_rollback_alarms, a_deployment_goes_back_on_an_alarm),
    (_without_rollback, a_deployment_goes_back_on_an_alarm),
    (_with_alarms_that_come_too_late, a_deployment_goes_back_on_an_alarm),
    (_shifted_at_once, a_deployment_goes_back_on_an_alarm),
]


@for_each(CANARY_GUARDS)
def test_a_canary_without_a_guard_is_noticed(
    guard: Guard, ground: Callable[..., Ground], tmp_path: Path
) -> None:
    place = ground()
    place.canaried()
    assert_missed(guard, place.assembly(), tmp_path)


def test_the_closure_misses_a_permission_that_is_not_the_aliass(
    ground: Callable[..., Ground], tmp_path: Path
) -> None:
    place = ground()
    place.canaried()
    whole = place.assembly()
    assert closure.missing(whole) == []
    assert_missed((_allowed_past_the_alias, _is_closed), whole, tmp_path)


def _is_closed(assembly: Assembly) -> None:
    assert [str(each) for each in closure.missing(assembly)] == []


class TestCanary:
    def test_a_sandbox_has_none_and_its_template_says_nothing_of_it(self, tmp_path: Path, load: Load) -> None:
        texts = []
        for canary in (False, True):
            app = catalogue.new_app(tmp_path / str(canary))
            place = Ground(
                BlueprintStack(app, "some_system", load=load, stage="sandbox", description="A system"), load
            )
            function = place.function(canary=canary)
            Operations(place.stack, "Operations").watch_function(function, p99=Duration.seconds(1))
            assert function.canary is None
            assert function.entry is function.function
            texts.append(place.assembly().stacks[0].template_file.read_text())
        assert texts[0] == texts[1]

    def test_nor_has_a_function_that_asks_for_none(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.function(canary=False)
        for kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::CodeDeploy::DeploymentGroup"):
            place.template.resource_count_is(kind, 0)

    def test_one_that_nobody_watches_does_not_synthesize(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.function()
        with pytest.raises(RuntimeError, match="alarm"):
            place.assembly()

    def test_functions_of_one_stack_share_what_deploys_them(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        operations = Operations(place.stack, "Operations")
        for name in ("One", "Two"):
            operations.watch_function(place.function(name), p99=Duration.seconds(1))
        place.template.resource_count_is("AWS::CodeDeploy::Application", 1)
        place.template.resource_count_is("AWS::CodeDeploy::DeploymentGroup", 2)
        place.template.has_resource_properties(
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": Match.object_like(
                    {"Statement": [Match.object_like({"Principal": {"Service": "codedeploy.amazonaws.com"}})]}
                ),
                "ManagedPolicyArns": [Match.any_value()],
            },
        )

    def test_the_bill_and_the_limits_see_through_the_alias(
        self, ground: Callable[..., Ground], tmp_path: Path, load: Load
    ) -> None:
        found = {}
        for canary in (False, True):
            app = catalogue.new_app(tmp_path / str(canary))
            stack = BlueprintStack(app, "some_system", load=load, stage="production", description="A system")
            place = Ground(stack, load)
            worker = place.function(canary=canary)
            place.api(worker)
            queue = WorkQueue(
                stack,
                "Jobs",
                messages=place.rate,
                requests_per_message=place.one,
                consumer_timeout=worker.timeout,
            )
            queue.feed(worker, batch_size=10, batching_window=Duration.seconds(0))
            Operations(stack, "Operations").watch_function(worker, p99=Duration.seconds(1))
            assembly = place.assembly()
            bill = cost.price(assembly)
            assert bill.unpriced == ()
            assert capacity.undeclared(assembly) == []
            alarms = sum(line.monthly_usd for line in bill.lines if "larm" in line.component)
            limits = {
                (each.resource, each.limit, each.quota, each.load) for each in capacity.limits(assembly)
            }
            found[canary] = (bill.monthly_usd - alarms, limits)
        assert found[True] == found[False]

    def test_it_is_clean_under_nag_and_acknowledges_nothing_idly(self, tmp_path: Path, load: Load) -> None:
        def fill(place: Ground) -> None:
            operations = Operations(place.stack, "Operations")
            for name in ("One", "Two"):
                operations.watch_function(place.function(name), p99=Duration.seconds(1))

        _assert_clean(tmp_path, load, fill)

    def test_it_is_clean_under_cfn_lint(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.canaried()
        rules = ManualArgs(regions=["us-east-1", "eu-west-1"], ignore_checks=["I", "W3005"])
        [stack] = place.assembly().stacks
        assert [str(match) for match in lint(stack.template_file.read_text(), config=rules)] == []


class TestRegionalNames:
    DOMAIN = Domain("chat.example.com", "Z0123456789", "example.com")

    def test_a_sandbox_without_a_domain_pays_for_no_check(self, ground: Callable[..., Ground]) -> None:
        place = ground("sandbox")
        names = place.names(None)
        assert (names.health_check, names.hosts) == (None, {})
        for kind in ("HealthCheck", "RecordSet"):
            place.template.resource_count_is(f"AWS::Route53::{kind}", 0)

    def test_production_without_a_domain_has_its_check_alone(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        names = place.names(None)
        assert names.hosts == {}
        place.template.resource_count_is("AWS::Route53::RecordSet", 0)
        place.template.has_resource_properties(
            "AWS::Route53::HealthCheck",
            {
                "HealthCheckConfig": Match.object_like(
                    {
                        "Type": "HTTPS",
                        "ResourcePath": "/health",
                        "FailureThreshold": 3,
                        "RequestInterval": 30,
                        "FullyQualifiedDomainName": {
                            "Fn::Join": [
                                "",
                                Match.array_with([".execute-api.", {"Ref": "AWS::Region"}]),
                            ]
                        },
                    }
                )
            },
        )

    @pytest.mark.parametrize("stage", ["sandbox", "production"])
    def test_a_domain_has_a_latency_record_for_each_label_that_heeds_the_check(
        self, stage: Stage, ground: Callable[..., Ground]
    ) -> None:
        place = ground(stage)
        names = place.names(self.DOMAIN, health_path="/alive")
        assert names.hosts == {"api": "api.chat.example.com", "chat": "chat.chat.example.com"}
        assembly = place.assembly()
        [check] = _all(assembly, "AWS::Route53::HealthCheck")
        assert check.properties["HealthCheckConfig"]["ResourcePath"] == "/alive"
        records = _all(assembly, "AWS::Route53::RecordSet")
        assert {each.properties["Name"] for each in records} == {f"{each}." for each in names.hosts.values()}
        region = {"Ref": "AWS::Region"}
        for record in records:
            written = record.raw["Properties"]
            assert (written["Region"], written["SetIdentifier"]) == (region, region)
            assert written["HealthCheckId"] == {"Fn::GetAtt": [check.logical_id, "HealthCheckId"]}
            assert "RegionalDomainName" in json.dumps(written["AliasTarget"])
            mapping = record.name.removesuffix("Record").rpartition("/")[2] + "Mapping"
            assert any(mapping in each for each in record.raw["DependsOn"]), "it leads where nothing answers"
        for each in _all(assembly, "AWS::ApiGatewayV2::DomainName"):
            [configured] = each.properties["DomainNameConfigurations"]
            assert (configured["EndpointType"], configured["SecurityPolicy"]) == ("REGIONAL", "TLS_1_2")

    def test_each_label_leads_to_its_own_stage_sockets_too(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.names(self.DOMAIN)
        assembly = place.assembly()
        protocols = {
            each.logical_id: each.properties["ProtocolType"]
            for each in _all(assembly, "AWS::ApiGatewayV2::Api")
        }
        led = {
            each.name.rpartition("/")[2]: protocols[each.raw["Properties"]["ApiId"]["Ref"]]
            for each in _all(assembly, "AWS::ApiGatewayV2::ApiMapping")
        }
        assert led == {"ApiMapping": "HTTP", "ChatMapping": "WEBSOCKET"}

    def test_it_is_priced_whole(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.names(self.DOMAIN)
        bill = cost.price(place.assembly())
        assert bill.unpriced == ()
        checks = {line.component: line.quantity for line in bill.lines if "HealthCheck" in line.resource}
        assert checks == {"Health checks (on AWS)": 1, "Optional features (on AWS)": 1}

    def test_it_is_clean_under_nag_and_acknowledges_nothing_idly(self, tmp_path: Path, load: Load) -> None:
        def fill(place: Ground) -> None:
            place.names(self.DOMAIN)

        _assert_clean(tmp_path, load, fill)


# What the tests above read.


def _assert_clean(folder: Path, load: Load, fill: Callable[[Ground], None]) -> None:
    """Nothing is found, and every acknowledgement of ours met a finding."""
    app = catalogue.new_app(folder / "gate", validate=True)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app, verbose=True), ServerlessChecks(app, verbose=True)
    )
    fill(Ground(BlueprintStack(app, "some_system", load=load, stage="production", description="A"), load))
    synthesized = Path(app.synth().directory)
    reports = json.loads((synthesized / "validation-report.json").read_text())["pluginReports"]
    assert [each["violations"] for each in reports] == [[], []]
    matched = {
        (violation["ruleName"], construct["constructPath"])
        for each in reports
        for violation in each["suppressedViolations"]
        for construct in violation["violatingConstructs"]
    }
    idle = [
        (rule, path)
        for rule, path in _acknowledged(synthesized)
        if not any(found == rule and place.startswith(path) for found, place in matched)
    ]
    assert idle == []


def _acknowledged(folder: Path) -> Iterator[tuple[str, str]]:
    for file in folder.glob("*.metadata.json"):
        for path, entries in json.loads(file.read_text()).items():
            for entry in entries:
                if "acknowledge" in entry["type"].lower():
                    for rule in entry["data"]:
                        name = rule.split("::", 1)[-1]
                        if name.startswith(("AwsSolutions-", "Serverless-")):
                            yield name, path.lstrip("/")


def _shell(commands: list[str], folder: Path, *, there_at: int, has_tag: bool) -> tuple[int, list[str]]:
    """How the commands end, and what they called: the repository is there at the `there_at`-th look."""
    programs, source = folder / "bin", folder / "image"
    programs.mkdir()
    source.mkdir()
    (source / "image.tar.gz").write_bytes(gzip.compress(b"an image"))
    answers = f"""
      *list-stack-resources*) test $(grep -c list-stack-resources "$CALLS") -lt {there_at} || echo images ;;
      *describe-repositories*images*) echo registry/images ;;
      *describe-repositories*) exit 254 ;;
      *describe-images*) exit {0 if has_tag else 254} ;;
    """
    for name, body in (("aws", f'case "$*" in {answers} esac'), ("docker", ""), ("sleep", "")):
        program = programs / name
        program.write_text(f'#!/bin/bash\necho "{name} $*" >> "$CALLS"\n{body}\n')
        program.chmod(0o755)
    calls = folder / "calls"
    calls.touch()
    ended = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "COMMIT": "c0ffee",
            "CODEBUILD_SRC_DIR_Image": str(source),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return ended.returncode, calls.read_text().splitlines()


def _all(assembly: Assembly, kind: str) -> list[Resource]:
    return [each for each in assembly.resources if each.type == kind]


def _stages(assembly: Assembly) -> list[dict[str, Any]]:
    [pipeline] = _all(assembly, "AWS::CodePipeline::Pipeline")
    return list(pipeline.properties["Stages"])


def _actions(assembly: Assembly, stage: str) -> dict[str, dict[str, Any]]:
    [found] = [each for each in _stages(assembly) if each["Name"] == stage]
    return {action["Name"]: action for action in found["Actions"]}


def _commands(assembly: Assembly) -> dict[str, list[str]]:
    """Build → what it runs."""
    found = {}
    for project in _all(assembly, "AWS::CodeBuild::Project"):
        specification = json.loads(project.properties["Source"]["BuildSpec"])
        found[project.name.rpartition("/")[2]] = specification["phases"]["build"]["commands"]
    return found


def _granted(assembly: Assembly) -> dict[str, list[Mapping[str, Any]]]:
    """Build → the statements of its role."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for policy in _all(assembly, "AWS::IAM::Policy"):
        [role] = re.findall(r"/(\w+)Role/DefaultPolicy$", policy.name) or [""]
        if role in (*BUILDS, *IMAGE_BUILDS):
            found.setdefault(role, []).extend(policy.properties["PolicyDocument"]["Statement"])
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
