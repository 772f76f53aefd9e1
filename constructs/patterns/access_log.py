"""What a stage of API Gateway writes of each request, or message."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import declare
from workbench.workload import Figure


class AccessLog(logs.LogGroup):
    """A line of JSON for each, with what the stage was told to `keep`."""

    def __init__(
        self, scope: Construct, id: str, *, ingested_gb: Figure, retention: logs.RetentionDays
    ) -> None:
        stack = BlueprintStack.around(scope)
        super().__init__(scope, id, retention=retention, removal_policy=stack.removal_policy)
        declare(self, ingested_gb_per_month=ingested_gb)

    def keep(self, stage: apigw.HttpStage | apigw.WebSocketStage, fields: Mapping[str, str]) -> None:
        """Have `stage` write `fields`: name → variable of API Gateway's (`$context.<variable>`)."""
        resource = stage.node.default_child
        assert isinstance(resource, apigw.CfnStage)
        resource.access_log_settings = apigw.CfnStage.AccessLogSettingsProperty(
            # The group's own ARN: the one that CDK gives ends in ":*", for grants on its streams.
            destination_arn=Stack.of(self).format_arn(
                service="logs",
                resource="log-group",
                resource_name=self.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            format=json.dumps({name: f"$context.{variable}" for name, variable in fields.items()}),
        )
