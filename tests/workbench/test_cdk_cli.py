"""The stock CDK command line against the offline AWS: `cdk bootstrap`, `diff`, `deploy` and `destroy`, as typed.

Each fixture is a step of one story that follows on the one before it, and keeps what was to be seen then; the
tests say what must have been. Nothing of the user's is read, and nothing outside the machine is asked.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stacks.url_shortener.scenario import Shortener
from tests.conftest import ROOT
from workbench import catalogue
from workbench.assembly import DEFAULT_REGION, Assembly
from workbench.dryrun import control, deploy, inventory, pipeline
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http, Response
from workbench.dryrun.report import Report
from workbench.dryrun.world import World
from workbench.node import use_supported_node

CDK = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
SYSTEM, STACK = "url_shortener", "url-shortener-sandbox"
FOUNDATIONS, FOUNDATIONS_STACK = "aws_foundations", "aws-foundations-sandbox"
TOOLKIT = "CDKToolkit"
TARGET = "https://example.com/made-before-the-update"
WITHIN = 120.0  # seconds for one command; it takes two, or eight with a synthesis, on a machine at rest
NOT_INHERITED = re.compile(r"^(AWS|CDK)_|_proxy$", re.IGNORECASE)

Client = Callable[[str], Any]
Names = set[tuple[str, str]]


class CommandLine:
    """`cdk("diff", …)`: the command as a person types it who follows what a kept dry run prints."""

    def __init__(self, emulator: Emulator, home: Path) -> None:
        self.home = home
        inherited = {name: value for name, value in os.environ.items() if not NOT_INHERITED.search(name)}
        told = [line for line in pipeline.how_to_talk_to(emulator, SYSTEM) if line.startswith("export ")]
        exported = dict(each.split("=", 1) for line in told for each in line.split()[1:])
        # Not configuration, and filled anew at each first synthesis: 200 MB, twenty seconds.
        cache_of_jsii = {
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache/aws/jsii/package-cache")
        }
        self._environment = {
            **cache_of_jsii,
            **inherited,
            **exported,
            "HOME": str(home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "true",
            "CDK_VALIDATION": "false",  # most of a synthesis; test_every_blueprint.py has it on
        }

    def __call__(self, *arguments: str) -> str:
        """Run it, and return what it printed. Raises `AssertionError`, with that, when it fails or takes too long."""
        typed = f"cdk {' '.join(arguments)}"
        command = subprocess.Popen(
            [use_supported_node(), str(CDK), *arguments, "--no-notices", "--no-color"],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that what it started, the app and jsii, can be ended with it
        )
        try:
            printed, _ = command.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(command.pid, signal.SIGKILL)
            printed, _ = command.communicate()
            raise AssertionError(f"{typed} took more than {WITHIN:.0f} s:\n{printed}") from None
        assert command.returncode == 0, f"{typed} ended with {command.returncode}:\n{printed}"
        return printed


@dataclass(frozen=True)
class Shown:
    """A step: what the commands printed, and the stack that stood then."""

    printed: str
    status: str
    stack: deploy.Deployed
    events: list[dict[str, Any]]  # oldest first, as the command line sorts them


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Client:
    return cache(emulator.endpoint.client)


@pytest.fixture(scope="module")
def cdk(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(emulator, tmp_path_factory.mktemp("home"))


def shown(client: Client, stack: str, printed: str) -> Shown:
    cloudformation = client("cloudformation")
    status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    return Shown(
        printed,
        status,
        deploy.describe(cloudformation, stack, DEFAULT_REGION),
        sorted(events, key=lambda event: event["Timestamp"]),
    )


def names_of_stacks(client: Client) -> list[str]:
    return [stack["StackName"] for stack in client("cloudformation").describe_stacks()["Stacks"]]


def standing(client: Client, assembly: Path) -> Names:
    """What stands in the account, of the types in `assembly`."""
    types = frozenset(resource.type for resource in Assembly.load(assembly).resources)
    return inventory.take(lambda service, _: client(service), DEFAULT_REGION, types)


# cdk bootstrap


@pytest.fixture(scope="module")
def assembly(cdk: CommandLine) -> Path:
    """Where `bootstrap` puts the assembly that it has the app synthesize, for the commands that follow."""
    return cdk.home / "assembly"


@pytest.fixture(scope="module")
def bootstrapped(cdk: CommandLine, client: Client, assembly: Path) -> Shown:
    return shown(client, TOOLKIT, cdk("bootstrap", "-c", f"blueprint={SYSTEM}", "--output", str(assembly)))


def test_bootstrap_makes_the_toolkit_with_its_bucket_and_its_roles(
    bootstrapped: Shown, client: Client
) -> None:
    assert bootstrapped.status == "CREATE_COMPLETE"
    bucket = bootstrapped.stack.outputs["BucketName"]
    assert bucket in {each["Name"] for each in client("s3").list_buckets()["Buckets"]}
    assert len([name for name in bootstrapped.stack.physical_ids if name.endswith("Role")]) == 5


# cdk diff, before there is anything


@pytest.fixture(scope="module")
def before(bootstrapped: Shown, cdk: CommandLine, client: Client, assembly: Path) -> tuple[str, Names]:
    """What the first `diff` printed, and what stood before the system was deployed."""
    return cdk("diff", "--app", str(assembly)), standing(client, assembly)


def test_diff_shows_every_resource_as_new_and_makes_none(before: tuple[str, Names], assembly: Path) -> None:
    printed, stood = before
    new = re.findall(r"^\[\+\] AWS::\S+ .* (\w+)$", printed, re.MULTILINE)
    assert set(new) == {resource.logical_id for resource in Assembly.load(assembly).resources}
    assert not [name for _, name in stood if STACK in name]


# cdk deploy


@pytest.fixture(scope="module")
def deployed(before: tuple[str, Names], cdk: CommandLine, client: Client, assembly: Path) -> Shown:
    return shown(client, STACK, cdk("deploy", "--app", str(assembly), "--require-approval", "never"))


def play(
    system: str, stack: deploy.Deployed, client: Client, http: Http, reached: control.Control | None = None
) -> Report:
    """Play the scenario; without `reached` as against AWS, where the faults cannot be made."""
    blueprint = catalogue.find(system)
    report = Report(blueprint.name, blueprint.title, blueprint.promise)
    pipeline.play(blueprint, stack.outputs, client, http, report, lambda _: None, reached)
    return report


def failed(report: Report) -> list[str]:
    return [f"{step.name}: {step.error}" for step in report.steps if step.failed]


@pytest.fixture(scope="module")
def played(deployed: Shown, emulator: Emulator, client: Client, http: Http) -> Report:
    reached = control.reach(emulator.endpoint)
    assert reached is not None
    try:
        return play(SYSTEM, deployed.stack, client, http, reached)
    finally:
        reached.close()


@pytest.fixture(scope="module")
def played_without_faults(played: Report, deployed: Shown, client: Client, http: Http) -> Report:
    return play(SYSTEM, deployed.stack, client, http)


@pytest.fixture(scope="module")
def diff_when_deployed(deployed: Shown, cdk: CommandLine, assembly: Path) -> str:
    return cdk("diff", "--app", str(assembly))


def test_deploy_creates_the_stack_and_prints_its_outputs(deployed: Shown) -> None:
    assert deployed.status == "CREATE_COMPLETE"
    assert {"Url", "ClientId"} <= deployed.stack.outputs.keys()
    for name, value in deployed.stack.outputs.items():
        assert f"{STACK}.{name} = {value}" in deployed.printed


def test_the_assembly_is_deployed_as_it_is(deployed: Shown, assembly: Path) -> None:
    [stack] = Assembly.load(assembly).stacks
    assert deployed.stack.physical_ids.keys() == stack.resources.keys()


def test_every_call_of_a_deployment_is_made_and_allowed_under_a_role_of_the_toolkit(
    deployed: Shown, emulator: Emulator
) -> None:
    decided = [each for each in emulator.decisions() if ":assumed-role/cdk-" in each["principal"]]
    assert [each for each in decided if not each["allowed"]] == []
    assert "Proceeding" not in deployed.printed  # with the caller's own credentials, where a role will not do
    done = {(each["principal"].split("-role-")[0].rpartition("-")[2], each["action"]) for each in decided}
    assert {("publishing", "s3:PutObject"), ("deploy", "cloudformation:ExecuteChangeSet")} <= done


def test_the_events_are_shown_in_the_order_in_which_they_happened(deployed: Shown) -> None:
    assert all(one["Timestamp"] < other["Timestamp"] for one, other in pairwise(deployed.events))
    seen: dict[str, list[str]] = {}
    for event in deployed.events:
        seen.setdefault(event["LogicalResourceId"], []).append(event["ResourceStatus"])
    created = ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    assert {name: states[-2:] for name, states in seen.items()} == dict.fromkeys(seen, created)
    lines = [line for line in deployed.printed.splitlines() if "_COMPLETE " in line]
    assert lines[-1].split("|")[4].split()[0] == "AWS::CloudFormation::Stack"


def test_the_scenario_passes_on_what_the_command_line_deployed(played: Report) -> None:
    assert failed(played) == []
    assert all(step.passed for step in played.steps)
    assert len(played.steps) > 10


def test_the_scenario_passes_as_on_aws_where_only_faults_of_aws_itself_can_be_made(
    played_without_faults: Report,
) -> None:
    assert failed(played_without_faults) == []
    assert all(step.passed for step in played_without_faults.steps)  # it has no others


def test_diff_finds_no_difference_to_what_it_deployed(diff_when_deployed: str) -> None:
    assert "There were no differences" in diff_when_deployed
    assert "Number of stacks with differences: 0" in diff_when_deployed


# cdk deploy, for more users


@pytest.fixture(scope="module")
def link(played: Report, deployed: Shown, client: Client, http: Http) -> str:
    """Where a link stands that was made before the update."""
    shortener = Shortener(World(deployed.stack.outputs, client, http))
    shortener.sign_in("owner-of-an-old-link")
    answer = shortener.post_link({"url": TARGET})
    assert answer.status == 201, answer.text
    return f"{shortener.url}/{answer.json()['code']}"


@pytest.fixture(scope="module")
def updated(link: str, diff_when_deployed: str, cdk: CommandLine, client: Client) -> Shown:
    larger = ("-c", f"blueprint={SYSTEM}", "-c", "users=20000", "--output", str(cdk.home / "larger"))
    return shown(client, STACK, cdk("deploy", *larger, "--require-approval", "never"))


@pytest.fixture(scope="module")
def followed(updated: Shown, link: str, http: Http) -> Response:
    return http.get(link)


def test_a_deployment_for_more_users_updates_the_stack_in_place(updated: Shown, deployed: Shown) -> None:
    assert updated.status == "UPDATE_COMPLETE"
    assert updated.stack.outputs == deployed.stack.outputs
    assert updated.stack.physical_ids == deployed.stack.physical_ids


def test_the_update_brings_what_more_users_need(updated: Shown, client: Client, cdk: CommandLine) -> None:
    [stack] = Assembly.load(cdk.home / "larger").stacks
    template = client("cloudformation").get_template(StackName=updated.stack.name)["TemplateBody"]
    assert template == stack.template


def test_an_update_keeps_the_data(followed: Response) -> None:
    assert (followed.status, followed.headers.get("location")) == (302, TARGET)


# cdk destroy


@pytest.fixture(scope="module")
def destroyed(followed: Response, cdk: CommandLine, assembly: Path) -> str:
    return cdk("destroy", "--app", str(assembly), "--force")


def test_destroy_leaves_nothing_but_the_toolkit(
    destroyed: str, before: tuple[str, Names], client: Client, assembly: Path
) -> None:
    assert f"{STACK}: destroyed" in destroyed
    assert STACK not in names_of_stacks(client)
    assert TOOLKIT in names_of_stacks(client)
    assert standing(client, assembly) == before[1]


# The foundations: servers, programs and custom resources besides, in one deployment.


@pytest.fixture(scope="module")
def foundations(destroyed: str, cdk: CommandLine, client: Client, http: Http) -> tuple[Shown, Report, str]:
    """The stack as it stood once deployed, its play without faults, and what `destroy` printed after that."""
    assembly = cdk.home / "foundations"
    chosen = ("-c", f"blueprint={FOUNDATIONS}", "--output", str(assembly))
    printed = cdk("deploy", *chosen, "--require-approval", "never")
    deployed = shown(client, FOUNDATIONS_STACK, printed)
    report = play(FOUNDATIONS, deployed.stack, client, http)
    return deployed, report, cdk("destroy", "--app", str(assembly), "--force")


def test_the_foundations_are_deployed_and_destroyed_as_they_are(
    foundations: tuple[Shown, Report, str], cdk: CommandLine, client: Client
) -> None:
    deployed, _, destroyed = foundations
    [stack] = Assembly.load(cdk.home / "foundations").stacks
    assert deployed.status == "CREATE_COMPLETE"
    assert deployed.stack.physical_ids.keys() == stack.resources.keys()
    assert f"{FOUNDATIONS_STACK}: destroyed" in destroyed
    assert names_of_stacks(client) == [TOOLKIT]


def test_the_foundations_pass_as_on_aws_where_only_faults_of_aws_itself_can_be_made(
    foundations: tuple[Shown, Report, str],
) -> None:
    _, report, _ = foundations
    assert failed(report) == []
    left_out = [step.name for step in report.steps if step.not_played]
    assert 0 < len(left_out) < len(report.steps) / 3
