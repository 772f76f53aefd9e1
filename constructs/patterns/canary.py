"""A new version of a function takes over by steps, and gives way to the old one on an alarm."""

from __future__ import annotations

from typing import cast

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from patterns.acknowledge import acknowledge

ALIAS = "live"
_POLICY = "service-role/AWSCodeDeployRoleForLambdaLimited"


class Canary(Construct):
    """CodeDeploy gives each new version of `function` a tenth of the calls for five minutes, and then all.

    While it does, an alarm that `guard` was given takes every call back to the version before, and so does a
    deployment that fails or is stopped; CloudFormation then rolls the stack back ("CodeDeployLambdaAliasUpdate" of
    "UpdatePolicy attribute", CloudFormation User Guide). Synth fails where no alarm guards it. Those who call the
    alias are shifted, and nobody else. Attribute: `alias`.
    """

    def __init__(self, scope: Construct, id: str, *, function: lambda_.Function) -> None:
        super().__init__(scope, id)
        self.alias = lambda_.Alias(self, "Alias", alias_name=ALIAS, version=function.current_version)
        application = _Application.of(Stack.of(self))
        self._group = codedeploy.LambdaDeploymentGroup(
            self,
            "Deployments",
            alias=self.alias,
            application=application.application,
            role=application.role,
            deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )

    def guard(self, *alarms: cloudwatch.IAlarm) -> None:
        """Have each of `alarms` end a deployment, and undo it."""
        for alarm in alarms:
            self._group.add_alarm(alarm)


class _Application(Construct):
    """What CodeDeploy keeps a stack's deployments under, and who it is as it deploys."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.application = codedeploy.LambdaApplication(self, "Application")
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"))
        acknowledge(
            self.role,
            f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{_POLICY}]",
            "AWS keeps it to aliases and alarms; what CodeDeploy asks for besides is not documented",
        )

    @classmethod
    def of(cls, stack: Stack) -> _Application:
        existing = stack.node.try_find_child("Canaries")
        return cls(stack, "Canaries") if existing is None else cast(_Application, existing)
