"""The dry run, stage by stage:

    synth → localise → start engines → deploy → play → destroy → report

The offline AWS starts while the app is synthesized. Whatever happens, Ctrl-C included, what was started is
ended and the scratch folder is gone afterwards.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench import catalogue
from workbench.assembly import DEFAULT_REGION, Assembly, Stack
from workbench.blueprint import Blueprint, Stage
from workbench.dryrun import deploy, grants, inventory
from workbench.dryrun.control import Control, reach
from workbench.dryrun.emulator import Emulator, Endpoint, endpoint_at
from workbench.dryrun.http import Http
from workbench.dryrun.localise import Localised, localise
from workbench.dryrun.report import Report
from workbench.dryrun.synthesis import assembly_for
from workbench.dryrun.world import Step, StepFailed, World, explain
from workbench.errors import DryRunFailed, Misuse, NotPriced

LOG_LINES_SHOWN = 30
LONGEST_REASON = 400  # some of AWS's errors quote a whole template


@dataclass(frozen=True)
class Options:
    """How to run. `on_phase` and `on_step` are told what begins and what ended, to show progress."""

    users: int = catalogue.DEFAULT_USERS
    stage: Stage = "sandbox"
    choices: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    keep: bool = False
    endpoint: Endpoint | None = None  # play there instead of starting an offline AWS
    on_phase: Callable[[str], None] = lambda _: None
    on_step: Callable[[Step], None] = lambda _: None


@dataclass
class Run:
    """A dry run in progress."""

    blueprint: Blueprint
    options: Options
    report: Report
    scratch: Path
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def clients_at(self, endpoint: Endpoint) -> Callable[[str, str], Any]:
        """`client(service, region)`, each made once. Making one takes longer than most calls."""

        def client(service: str, region: str) -> Any:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = endpoint.client(service, region)
            return self._clients[key]

        return client

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is inside as the phase `name`."""
        self.options.on_phase(name)
        started = time.monotonic()
        try:
            yield
        finally:
            self.report.phases[name] = self.report.phases.get(name, 0.0) + time.monotonic() - started


def dry_run(blueprint: Blueprint, options: Options | None = None) -> Report:
    """Play the scenario of `blueprint` on the offline AWS, and report.

    Raises `DryRunFailed` when the run could not get as far as the play, `Misuse` when it was asked for wrongly.
    """
    options = options or Options()
    report = Report(blueprint.name, blueprint.title, blueprint.promise, options.stage)
    with ExitStack() as ending:
        scratch = _folder()
        ending.callback(shutil.rmtree, scratch, ignore_errors=True)
        run = Run(blueprint, options, report, scratch)
        if options.endpoint is not None:
            _on(options.endpoint, run, _synthesize(run), emulator=None)
            return report
        emulator = _start(run, ending)
        assembly = _synthesize(run)
        with run.phase("engines"):
            _make_clients(run, emulator.endpoint, assembly)
            emulator.wait_until_ready()
        _on(emulator.endpoint, run, assembly, emulator)
        if options.keep:
            report.kept = how_to_talk_to(emulator, blueprint.name)
    return report


def _start(run: Run, ending: ExitStack) -> Emulator:
    """The offline AWS, starting. One that is kept has a folder of its own, which it removes when it ends."""
    home = _folder() if run.options.keep else run.scratch / "aws"
    home.mkdir(exist_ok=True)
    if run.options.keep:
        ending.push(lambda kind, *_: shutil.rmtree(home, ignore_errors=True) if kind else None)
    return ending.enter_context(Emulator(home, port=run.options.port, keep=run.options.keep))


def _synthesize(run: Run) -> Assembly:
    with run.phase("synth"):
        folder = assembly_for(
            run.blueprint, run.options.users, run.options.stage, run.scratch, run.options.choices
        )
        return Assembly.load(folder)


def _make_clients(run: Run, endpoint: Endpoint, assembly: Assembly) -> None:
    """Make the clients that the run will need, which takes its time, while the offline AWS starts."""
    client = run.clients_at(endpoint)
    types = frozenset(resource.type for resource in assembly.resources)
    for region in {stack.region for stack in assembly.stacks}:
        for service in {"cloudformation", "ssm", "s3", *inventory.services(types)}:
            client(service, region)


def _on(endpoint: Endpoint, run: Run, assembly: Assembly, emulator: Emulator | None) -> None:
    """Deploy, play and destroy at `endpoint`; `emulator` when it is our own."""
    report, client = run.report, run.clients_at(endpoint)
    granted: list[tuple[Stack, deploy.Deployed, list[grants.Grant]]] = []
    with standing(endpoint, run, assembly, emulator) as deployed:
        with run.phase("play"):
            # Our own is not asked whether it is: one that answers late would have its faults left out.
            control = Control(endpoint) if emulator else reach(endpoint)
            world = _play(run, deployed, client, endpoint, control)
        if emulator:
            played = len(emulator.decisions())
            for stack, standing_stack in zip(assembly.stacks, deployed, strict=True):
                policies = grants.policies_of(stack, standing_stack, client("iam", stack.region))
                report.policies |= {
                    f"{stack.name}/{role}/{name}": document for (role, name), document in policies.items()
                }
                granted.append((stack, standing_stack, grants.grants_of(policies)))
        if any(step.failed for step in report.steps):
            report.log = _last_log_lines(assembly, deployed, client, report.steps[-1].began)
    # Only now: some grants are used as a stack is made, or as it is destroyed.
    recorded = emulator.decisions() if emulator else []
    for stack, standing_stack, held in granted:
        decisions, going = (
            grants.decisions_of(stack, standing_stack, part)
            for part in (recorded[:played], recorded[played:])
        )
        report.denied += grants.unexpected_refusals(decisions, world.expected_refusals, going, held)
        report.unused_grants += [
            each
            for each in grants.unused(held, [*decisions, *going])
            if not grants.explanation(run.blueprint.name, stack.resources[each.role].name, each.action)
        ]


@contextmanager
def standing(
    endpoint: Endpoint, run: Run, assembly: Assembly, emulator: Emulator | None
) -> Iterator[list[deploy.Deployed]]:
    """The stacks of `assembly`, deployed at `endpoint`; destroyed afterwards, and what is left is reported.

    Raises `DryRunFailed` when AWS's emulation refuses a call of ours.
    """
    report, client = run.report, run.clients_at(endpoint)
    with run.phase("localise"):
        known = emulator.known_types() if emulator else None
        localised = {stack.artifact_id: localise(stack, known) for stack in assembly.stacks}
        _count(report, assembly, localised)
    regions = sorted({stack.region for stack in assembly.stacks})
    types = frozenset(resource.type for resource in assembly.resources)
    assets = [asset for stack in assembly.stacks for asset in stack.assets]
    nothing: set[tuple[str, str]] = set()  # stands in an offline AWS of our own, which has just started
    before = {region: nothing if emulator else inventory.take(client, region, types) for region in regions}
    deployed: list[deploy.Deployed] = []
    undo = ExitStack()
    orderly = True
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with run.phase("deploy"):
            for region in regions:
                deploy.prepare(assets, client, region, undo)
            for stack in assembly.stacks:
                deploy.create(stack, localised[stack.artifact_id].template, client, deployed)
        yield deployed
    except (BotoCoreError, ClientError) as problem:
        raise DryRunFailed(
            f"the offline AWS refused a call of the dry run: {str(problem)[:LONGEST_REASON]}"
        ) from None
    except KeyboardInterrupt:
        orderly = emulator is None  # our own AWS is about to end, and everything in it
        raise
    finally:
        if orderly and run.options.keep:
            undo.close()  # the stacks alone are left up: what else a deployment needs, `cdk bootstrap` brings
        elif orderly:
            with run.phase("destroy"):
                _destroy(report, deployed, client)
                undo.close()
                for region in regions:
                    left = inventory.take(client, region, types) - before[region]
                    report.left_behind += [
                        _left(kind, name, assembly, deployed) for kind, name in sorted(left)
                    ]


def _play(
    run: Run,
    deployed: list[deploy.Deployed],
    client: Callable[[str, str], Any],
    endpoint: Endpoint,
    control: Control | None,
) -> World:
    http = Http(endpoint)
    try:
        return play(
            run.blueprint,
            {name: value for stack in deployed for name, value in stack.outputs.items()},
            lambda service: client(service, deployed[0].region),
            http,
            run.report,
            run.options.on_step,
            control,
        )
    finally:
        http.close()
        if control is not None:
            control.close()


def play(
    blueprint: Blueprint,
    outputs: dict[str, str],
    client: Callable[[str], Any],
    http: Http,
    report: Report,
    on_step: Callable[[Step], None],
    control: Control | None = None,
) -> World:
    """Run the scenario of `blueprint` against a deployed system, and put its steps into `report`.

    `control` is the offline AWS's own, when the system is on one: it makes the faults that AWS cannot.
    """
    scenario = importlib.import_module(f"stacks.{blueprint.name}.scenario")
    world = World(outputs, client, http, on_step, control)
    report.steps = world.steps
    try:
        scenario.play(world)
    except StepFailed:
        pass  # the step holds what happened
    except Exception as problem:
        world.steps.append(Step("between the steps", error=explain(problem)))
    return world


def play_deployed(
    blueprint: Blueprint, stack_names: list[str], stage: Stage, on_step: Callable[[Step], None]
) -> Report:
    """Play the scenario against stacks that are deployed on AWS, with the shell's credentials and region.

    Without `stack_names`, the stacks are those that the blueprint deploys for `stage`. Raises `Misuse` when
    there are no credentials or no region, `DryRunFailed` when no such stack is deployed.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    report = Report(blueprint.name, blueprint.title, blueprint.promise, stage)
    make: Any = lru_cache(boto3.Session().client)
    started = time.monotonic()
    try:
        names = stack_names or _usual_names(blueprint, stage)
        deployed = [
            deploy.describe(make("cloudformation"), name, make("cloudformation").meta.region_name)
            for name in names
        ]
    except BotoCoreError as problem:
        raise Misuse(f"AWS cannot be asked: {problem}; set credentials and AWS_DEFAULT_REGION") from None
    offline = os.environ.get("AWS_ENDPOINT_URL")  # as a shell that talks to a kept offline AWS has it
    endpoint = endpoint_at(offline) if offline else None
    http, control = Http(endpoint), reach(endpoint) if endpoint else None
    try:
        outputs = {name: value for stack in deployed for name, value in stack.outputs.items()}
        play(blueprint, outputs, make, http, report, on_step, control)
    finally:
        http.close()
        if control is not None:
            control.close()
    report.phases["play"] = time.monotonic() - started
    return report


def _usual_names(blueprint: Blueprint, stage: Stage) -> list[str]:
    scratch = _folder()
    try:
        folder = assembly_for(blueprint, catalogue.DEFAULT_USERS, stage, scratch)
        return [stack.name for stack in Assembly.load(folder).stacks]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _destroy(report: Report, deployed: list[deploy.Deployed], client: Callable[[str, str], Any]) -> None:
    for stack in reversed(deployed):
        try:
            deploy.destroy(stack, client)
        except DryRunFailed as problem:
            report.left_behind.append(str(problem))


def _left(kind: str, name: str, assembly: Assembly, deployed: list[deploy.Deployed]) -> str:
    """What was left, with what it costs a month when nobody uses it."""
    from workbench.review import cost
    from workbench.review.numbers import dollars

    owned = {
        physical: stack.resources[logical_id].name
        for stack, standing in zip(assembly.stacks, deployed, strict=False)
        for logical_id, physical in standing.physical_ids.items()
        if logical_id in stack.resources
    }
    try:
        lines = cost.price(assembly, traffic=Decimal(0)).lines
    except NotPriced:
        return f"{kind} {name} (at a price that is not known)"
    monthly = sum((line.monthly_usd for line in lines if line.resource == owned.get(name)), Decimal(0))
    return f"{kind} {name} ({dollars(monthly)} a month while nobody uses it)"


def _count(report: Report, assembly: Assembly, localised: dict[str, Localised]) -> None:
    for stack in assembly.stacks:
        copy = localised[stack.artifact_id]
        report.total += len(stack.resources)
        report.substituted += copy.substituted
        report.skipped += copy.skipped
        report.through_api += copy.through_api
        report.notes += [note for note in copy.notes if note not in report.notes]


def _last_log_lines(
    assembly: Assembly, deployed: list[deploy.Deployed], client: Callable[[str, str], Any], since: float
) -> list[str]:
    """What the functions wrote since a step began, oldest first."""
    lines: list[tuple[int, str]] = []
    for stack, standing in zip(assembly.stacks, deployed, strict=False):
        logs = client("logs", stack.region)
        for resource in stack.resources.values():
            name = standing.physical_ids.get(resource.logical_id)
            if resource.type == "AWS::Logs::LogGroup" and name:
                found = logs.filter_log_events(logGroupName=name, startTime=int(since * 1000) - 1000)
                lines += [
                    (event["timestamp"], f"{resource.name}: {event['message'].rstrip()}")
                    for event in found["events"]
                ]
    return [line for _, line in sorted(lines)][-LOG_LINES_SHOWN:]


def how_to_talk_to(emulator: Emulator, name: str) -> list[str]:
    """The lines that a person types to use an offline AWS that was left up, with the blueprint `name`.

    The AWS command line and the CDK's read `AWS_CA_BUNDLE`; programs on Node.js that use the SDK do not.
    """
    url, ca = emulator.endpoint.url, emulator.endpoint.ca_bundle
    return [
        f"export AWS_ENDPOINT_URL={url} AWS_CA_BUNDLE={ca} NODE_EXTRA_CA_CERTS={ca}",
        f"export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={DEFAULT_REGION}",
        "aws cloudformation describe-stacks",
        f"npx cdk bootstrap -c blueprint={name}",
        f"npx cdk deploy -c blueprint={name}    # and diff, destroy",
        f"kill {emulator.pid}    # ends it, and removes its files",
    ]


def _folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="blueprint-"))
    except OSError as problem:
        raise Misuse(
            f"no folder for temporary files can be made ({problem.strerror}); set TMPDIR to one"
        ) from None
