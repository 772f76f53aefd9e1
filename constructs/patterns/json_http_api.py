"""An HTTP API in front of functions: throttled, logged, with JWT sign-in where a route asks for it."""

from __future__ import annotations

from math import ceil

from aws_cdk import Aws
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.access_log import AccessLog
from patterns.acknowledge import acknowledge
from patterns.python_function import PythonFunction
from patterns.sign_in import SignIn
from patterns.traffic import declare
from workbench.workload import Figure, Rate, gigabytes

ACCESS_LOG = {
    "requestId": "requestId",
    "time": "requestTime",
    "method": "httpMethod",
    "route": "routeKey",
    "path": "path",
    "status": "status",
    "latencyMs": "responseLatency",
    "integrationLatencyMs": "integrationLatency",
    "integrationError": "integrationErrorMessage",
    "sourceIp": "identity.sourceIp",
    "userAgent": "identity.userAgent",
}


class JsonHttpApi(Construct):
    """Routes to functions, all traffic throttled at `headroom` times the declared peak.

    Give `response_bytes` where no distribution stands before it: its answers leave AWS here, and pay for that.
    A route with `sign_in` takes only requests with a token of that user pool. Attributes: `api`, `stage`,
    `host` (the domain name, for a distribution's origin).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        requests: Rate,
        log_bytes: Figure,
        response_bytes: Figure | None = None,
        headroom: int = 2,
        smallest_rate: int = 100,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        self.rate = max(smallest_rate, ceil(requests.peak_per_second.value * headroom))
        written = gigabytes(requests.per_month, log_bytes)
        self.access_log = AccessLog(self, "AccessLog", ingested_gb=written, retention=log_retention)
        self.api = apigw.HttpApi(self, "Api", create_default_stage=False)
        self.stage = apigw.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigw.ThrottleSettings(rate_limit=self.rate, burst_limit=self.rate),
        )
        self.access_log.keep(self.stage, ACCESS_LOG)
        declare(
            self.api,
            requests_per_month=requests.per_month,
            peak_requests_per_second=requests.peak_per_second,
        )
        if response_bytes is not None:
            declare(self.api, egress_gb_per_month=gigabytes(requests.per_month, response_bytes))
        declare(self.stage, peak_requests_per_second=requests.peak_per_second)
        self._authorizers: dict[str, authorizers.HttpUserPoolAuthorizer] = {}
        self._integrations: dict[str, integrations.HttpLambdaIntegration] = {}

    @property
    def host(self) -> str:
        """`<id>.execute-api.<region>.amazonaws.com`."""
        return f"{self.api.api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}"

    def route(
        self, path: str, *methods: apigw.HttpMethod, to: PythonFunction, sign_in: SignIn | None = None
    ) -> None:
        """Send `methods` of `path` to a function."""
        routes = self.api.add_routes(
            path=path,
            methods=list(methods),
            integration=self._integration(to),
            authorizer=self._authorizer(sign_in) if sign_in else None,
        )
        for route in routes if sign_in is None else []:
            acknowledge(
                route, "AwsSolutions-APIG4", "anyone may ask for this path, by design; it is throttled"
            )

    def _integration(self, function: PythonFunction) -> integrations.HttpLambdaIntegration:
        path = function.node.path
        if path not in self._integrations:
            self._integrations[path] = integrations.HttpLambdaIntegration(
                function.node.id, function.entry, scope_permission_to_route=False
            )
        return self._integrations[path]

    def _authorizer(self, sign_in: SignIn) -> authorizers.HttpUserPoolAuthorizer:
        path = sign_in.node.path
        if path not in self._authorizers:
            self._authorizers[path] = authorizers.HttpUserPoolAuthorizer(
                sign_in.node.id, sign_in.pool, user_pool_clients=[sign_in.client]
            )
        return self._authorizers[path]
