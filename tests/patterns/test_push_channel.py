"""The channel of pushes: who may publish, who may make something wait, and who sends it then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Duration, Validations
from aws_cdk.assertions import Match, Template
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from patterns.blueprint_stack import BlueprintStack
from patterns.push_channel import PushChannel
from patterns.python_function import PythonFunction
from patterns.traffic import KEY, FunctionTraffic
from patterns.work_queue import WorkQueue
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.review import closure, cost
from workbench.workload import Load, Rate


class Built:
    """A channel on a queue, with a function that pushes."""

    def __init__(self, stack: BlueprintStack, rate: Rate, load: Load) -> None:
        of = load.quantity
        timeout = Duration.seconds(10)
        queue = WorkQueue(
            stack, "Pushes", messages=rate, requests_per_message=of("one"), consumer_timeout=timeout
        )
        traffic = FunctionTraffic(rate, of("ms"), of("bytes"), of("one"))
        handler = "lambdas.url_shortener.redirect.handler"
        self.pusher = PythonFunction(stack, "Push", handler=handler, environment={}, traffic=traffic)
        self.channel = PushChannel(stack, "Channel", queue=queue, pushes=rate)
        self.channel.allow(self.pusher)
        self.stack, self.queue = stack, queue

    @property
    def template(self) -> Template:
        return Template.from_stack(self.stack)

    @property
    def group_id(self) -> str:
        return str(self.resolved(self.channel.group_name)["Ref"])

    def resolved(self, value: Any) -> Any:
        return self.stack.resolve(value)

    def granted(self, to: str) -> list[dict[str, Any]]:
        policies = self.template.find_resources(
            "AWS::IAM::Policy", {"Properties": {"PolicyName": Match.string_like_regexp(to)}}
        )
        return [
            statement
            for policy in policies.values()
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]


@pytest.fixture
def built(stack_of: Any, rate: Rate, load: Load) -> Built:
    return Built(stack_of("production"), rate, load)


def test_the_topic_takes_messages_by_tls_alone_and_declares_its_traffic(built: Built) -> None:
    built.template.has_resource_properties(
        "AWS::SNS::TopicPolicy",
        {
            "PolicyDocument": Match.object_like(
                {
                    "Statement": [
                        Match.object_like(
                            {
                                "Action": "sns:Publish",
                                "Effect": "Deny",
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        )
                    ]
                }
            )
        },
    )
    [topic] = built.template.find_resources("AWS::SNS::Topic").values()
    assert topic["Metadata"][KEY].keys() == {"publishes_per_month", "peak_publishes_per_second"}


def test_the_scheduler_takes_the_role_for_this_group_alone(built: Built) -> None:
    group = {"Fn::GetAtt": [built.group_id, "Arn"]}
    built.template.has_resource_properties(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {
                        "Action": "sts:AssumeRole",
                        "Effect": "Allow",
                        "Principal": {"Service": "scheduler.amazonaws.com"},
                        "Condition": {
                            "StringEquals": {
                                "aws:SourceAccount": {"Ref": "AWS::AccountId"},
                                "aws:SourceArn": group,
                            }
                        },
                    }
                ],
                "Version": "2012-10-17",
            }
        },
    )


def test_the_role_may_send_to_the_queue_and_nothing_else(built: Built) -> None:
    [statement] = built.granted("ChannelRole")
    assert statement == {
        "Action": "sqs:SendMessage",
        "Effect": "Allow",
        "Resource": built.resolved(built.queue.queue.queue_arn),
    }


def test_the_function_may_publish_and_make_schedules_of_this_group_in_the_roles_name(built: Built) -> None:
    statements = {str(each["Action"]): each for each in built.granted("PushRole")}
    assert statements["sns:Publish"]["Resource"] == built.resolved(built.channel.topic.topic_arn)
    passing = statements["iam:PassRole"]
    assert passing["Resource"] == built.resolved(built.channel.role.role_arn)
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    schedules = statements["scheduler:CreateSchedule"]["Resource"]["Fn::Join"][1]
    assert schedules[-3:] == [":schedule/", {"Ref": built.group_id}, "/*"]
    assert not any(each.startswith("scheduler:") for each in statements if each != "scheduler:CreateSchedule")


def test_nothing_of_it_has_a_name_and_the_group_goes_with_the_stack(built: Built) -> None:
    for kind in ("AWS::SNS::Topic", "AWS::Scheduler::ScheduleGroup"):
        [resource] = built.template.find_resources(kind).values()
        properties = resource.get("Properties", {})
        assert not {"Name", "TopicName"} & properties.keys()
        assert resource.get("DeletionPolicy", "Delete") == "Delete"


def test_it_is_clean_under_nag_and_acknowledges_nothing_idly(tmp_path: Path, rate: Rate, load: Load) -> None:
    app = catalogue.new_app(tmp_path / "assembly", validate=True)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app, verbose=True), ServerlessChecks(app, verbose=True)
    )
    Built(
        BlueprintStack(app, "some_system", load=load, stage="production", description="A system"), rate, load
    )
    folder = Path(app.synth().directory)
    reports = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
    assert [each["violations"] for each in reports] == [[], []]
    matched = {violation["ruleName"] for each in reports for violation in each["suppressedViolations"]}
    assert any("schedule/<" in rule for rule in matched), matched
    shutil.rmtree(folder)


def test_it_is_wired_as_aws_asks_and_has_a_price(tmp_path: Path, rate: Rate, load: Load) -> None:
    app = catalogue.new_app(tmp_path / "assembly")
    stack = BlueprintStack(app, "some_system", load=load, stage="sandbox", description="A system")
    Built(stack, rate, load)
    app.synth()
    assembly = Assembly.load(tmp_path / "assembly")
    assert [str(each) for each in closure.missing(assembly)] == []
    lines = [line for line in cost.price(assembly).lines if "Publishes" in line.component]
    assert len(lines) == 1
