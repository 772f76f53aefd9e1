"""A WebSocket API in front of functions: signed in at connect, throttled, and open for what programs send."""

from __future__ import annotations

from math import ceil

import jsii
from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct, IValidation

from patterns.access_log import AccessLog
from patterns.acknowledge import acknowledge
from patterns.python_function import PythonFunction
from patterns.traffic import SocketTraffic, declare
from workbench.workload import Figure, gigabytes

STAGE = "live"
TICKET = "route.request.querystring.ticket"
# Never the query string: the ticket is in it.
ACCESS_LOG = {
    "requestId": "requestId",
    "time": "requestTime",
    "event": "eventType",
    "route": "routeKey",
    "connection": "connectionId",
    "principal": "authorizer.principalId",
    "status": "status",
    "integrationLatencyMs": "integrationLatency",
    "integrationError": "integrationErrorMessage",
    "error": "error.message",
    "sourceIp": "identity.sourceIp",
    "userAgent": "identity.userAgent",
}


class WebSocketApi(Construct):
    """Routes of a socket to functions. Who connects must bring `?ticket=`, and `authorizer` must let them in.

    A message goes by the member `action` of its JSON. Everything from clients is throttled at `headroom` times the
    declared peak. Synth fails where nothing was said of `connect`: a socket without that route lets anybody in.

    An access log is kept where `log_bytes`, of one entry, is given. API Gateway writes it in a role that an account
    has once a region for all its WebSocket and REST APIs ("Set up CloudWatch logging", API Gateway Developer Guide),
    so that no stack can own it: without that role, the deployment fails. Attributes: `api`, `stage`, `access_log`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        authorizer: PythonFunction,
        traffic: SocketTraffic,
        log_bytes: Figure | None = None,
        headroom: int = 2,
        smallest_rate: int = 100,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        from_clients = traffic.received + traffic.connects
        self.rate = max(smallest_rate, ceil(from_clients.peak_per_second.value * headroom))
        self.api = apigw.WebSocketApi(self, "Api", route_selection_expression="$request.body.action")
        self.stage = apigw.WebSocketStage(
            self,
            "Stage",
            web_socket_api=self.api,
            stage_name=STAGE,
            auto_deploy=True,
            throttle=apigw.ThrottleSettings(rate_limit=self.rate, burst_limit=self.rate),
        )
        self._authorizer = authorizers.WebSocketLambdaAuthorizer(
            authorizer.node.id, authorizer.entry, identity_source=[TICKET]
        )
        self._integrations: dict[str, integrations.WebSocketLambdaIntegration] = {}
        self._declare(traffic)
        self.access_log: AccessLog | None = None
        if log_bytes:
            entries = from_clients.per_month + traffic.connects.per_month  # and each one's end
            written = gigabytes(entries, log_bytes)
            self.access_log = AccessLog(self, "AccessLog", ingested_gb=written, retention=log_retention)
            self.access_log.keep(self.stage, ACCESS_LOG)
        else:
            reason = (
                "it needs a role in the settings of the whole account; each function keeps a log of its own"
            )
            for rule in ("AwsSolutions-APIG1", "Serverless-APIGWAccessLogging"):
                acknowledge(self.stage, rule, reason)
        self.node.add_validation(_HasConnect(self.api))

    @property
    def url(self) -> str:
        """Where clients connect: `wss://<host>/live`."""
        return self.stage.url

    @property
    def management_url(self) -> str:
        """Where programs send to connections, and close them: `https://<host>/live`."""
        return self.stage.callback_url

    def connect(self, *, to: PythonFunction) -> None:
        """Tell a function of each connection that the authorizer let in; it may still refuse it."""
        self.api.add_route("$connect", integration=self._integration(to), authorizer=self._authorizer)

    def disconnect(self, *, to: PythonFunction) -> None:
        """Tell a function of each end of a connection that API Gateway notices: not all are."""
        self._route("$disconnect", to)

    def action(self, name: str, *, to: PythonFunction) -> None:
        """Send messages of this action to a function, and what it answers back on the socket."""
        self._route(name, to, answers=True)

    def default(self, *, to: PythonFunction) -> None:
        """Send messages of every other action to a function, and what it answers back on the socket."""
        self._route("$default", to, answers=True)

    def allow_managing(self, grantee: iam.IGrantable, *methods: str) -> iam.Grant:
        """Let `grantee` send to any connection ("POST"), ask about it ("GET") or close it ("DELETE")."""
        stack = Stack.of(self)
        principal = grantee.grant_principal
        assert isinstance(principal, iam.Role)
        arns = []
        for method in methods:
            name = f"{STAGE}/{method}/@connections/*"
            arns.append(
                stack.format_arn(
                    service="execute-api",
                    resource=self.api.api_id,
                    resource_name=name,
                    arn_format=ArnFormat.SLASH_RESOURCE_NAME,
                )
            )
            api = stack.get_logical_id(self.api.node.default_child)  # type: ignore[arg-type]
            where = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>"
            acknowledge(
                principal,
                f"AwsSolutions-IAM5[Resource::{where}:<{api}>/{name}]",
                "connections have no ARNs before they are there",
            )
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["execute-api:ManageConnections"], resource_arns=arns
        )

    def _route(self, key: str, to: PythonFunction, *, answers: bool = False) -> None:
        route = self.api.add_route(key, integration=self._integration(to), return_response=answers)
        acknowledge(
            route, "AwsSolutions-APIG4", "a socket is authorised once, at connect; API Gateway has it so"
        )

    def _integration(self, function: PythonFunction) -> integrations.WebSocketLambdaIntegration:
        path = function.node.path
        if path not in self._integrations:
            self._integrations[path] = integrations.WebSocketLambdaIntegration(
                function.node.id, function.entry
            )
        return self._integrations[path]

    def _declare(self, traffic: SocketTraffic) -> None:
        sent = traffic.answered + traffic.posted
        messages = traffic.received + sent
        from_clients = traffic.received + traffic.connects
        declare(
            self.api,
            messages_per_month=messages.per_month,
            connection_minutes_per_month=traffic.connection_minutes,
            # What programs send counts against the account's throttle as well ("Amazon API Gateway quotas").
            peak_requests_per_second=(from_clients + traffic.posted).peak_per_second,
            peak_new_connections_per_second=traffic.connects.peak_per_second,
            peak_connections=traffic.peak_connections,
            largest_payload_kb=traffic.largest_kb,
            egress_gb_per_month=gigabytes(sent.per_month, traffic.sent_bytes),
        )
        declare(self.stage, peak_requests_per_second=from_clients.peak_per_second)


@jsii.implements(IValidation)
class _HasConnect:
    """Says what is wrong with a socket that has no way in."""

    def __init__(self, api: apigw.WebSocketApi) -> None:
        self._api = api

    def validate(self) -> list[str]:
        if self._api.node.try_find_child("$connect-Route") is None:
            return ["a WebSocket API without `connect` lets anybody in, for nobody is asked"]
        return []
