"""The offline AWS and the dry run around it: what it adds to MiniStack, and that nothing is ever left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.assemblies import changed
from tests.conftest import ROOT, Synthesized
from tests.offline import client_with, create_role, deployed, eventually, is_alive, session_keys
from tests.templates import allow
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.dryrun import grants, pipeline
from workbench.dryrun.control import CommandRefused, Control
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http
from workbench.dryrun.pipeline import Options, dry_run
from workbench.dryrun.world import Refusal, World
from workbench.errors import DryRunFailed, Misuse

BLUEPRINT = [sys.executable, "-m", "workbench"]
NAME = "url_shortener"


# What the gateway adds to MiniStack.


def test_it_listens_on_loopback_alone(emulator: Emulator) -> None:
    inodes = {
        line.split()[9]: line.split()[1]
        for table in ("tcp", "tcp6")
        for line in (Path(f"/proc/{emulator.pid}/net") / table).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    held = {
        os.readlink(each)[8:-1]
        for each in Path(f"/proc/{emulator.pid}/fd").iterdir()
        if "socket" in _link(each)
    }
    addresses = [address for inode, address in inodes.items() if inode in held]
    assert [int(address.split(":")[1], 16) for address in addresses] == [emulator.port]
    assert addresses[0].startswith("0100007F:")


def test_its_certificate_is_trusted_through_its_own_bundle_and_no_other(emulator: Emulator) -> None:
    import urllib3

    health = f"{emulator.endpoint.url}/_ministack/health"
    assert urllib3.PoolManager(ca_certs=emulator.endpoint.ca_bundle).request("GET", health).status == 200
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.PoolManager().request("GET", health, retries=False)


def test_every_decision_on_a_role_is_written_down(emulator: Emulator) -> None:
    role = create_role(emulator.endpoint, "some", allow("dynamodb:ListTables", Resource="*"))
    client = partial(client_with, session_keys(emulator.endpoint, role), emulator.endpoint)
    client("dynamodb").list_tables()
    with pytest.raises(Exception, match="AccessDenied"):
        client("sqs").list_queues()
    seen = [
        (each["action"], each["allowed"]) for each in emulator.decisions() if "/some/" in each["principal"]
    ]
    assert seen == [("dynamodb:ListTables", True), ("sqs:ListQueues", False)]


def test_it_knows_the_types_it_provisions(emulator: Emulator) -> None:
    known = emulator.known_types()
    assert "AWS::DynamoDB::Table" in known.provisioned
    assert "AWS::EC2::NatGateway" not in known.provisioned


def test_the_edge_keeps_a_response_as_its_cache_control_says(emulator: Emulator, http: Http) -> None:
    """A distribution in front of an HTTP API whose function counts its calls."""
    template = json.loads((Path(__file__).parent / "edge.template.json").read_text())
    with deployed(emulator.endpoint, "edge", template) as outputs:
        [edge] = outputs.values()
        first, second = http.get(f"{edge}/kept"), http.get(f"{edge}/kept")
        assert first.status == 200, first.text
        assert first.headers["x-cache"] == "Miss from cloudfront"
        assert second.headers["x-cache"] == "Hit from cloudfront"
        assert second.body == first.body
        assert http.get(f"{edge}/not-kept").headers["x-cache"] == "Miss from cloudfront"
        assert http.get(f"{edge}/not-kept").headers["x-cache"] == "Miss from cloudfront"
        assert http.get(f"{edge}/null-body").status == 204
        [group] = emulator.endpoint.client("logs").describe_log_groups()["logGroups"]
        logged = emulator.endpoint.client("logs").filter_log_events(logGroupName=group["logGroupName"])[
            "events"
        ]
        printed = [
            event["message"]
            for event in logged
            if not event["message"].startswith(("START", "END", "REPORT"))
        ]
        assert printed == ["call 1", "of /kept", "call 2", "of /not-kept", "call 3", "of /not-kept"]


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from workbench.dryrun.emulator import Emulator\n"
        "emulator = Emulator(pathlib.Path(sys.argv[1]))\n"
        "emulator.start(); emulator.wait_until_ready(); print(emulator.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not is_alive(pid), "the end of the offline AWS")


# The dry run.


def test_a_grant_taken_away_turns_the_play_red_and_is_named(
    synthesized: Synthesized, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly = synthesized(NAME, 1_000, "sandbox")
    broken = _without(assembly, tmp_path, "dynamodb:GetItem")
    monkeypatch.setattr(pipeline, "assembly_for", lambda *_: broken)
    report = dry_run(catalogue.find(NAME))
    assert not report.passed
    assert "dynamodb:GetItem" in {each.action for each in report.denied}
    [failed] = [step for step in report.steps if not step.passed]
    assert failed.error
    assert any("AccessDenied" in line for line in report.log), "the function's log says why"
    assert report.left_behind == []


def test_a_grant_that_nothing_needs_is_reported(synthesized: Synthesized) -> None:
    unneeded = grants.Grant("Role", "dynamodb:Scan", ("arn:aws:dynamodb:us-east-1:000000000000:table/t",))
    needed = grants.Grant("Role", "dynamodb:Get*", ("arn:aws:dynamodb:*:*:table/t",))
    used = [
        grants.Decision("Role", "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:000000000000:table/t", True)
    ]
    elsewhere = [
        grants.Decision("Role", "dynamodb:Scan", "arn:aws:dynamodb:us-east-1:000000000000:table/u", True)
    ]
    refused = [grants.Decision("Role", "dynamodb:Scan", unneeded.resources[0], False)]
    assert grants.unused([unneeded, needed], used + elsewhere + refused) == [unneeded]


def test_a_call_that_loses_its_grant_with_the_stack_is_no_refusal_and_one_that_never_had_it_is() -> None:
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/t"

    def put(role: str, allowed: bool) -> grants.Decision:
        return grants.Decision(role, "dynamodb:PutItem", table, allowed)

    going = [put("Had", allowed=False), put("HadNot", allowed=False)]
    held = [grants.Grant("Had", "dynamodb:PutItem", (f"{table}*",))]
    assert grants.unexpected_refusals([], [], going, held) == [put("HadNot", allowed=False)]
    assert grants.unexpected_refusals([going[0]], [], held=held) == [going[0]]
    announced = [Refusal("dynamodb:PutItem", table)]
    assert grants.unexpected_refusals([], announced, going) == []


def test_what_a_stack_leaves_behind_is_reported(
    synthesized: Synthesized, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = changed(synthesized(NAME, 1_000, "sandbox"), tmp_path, _retain_the_tables)
    monkeypatch.setattr(pipeline, "assembly_for", lambda *_: broken)
    monkeypatch.setattr(pipeline, "play", _play_nothing)
    report = dry_run(catalogue.find(NAME))
    assert [each.split()[0] for each in report.left_behind] == 4 * ["AWS::DynamoDB::Table"]
    assert all("$0.00 a month" in each for each in report.left_behind)


def test_a_stack_that_cannot_be_created_says_which_resource_and_why(
    synthesized: Synthesized, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_it(template: dict[str, Any]) -> None:
        template["Resources"]["Broken"] = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}}

    broken = changed(synthesized(NAME, 1_000, "sandbox"), tmp_path, break_it)
    monkeypatch.setattr(pipeline, "assembly_for", lambda *_: broken)
    with pytest.raises(DryRunFailed, match="Broken"):
        dry_run(catalogue.find(NAME))


def test_production_plays_too_and_what_it_keeps_is_named_with_its_price() -> None:
    """Its template is over the 51,200 bytes that a call may carry, and its data outlives it."""
    report = dry_run(catalogue.find(NAME), Options(stage="production"))
    assert [(step.name, step.error) for step in report.steps if not step.passed] == []
    kept = {each.split()[0] for each in report.left_behind}
    assert {"AWS::DynamoDB::Table", "AWS::Logs::LogGroup"} <= kept
    assert all("a month" in each for each in report.left_behind)
    assert report.passed, "production is to keep its data"


def test_a_call_that_the_offline_aws_refuses_is_said_in_one_line(
    synthesized: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "assembly_for", lambda *_: synthesized(NAME, 1_000, "sandbox").directory)

    def refuse(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "No", "Message": "x" * 10_000}}, "CreateStack")

    monkeypatch.setattr("workbench.dryrun.deploy.create", refuse)
    with pytest.raises(DryRunFailed, match="refused a call") as raised:
        dry_run(catalogue.find(NAME))
    assert len(str(raised.value)) < 600


def test_a_fault_that_our_own_offline_aws_does_not_make_fails_its_step_and_is_not_left_out(
    synthesized: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "assembly_for", lambda *_: synthesized(NAME, 1_000, "sandbox").directory)

    def late(_: Control, command: str, **__: Any) -> None:
        raise CommandRefused(f"{command}: timed out")

    def play(world: World) -> None:
        with world.step("answers"):
            pass
        with world.step("survives"), world.faults.region_cut_off("us-east-1"):
            pass

    monkeypatch.setattr(Control, "call", late)
    monkeypatch.setattr(f"stacks.{NAME}.scenario.play", play)
    report = dry_run(catalogue.find(NAME))
    assert [step.not_played for step in report.steps] == [None, None]
    assert "region/cut: timed out" in str(report.steps[-1].error)
    assert not report.passed


def test_a_type_that_the_offline_aws_lacks_is_skipped_by_name(
    synthesized: Synthesized, tmp_path: Path
) -> None:
    from workbench.dryrun.localise import KnownTypes, localise

    def add(template: dict[str, Any]) -> None:
        template["Resources"]["Nat"] = {"Type": "AWS::EC2::NatGateway", "Properties": {}}
        template["Resources"]["After"] = {"Type": "AWS::SNS::Topic", "DependsOn": ["Nat"]}
        template["Outputs"]["Gateway"] = {"Value": {"Ref": "Nat"}}

    [stack] = Assembly.load(changed(synthesized(NAME, 1_000, "sandbox"), tmp_path, add)).stacks
    types = frozenset(each.type for each in stack.resources.values()) - {"AWS::EC2::NatGateway"}
    localised = localise(stack, KnownTypes(types, {}))
    assert [(each.logical_id, each.type) for each in localised.skipped] == [("Nat", "AWS::EC2::NatGateway")]
    assert "Nat" not in json.dumps(localised.template)


# The command, as a person meets it.


def test_the_json_of_a_run_is_the_one_thing_on_stdout() -> None:
    answer = _run("dry-run", NAME, "--json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["name"] == NAME
    assert document["passed"] is True
    assert set(document) >= {
        "name", "passed", "seconds", "phases", "resources", "steps", "denied", "unused_grants", "left_behind"
    }  # fmt: skip
    assert set(document["resources"]) == {"total", "deployed", "through_api", "substituted", "skipped"}
    assert document["resources"]["total"] == document["resources"]["deployed"] > 0
    assert all(
        set(step) == {"name", "passed", "seconds", "error", "not_played"} for step in document["steps"]
    )
    assert document["seconds"] == pytest.approx(sum(document["phases"].values()), abs=0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_in_one_line_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    playing = lambda: _lines(tmp_path) > 3  # noqa: E731
    _interrupt(["dry-run", NAME], tmp_path, number, when=playing)


def test_an_interrupted_synthesis_ends_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    synthesizing = lambda: any(tmp_path.glob("blueprint-*")) and any(tmp_path.glob("jsii-kernel-*"))  # noqa: E731
    _interrupt(["cost", NAME], tmp_path, signal.SIGINT, when=synthesizing)


def _interrupt(command: list[str], temporary: Path, number: signal.Signals, when: Callable[[], bool]) -> None:
    """Send `number` to the whole process group, as a terminal does, once `when` holds."""
    run = subprocess.Popen(
        [*BLUEPRINT, *command],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    eventually(when, f"the moment to interrupt {command}", within=60)
    os.killpg(run.pid, number)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 1
    assert err.strip().splitlines() == [
        "blueprint: interrupted; what was started has been stopped and removed"
    ], err
    assert "Traceback" not in out
    assert list(temporary.iterdir()) == []
    assert _processes_mentioning(str(temporary)) == []


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        answer = _run("dry-run", NAME, "--port", str(holder.getsockname()[1]))
    assert answer.returncode == 2
    assert "cannot be used" in _one_line(answer)


def test_no_folder_for_temporary_files_is_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(Misuse, match="set TMPDIR"):
        dry_run(catalogue.find(NAME))


def test_an_aws_that_is_kept_can_be_talked_to_and_played_on_and_ends_when_told(tmp_path: Path) -> None:
    kept = _run("dry-run", NAME, "--keep", env={"TMPDIR": str(tmp_path)})
    assert kept.returncode == 0, kept.stderr
    exports = dict(
        part.split("=", 1)
        for line in kept.stdout.splitlines()
        if line.startswith("export ")
        for part in line.removeprefix("export ").split()
    )
    [pid] = [int(line.split()[1]) for line in kept.stdout.splitlines() if line.startswith("kill ")]
    try:
        assert _python(exports, "print(client.describe_stacks()['Stacks'][0]['StackName'])") == (
            "url-shortener-sandbox"
        )
        _python(exports, "client.delete_stack(StackName='url-shortener-sandbox')")
        elsewhere = _run("dry-run", NAME, "--json", "--endpoint", exports["AWS_ENDPOINT_URL"], env=exports)
        assert elsewhere.returncode == 0, elsewhere.stdout + elsewhere.stderr
        document = json.loads(elsewhere.stdout)
        assert document["passed"]
        assert document["left_behind"] == []
    finally:
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not is_alive(pid), "the end of the offline AWS")
    assert list(tmp_path.glob("blueprint-*")) == []


def test_an_endpoint_where_nothing_answers_is_said_in_one_line() -> None:
    answer = _run("dry-run", NAME, "--endpoint", "http://127.0.0.1:9")
    assert answer.returncode == 2
    assert "nothing like an AWS answers" in _one_line(answer)


# Helpers.


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _lines(folder: Path) -> int:
    return sum(len(file.read_text().splitlines()) for file in folder.glob("blueprint-*/aws/iam.jsonl"))


def _processes_mentioning(text: str) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                environment = (process / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in environment:
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return found


def _run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BLUEPRINT, *arguments],
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


def _python(env: dict[str, str], statement: str) -> str:
    """What a program with the stock SDK prints, that has nothing but the printed environment."""
    program = f"import boto3; client = boto3.client('cloudformation'); {statement}"
    answer = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def _one_line(answer: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in answer.stderr
    [line] = answer.stderr.strip().splitlines()
    return line


def _play_nothing(*arguments: Any) -> Any:
    from workbench.dryrun.world import World

    return World({}, lambda _: None, Http())


def _retain_the_tables(template: dict[str, Any]) -> None:
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            resource["DeletionPolicy"] = "Retain"


def _without(assembly: Assembly, folder: Path, action: str) -> Path:
    def take_away(template: dict[str, Any]) -> None:
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::IAM::Policy":
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    actions = (
                        statement["Action"]
                        if isinstance(statement["Action"], list)
                        else [statement["Action"]]
                    )
                    statement["Action"] = [each for each in actions if each != action] or [
                        "sts:GetCallerIdentity"
                    ]

    return changed(assembly, folder, take_away)
