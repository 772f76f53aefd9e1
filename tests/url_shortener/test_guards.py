"""Take one guard away, and a test is red: for each, the test that catches it, run on the broken thing.

The conditional writes, the idempotency key and the scheme check are taken away in test_handlers.py and
test_logic.py; here are those of the template and of the bill.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests import test_every_blueprint as contract
from tests.conftest import Synthesized
from tests.guards import Guard, assert_missed, for_each, of_type, remove
from tests.templates import Template
from workbench.errors import NotPriced
from workbench.review import cost, registry
from workbench.review.prices import PriceBook


def _without_throttling_alarms(template: Template) -> None:
    remove(template, lambda each: each["Properties"].get("MetricName") == "Throttles")


def _without_the_age_alarm(template: Template) -> None:
    remove(template, lambda each: each["Properties"].get("MetricName") == "ApproximateAgeOfOldestMessage")


def _with_a_silent_alarm(template: Template) -> None:
    of_type(template, "AWS::CloudWatch::Alarm")[0]["Properties"]["AlarmActions"] = []


def _with_a_star(template: Template) -> None:
    of_type(template, "AWS::IAM::Policy")[0]["Properties"]["PolicyDocument"]["Statement"][0]["Action"] = (
        "dynamodb:*"
    )


def _on_every_resource(template: Template) -> None:
    for statement in of_type(template, "AWS::IAM::Policy")[0]["Properties"]["PolicyDocument"]["Statement"]:
        statement["Resource"] = "*"


def _without_partial_batches(template: Template) -> None:
    of_type(template, "AWS::Lambda::EventSourceMapping")[0]["Properties"]["FunctionResponseTypes"] = []


def _without_time_to_work(template: Template) -> None:
    for queue in of_type(template, "AWS::SQS::Queue"):
        queue["Properties"]["VisibilityTimeout"] = 30


def _sharing_a_role(template: Template) -> None:
    first, second, *_ = of_type(template, "AWS::Lambda::Function")
    second["Properties"]["Role"] = first["Properties"]["Role"]


def _untraced(template: Template) -> None:
    of_type(template, "AWS::Lambda::Function")[0]["Properties"]["TracingConfig"] = {"Mode": "PassThrough"}


def _with_an_endless_log(template: Template) -> None:
    for group in of_type(template, "AWS::Logs::LogGroup"):
        group["Properties"]["RetentionInDays"] = 0


def _named_by_hand(template: Template) -> None:
    of_type(template, "AWS::DynamoDB::Table")[0]["Properties"]["TableName"] = "links"


def _with_a_deaf_topic(template: Template) -> None:
    for policy in of_type(template, "AWS::SNS::TopicPolicy"):
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        statements[:] = [each for each in statements if each["Effect"] == "Deny"]


def _without_waiting_for_the_grant(template: Template) -> None:
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping"):
        mapping.pop("DependsOn")


def _without_leave_to_call(template: Template) -> None:
    remove(template, lambda each: each["Type"] == "AWS::Lambda::Permission")


GUARDS: list[Guard] = [
    (_without_throttling_alarms, contract.test_every_function_has_alarms_on_errors_throttles_and_latency),
    (_without_the_age_alarm, contract.test_every_queue_has_an_alarm_on_its_age_or_on_its_dead_letters),
    (_with_a_silent_alarm, contract.test_every_alarm_tells_somebody),
    (_with_a_star, contract.test_no_policy_has_a_star),
    (_on_every_resource, contract.test_no_policy_has_a_star),
    (_without_partial_batches, contract.test_every_queue_that_feeds_a_function_keeps_its_dead_letters),
    (_without_time_to_work, contract.test_every_queue_that_feeds_a_function_keeps_its_dead_letters),
    (_sharing_a_role, contract.test_every_function_has_a_role_of_its_own),
    (_untraced, contract.test_every_function_is_bounded_traced_and_logged),
    (_with_an_endless_log, contract.test_every_function_is_bounded_traced_and_logged),
    (_with_a_deaf_topic, contract.test_every_alarm_may_tell),
    (_without_waiting_for_the_grant, contract.test_what_is_wired_is_also_granted),
    (_without_leave_to_call, contract.test_what_is_wired_is_also_granted),
    (_named_by_hand, contract.test_nothing_is_named_by_hand),
]


@for_each(GUARDS)
def test_a_guard_of_the_template_taken_away_turns_its_test_red(
    guard: Guard, synthesized: Synthesized, tmp_path: Path
) -> None:
    assert_missed(guard, synthesized("url_shortener", 1_000, "production"), tmp_path)


def test_without_the_price_of_a_type_there_is_no_bill(
    synthesized: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly = synthesized("url_shortener", 1_000, "production")
    assert cost.price(assembly).lines
    rooms = {kind: room for kind, room in registry.rooms().items() if kind != "AWS::SQS::Queue"}
    monkeypatch.setattr(registry, "rooms", lambda: rooms)
    with pytest.raises(NotPriced, match="AWS::SQS::Queue"):
        cost.price(assembly)


def test_without_the_price_itself_there_is_no_bill(synthesized: Synthesized) -> None:
    book = PriceBook.load()
    poorer = dataclasses.replace(book, prices={key: book[key] for key in book if key != "sqs.standard"})
    with pytest.raises(NotPriced, match=r"sqs\.standard"):
        cost.price(synthesized("url_shortener", 1_000, "production"), lambda _region: poorer)
