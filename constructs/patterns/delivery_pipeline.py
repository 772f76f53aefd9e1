"""From a commit to production: tested, deployed to a sandbox, played there, approved, and shifted over by alarms."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aws_cdk import ArnFormat, Aws, Duration, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codeconnections as codeconnections
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.bucket import Bucket
from patterns.traffic import BucketTraffic, declare
from workbench.blueprint import Stage
from workbench.errors import Misuse
from workbench.workload import NEVER, SECONDS_PER_MONTH, Figure, Rate, gigabytes, total

QUALIFIER = "hnb659fds"  # of the CDK's own roles, unless an account was bootstrapped with another
# What the CDK's command line takes on to publish and to deploy; the role that CloudFormation works under is passed by
# the first of them ("Bootstrapping", CDK Developer Guide). Nothing is looked up, so that role is not needed.
CDK_ROLES = ("deploy", "file-publishing")
ARTIFACTS_KEPT_DAYS = 30
LONGEST_NAME = 32  # of a connection
LONGEST_BUILD = Duration.hours(3)  # a first deployment of databases, clusters and brokers takes most of one
# What the set-up takes: Python 3.11 or later, and a Node.js that jsii supports (tools/setup_environment.py).
IMAGE, RUNTIMES = "aws/codebuild/standard:8.0", {"python": "3.13", "nodejs": "22"}
ARM_IMAGE = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
BUILDS = ("Test", "Synth", "Deploy", "Scenario", "Destroy", "Release")
IMAGE_BUILDS = ("Image", "Push", "ReleasePush")  # besides, where there is a program
_NPM = "npm ci --ignore-scripts --no-audit --no-fund"
_AT_ONCE = Figure(Decimal(1), "1 at once")
_OBJECTS = Figure(Decimal(12), "12 artifacts a run, there and back")
_SOURCE_MINUTES = Figure(Decimal(1), "1 minute for the source")
_ARN = "arn:<AWS::Partition>"  # as nag writes it
_SIGNING_IN = "ecr:GetAuthorizationToken is asked of the registry, and takes no resource"


@dataclass(frozen=True)
class Operation:
    """What a scenario does with AWS beside speaking HTTP: `actions` on `resources`, and why as widely as that.

    `condition` is IAM's. A resource is the part of an ARN after the account ("table/chat-sandbox-*") with the
    `service` before it; "*" is for the few actions that take none.
    """

    service: str
    actions: tuple[str, ...]
    resource: str
    why: str
    condition: Mapping[str, Mapping[str, str | Sequence[str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """The image of long-lived programs: its Dockerfile, the folder that it is built in, from the project's root."""

    dockerfile: str
    folder: str = "."


class DeliveryPipeline(Construct):
    """Source → test → build → sandbox → approval → production, each from what the one before made.

    A push to `branch` of `repository` ("owner/name", else `Misuse`) starts it, over a connection that somebody
    confirms once in the console. Both stages are synthesized once, after the tests, and what was synthesized is what
    is deployed. One stage deploys the sandbox, plays the scenario against it by what `operations` allow, and destroys
    it: a stage has one execution at a time, so that no newer one changes the sandbox under a play. A sandbox that
    failed stays for whoever looks for the reason, till the next run goes on from it. With `keeps_sandbox` it always
    stays: that costs more than making it anew, unless runs are many, and never tries a first deployment. Nothing
    goes on without a person's word, for which there is `approved_within`; till then the stage is taken, and of newer
    commits the last waits before it. In production functions with a canary (`PythonFunction`) shift over, and go
    back on an alarm.

    The image of `program` is built once, under the commit's id as its tag, and pushed to the repository of the
    stack (`ImageRepository`) while the stack is deployed, for it is there long before what pulls from it.
    `context` is what both stages are synthesized with, `production_context` what only that is.

    `runs` is how often a commit goes through in a month, `minutes` what each of `BUILDS` takes, and with a program
    of `IMAGE_BUILDS`. Each has a role of its own; those that deploy may take on the CDK's bootstrapped roles, and
    nothing else. Attributes: `pipeline`, `connection`, `notices` (the topic that tells who is to approve, and what
    failed).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        repository: str,
        users: int,
        runs: Figure,
        minutes: Mapping[str, Figure],
        log_bytes: Figure,
        artifact_bytes: Figure,
        operations: Sequence[Operation],
        branch: str = "main",
        program: Program | None = None,
        sandbox_users: int = 1_000,
        context: Mapping[str, str] | None = None,
        production_context: Mapping[str, str] | None = None,
        keeps_sandbox: bool = False,
        approved_within: Duration | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self._system, self._runs, self._minutes = system, runs, minutes
        self._taken: list[Figure] = []
        self._artifacts = self._keep_artifacts(artifact_bytes)
        self._log = logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=stack.removal_policy)
        declare(self._log, ingested_gb_per_month=gigabytes(runs, log_bytes))
        self.notices = sns.Topic(self, "Notices", enforce_ssl=True)
        declare(self.notices, publishes_per_month=runs)
        self.connection = codeconnections.CfnConnection(
            self, "Connection", connection_name=_short(stack.stack_name), provider_type="GitHub"
        )

        sizes: dict[Stage, int] = {"sandbox": sandbox_users, "production": users}
        only = {"sandbox": {}, "production": production_context or {}}
        tag = {"image_tag": "$COMMIT"} if program else {}
        synth = [
            _synth(system, stage, sizes[stage], {**(context or {}), **only[stage]}, tag) for stage in sizes
        ]
        pushed = self._push if program else _nothing
        stages = [
            _stage("Source", _source(self.connection.attr_connection_arn, _checked(repository), branch)),
            _stage("Test", self._build("Test", ["make test"], machine="MEDIUM")),
            _stage(
                "Build",
                self._build("Synth", [_NPM, "make setup", *synth], makes="Assembly", machine="MEDIUM"),
                *([self._image(program)] if program else []),
            ),
            _stage(
                "Sandbox",
                self._deploy("sandbox", "Deploy"),
                *pushed("sandbox"),
                self._scenario(operations),
                *([] if keeps_sandbox else [self._destroy()]),
            ),
            _stage(
                "Approval", _approval(self.notices.topic_arn, system, approved_within or Duration.days(1))
            ),
            _stage("Production", self._deploy("production", "Release"), *pushed("production")),
        ]
        self.pipeline = self._run(stages, branch)
        self._tell_of_failures()

    # The pipeline, and what is around it.

    def _keep_artifacts(self, artifact_bytes: Figure) -> Bucket:
        moved = self._runs * _OBJECTS
        requests = Rate(moved, moved / SECONDS_PER_MONTH)
        kept = gigabytes(self._runs, artifact_bytes)
        return Bucket(
            self,
            "Artifacts",
            expires_after_days=ARTIFACTS_KEPT_DAYS,
            versioned=False,
            traffic=BucketTraffic(requests, requests, kept, NEVER.per_month),
        )

    def _run(
        self,
        stages: list[codepipeline.CfnPipeline.StageDeclarationProperty],
        branch: str,
    ) -> codepipeline.CfnPipeline:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codepipeline.amazonaws.com"))
        pipeline = codepipeline.CfnPipeline(
            self,
            "Pipeline",
            role_arn=role.role_arn,
            pipeline_type="V2",
            execution_mode="SUPERSEDED",
            restart_execution_on_update=False,
            artifact_store=codepipeline.CfnPipeline.ArtifactStoreProperty(
                type="S3", location=self._artifacts.bucket_name
            ),
            stages=stages,
            triggers=[_on_push(branch)],
        )
        projects = [each for each in self.node.children if isinstance(each, codebuild.CfnProject)]
        # What its role needs at the least: "Manage the CodePipeline service role", CodePipeline User Guide.
        for actions, arns in (
            (
                # Its guide has both: which is asked for depends on how old the connection is.
                ["codeconnections:UseConnection", "codestar-connections:UseConnection"],
                [self.connection.attr_connection_arn],
            ),
            (["codebuild:BatchGetBuilds", "codebuild:StartBuild"], [each.attr_arn for each in projects]),
            (["sns:Publish"], [self.notices.topic_arn]),
            (
                ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"],
                [self._artifacts.bucket_arn],
            ),
        ):
            grant = iam.Grant.add_to_principal(grantee=role, actions=actions, resource_arns=arns)
            grant.apply_before(pipeline)
        objects = ("GetObject", "GetObjectVersion", "PutObject", "PutObjectAcl")
        self._artifacts.allow(role, *objects).apply_before(pipeline)
        # A manual approval is free ("AWS CodePipeline pricing").
        declare(pipeline, action_minutes_per_month=self._runs * total(_SOURCE_MINUTES, *self._taken))
        return pipeline

    def _tell_of_failures(self) -> None:
        """An action that failed is told, with its stage: a rejected approval and one that nobody gave, too."""
        rule = events.Rule(
            self,
            "Failures",
            event_pattern=events.EventPattern(
                source=["aws.codepipeline"],
                detail_type=["CodePipeline Action Execution State Change"],
                detail={"pipeline": [self.pipeline.ref], "state": ["FAILED"]},
            ),
        )
        acknowledge(
            rule,
            "Serverless-EventBusDLQ",
            "what failed stands in the pipeline too; a notice of yesterday is none",
        )
        words = " ".join(
            (
                f"{self._system}: {events.EventField.from_path('$.detail.action')} failed in stage",
                f"{events.EventField.from_path('$.detail.stage')}, execution",
                events.EventField.from_path("$.detail.execution-id"),
            )
        )
        rule.add_target(targets.SnsTopic(self.notices, message=events.RuleTargetInput.from_text(words)))

    # Its builds.

    def _deploy(self, stage: Stage, name: str) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        command = f"{_cdk('deploy', stage)} --all --require-approval never"
        return self._build(name, [_NPM, command], of="Assembly", deploys=True)

    def _destroy(self) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        command = f"{_cdk('destroy', 'sandbox')} --all --force"
        return self._build("Destroy", [_NPM, command], of="Assembly", deploys=True, order=3)

    def _scenario(
        self, operations: Sequence[Operation]
    ) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        name, command = "Scenario", f".venv/bin/blueprint play {self._system}"
        action = self._build(name, ["make setup", command], order=2)
        for each in operations:
            self._allow(name, each)
        self._allow(
            name,
            _of_the_stack(self._system, "sandbox", "DescribeStacks", "ListStackResources"),
        )
        return action

    def _image(self, program: Program) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        """Docker needs a privileged build; it has no leave but for what it reads and what it makes."""
        build = f"docker build --file {shlex.quote(program.dockerfile)} --tag program {shlex.quote(program.folder)}"
        save = "mkdir assembly && docker save program | gzip > assembly/image.tar.gz"
        return self._build("Image", [build, save], makes="Image", machine="LARGE", arm=True, docker=True)

    def _push(self, stage: Stage) -> list[codepipeline.CfnPipeline.ActionDeclarationProperty]:
        name = "Push" if stage == "sandbox" else "ReleasePush"
        stack = _stack_name(self._system, stage)
        action = self._build(name, _pushing(stack), of="Image", docker=True)
        pushing = (
            "BatchCheckLayerAvailability",
            "BatchGetImage",
            "CompleteLayerUpload",
            "DescribeImages",
            "DescribeRepositories",
            "InitiateLayerUpload",
            "PutImage",
            "UploadLayerPart",
        )
        why = "CloudFormation makes the repository's name of the stack's, in small letters, and of chance"
        self._allow(name, Operation("ecr", pushing, f"repository/{stack}-*", why))
        self._allow(name, Operation("ecr", ("GetAuthorizationToken",), "*", _SIGNING_IN))
        self._allow(name, _of_the_stack(self._system, stage, "ListStackResources"))
        return [action]

    def _build(
        self,
        name: str,
        commands: Sequence[str],
        *,
        of: str | None = None,
        makes: str | None = None,
        machine: str = "SMALL",
        arm: bool = False,
        docker: bool = False,
        deploys: bool = False,
        order: int = 1,
    ) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        """A build of the source, and of the artifact `of`; `makes` is the artifact that it leaves."""
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        grants = [
            self._artifacts.allow(role, "GetObject", "GetObjectVersion", *(["PutObject"] if makes else [])),
            self._log.grant_write(role),
        ]
        if deploys:
            grants.append(self._take_on_the_cdk(role))
        project = codebuild.CfnProject(
            self,
            name,
            service_role=role.role_arn,
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="CODEPIPELINE"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="ARM_CONTAINER" if arm else "LINUX_CONTAINER",
                compute_type=f"BUILD_GENERAL1_{machine}",
                image=ARM_IMAGE if arm else IMAGE,
                privileged_mode=True if docker else None,
            ),
            source=codebuild.CfnProject.SourceProperty(
                type="CODEPIPELINE", build_spec=_specification(commands, makes, docker=docker)
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=self._log.log_group_name, stream_name=name.lower()
                )
            ),
            timeout_in_minutes=LONGEST_BUILD.to_minutes(),
        )
        for grant in grants:
            grant.apply_before(project)
        acknowledge(
            project, "AwsSolutions-CB4", "artifacts and logs are encrypted with the keys of S3 and CloudWatch"
        )
        self._taken.append(self._minutes[name])
        declare(project, build_minutes_per_month=self._runs * self._minutes[name], peak_builds=_AT_ONCE)
        variables = [{"name": "COMMIT", "value": "#{Source.CommitId}", "type": "PLAINTEXT"}]
        return codepipeline.CfnPipeline.ActionDeclarationProperty(
            name=name,
            action_type_id=_kind("Build", "AWS", "CodeBuild"),
            configuration={
                "ProjectName": project.ref,
                "PrimarySource": "Source",
                "EnvironmentVariables": json.dumps(variables),
            },
            input_artifacts=[_input(artifact) for artifact in ("Source", of) if artifact],
            output_artifacts=[_output(makes)] if makes else None,
            run_order=order,
        )

    # What they may.

    def _take_on_the_cdk(self, role: iam.Role) -> iam.Grant:
        arns = []
        for name in CDK_ROLES:
            named = f"cdk-{QUALIFIER}-{name}-role-{Aws.ACCOUNT_ID}-{Aws.REGION}"
            arns.append(
                Stack.of(self).format_arn(service="iam", region="", resource="role", resource_name=named)
            )
        return iam.Grant.add_to_principal(grantee=role, actions=["sts:AssumeRole"], resource_arns=arns)

    def _allow(self, build: str, operation: Operation) -> None:
        """Let a build do an operation; nag is told why its resource is a pattern."""
        role = self.node.find_child(f"{build}Role")
        assert isinstance(role, iam.Role)
        arn, shown = "*", "*"
        if operation.resource != "*":
            arn = Stack.of(self).format_arn(
                service=operation.service,
                resource=operation.resource,
                arn_format=ArnFormat.NO_RESOURCE_NAME,
            )
            shown = f"{_ARN}:{operation.service}:<AWS::Region>:<AWS::AccountId>:{operation.resource}"
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[f"{operation.service}:{action}" for action in operation.actions],
                resources=[arn],
                conditions=dict(operation.condition) or None,
            )
        )
        if "*" in operation.resource:
            acknowledge(role, f"AwsSolutions-IAM5[Resource::{shown}]", operation.why)


def _of_the_stack(system: str, stage: Stage, *actions: str) -> Operation:
    resource = f"stack/{_stack_name(system, stage)}/*"
    return Operation("cloudformation", actions, resource, "a stack's ARN ends in an id that is new each time")


def _stack_name(system: str, stage: Stage) -> str:
    return f"{system.replace('_', '-')}-{stage}"


def _short(name: str) -> str:
    """`name`, as a connection may be called; two that begin alike are still told apart."""
    if len(name) <= LONGEST_NAME:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: LONGEST_NAME - len(mark) - 1]}-{mark}"


def _checked(repository: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", repository):
        raise Misuse(f"a repository is owner/name, as at the end of its address; got {repository!r}")
    return repository


def _nothing(_stage: Stage) -> list[codepipeline.CfnPipeline.ActionDeclarationProperty]:
    return []


# Commands.


def _synth(
    system: str, stage: Stage, users: int, context: Mapping[str, str], computed: Mapping[str, str]
) -> str:
    """`computed` are values that the shell makes."""
    said = {"blueprint": system, "users": str(users), "stage": stage, **context}
    words = [f"-c {shlex.quote(f'{key}={value}')}" for key, value in said.items()]
    words += [f'-c "{key}={value}"' for key, value in computed.items()]
    return f"npx cdk synth --quiet {' '.join(words)} --output assembly/{stage}"


def _cdk(command: str, stage: Stage) -> str:
    return f'npx cdk {command} --app "$CODEBUILD_SRC_DIR_Assembly/{stage}"'


def _pushing(stack: str) -> list[str]:
    """Wait until the stack has its repository, and push; a tag that is there already is the same image."""
    query = "StackResourceSummaries[?ResourceType=='AWS::ECR::Repository' && PhysicalResourceId].PhysicalResourceId"
    find = f'aws cloudformation list-stack-resources --stack-name {stack} --query "{query}" --output text'
    uri = '--query "repositories[0].repositoryUri" --output text'
    return [
        f'for n in $(seq 90); do NAME=$({find} || true); test -n "$NAME" && break; sleep 10; done; '
        f'REPOSITORY=$(aws ecr describe-repositories --repository-names "$NAME" {uri})',
        'aws ecr get-login-password | docker login --username AWS --password-stdin "${REPOSITORY%%/*}"',
        'gunzip --stdout "$CODEBUILD_SRC_DIR_Image/image.tar.gz" | docker load',
        'docker tag program "$REPOSITORY:$COMMIT"',
        'aws ecr describe-images --repository-name "$NAME" --image-ids imageTag="$COMMIT" '
        '|| docker push "$REPOSITORY:$COMMIT"',
    ]


def _specification(commands: Sequence[str], makes: str | None, *, docker: bool) -> str:
    phases: dict[str, Any] = {"build": {"commands": list(commands)}}
    if not docker:
        phases = {"install": {"runtime-versions": RUNTIMES}, **phases}
    written: dict[str, Any] = {"version": "0.2", "phases": phases}
    if makes:
        written["artifacts"] = {"base-directory": "assembly", "files": ["**/*"]}
    return json.dumps(written, indent=1)


# Parts of a pipeline.


def _stage(
    name: str, *actions: codepipeline.CfnPipeline.ActionDeclarationProperty
) -> codepipeline.CfnPipeline.StageDeclarationProperty:
    return codepipeline.CfnPipeline.StageDeclarationProperty(name=name, actions=list(actions))


def _source(
    connection: str, repository: str, branch: str
) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
    return codepipeline.CfnPipeline.ActionDeclarationProperty(
        name="Source",
        action_type_id=_kind("Source", "AWS", "CodeStarSourceConnection"),
        configuration={
            "ConnectionArn": connection,
            "FullRepositoryId": repository,
            "BranchName": branch,
            "OutputArtifactFormat": "CODE_ZIP",
            # The trigger does, and hands on the very commit ("Automate starting pipelines using triggers").
            "DetectChanges": "false",
        },
        namespace="Source",
        output_artifacts=[_output("Source")],
    )


def _on_push(branch: str) -> codepipeline.CfnPipeline.PipelineTriggerDeclarationProperty:
    made = codepipeline.CfnPipeline
    return made.PipelineTriggerDeclarationProperty(
        provider_type="CodeStarSourceConnection",
        git_configuration=made.GitConfigurationProperty(
            source_action_name="Source",
            push=[
                made.GitPushFilterProperty(
                    branches=made.GitBranchFilterCriteriaProperty(includes=[branch]),
                )
            ],
        ),
    )


def _approval(
    topic: str, system: str, within: Duration
) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
    return codepipeline.CfnPipeline.ActionDeclarationProperty(
        name="Approve",
        action_type_id=_kind("Approval", "AWS", "Manual"),
        configuration={
            "NotificationArn": topic,
            "CustomData": f"The scenario of {system} has passed in the sandbox, of commit #{{Source.CommitId}}.",
        },
        timeout_in_minutes=within.to_minutes(),
    )


def _kind(category: str, owner: str, provider: str) -> codepipeline.CfnPipeline.ActionTypeIdProperty:
    return codepipeline.CfnPipeline.ActionTypeIdProperty(
        category=category, owner=owner, provider=provider, version="1"
    )


def _input(name: str) -> codepipeline.CfnPipeline.InputArtifactProperty:
    return codepipeline.CfnPipeline.InputArtifactProperty(name=name)


def _output(name: str) -> codepipeline.CfnPipeline.OutputArtifactProperty:
    return codepipeline.CfnPipeline.OutputArtifactProperty(name=name)
