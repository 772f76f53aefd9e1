"""How sockets reach the services: through API Gateway's WebSocket API, or a fleet of gateways of our own."""

from __future__ import annotations

from typing import Literal, Protocol

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from lambdas.messaging_platform.settings import GatewaySettings
from patterns import edge
from patterns.acknowledge import acknowledge
from patterns.network import Network
from patterns.network_balancer import NetworkBalancer
from patterns.operations import Operations
from patterns.traffic import declare
from patterns.web_socket_api import WebSocketApi
from stacks.messaging_platform.messaging import SocketHandlers, allow_acting
from stacks.messaging_platform.pace import Pace
from stacks.messaging_platform.presence import Presence, allow_presence
from stacks.messaging_platform.programs import FINDS_BROKERS, MODULE, Programs
from stacks.messaging_platform.stores import Stores
from stacks.messaging_platform.traffic import Traffic
from workbench.workload import NEVER

ACTIONS = ("send", "edit", "delete", "ack", "read", "sync")
PRESENCE_ACTIONS = ("heartbeat", "typing")
_REASONS = {
    "CFR1": "it is for people everywhere",
    "CFR2": "a socket opens with a ticket that is good once; a web ACL is $5 a month and $0.60 a million requests",
    "CFR3": "every connection is in the gateways' own log",
    "CFR5": "the load balancer has no certificate, as it has no name of its own: the secret header keeps others out",
}


class Transport(Protocol):
    """Either way: what differs for the others. `join` once the programs are there."""

    @property
    def url(self) -> str:
        """Where clients connect."""
        ...

    @property
    def management_url(self) -> str:
        """Where fan-out sends to connections of API Gateway's; empty where it holds none."""
        ...

    @property
    def gateway_secret_arn(self) -> str:
        """Of what fan-out shows a gateway of the fleet; empty where there is none."""
        ...

    @property
    def stages(self) -> dict[str, apigw.WebSocketStage]:
        """What may have a name under the domain, by its label."""
        ...

    def join(self, programs: Programs) -> None:
        """Let the programs send to connections, and be sent for them."""
        ...

    def watch(self, operations: Operations) -> None:
        """Have somebody told when something of it is wrong."""
        ...


class ManagedSockets(WebSocketApi):
    """API Gateway holds the connections, and calls a function for each frame. The functions stand beside it."""

    gateway_secret_arn = ""

    def __init__(
        self, scope: Construct, id: str, *, network: Network, stores: Stores, pace: Pace, traffic: Traffic
    ) -> None:
        presence = Presence(scope, "Presence", network=network, stores=stores, pace=pace, traffic=traffic)
        handlers = SocketHandlers(scope, "SocketHandlers", stores=stores, pace=pace, traffic=traffic)
        super().__init__(scope, id, authorizer=handlers.authorize, traffic=traffic.sockets)
        self.connect(to=presence.function)
        self.disconnect(to=presence.function)
        for action in PRESENCE_ACTIONS:
            self.action(action, to=presence.function)
        for action in ACTIONS:
            self.action(action, to=handlers.act)
        self.default(to=handlers.act)
        self.allow_managing(presence.function, "DELETE")
        self._presence, self._handlers = presence, handlers

    @property
    def stages(self) -> dict[str, apigw.WebSocketStage]:
        return {"chat": self.stage}

    def join(self, programs: Programs) -> None:
        self.allow_managing(programs.fan_out, "POST", "DELETE")

    def watch(self, operations: Operations) -> None:
        operations.watch_sockets(self, p99=Duration.seconds(1))
        self._handlers.watch(operations)
        self._presence.watch(operations)


class GatewayFleet(Construct):
    """Pods hold the connections, behind a Network Load Balancer and the edge, which brings TLS.

    The programs' cluster runs them: `join`. Attribute: `secret` (what fan-out shows a gateway).
    """

    management_url = ""

    def __init__(
        self, scope: Construct, id: str, *, network: Network, stores: Stores, pace: Pace, traffic: Traffic
    ) -> None:
        super().__init__(scope, id)
        self._stores, self._pace, self._pods = stores, pace, traffic.gateway_pods
        self.balancer = NetworkBalancer(
            self, "Balancer", network=network, traffic=traffic.fleet, port=80, idle=Duration.seconds(350)
        )
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="What fan-out shows a gateway that is to send to a connection",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=40
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        declare(self.secret, requests_per_month=NEVER.per_month)  # when a program starts
        acknowledge(
            self.secret, "AwsSolutions-SMG4", "both sides read it when they start: a deployment changes it"
        )
        _, host = edge.distribution(
            self,
            default=cloudfront.BehaviorOptions(
                origin=self.balancer.allow_from_edge(),
                allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER,
            ),
            domain=None,
            traffic=traffic.fleet_edge,
            reasons=_REASONS,
        )
        self.url = f"wss://{host}"

    @property
    def gateway_secret_arn(self) -> str:
        return self.secret.secret_arn

    @property
    def stages(self) -> dict[str, apigw.WebSocketStage]:
        return {}

    def join(self, programs: Programs) -> None:
        """Run the gateways, each under the grants of the functions that they stand for."""
        stores = self._stores
        gateway = programs.workers.run(
            "gateway",
            arguments=[f"{MODULE}.gateway"],
            environment=stores.environment(
                GatewaySettings,
                gateway_secret_arn=self.secret.secret_arn,
                origin_secret_arn=self.balancer.secret.secret_arn,
                alive_seconds=self._pace.alive_seconds,
                messages_a_minute=self._pace.messages_a_minute,
            ),
            pods=self._pods,
            fewest=2,
            memory_mb=512,
            cpu_milli=500,
            target_group=self.balancer.targets,
        )
        stores.tickets.allow(gateway, "DeleteItem")
        allow_acting(stores, gateway)
        allow_presence(stores, gateway)
        acknowledge(gateway.role, "AwsSolutions-IAM5[Resource::*]", FINDS_BROKERS)
        for reader, *secrets in (
            (gateway, self.secret, self.balancer.secret),
            (programs.fan_out, self.secret),
        ):
            iam.Grant.add_to_principal(
                grantee=reader,
                actions=["secretsmanager:GetSecretValue"],
                resource_arns=[each.secret_arn for each in secrets],
            )

    def watch(self, operations: Operations) -> None:
        operations.watch_balancer(self.balancer)


def transport(
    scope: Construct,
    chosen: Literal["api_gateway", "gateway_fleet"],
    *,
    network: Network,
    stores: Stores,
    pace: Pace,
    traffic: Traffic,
) -> Transport:
    """The way that was chosen (`TRANSPORT`)."""
    if chosen == "gateway_fleet":
        return GatewayFleet(scope, "Fleet", network=network, stores=stores, pace=pace, traffic=traffic)
    return ManagedSockets(scope, "Sockets", network=network, stores=stores, pace=pace, traffic=traffic)
