"""What is called by the clock, and what a database is brought to: as it is, and with everything said."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Duration, Validations
from aws_cdk.assertions import Match, Template
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from patterns.blueprint_stack import BlueprintStack
from patterns.database_schema import DatabaseSchema
from patterns.network import Network
from patterns.postgres import Postgres
from patterns.python_function import PythonFunction
from patterns.schedule import Schedule
from patterns.traffic import DatabaseTraffic, FunctionTraffic, NetworkTraffic
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.catalogue import ROOT
from workbench.review import closure, cost
from workbench.workload import Load, Rate

SWEEP, SCHEMA = (f"lambdas.messaging_platform.directory.{name}.handler" for name in ("sweep", "schema"))


@pytest.fixture
def stack(stack_of: Callable[..., BlueprintStack]) -> BlueprintStack:
    return stack_of()


@pytest.fixture
def function(stack: BlueprintStack, rate: Rate, load: Load) -> PythonFunction:
    return _function(stack, rate, load)


def _function(stack: BlueprintStack, rate: Rate, load: Load, **more: Any) -> PythonFunction:
    of = load.quantity
    traffic = FunctionTraffic(rate, of("ms"), of("bytes"), of("one"))
    return PythonFunction(stack, "Sweep", handler=SWEEP, environment={}, traffic=traffic, **more)


def _only(template: Template, kind: str) -> tuple[str, dict[str, Any]]:
    [(logical_id, resource)] = template.find_resources(kind).items()
    return logical_id, dict(resource["Properties"])


# A schedule


def test_a_function_is_called_every_so_often_by_its_rule_alone(
    stack: BlueprintStack, function: PythonFunction
) -> None:
    Schedule(stack, "EveryMinute", target=function, every=Duration.minutes(1))
    template = Template.from_stack(stack)
    rule, properties = _only(template, "AWS::Events::Rule")
    [target] = properties["Targets"]
    assert properties["ScheduleExpression"] == "rate(1 minute)"
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 3}
    _, permission = _only(template, "AWS::Lambda::Permission")
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": [rule, "Arn"]}
    roles = template.find_resources("AWS::IAM::Role")
    assert len(roles) == 1, "the rule needs none"


def test_a_call_that_fails_is_left_to_the_next(stack: BlueprintStack, function: PythonFunction) -> None:
    Schedule(stack, "EveryMinute", target=function, every=Duration.minutes(1))
    _, config = _only(Template.from_stack(stack), "AWS::Lambda::EventInvokeConfig")
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 60)


def test_what_cannot_be_delivered_is_parked_by_that_rule_alone(
    stack: BlueprintStack, function: PythonFunction
) -> None:
    Schedule(stack, "EveryMinute", target=function, every=Duration.minutes(1))
    template = Template.from_stack(stack)
    queue, _ = _only(template, "AWS::SQS::Queue")
    rule, properties = _only(template, "AWS::Events::Rule")
    assert properties["Targets"][0]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
    _, policy = _only(template, "AWS::SQS::QueuePolicy")
    [sends] = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert (sends["Principal"], sends["Action"]) == (
        {"Service": "events.amazonaws.com"},
        "sqs:SendMessage",
    )
    assert sends["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


@pytest.mark.parametrize(("every", "age"), [(Duration.hours(6), 21_600), (Duration.days(7), 21_600)])
def test_with_everything_said(
    every: Duration, age: int, stack: BlueprintStack, function: PythonFunction
) -> None:
    Schedule(stack, "Seldom", target=function, every=every, retries=2)
    template = Template.from_stack(stack)
    _, config = _only(template, "AWS::Lambda::EventInvokeConfig")
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (2, age)
    _, properties = _only(template, "AWS::Events::Rule")
    assert properties["Targets"][0]["RetryPolicy"]["MaximumEventAgeInSeconds"] == age


# A schema


@pytest.fixture
def network(stack: BlueprintStack, load: Load) -> Network:
    one = load.quantity("one")
    return Network(stack, "Network", traffic=NetworkTraffic(one, one, one, one, one, one))


@pytest.fixture
def database(stack: BlueprintStack, network: Network, load: Load) -> Postgres:
    one = load.quantity("one")
    traffic = DatabaseTraffic(one, one, one)
    return Postgres(stack, "Database", network=network, database_name="directory", traffic=traffic)


def test_a_schema_is_applied_when_its_file_changes_through_the_open_port_of_a_proxy_with_targets(
    stack: BlueprintStack, network: Network, database: Postgres
) -> None:
    DatabaseSchema(stack, "Schema", handler=SCHEMA, database=database, network=network)
    template = Template.from_stack(stack)
    [step] = template.find_resources("Custom::DeploymentStep").values()
    source = ROOT / "lambdas/messaging_platform/directory/schema.py"
    properties = step["Properties"]
    assert properties["Schema"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert {name: properties[name] for name in ("Port", "Database", "User", "Region")} == {
        "Port": "5432",
        "Database": "directory",
        "User": "service",
        "Region": {"Ref": "AWS::Region"},
    }
    assert properties["ServiceTimeout"] == str(15 * 60)
    ports = [
        logical_id
        for logical_id, rule in template.find_resources("AWS::EC2::SecurityGroupIngress").items()
        if "SchemaWorker" in json.dumps(rule["Properties"]["SourceSecurityGroupId"])
    ]
    targets = template.find_resources("AWS::RDS::DBProxyTargetGroup")
    grants = [
        logical_id
        for logical_id, policy in template.find_resources("AWS::IAM::Policy").items()
        if "rds-db:connect" in json.dumps(policy)
    ]
    assert len(ports) == len(targets) == len(grants) == 1
    assert {*ports, *targets, *grants} <= set(step["DependsOn"])
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"Handler": SCHEMA, "Layers": Match.array_with([Match.object_like({"Ref": Match.any_value()})])},
    )
    [worker] = template.find_resources("AWS::Lambda::Function", {"Properties": {"Handler": SCHEMA}}).values()
    assert len(worker["Properties"]["Layers"]) == 2, "Powertools, and the libraries with the driver"


def test_functions_wait_for_the_schema_and_may_still_connect(
    stack: BlueprintStack, network: Network, database: Postgres, rate: Rate, load: Load
) -> None:
    schema = DatabaseSchema(
        stack,
        "Schema",
        handler=SCHEMA,
        database=database,
        network=network,
        timeout=Duration.minutes(3),
    )
    function = _function(stack, rate, load, network=network)
    database.allow(function)
    schema.before(function)
    template = Template.from_stack(stack)  # which fails where the dependencies are a circle
    [(step_id, step)] = template.find_resources("Custom::DeploymentStep").items()
    assert step["Properties"]["ServiceTimeout"] == str(4 * 60)
    [made] = template.find_resources("AWS::Lambda::Function", {"Properties": {"Handler": SWEEP}}).values()
    assert step_id in made["DependsOn"]


# Both, as the gate looks at a system


def _everything(stack: BlueprintStack, rate: Rate, load: Load) -> None:
    one = load.quantity("one")
    network = Network(stack, "Network", traffic=NetworkTraffic(one, one, one, one, one, one))
    database = Postgres(
        stack,
        "Database",
        network=network,
        database_name="directory",
        traffic=DatabaseTraffic(one, one, one),
        standby=True,
    )
    schema = DatabaseSchema(stack, "Schema", handler=SCHEMA, database=database, network=network)
    function = _function(stack, rate, load, network=network, libraries=True)
    database.allow(function)
    schema.before(function)
    Schedule(stack, "EveryMinute", target=function, every=Duration.minutes(1))


def test_they_are_clean_under_nag_and_acknowledge_nothing_idly(
    tmp_path: Path, rate: Rate, load: Load
) -> None:
    app = catalogue.new_app(tmp_path / "assembly", validate=True)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app, verbose=True), ServerlessChecks(app, verbose=True)
    )
    stack = BlueprintStack(app, "some_system", load=load, stage="production", description="A system")
    _everything(stack, rate, load)
    folder = Path(app.synth().directory)
    reports = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
    assert [each["violations"] for each in reports] == [[], []]
    matched = {
        (violation["ruleName"].split("::")[-1], construct["constructPath"].split("/")[1])
        for each in reports
        for violation in each["suppressedViolations"]
        for construct in violation["violatingConstructs"]
    }
    assert ("AwsSolutions-SQS3", "EveryMinute") in matched, matched
    shutil.rmtree(folder)


def test_they_are_wired_as_aws_asks_and_all_of_it_has_a_price(tmp_path: Path, rate: Rate, load: Load) -> None:
    app = catalogue.new_app(tmp_path / "assembly")
    stack = BlueprintStack(app, "some_system", load=load, stage="sandbox", description="A system")
    _everything(stack, rate, load)
    app.synth()
    assembly = Assembly.load(tmp_path / "assembly")
    assert [str(each) for each in closure.missing(assembly)] == []
    lines = [
        line for line in cost.price(assembly).lines if line.resource.startswith(("EveryMinute", "Schema"))
    ]
    assert sum(line.monthly_usd for line in lines) == 0, "what is parked and migrated costs when it happens"
    assert [line.component for line in lines if not line.declared] == []
