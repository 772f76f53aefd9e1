"""`blueprint iam`: that a grant which is needed is missed, and that one which is not is named."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stacks.url_shortener import scenario
from tests.assemblies import changed
from tests.conftest import Synthesized
from workbench import catalogue
from workbench.cli import iam, run
from workbench.dryrun import grants, mutation
from workbench.dryrun.grants import Decision, Grant
from workbench.dryrun.http import Http
from workbench.dryrun.mutation import (
    Proof,
    Verdict,
    all_is_named,
    idle_explanations,
    prove,
    sole,
    survived,
    unplayed,
    without,
)
from workbench.dryrun.report import Report
from workbench.dryrun.world import Refusal, StepFailed, World
from workbench.errors import DryRunFailed
from workbench.review.closure import Missing

NAME = "url_shortener"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/links"
READS = Grant("Role", "dynamodb:GetItem", (TABLE,))
REPORT = Report(NAME, "Shortener", "It holds.")
KILLED = Verdict("R", "a:Get", ("x",), "killed", "it [redirects]")

fast = pytest.mark.fast


# What is taken away.


@fast
def test_one_action_of_several_is_taken_out_of_its_statement_alone() -> None:
    first = {"Effect": "Allow", "Action": ["a:Get", "a:Put"], "Resource": "x"}
    second = {"Effect": "Allow", "Action": ["a:Get", "a:Put"], "Resource": "y"}
    document = {"Version": "2012-10-17", "Statement": [first, second]}
    assert without(document, 1, "a:Get") == {
        "Version": "2012-10-17",
        "Statement": [first, {"Effect": "Allow", "Action": ["a:Put"], "Resource": "y"}],
    }
    assert document["Statement"] == [first, second], "the document itself stays as it was"


@fast
@pytest.mark.parametrize("only", ["a:Get", ["a:Get"]])
def test_the_only_action_of_a_statement_takes_the_statement_with_it(only: str | list[str]) -> None:
    statement, other = {"Action": only}, {"Action": "a:Put"}
    assert without({"Statement": [statement, other]}, 0, "a:Get") == {"Statement": [other]}
    assert without({"Statement": [statement]}, 0, "a:Get") is None, "AWS takes no policy without a statement"


# What the log says of a grant that is not taken away.


@fast
def test_a_call_that_no_other_grant_allows_needs_the_one_that_does() -> None:
    call = Decision("Role", "dynamodb:GetItem", TABLE, True)
    other, wider = Grant("Role", "dynamodb:PutItem", (TABLE,)), Grant("Role", "dynamodb:GetItem", ("*",))
    assert sole(READS, [other], [call]) == call
    assert sole(READS, [other, wider], [call]) is None, "another grant lets it through as well"
    assert sole(READS, [], [Decision("Role", "dynamodb:GetItem", TABLE, False)]) is None, "it was refused"
    assert sole(READS, [], [Decision("Role", "dynamodb:PutItem", TABLE, True)]) is None
    assert sole(READS, [], []) is None


@fast
def test_a_call_whose_refusal_a_scenario_announces_would_turn_no_play_red_and_proves_nothing() -> None:
    call = Decision("Role", "dynamodb:GetItem", TABLE, True)
    assert sole(READS, [], [call], [Refusal("dynamodb:GetItem", TABLE)]) is None
    assert sole(READS, [], [call], [Refusal("dynamodb:PutItem", TABLE)]) == call
    unannounced = Decision("Role", "dynamodb:GetItem", TABLE + "/index/by_owner", True)
    wide = Grant("Role", "dynamodb:GetItem", ("*",))
    assert sole(wide, [], [call, unannounced], [Refusal("dynamodb:GetItem", TABLE)]) == unannounced


@fast
@pytest.mark.parametrize(
    ("role", "statement", "known"),
    [
        ({}, {"Action": "a:Get", "Resource": "x"}, True),
        ({"ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}, {"Action": "a:Get"}, False),
        ({}, {"NotAction": "a:Put", "Resource": "x"}, False),
        ({}, {"Action": "a:Get", "NotResource": "x"}, False),
    ],
    ids=["all named", "a policy of AWS's own", "all but some actions", "all but some resources"],
)
def test_the_log_is_read_only_where_all_that_a_role_may_do_is_named(
    role: dict[str, Any], statement: dict[str, Any], known: bool
) -> None:
    """Where it is not, something else may let the call through, and the grant has to be taken away."""
    document = json.dumps({"Statement": [{"Effect": "Allow", **statement}]})
    assert all_is_named(role, [document]) is known


# What is said of grants that no play used, and of those whose removal changed nothing.


@fast
def test_a_grant_that_is_used_outside_of_the_plays_is_the_deployments() -> None:
    allowed, refused = (Decision("Role", "dynamodb:GetItem", TABLE, verdict) for verdict in (True, False))
    assert unplayed("Role", READS, [allowed]).kind == "deployment"
    assert unplayed("Role", READS, [refused]).kind == "unused"
    assert unplayed("Role", READS, []).kind == "unused"
    assert unplayed("Role", READS, [Decision("Other", "dynamodb:GetItem", TABLE, True)]).kind == "unused"


@fast
def test_a_grant_that_aws_itself_uses_is_explained_by_how() -> None:
    verdict = unplayed("Role", Grant("Role", "logs:PutLogEvents", ("*",)), [])
    assert (verdict.kind, verdict.why) == ("explained", "Lambda writes the log")
    assert not verdict.is_finding


KEY = "arn:aws:kms:us-east-1:000000000000:key/1"
THROUGH = Grant("Role", "kms:Decrypt", (KEY,), via="dynamodb")


@fast
def test_a_key_that_a_service_may_use_is_explained_where_the_role_used_that_service() -> None:
    used, refused = (Decision("Role", "dynamodb:PutItem", TABLE, verdict) for verdict in (True, False))
    for verdict in (unplayed("Role", THROUGH, [used]), unplayed("Role", THROUGH, [], [used])):
        assert verdict.kind == "explained"
        assert "dynamodb asks for the key" in verdict.why
    assert unplayed("Role", THROUGH, [], []).kind == "unused"
    assert unplayed("Role", THROUGH, [], [refused]).kind == "unused"
    assert (
        unplayed("Role", THROUGH, [], [Decision("Other", "dynamodb:PutItem", TABLE, True)]).kind == "unused"
    )
    assert unplayed("Role", THROUGH, [], [Decision("Role", "s3:PutObject", "b/k", True)]).kind == "unused"
    by_itself = Grant("Role", "kms:Decrypt", (KEY,))
    assert unplayed("Role", by_itself, [], [used]).kind == "unused"


@fast
def test_a_grant_says_through_which_service_it_is() -> None:
    statement = {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": KEY}
    through = {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
    not_through = {"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    documents = [
        {"Statement": [{**statement, **({"Condition": each} if each else {})}]}
        for each in (through, not_through, {"Bool": {"aws:SecureTransport": "true"}}, None)
    ]
    found = [grants.grants_of({("Role", "p"): json.dumps(each)})[0] for each in documents]
    assert [each.via for each in found] == ["dynamodb", "", "", ""]
    used = Decision("Role", "dynamodb:GetItem", TABLE, True)
    assert grants.unused(found, [used]) == found[1:]


@fast
def test_that_a_role_may_be_passed_is_explained_where_it_was_passed_to_that_service_and_nowhere_else() -> (
    None
):
    """Who may pass a role may act as it: a grant of that is never excused for its name alone."""
    passing = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "arn:aws:iam::000000000000:role/sends",
    }
    to_schedules = {"Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}}
    bounded, unbounded = (
        grants.grants_of({("Role", "p"): json.dumps({"Statement": [each]})})[0]
        for each in ({**passing, **to_schedules}, passing)
    )
    made, sent = (
        Decision("Role", action, "*", True) for action in ("scheduler:CreateSchedule", "sqs:SendMessage")
    )
    verdict = unplayed("Role", bounded, [], [made])
    assert (verdict.kind, verdict.why) == (
        "explained",
        "the role is passed to scheduler; this AWS does not ask whether it may be",
    )
    assert unplayed("Role", bounded, [], [sent]).kind == "unused"
    assert unplayed("Role", unbounded, [], [made]).kind == "unused"
    assert grants.unused([bounded, unbounded], [made]) == [unbounded]


@fast
def test_a_survivor_is_a_finding_unless_it_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    assert survived("demo", "Api/Role", READS).is_finding
    entry = ("demo/Api/*", "dynamodb:Get*")
    monkeypatch.setitem(grants.EXPLAINED, entry, "it falls back to the cache")
    verdict = survived("demo", "Api/Role", READS)
    assert (verdict.kind, verdict.why) == ("explained", "it falls back to the cache")
    assert survived("demo", "Worker/Role", READS).is_finding
    assert survived("other", "Api/Role", READS).is_finding


@fast
def test_an_explanation_that_explains_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    used, idle, others = ("demo/Api/*", "a:Get"), ("demo/Api/*", "a:Put"), ("other/Api/*", "a:Get")
    for entry in (used, idle, others):
        monkeypatch.setitem(grants.EXPLAINED, entry, "a reason")
    verdicts = [
        survived("demo", "Api/Role", Grant("Role", "a:Get", ("x",))),
        Verdict("Api/Role", "a:Put", ("x",), "killed", "a step"),
    ]
    assert idle_explanations("demo", verdicts) == ["demo/Api/*, a:Put"]


@fast
@pytest.mark.parametrize(
    ("proof", "shown"),
    [
        (Proof(NAME, REPORT, verdicts=[KILLED, Verdict("R", "a:Scan", ("x",), "unused")]), "unused, on x"),
        (Proof(NAME, REPORT, verdicts=[Verdict("R", "a:List", ("x",), "survivor")]), "survivor, on x"),
        (Proof(NAME, REPORT, [Missing("Queue", "nobody may send")]), "missing: Queue: nobody may send"),
        (Proof(NAME, REPORT, idle_explanations=["R, a:Get"]), "explains nothing: R, a:Get"),
    ],
)
def test_each_kind_of_finding_is_enough_to_fail_and_is_shown(proof: Proof, shown: str) -> None:
    assert not proof.passed
    assert shown in _rendered(proof)


@fast
def test_grants_that_are_killed_explained_or_the_deployments_are_well() -> None:
    kinds = [
        KILLED,
        Verdict("R", "a:B", ("x",), "deployment"),
        Verdict("R", "a:C", ("x",), "explained", "AWS"),
    ]
    proof = Proof(NAME, REPORT, verdicts=kinds)
    assert proof.passed
    shown = _rendered(proof)
    assert "killed by “it [redirects]”" in shown
    assert "3 grants: 1 killed · 1 used by the deployment · 1 explained" in shown


# A play that has been seen enough of.


@fast
def test_a_play_stops_where_it_is_told_to_also_while_it_waits() -> None:
    answers = iter([False, False, False, True])  # the step begins, and is waited in, and is waited in
    world = World({}, lambda _: None, Http(), stop_when=lambda: next(answers))
    with pytest.raises(StepFailed), world.step("it waits"):
        world.eventually(lambda: False, within=60)
    assert world.steps[0].seconds < 5
    with pytest.raises(StepFailed), World({}, lambda _: None, Http(), stop_when=lambda: True).step("never"):
        pytest.fail("a play that is to stop begins no step")


# On the offline AWS, with a story that takes a second.


def test_without_any_grant_of_a_role_the_play_turns_red_also_where_a_deployment_lives_it_only_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the document that the command prints of it."""

    def once(world: World) -> None:
        with world.step("it is the first time"):
            queues, url = world.client("sqs"), world.outputs["ClickQueueUrl"]
            assert "played" not in queues.list_queue_tags(QueueUrl=url).get("Tags", {})
            queues.tag_queue(QueueUrl=url, Tags={"played": "yes"})
        _short_story(world)

    monkeypatch.setattr(scenario, "play", once)
    assert run(["iam", NAME, "--role", "Redirect*", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {
        "name", "passed", "seconds", "missing", "counts", "grants", "idle_explanations"
    }  # fmt: skip
    assert (document["name"], document["passed"], document["missing"]) == (NAME, True, [])
    assert document["counts"] == {"explained": 4, "killed": 2}
    assert {each["role"] for each in document["grants"]} == {"Redirect/Role"}
    killed = {each["action"]: each for each in document["grants"] if each["verdict"] == "killed"}
    assert killed.keys() == {"dynamodb:GetItem", "sqs:SendMessage"}
    assert set(killed["dynamodb:GetItem"]) == {"role", "action", "resources", "verdict", "why"}
    assert {each["why"] for each in killed.values()} == {"a link is made and redirects"}


def test_a_grant_that_is_not_needed_is_found(
    synthesized: Synthesized, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that no call needs, and two of which either would do."""
    broken = changed(synthesized(NAME, 1_000, "sandbox"), tmp_path, _grant_too_much)
    monkeypatch.setattr(mutation, "assembly_for", lambda *_: broken)
    monkeypatch.setattr(scenario, "play", _short_story)
    proof = prove(catalogue.find(NAME), role="RedirectRole*")
    assert not proof.passed
    found = sorted((each.action, each.kind) for each in proof.verdicts if each.kind != "explained")
    assert found == [
        ("dynamodb:GetItem", "survivor"),
        ("dynamodb:GetItem", "survivor"),
        ("dynamodb:Scan", "unused"),
        ("sqs:SendMessage", "killed"),
    ]
    assert proof.report.left_behind == []


def test_what_the_log_cannot_tell_is_replayed_though_no_replay_was_asked_for(
    synthesized: Synthesized, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two grants that allow the same call the log shows neither to be needed; without either all is green."""
    broken = changed(synthesized(NAME, 1_000, "sandbox"), tmp_path, _grant_too_much)
    monkeypatch.setattr(mutation, "assembly_for", lambda *_: broken)
    monkeypatch.setattr(scenario, "play", _short_story)
    proof = prove(catalogue.find(NAME), role="RedirectRole*", replays=0)
    found = sorted((each.action, each.kind) for each in proof.verdicts if each.kind != "explained")
    assert found == [
        ("dynamodb:GetItem", "survivor"),
        ("dynamodb:GetItem", "survivor"),
        ("dynamodb:Scan", "unused"),
        ("sqs:SendMessage", "sole"),
    ]
    [sends] = [each for each in proof.verdicts if each.kind == "sole"]
    assert sends.why.startswith("sqs:SendMessage on arn:aws:sqs:")


def test_a_scenario_that_turns_red_by_itself_kills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes once, and then neither without a grant nor, on a new deployment, with it."""
    plays = iter(range(10))

    def fail_later(world: World) -> None:
        with world.step("it holds"):
            assert next(plays) == 0
        _short_story(world)

    monkeypatch.setattr(scenario, "play", fail_later)
    with pytest.raises(DryRunFailed, match=r"url_shortener does not pass as it is.*: it holds: "):
        prove(catalogue.find(NAME), role="Redirect*")
    assert next(plays) == 4, "as it is, without a grant, that on a new deployment, and as it is on a third"


def test_a_role_that_is_not_there_is_misuse_and_those_that_are_get_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["iam", NAME, "--role", "Nobody*"]) == 2
    assert "there are: Count/Role, Manage/Role, Redirect/Role" in capsys.readouterr().err


def _short_story(world: World) -> None:
    shortener = scenario.Shortener(world)
    with world.step("a link is made and redirects"):
        shortener.sign_in("owner")
        made = shortener.post_link({"url": "https://example.com/"})
        assert made.status == 201
        assert shortener.follow(made.json()["code"]).status == 302


def _grant_too_much(template: dict[str, Any]) -> None:
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Policy" and logical_id.startswith("Redirect"):
            statements = resource["Properties"]["PolicyDocument"]["Statement"]
            [read] = [each for each in statements if each["Action"] == "dynamodb:GetItem"]
            statements.append({**read, "Action": ["dynamodb:GetItem", "dynamodb:Scan"]})


def _rendered(proof: Proof) -> str:
    console = Console(width=120, file=io.StringIO(), highlight=False)
    iam.render(proof, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
