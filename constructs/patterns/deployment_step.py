"""Something that a deployment does and CloudFormation has no type for: a custom resource with its function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import CustomResource, Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.network import Network
from patterns.python_function import PythonFunction
from patterns.traffic import FunctionTraffic
from workbench.workload import NEVER


@jsii.implements(iam.IGrantable)
class DeploymentStep(Construct):
    """CloudFormation calls `handler` when the stack is created, when `properties` change, and when it is deleted.

    The handler is written with `lambdas.shared.custom_resource`. There is no framework between: one function,
    under a role of its own. Attributes: `worker` (the function), `resource` (`resource.get_att_string(name)` is
    what the handler answered).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        handler: str,
        properties: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        timeout: Duration | None = None,
        network: Network | None = None,
        libraries: bool = False,
    ) -> None:
        super().__init__(scope, id)
        limit = timeout or Duration.minutes(5)
        never = NEVER.per_month
        self.worker = PythonFunction(
            self,
            "Worker",
            handler=handler,
            environment=environment or {},
            timeout=limit,
            traffic=FunctionTraffic(NEVER, never, never, never),
            network=network,
            libraries=libraries,
        )
        self.resource = CustomResource(
            self,
            "Step",
            resource_type="Custom::DeploymentStep",
            service_token=self.worker.function.function_arn,
            service_timeout=Duration.seconds(limit.to_seconds() + 60),
            properties=dict(properties),
        )

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The function's role."""
        return self.worker.grant_principal

    def after(self, grant: iam.Grant) -> None:
        """Have the step wait for `grant`, and be undone before it is taken away."""
        grant.apply_before(self.resource)
