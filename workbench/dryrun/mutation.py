"""Whether every grant is needed: each is taken away in turn, and the scenario must notice.

    synth → deploy → play → for each grant that was used: take it away, play, put it back → destroy

That the roles may do enough, the play shows; that they may do no more than that, this does. It is mutation
testing: a grant whose removal changes nothing is a survivor, and has to be removed or explained.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from workbench.assembly import Assembly, Stack
from workbench.blueprint import Blueprint
from workbench.dryrun import grants
from workbench.dryrun.control import Control
from workbench.dryrun.deploy import Deployed
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.grants import Decision, Grant
from workbench.dryrun.http import Http
from workbench.dryrun.pipeline import Options, Run, standing
from workbench.dryrun.report import Report
from workbench.dryrun.synthesis import assembly_for
from workbench.dryrun.world import Refusal, StepFailed, World, explain
from workbench.errors import DryRunFailed, Misuse
from workbench.review.closure import Missing, missing

Calls = list[list[Decision]]  # by the number of the stack whose roles made them
Kind = Literal["killed", "sole", "deployment", "explained", "unused", "survivor"]

REFUSED_WITHIN = 1.0  # seconds after a green play in which what it set off may still be refused


@dataclass(frozen=True)
class Verdict:
    """What became of one grant, and why.

    killed: without it the play turns red, in the step that `why` names; sole: the play made a call, named by `why`,
    that no other grant of its role allows, so that without it the call is refused, and nobody announced that;
    deployment: it is used as the stacks are made or destroyed, or as a program starts, and a replay does not do that
    again; explained: `why` is the reason; unused: no call needed it; survivor: without it the play is as green as
    with it.
    """

    role: str  # its construct, with the stack where there are several
    action: str
    resources: tuple[str, ...]
    kind: Kind
    why: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether somebody has to remove the grant, or explain it."""
        return self.kind in ("unused", "survivor")


@dataclass
class Proof:
    """What is known of the grants of a blueprint; `as_json` is the contract of `blueprint iam --json`."""

    name: str
    report: Report  # of the deployments
    missing: list[Missing] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    idle_explanations: list[str] = field(
        default_factory=list
    )  # "role, action" of entries that explain nothing

    @property
    def passed(self) -> bool:
        """Nothing is missing, every grant is needed or explained, and every explanation explains something."""
        findings = any(verdict.is_finding for verdict in self.verdicts)
        return not (self.missing or findings or self.idle_explanations)

    @property
    def counts(self) -> dict[str, int]:
        """How many grants have each verdict."""
        return dict(Counter(verdict.kind for verdict in self.verdicts))

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": self.passed,
            "seconds": round(self.report.seconds, 3),
            "missing": [{"resource": each.resource, "what": each.what} for each in self.missing],
            "counts": self.counts,
            "grants": [
                {
                    "role": each.role,
                    "action": each.action,
                    "resources": list(each.resources),
                    "verdict": each.kind,
                    "why": each.why,
                }
                for each in self.verdicts
            ],
            "idle_explanations": self.idle_explanations,
        }


@dataclass(frozen=True)
class Held:
    """Where a grant stands: the number of its stack, and in its policy the number of the statement."""

    stack: int
    role: str  # logical id
    policy: str
    statement: int
    action: str


def prove(
    blueprint: Blueprint, *, role: str = "*", options: Options | None = None, replays: int | None = None
) -> Proof:
    """Deploy `blueprint`, play it, and judge each grant of the roles whose name is like `role`.

    Each is taken away and the play played again, or only `replays` of them, the same in every run; of the others the
    log tells (`sole`), and where it cannot, they are played as well. A role's name is its construct's, or its logical
    id; `role` may hold `*`, `?` and `[…]`. Raises `DryRunFailed` when the scenario does not pass as things are, and
    `Misuse` when no role is meant.
    """
    options = options or Options()
    report = Report(blueprint.name, blueprint.title, blueprint.promise, options.stage)
    proof = Proof(blueprint.name, report)
    with tempfile.TemporaryDirectory(prefix="blueprint-", ignore_cleanup_errors=True) as folder:
        run = Run(blueprint, options, report, Path(folder))
        with run.phase("synth"):
            assembly = Assembly.load(assembly_for(blueprint, options.users, options.stage, run.scratch))
        meant = _roles(assembly, role)
        proof.missing = missing(assembly)
        proof.verdicts = _Trial(run, assembly, replays).verdicts(meant)
    if role == "*":
        proof.idle_explanations = idle_explanations(blueprint.name, proof.verdicts)
    return proof


def without(document: Mapping[str, Any], statement: int, action: str) -> dict[str, Any] | None:
    """A policy without `action` in the statement of that number; None when it has no statement then."""
    kept = []
    for number, each in enumerate(document["Statement"]):
        if number != statement:
            kept.append(each)
            continue
        listed = [each["Action"]] if isinstance(each["Action"], str) else each["Action"]
        if rest := [other for other in listed if other != action]:
            kept.append({**each, "Action": rest})
    return {**document, "Statement": kept} if kept else None


def unplayed(
    role: str,
    grant: Grant,
    outside: Sequence[Decision],
    played: Sequence[Decision] = (),
    *,
    blueprint: str = "",
) -> Verdict:
    """The verdict on a grant that no play used: what its stack's roles did `outside` of the plays, and in them."""
    if entry := grants.explanation(blueprint, role, grant.action):
        return Verdict(role, grant.action, grant.resources, "explained", grants.EXPLAINED[entry])
    if reason := grants.by_aws_itself(grant, [*outside, *played]):
        return Verdict(role, grant.action, grant.resources, "explained", reason)
    if used_in(grant, outside):
        return Verdict(role, grant.action, grant.resources, "deployment")
    return Verdict(role, grant.action, grant.resources, "unused")


def survived(blueprint: str, role: str, grant: Grant) -> Verdict:
    """The verdict on a grant without which the play is green: a survivor, where nothing explains it."""
    if entry := grants.explanation(blueprint, role, grant.action):
        return Verdict(role, grant.action, grant.resources, "explained", grants.EXPLAINED[entry])
    if reason := grants.by_aws_itself(grant, ()):
        return Verdict(role, grant.action, grant.resources, "explained", reason)
    return Verdict(role, grant.action, grant.resources, "survivor")


def idle_explanations(blueprint: str, verdicts: Sequence[Verdict]) -> list[str]:
    """The entries of `EXPLAINED` on this blueprint that explain no grant of it."""
    explained = [each for each in verdicts if each.kind == "explained"]
    at_work = {grants.explanation(blueprint, each.role, each.action) for each in explained}
    ours = [entry for entry in grants.EXPLAINED if entry[0].startswith(f"{blueprint}/")]
    return [", ".join(entry) for entry in ours if entry not in at_work]


def used_in(grant: Grant, decisions: Sequence[Decision]) -> bool:
    """Whether one of the calls was allowed and needed the grant."""
    return any(decision.allowed and grants.covers(grant, decision) for decision in decisions)


def sole(
    grant: Grant,
    others: Sequence[Grant],
    decisions: Sequence[Decision],
    announced: Sequence[Refusal] = (),
) -> Decision | None:
    """An allowed call that needed `grant`, for none of the role's `others` covers it; None where there is none.

    A call whose refusal the scenario has `announced` is passed over: refused, it would turn nothing red.
    """
    passed_over = {(each.action, each.resource) for each in announced}
    for decision in decisions:
        needed = decision.allowed and grants.covers(grant, decision)
        if not needed or (decision.action, decision.resource) in passed_over:
            continue
        if not any(grants.covers(other, decision) for other in others):
            return decision
    return None


def all_is_named(role: Mapping[str, Any], policies: Iterable[str]) -> bool:
    """Whether a role's `policies` name all that it may do, by action and resource.

    They do not where a policy is attached to it that AWS keeps, or where a statement says what it does not allow.
    """
    statements = [each for document in policies for each in json.loads(document)["Statement"]]
    exact = not any("NotAction" in each or "NotResource" in each for each in statements)
    return exact and not role.get("ManagedPolicyArns")


def _by_lot(held: Held) -> str:
    """An order that is nobody's choice, and the same in every run."""
    return hashlib.sha256(repr(held).encode()).hexdigest()


class _Trial:
    """What is known of the grants by now, over as many deployments as it takes.

    A deployment is played on again and again. Where it turns red and IAM refused nothing, that may be the trace
    of an earlier play: the grant is then tried on a new deployment. Red there too, and again without a refusal,
    it counts as killed, provided that a new deployment passes with it.
    """

    def __init__(self, run: Run, assembly: Assembly, replays: int | None) -> None:
        self._run = run
        self._assembly = assembly
        self._replays = replays
        self._found: dict[Held, Verdict] = {}
        self._once: set[str] = set()  # steps that only the first play on a deployment passes
        self._suspect: str | None = None  # the step that was red where that may be an earlier play's trace
        self._unproven = False  # whether a grant was killed without a refusal: the play must be green with it

    def verdicts(self, meant: set[tuple[int, str]]) -> list[Verdict]:
        """On every grant of the roles that are meant, in the order of the template."""
        left: list[Held] = []
        with self._deployed() as laboratory:
            began = laboratory.written()
            with self._run.phase("play"):
                laboratory.must_pass()
            held = [each for each in laboratory.held() if (each.stack, each.role) in meant]
            self._read_the_log(laboratory, held, laboratory.calls(slice(began, None)))
            # What a play set off may go on after it: the grants that were used are found anew each time.
            while not left and (used := self._used(laboratory, held, laboratory.calls(slice(began, None)))):
                left = self._work_off(laboratory, used)
            ended = laboratory.written()
        before, played, after = (
            laboratory.calls(part) for part in (slice(0, began), slice(began, ended), slice(ended, None))
        )
        while left or self._unproven:
            with self._deployed() as another:
                if self._unproven:
                    another.must_pass()
                    self._unproven = False
                left = self._work_off(another, left)
        return [
            self._found.get(each)
            or unplayed(
                laboratory.name_of(each),
                laboratory.grant(each),
                before[each.stack] + after[each.stack],
                played[each.stack],
                blueprint=self._run.blueprint.name,
            )
            for each in held
        ]

    def _used(self, laboratory: _Laboratory, held: Sequence[Held], calls: Calls) -> list[Held]:
        """The grants that some of the calls needed, and that are not judged yet."""
        return [
            each
            for each in held
            if each not in self._found and used_in(laboratory.grant(each), calls[each.stack])
        ]

    def _read_the_log(self, laboratory: _Laboratory, held: Sequence[Held], calls: Calls) -> None:
        """Judge the grants that are not to be replayed, as far as the log of the play can."""
        if self._replays is None:
            return
        used = self._used(laboratory, held, calls)
        for subject in sorted(used, key=_by_lot)[self._replays :]:
            if not laboratory.all_is_named(subject):
                continue
            grant = laboratory.grant(subject)
            others = [
                laboratory.grant(each)
                for each in laboratory.held()
                if each != subject and (each.stack, each.role) == (subject.stack, subject.role)
            ]
            if call := sole(grant, others, calls[subject.stack], laboratory.announced):
                why = f"{call.action} on {call.resource}"
                name = laboratory.name_of(subject)
                self._found[subject] = Verdict(name, grant.action, grant.resources, "sole", why)

    @contextmanager
    def _deployed(self) -> Iterator[_Laboratory]:
        """On an offline AWS of its own, which knows nothing of earlier plays; its clients are its own, too."""
        run = Run(self._run.blueprint, self._run.options, self._run.report, self._run.scratch)
        with Emulator(Path(tempfile.mkdtemp(dir=run.scratch, prefix="aws-"))) as emulator:
            with run.phase("engines"):
                emulator.wait_until_ready()
            with standing(emulator.endpoint, run, self._assembly, emulator) as deployed:
                yield _Laboratory(run, emulator, self._assembly.stacks, deployed)

    def _work_off(self, laboratory: _Laboratory, waiting: list[Held]) -> list[Held]:
        """Judge grants until the deployment can tell no more; those that are left."""
        for place, subject in enumerate(waiting):
            name, grant, played = laboratory.name_of(subject), laboratory.grant(subject), laboratory.played
            count = len(self._found) + 1
            self._run.options.on_phase(
                f"{count} of {count + len(waiting) - place - 1}: {name} without {grant.action}"
            )
            with self._run.phase("mutate"):
                red, refused = laboratory.play_without(subject, self._once if played else set())
            if red and played and not refused:
                self._suspect = red
                return waiting[place:]
            if self._suspect and (refused or red != self._suspect):
                self._once.add(self._suspect)
            self._suspect = None
            if not red:
                self._found[subject] = survived(self._run.blueprint.name, name, grant)
                continue
            self._found[subject] = Verdict(name, grant.action, grant.resources, "killed", red)
            if not refused:
                self._unproven = True
                return waiting[place + 1 :]
        return []


class _Laboratory:
    """A deployed blueprint, whose grants are taken away and put back."""

    def __init__(
        self, run: Run, emulator: Emulator, stacks: Sequence[Stack], deployed: Sequence[Deployed]
    ) -> None:
        self.played = False
        self.announced: list[Refusal] = []  # by the play with every grant in place
        self._blueprint = run.blueprint.name
        self._emulator = emulator
        self._stacks = stacks
        self._deployed = deployed
        self._client = run.clients_at(emulator.endpoint)
        self._policies = [
            grants.policies_of(stack, standing_stack, self._client("iam", stack.region))
            for stack, standing_stack in zip(stacks, deployed, strict=True)
        ]
        self._grants = {
            Held(place, role, policy, number, grant.action): grant
            for place, policies in enumerate(self._policies)
            for (role, policy), document in policies.items()
            for number, statement in enumerate(json.loads(document)["Statement"])
            for grant in grants.grants_of({(role, policy): json.dumps({"Statement": [statement]})})
        }

    def held(self) -> list[Held]:
        """Every grant of every role, in the order of the template."""
        return list(self._grants)

    def grant(self, held: Held) -> Grant:
        """The grant, with the ARNs of this deployment."""
        return self._grants[held]

    def all_is_named(self, held: Held) -> bool:
        """Whether the policies that are known here are all that the grant's role has."""
        stack = self._stacks[held.stack]
        by_resource = any(each.type == "AWS::IAM::ManagedPolicy" for each in stack.resources.values())
        policies = self._policies[held.stack]
        documents = [document for (role, _), document in policies.items() if role == held.role]
        return not by_resource and all_is_named(stack.resources[held.role].properties, documents)

    def name_of(self, held: Held) -> str:
        """The role's name in reports."""
        return _name(self._stacks, held.stack, held.role)

    def written(self) -> int:
        """How many decisions the log has by now."""
        return len(self._emulator.decisions())

    def calls(self, when: slice) -> Calls:
        """What the roles of each stack did, by the stack's number, in that part of the log."""
        recorded = self._emulator.decisions()[when]
        return [
            grants.decisions_of(stack, standing_stack, recorded)
            for stack, standing_stack in zip(self._stacks, self._deployed, strict=True)
        ]

    def must_pass(self) -> None:
        """Play with every grant in place. Raises `DryRunFailed` when that is not green."""
        log = _Log(self._emulator.iam_log)
        world, problem = self._play(lambda _: False)
        self.announced = world.expected_refusals
        for stack, standing_stack in zip(self._stacks, self._deployed, strict=True):
            decisions = grants.decisions_of(stack, standing_stack, log.written)
            for refused in grants.unexpected_refusals(decisions, world.expected_refusals):
                problem = problem or f"{refused.role} was refused {refused.action} on {refused.resource}"
        if problem:
            raise DryRunFailed(
                f"{self._blueprint} does not pass as it is, so taking grants away tells nothing: {problem}"
            )

    def play_without(self, held: Held, stop_at: set[str]) -> tuple[str | None, bool]:
        """The step that turns red without the grant, or None; and whether IAM refused what the grant is for.

        The play ends where a step of `stop_at` begins.
        """
        with self._taken_away(held):
            log = _Log(self._emulator.iam_log)
            refused = _Refused(self.grant(held), log, self._stacks[held.stack], self._deployed[held.stack])
            world, problem = self._play(lambda world: refused.seen(world) or _last_step(world) in stop_at)
            if problem is None:
                refused.wait(world)
        if refused.seen(world) or problem is not None:
            return _last_step(world), refused.seen(world)
        return None, False

    def _play(self, stop_when: Callable[[World], bool]) -> tuple[World, str | None]:
        """Play the scenario; what turned red first, or None."""
        self.played = True
        http, control = Http(self._emulator.endpoint), Control(self._emulator.endpoint)
        world = World(
            {name: value for stack in self._deployed for name, value in stack.outputs.items()},
            lambda service: self._client(service, self._deployed[0].region),
            http,
            control=control,
            stop_when=lambda: stop_when(world),
        )
        try:
            importlib.import_module(f"stacks.{self._blueprint}.scenario").play(world)
        except StepFailed:
            return world, f"{world.steps[-1].name}: {world.steps[-1].error}"
        except Exception as problem:
            return world, f"between the steps: {explain(problem)}"
        finally:
            http.close()
            control.close()
        return world, None

    @contextmanager
    def _taken_away(self, held: Held) -> Iterator[None]:
        iam = self._client("iam", self._stacks[held.stack].region)
        role = self._deployed[held.stack].physical_ids[held.role]
        before = self._policies[held.stack][held.role, held.policy]
        after = without(json.loads(before), held.statement, held.action)
        if after is None:
            iam.delete_role_policy(RoleName=role, PolicyName=held.policy)
        else:
            iam.put_role_policy(RoleName=role, PolicyName=held.policy, PolicyDocument=json.dumps(after))
        self._forget(held, role)
        try:
            yield
        finally:
            iam.put_role_policy(RoleName=role, PolicyName=held.policy, PolicyDocument=before)
            self._forget(held, role)

    def _forget(self, held: Held, role: str) -> None:
        """Let nobody go by what an earlier policy allowed: neither functions that are warm nor open connections."""
        control = Control(self._emulator.endpoint)
        functions = self._client("lambda", self._stacks[held.stack].region)
        for page in functions.get_paginator("list_functions").paginate():
            for each in page["Functions"]:
                if each["Role"].endswith(f"/{role}") and each["Runtime"].startswith("python"):
                    # Its clock is set to what it is: that takes new processes, and lets those that run end first.
                    fault = control.call("clock/shift", function=each["FunctionArn"], seconds=0)["fault"]
                    control.call("faults/end", fault=fault)
        if held.action.startswith("kafka-cluster:"):  # which Kafka asks for once a connection
            for name, cluster in control.call("kafka/list").items():
                for broker in cluster["up"]:
                    control.call("kafka/stop_broker", name=name, broker=broker)
                    control.call("kafka/start_broker", name=name, broker=broker)
        control.close()


def _last_step(world: World) -> str:
    return world.steps[-1].name if world.steps else "before the first step"


class _Log:
    """What is written to the IAM log from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = file.stat().st_size
        self._written: list[dict[str, Any]] = []

    @property
    def written(self) -> list[dict[str, Any]]:
        """Every decision since; a line that is being written comes the next time."""
        with open(self._file, "rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._written += [json.loads(line) for line in whole.splitlines()]
        return self._written


class _Refused:
    """Whether a grant that was taken away was missed: a call that needs it was refused, unannounced."""

    def __init__(self, grant: Grant, log: _Log, stack: Stack, deployed: Deployed) -> None:
        self._grant = grant
        self._log = log
        self._stack = stack
        self._deployed = deployed
        self._seen = False

    def seen(self, world: World) -> bool:
        """Whether it has been by now. A refusal counts that was announced only after it."""
        if not self._seen:
            decisions = grants.decisions_of(self._stack, self._deployed, self._log.written)
            refused = grants.unexpected_refusals(decisions, world.expected_refusals)
            self._seen = any(grants.covers(self._grant, decision) for decision in refused)
        return self._seen

    def wait(self, world: World) -> None:
        """Give what the play set off a moment to be refused."""
        until = time.monotonic() + REFUSED_WITHIN
        while not self.seen(world) and time.monotonic() < until:
            time.sleep(0.05)


def _roles(assembly: Assembly, pattern: str) -> set[tuple[int, str]]:
    """(number of the stack, logical id) of each role that is meant. Raises `Misuse` when there is none."""
    named = {
        (place, logical_id): _name(assembly.stacks, place, logical_id)
        for place, stack in enumerate(assembly.stacks)
        for logical_id, resource in stack.resources.items()
        if resource.type == "AWS::IAM::Role"
    }
    meant = {key for key, name in named.items() if fnmatchcase(name, pattern) or fnmatchcase(key[1], pattern)}
    if not meant:
        raise Misuse(f"no role is like {pattern}; there are: {', '.join(sorted(named.values())) or 'none'}")
    return meant


def _name(stacks: Sequence[Stack], place: int, role: str) -> str:
    stack = stacks[place]
    name = stack.resources[role].name
    return f"{stack.name}/{name}" if len(stacks) > 1 else name
