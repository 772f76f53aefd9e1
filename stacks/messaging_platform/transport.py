"""How sockets reach the services: through API Gateway's WebSocket API, or a fleet of gateways of our own."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from lambdas.messaging_platform.settings import GatewaySettings
from patterns import edge
from patterns.acknowledge import acknowledge
from patterns.domain import Domain
from patterns.network import Network
from patterns.network_balancer import NetworkBalancer
from patterns.traffic import declare
from patterns.web_socket_api import WebSocketApi
from stacks.messaging_platform.messaging import SocketHandlers, allow_acting
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


class ManagedSockets(WebSocketApi):
    """API Gateway holds the connections, and calls a function for each frame."""

    def __init__(
        self, scope: Construct, id: str, *, handlers: SocketHandlers, presence: Presence, traffic: Traffic
    ) -> None:
        super().__init__(scope, id, authorizer=handlers.authorize, traffic=traffic.sockets)
        self.connect(to=presence.function)
        self.disconnect(to=presence.function)
        for action in PRESENCE_ACTIONS:
            self.action(action, to=presence.function)
        for action in ACTIONS:
            self.action(action, to=handlers.act)
        self.default(to=handlers.act)


class GatewayFleet(Construct):
    """Pods hold the connections, behind a Network Load Balancer and the edge, which brings TLS.

    Attributes: `url`, `secret` (what fan-out shows a gateway). Call `run` once the programs' cluster is there.
    """

    def __init__(
        self, scope: Construct, id: str, *, network: Network, traffic: Traffic, domain: Domain | None
    ) -> None:
        super().__init__(scope, id)
        self._traffic = traffic
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
            domain=domain,
            traffic=traffic.fleet_edge,
            reasons=_REASONS,
        )
        self.url = f"wss://{host}"

    def run(self, programs: Programs, *, stores: Stores, alive_seconds: int, messages_a_minute: int) -> None:
        """Run the gateways, each under the grants of the functions that they stand for."""
        gateway = programs.workers.run(
            "gateway",
            arguments=[f"{MODULE}.gateway"],
            environment=GatewaySettings(
                tickets_table=stores.tickets.table_name,
                messages_table=stores.messages.table_name,
                sent_table=stores.sent.table_name,
                chats_table=stores.chats.table_name,
                people_table=stores.people.table_name,
                inboxes_table=stores.inboxes.table_name,
                media_table=stores.media.table_name,
                limits_table=stores.limits.table_name,
                presence_table=stores.presence.table_name,
                kafka_cluster_arn=stores.kafka.cluster_arn,
                presence_topic=stores.presence_topic,
                cache_host=stores.cache.endpoint,
                cache_port=stores.cache.port,
                cache_token_secret_arn=stores.cache.token.secret_arn,
                gateway_secret_arn=self.secret.secret_arn,
                origin_secret_arn=self.balancer.secret.secret_arn,
                alive_seconds=alive_seconds,
                messages_a_minute=messages_a_minute,
            ).as_environment(),
            pods=self._traffic.gateway_pods,
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
