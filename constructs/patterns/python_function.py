"""A Lambda function in Python, with all that a function of this catalogue has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import jsii
from aws_cdk import Duration, IgnoreMode, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.canary import Canary
from patterns.network import Network
from patterns.python_libraries import RUNTIME, PythonLibraries
from patterns.traffic import FunctionTraffic, declare
from workbench.workload import gigabytes

ROOT = Path(__file__).resolve().parent.parent.parent
# Lambda makes a function's interfaces in the function's own name ("AWSLambdaVPCAccessExecutionRole", AWS Managed
# Policy Reference); EC2 takes no resource for what it describes, nor for what is not there yet.
IN_A_NETWORK = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
POWERTOOLS_VERSION = "3.37.0"  # the version in requirements.txt; a test holds them equal


@jsii.implements(iam.IGrantable)
class PythonFunction(Construct):
    """`handler`, which is `lambdas.<system>.<module, however deep>.<function>`, under a role of its own.

    Arm processors, tracing, JSON logs with retention, the Powertools layer, and no permission but to write
    its own log and traces: the rest comes from the resources' own grants. With `network` it stands in the private
    subnets, under a security group of its own that lets it call AWS; open the rest by `connections`. With
    `libraries` it has those of `PythonLibraries` besides. With `canary` a new version takes over by steps in
    production; a sandbox has no versions.
    Attributes: `function`, `role`, `log_group`, `timeout`, `canary` (or None), and `busy_at_peak`: how many run at
    once in the busiest second. Whoever calls it calls its `entry`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        handler: str,
        environment: Mapping[str, str],
        traffic: FunctionTraffic,
        memory_mb: int = 512,
        timeout: Duration | None = None,
        reserved_concurrency: int | None = None,
        network: Network | None = None,
        libraries: bool = False,
        canary: bool = False,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        _, system, *_ = handler.split(".")
        self.timeout = timeout or Duration.seconds(10)
        self.busy_at_peak = traffic.calls.peak_per_second * traffic.duration_ms / 1000
        self.log_group = logs.LogGroup(
            self, "Logs", retention=log_retention, removal_policy=stack.removal_policy
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.role = role
        self.log_group.grant_write(role)
        if network is not None:
            role.add_to_policy(iam.PolicyStatement(actions=list(IN_A_NETWORK), resources=["*"]))
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            code=_code(system),
            handler=handler,
            role=role,
            memory_size=memory_mb,
            timeout=self.timeout,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Of a file that two layers have, Lambda takes that of the later one.
            layers=[_powertools(stack), *([PythonLibraries.of(stack)] if libraries else [])],
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": system,
                "POWERTOOLS_LOG_LEVEL": "INFO",
            },
            reserved_concurrent_executions=reserved_concurrency,
            vpc=network.vpc if network else None,
            vpc_subnets=ec2.SubnetSelection(subnets=network.private.subnets) if network else None,
            security_groups=(
                [network.security_group(self, f"{id}, a function", calls_aws=True)] if network else None
            ),
        )
        self.canary = (
            Canary(self, "Canary", function=self.function) if canary and stack.is_production else None
        )
        declare(
            self.function,
            invocations_per_month=traffic.calls.per_month,
            peak_invocations_per_second=traffic.calls.peak_per_second,
            duration_ms=traffic.duration_ms,
            custom_metrics=traffic.custom_metrics,
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            "some actions take no resource, such as X-Ray's; a test lists those that may be granted on *",
        )
        acknowledge(
            self.function,
            "Serverless-LambdaDLQ",
            "never invoked asynchronously: its callers wait for the answer, or a queue keeps the dead letters",
        )
        declare(self.log_group, ingested_gb_per_month=gigabytes(traffic.calls.per_month, traffic.log_bytes))

    @property
    def entry(self) -> lambda_.IFunction:
        """What a caller calls, and may call: the alias of its canary, or the function where it has none."""
        return self.canary.alias if self.canary else self.function

    @property
    def connections(self) -> ec2.Connections:
        """Whom it may call, where it stands in a network. Fails where it does not."""
        return self.function.connections

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The function's role: pass the function itself to a grant."""
        return self.role


def _code(system: str) -> lambda_.Code:
    """The system's handlers and what all share, under the import path that the repository has."""
    return lambda_.Code.from_asset(
        str(ROOT),
        ignore_mode=IgnoreMode.GIT,
        exclude=[
            "/*",
            "!/lambdas",
            "/lambdas/*",
            "!/lambdas/__init__.py",
            "!/lambdas/shared",
            f"!/lambdas/{system}",
            "__pycache__",
            "*.pyc",
        ],
    )


def _powertools(stack: Stack) -> lambda_.ILayerVersion:
    """AWS's public Powertools layer, found at deployment through its public parameter: no ARN to keep here."""
    existing = stack.node.try_find_child("Powertools")
    if existing is not None:
        return cast(lambda_.ILayerVersion, existing)
    parameter = f"/aws/service/powertools/python/arm64/{RUNTIME.name}/{POWERTOOLS_VERSION}"
    arn = ssm.StringParameter.value_for_string_parameter(stack, parameter)
    return lambda_.LayerVersion.from_layer_version_arn(stack, "Powertools", arn)
