"""Services that MiniStack lacks, answered by moto's server behind the same endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.offline import client_with, processes_of, user_keys
from tests.templates import allow
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator
from workbench.errors import Misuse
from workbench.offline.engines import moto
from workbench.offline.parts import elsewhere


def test_moto_is_started_by_the_first_request_that_needs_it_and_ends_with_the_emulator(
    tmp_path: Path,
) -> None:
    with Emulator(tmp_path) as emulator:
        emulator.wait_until_ready()
        group = emulator.pid
        emulator.endpoint.client("sqs").list_queues()
        assert _servers(group) == []
        sentiment = emulator.endpoint.client("comprehend").detect_sentiment(Text="Good.", LanguageCode="en")
        assert sentiment["Sentiment"] in ("POSITIVE", "NEGATIVE", "NEUTRAL", "MIXED")
        assert len(_servers(group)) == 1
        emulator.endpoint.client("polly").describe_voices()
        assert len(_servers(group)) == 1
    assert _servers(group) == []


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "key"),
    [
        (
            "application-autoscaling",
            "describe_scalable_targets",
            {"ServiceNamespace": "rds"},
            "ScalableTargets",
        ),  # JSON
        ("ivs", "list_channels", {}, "channels"),  # REST
        ("redshift", "describe_clusters", {}, "Clusters"),  # Query, in XML
        ("timestream-write", "describe_endpoints", {}, "Endpoints"),  # its name is not what it signs for
    ],
)
def test_services_of_each_protocol_work_through_the_one_endpoint(
    emulator: Emulator, service: str, operation: str, arguments: dict[str, Any], key: str
) -> None:
    assert key in getattr(emulator.endpoint.client(service), operation)(**arguments)


def test_what_is_made_there_is_found_there_by_an_escaped_path_and_in_its_account_alone(
    emulator: Emulator,
) -> None:
    client = emulator.endpoint.client("amp")
    arn = client.create_workspace(alias="metrics", tags={"team": "one"})["arn"]
    assert arn.split(":")[3:5] == ["us-east-1", "000000000000"]
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "one"}
    other = client_with(Credentials("123456789012", "test"), emulator.endpoint, "amp")
    assert other.list_workspaces()["workspaces"] == []
    assert [each["arn"] for each in client.list_workspaces()["workspaces"]] == [arn]


def test_the_caller_needs_the_permission_there_too(emulator: Emulator) -> None:
    channel = "arn:aws:ivs:us-east-1:000000000000:channel/*"
    allowed = _as_user(emulator, "viewer", "ivs", allow("ivs:ListChannels", Resource=channel))
    assert allowed.list_channels()["channels"] == []
    with pytest.raises(ClientError, match="not authorized to perform: ivs:CreateChannel") as refusal:
        allowed.create_channel(name="mine")
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
    decisions = [each for each in emulator.decisions() if each["principal"].endswith(":user/viewer")]
    assert [(each["action"], each["resource"], each["allowed"]) for each in decisions] == [
        ("ivs:ListChannels", channel, True),
        ("ivs:CreateChannel", "*", False),
    ]


def test_a_statement_that_does_not_hold_gives_no_permission_and_takes_none(emulator: Emulator) -> None:
    channel = "arn:aws:ivs:us-east-1:000000000000:channel/*"
    elsewhere_only = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    client = _as_user(
        emulator, "traveller", "ivs", allow("ivs:ListChannels", Resource=channel, Condition=elsewhere_only)
    )
    with pytest.raises(ClientError, match="not authorized to perform: ivs:ListChannels"):
        client.list_channels()
    document = {"Version": "2012-10-17", "Statement": allow("ivs:List*", Resource=f"{channel}-of-us")}
    emulator.endpoint.client("iam").put_user_policy(
        UserName="traveller", PolicyName="q", PolicyDocument=json.dumps(document)
    )
    assert client.list_channels()["channels"] == []


def test_a_refusal_speaks_the_protocol_of_the_service(emulator: Emulator) -> None:
    client = _as_user(emulator, "analyst", "redshift", allow("redshift:DescribeTags", Resource="*"))
    with pytest.raises(ClientError, match="not authorized to perform: redshift:DescribeClusters") as refusal:
        client.describe_clusters()
    assert refusal.value.response["Error"]["Code"] == "AccessDenied"


def test_nobody_gets_in_with_a_made_up_key(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        client_with(Credentials("AKIA" + "MADEUP", "made-up"), emulator.endpoint, "ivs").list_channels()


def test_an_operation_that_moto_lacks_is_refused_at_once_in_one_line(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="moto, which answers rekognition, does not offer this") as refusal:
        emulator.endpoint.client("rekognition").list_collections()
    answer = refusal.value.response["ResponseMetadata"]
    assert (answer["HTTPStatusCode"], answer["RetryAttempts"]) == (501, 0)


def test_a_service_of_mini_stack_stays_there_even_where_moto_has_it(control: Control) -> None:
    for service in ("sqs", "s3", "mediaconnect", "mediaconvert"):
        assert control.call("elsewhere/endpoint", service=service) == {"endpoint": None}


def test_a_service_that_neither_has_is_nobodys(emulator: Emulator, control: Control) -> None:
    # A pattern of moto's for S3 fits the address of Outposts, too; that makes it no S3 on Outposts.
    for service in ("s3-outposts", "appstream", "no-such-service"):
        assert control.call("elsewhere/endpoint", service=service) == {"endpoint": None}
    with pytest.raises(ClientError) as refusal:
        emulator.endpoint.client("appstream").describe_fleets()
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_programs_that_cannot_sign_are_told_where_moto_itself_answers(control: Control) -> None:
    first = control.call("elsewhere/endpoint", service="polly")["endpoint"]
    assert urlsplit(first).hostname == "127.0.0.1"
    assert control.call("elsewhere/endpoint", service="ivs")["endpoint"] == first


def test_where_moto_is_not_installed_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moto, "is_installed", lambda: False)
    with pytest.raises(Misuse, match=r"^moto is not installed: run `make setup-dev`$"):
        moto.url()
    status, headers, body = elsewhere._answer("rekognition", "POST", {}, b"")
    assert (status, headers["x-amzn-ErrorType"]) == (501, "NotImplemented")
    assert json.loads(body)["message"].endswith("moto is not installed: run `make setup-dev`")


def _as_user(emulator: Emulator, name: str, service: str, statement: dict[str, Any]) -> Any:
    return client_with(user_keys(emulator.endpoint, name, statement), emulator.endpoint, service)


def _servers(group: int) -> list[str]:
    """The moto servers in a process group."""
    return [line for line in processes_of(group) if "moto.server" in line]
