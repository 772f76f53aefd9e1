"""What IAM is asked for where a call says it in other words, and where AWS asks without being called."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.offline import ACCOUNT, client_with, create_role, eventually, session_keys
from tests.templates import Statement, allow, policy
from workbench.assembly import DEFAULT_REGION
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.grants import Decision, Grant
from workbench.dryrun.http import Http
from workbench.dryrun.mutation import unplayed

AT_ONCE = "at(2020-01-01T00:00:00)"
HERE = f"{DEFAULT_REGION}:{ACCOUNT}"


def _as_role(emulator: Emulator, role: str, service: str, *statements: Statement) -> Any:
    """A client of `service` that calls as a session of a new role, which may do what `statements` say."""
    keys = session_keys(emulator.endpoint, create_role(emulator.endpoint, role, *statements))
    return client_with(keys, emulator.endpoint, service)


def _asked(emulator: Emulator, role: str) -> set[tuple[str, str, bool]]:
    """What sessions of the role were asked for: action, resource, and whether they may."""
    found = [each for each in emulator.decisions() if f":assumed-role/{role}/" in each["principal"]]
    return {(each["action"], each["resource"], each["allowed"]) for each in found}


def _refused(call: Callable[[], object]) -> tuple[int, str]:
    """The status and the code that a call fails with."""
    with pytest.raises(ClientError) as failed:
        call()
    return _status_and_code(failed.value)


def _status_and_code(error: ClientError) -> tuple[int, str]:
    answer: Any = error.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


# Batches.


def _entry(**more: Any) -> list[dict[str, Any]]:
    return [{"Id": "1", **more}]


def test_a_batch_of_a_queue_is_asked_for_as_what_it_is_a_batch_of(emulator: Emulator) -> None:
    queues = emulator.endpoint.client("sqs")
    url = queues.create_queue(QueueName="batches")["QueueUrl"]
    arn = f"arn:aws:sqs:{HERE}:batches"
    single = ["sqs:SendMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"]
    clerk = _as_role(emulator, "batch-clerk", "sqs", allow(single, Resource=arn))
    assert clerk.send_message_batch(QueueUrl=url, Entries=_entry(MessageBody="one"))["Successful"]
    [message] = queues.receive_message(QueueUrl=url)["Messages"]
    handle = message["ReceiptHandle"]
    changed = clerk.change_message_visibility_batch(
        QueueUrl=url, Entries=_entry(ReceiptHandle=handle, VisibilityTimeout=30)
    )
    assert changed["Successful"]
    assert clerk.delete_message_batch(QueueUrl=url, Entries=_entry(ReceiptHandle=handle))["Successful"]
    assert _asked(emulator, "batch-clerk") == {(action, arn, True) for action in single}


def test_a_batch_for_a_topic_is_asked_for_as_a_publish(emulator: Emulator) -> None:
    arn = emulator.endpoint.client("sns").create_topic(Name="batches")["TopicArn"]
    clerk = _as_role(emulator, "batch-publisher", "sns", allow("sns:Publish", Resource=arn))
    answer = clerk.publish_batch(TopicArn=arn, PublishBatchRequestEntries=_entry(Message="one"))
    assert answer["Successful"]
    assert _asked(emulator, "batch-publisher") == {("sns:Publish", arn, True)}


def test_an_action_that_is_none_lets_nobody_send_a_batch(emulator: Emulator) -> None:
    url = emulator.endpoint.client("sqs").create_queue(QueueName="no-batches")["QueueUrl"]
    clerk = _as_role(emulator, "mistaken", "sqs", allow("sqs:SendMessageBatch", Resource="*"))
    status, _ = _refused(lambda: clerk.send_message_batch(QueueUrl=url, Entries=_entry(MessageBody="one")))
    assert status == 403
    assert _asked(emulator, "mistaken") == {("sqs:SendMessage", f"arn:aws:sqs:{HERE}:no-batches", False)}


# Schedules.


def _schedule(name: str, target: str, role: str, **more: Any) -> dict[str, Any]:
    """What CreateSchedule asks for; the target gets the name."""
    return {
        "Name": name,
        "ScheduleExpression": AT_ONCE,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": target, "RoleArn": role, "Input": name},
        **more,
    }


def test_a_schedule_is_named_by_its_group(emulator: Emulator) -> None:
    """In the body of what makes and changes it, in the query of what reads and deletes it."""
    emulator.endpoint.client("scheduler").create_schedule_group(Name="nights")
    verbs = ("Create", "Update", "Get", "Delete")
    may = allow([f"scheduler:{verb}Schedule" for verb in verbs], Resource="*:schedule/nights/*")
    clerk = _as_role(emulator, "night-clerk", "scheduler", may)
    asked = _schedule(
        "one", f"arn:aws:sqs:{HERE}:none", f"arn:aws:iam::{ACCOUNT}:role/none", State="DISABLED"
    )
    clerk.create_schedule(**asked, GroupName="nights")
    clerk.update_schedule(**asked, GroupName="nights")
    assert clerk.get_schedule(Name="one", GroupName="nights")["GroupName"] == "nights"
    clerk.delete_schedule(Name="one", GroupName="nights")
    assert _refused(lambda: clerk.create_schedule(**asked))[0] == 403
    assert _refused(lambda: clerk.get_schedule(Name="one"))[0] == 403
    arn = f"arn:aws:scheduler:{HERE}:schedule"
    wanted = {(f"scheduler:{verb}Schedule", f"{arn}/nights/one", True) for verb in verbs}
    wanted |= {(f"scheduler:{verb}Schedule", f"{arn}/default/one", False) for verb in ("Create", "Get")}
    assert _asked(emulator, "night-clerk") == wanted


def _queue(emulator: Emulator, name: str) -> tuple[str, str]:
    """URL and ARN of a new queue that takes messages by TLS alone."""
    arn = f"arn:aws:sqs:{HERE}:{name}"
    by_tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    made = emulator.endpoint.client("sqs").create_queue(
        QueueName=name, Attributes={"Policy": json.dumps(policy(by_tls))}
    )
    return made["QueueUrl"], arn


def test_a_schedule_sends_what_its_role_may_and_nothing_else(emulator: Emulator) -> None:
    queues, schedules = emulator.endpoint.client("sqs"), emulator.endpoint.client("scheduler")
    closed, closed_arn = _queue(emulator, "closed")
    open_, open_arn = _queue(emulator, "open")
    role = create_role(emulator.endpoint, "sender", allow("sqs:SendMessage", Resource=open_arn))
    # They are fired in the order in which they were made: when the second has sent, the first was asked.
    schedules.create_schedule(**_schedule("refused", closed_arn, role))
    schedules.create_schedule(**_schedule("allowed", open_arn, role))
    [message] = eventually(
        lambda: queues.receive_message(QueueUrl=open_).get("Messages", []), "what the schedule sends"
    )
    assert message["Body"] == "allowed"
    assert "Messages" not in queues.receive_message(QueueUrl=closed)
    wanted = {("sqs:SendMessage", closed_arn, False), ("sqs:SendMessage", open_arn, True)}
    assert _asked(emulator, "sender") == wanted


TARGETS = {
    f"arn:aws:events:{HERE}:event-bus/default": "events:PutEvents",
    f"arn:aws:kinesis:{HERE}:stream/s": "kinesis:PutRecord",
    f"arn:aws:lambda:{HERE}:function:f": "lambda:InvokeFunction",
    f"arn:aws:sns:{HERE}:t": "sns:Publish",
    f"arn:aws:sqs:{HERE}:q": "sqs:SendMessage",
    f"arn:aws:states:{HERE}:stateMachine:m": "states:StartExecution",
}


def test_a_schedule_asks_for_what_its_kind_of_target_is_called_with(emulator: Emulator) -> None:
    role = create_role(emulator.endpoint, "nobody")
    for number, target in enumerate(TARGETS):
        emulator.endpoint.client("scheduler").create_schedule(**_schedule(f"kind-{number}", target, role))
    wanted = {(action, target, False) for target, action in TARGETS.items()}
    eventually(lambda: _asked(emulator, "nobody"), "that all were asked for", holds=lambda it: it == wanted)


def test_what_a_rule_sends_is_in_no_roles_name(emulator: Emulator) -> None:
    """Its queue's own policy lets it in, on AWS; only a schedule has a role that is asked for."""
    url, arn = _queue(emulator, "of-a-rule")
    events = emulator.endpoint.client("events")
    events.put_rule(Name="every", EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule="every", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "shop", "DetailType": "sold", "Detail": "{}"}])
    queues = emulator.endpoint.client("sqs")
    eventually(lambda: queues.receive_message(QueueUrl=url).get("Messages"), "what the rule sends")


@pytest.mark.fast
def test_that_a_role_may_be_passed_to_a_schedule_is_explained() -> None:
    made = Decision("Role", "scheduler:CreateSchedule", "*", True)
    passing = Grant("Role", "iam:PassRole", ("*",), via="scheduler")
    assert unplayed("Role", passing, [], [made]).kind == "explained"
    assert unplayed("Role", passing, [], []).kind == "unused"


# Objects that are not there.


@pytest.fixture(scope="module")
def bucket(emulator: Emulator) -> str:
    """A bucket with one object, `there`."""
    objects = emulator.endpoint.client("s3")
    objects.create_bucket(Bucket="archive")
    objects.put_object(Bucket="archive", Key="there", Body=b"it")
    return "archive"


def _reader(emulator: Emulator, role: str, bucket: str, *more: Statement) -> Any:
    may_read = allow("s3:GetObject", Resource=f"arn:aws:s3:::{bucket}/*")
    keys = session_keys(emulator.endpoint, create_role(emulator.endpoint, role, may_read, *more))
    make: Any = boto3.client
    return make(
        "s3",
        DEFAULT_REGION,
        endpoint_url=emulator.endpoint.url,
        verify=emulator.endpoint.ca_bundle,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        config=Config(signature_version="s3v4"),
    )


MAY_LIST: Mapping[str, tuple[int, str]] = {"GET": (404, "NoSuchKey"), "HEAD": (404, "404")}
MAY_NOT: Mapping[str, tuple[int, str]] = {"GET": (403, "AccessDenied"), "HEAD": (403, "403")}


@pytest.mark.parametrize(("may_list", "said"), [(True, MAY_LIST), (False, MAY_NOT)])
def test_that_an_object_is_not_there_is_told_to_who_may_list(
    emulator: Emulator, http: Http, bucket: str, may_list: bool, said: Mapping[str, tuple[int, str]]
) -> None:
    arn, role = f"arn:aws:s3:::{bucket}", f"reader-{may_list}"
    listing = [allow("s3:ListBucket", Resource=arn)] if may_list else []
    reader = _reader(emulator, role, bucket, *listing)
    assert reader.get_object(Bucket=bucket, Key="there")["Body"].read() == b"it"
    assert ("s3:ListBucket", arn, may_list) not in _asked(emulator, role), "nothing is missing yet"
    missing = {"Bucket": bucket, "Key": "not/there"}
    assert _refused(lambda: reader.get_object(**missing)) == said["GET"]
    assert ("s3:ListBucket", arn, may_list) in _asked(emulator, role)
    assert _refused(lambda: reader.head_object(**missing)) == said["HEAD"]
    presigned = http.get(reader.generate_presigned_url("get_object", Params=missing))
    assert presigned.status == said["GET"][0]
    assert f"<Code>{said['GET'][1]}</Code>" in presigned.text


def test_each_way_to_ask_for_an_object_that_is_not_there_is_written_down(
    emulator: Emulator, http: Http, bucket: str
) -> None:
    missing, arn = {"Bucket": bucket, "Key": "not/there"}, f"arn:aws:s3:::{bucket}"
    ways: dict[str, Callable[[Any], object]] = {
        "by-get": lambda reader: _refused(lambda: reader.get_object(**missing)),
        "by-head": lambda reader: _refused(lambda: reader.head_object(**missing)),
        "by-url": lambda reader: http.get(reader.generate_presigned_url("get_object", Params=missing)),
    }
    for role, ask in ways.items():
        ask(_reader(emulator, role, bucket, allow("s3:ListBucket", Resource=arn)))
        assert ("s3:ListBucket", arn, True) in _asked(emulator, role), role


def test_root_is_told_that_an_object_is_not_there_and_is_not_asked(emulator: Emulator, bucket: str) -> None:
    before = len(emulator.decisions())
    objects = emulator.endpoint.client("s3")
    assert _refused(lambda: objects.get_object(Bucket=bucket, Key="not/there")) == MAY_LIST["GET"]
    assert _refused(lambda: objects.head_object(Bucket=bucket, Key="not/there")) == MAY_LIST["HEAD"]
    assert len(emulator.decisions()) == before


def test_everybody_may_be_let_read_and_still_not_be_told_what_is_not_there(
    emulator: Emulator, http: Http
) -> None:
    objects, arn = emulator.endpoint.client("s3"), "arn:aws:s3:::public"
    objects.create_bucket(Bucket="public")
    objects.delete_public_access_block(Bucket="public")
    reading = allow("s3:GetObject", Principal="*", Resource=f"{arn}/*")
    listing = allow("s3:ListBucket", Principal="*", Resource=arn)
    missing = f"{emulator.endpoint.url}/public/not/there"
    for statements, status in (((reading,), 403), ((reading, listing), 404)):
        objects.put_bucket_policy(Bucket="public", Policy=json.dumps(policy(*statements)))
        assert http.get(missing).status == status
