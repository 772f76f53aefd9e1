"""A Network Load Balancer before programs that hold connections open for long."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jsii
from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.container_program import FINISHED_S
from patterns.domain import Domain
from patterns.network import ZONES, Network
from patterns.service_manifests import DRAINED_S
from patterns.traffic import declare
from patterns.web_tier import SECRET_HEADER
from workbench.workload import NEVER, Figure


@dataclass(frozen=True)
class ConnectionTraffic:
    """What a network load balancer carries: connections opened a second and open at once, on average, and bytes.

    `internet_gb` is what of `exchanged_gb` goes out to the internet without passing an edge; None where a network
    or an edge counts it.
    """

    opened_per_second: Figure
    open_at_once: Figure
    exchanged_gb: Figure
    internet_gb: Figure | None = None


@jsii.implements(ec2.IConnectable)
class PodTargets(elbv2.NetworkTargetGroup):
    """Targets by address, which join by themselves: `KubernetesWorkers.run(…, target_group=…)` binds pods to it.

    `connections` are those of the load balancer that sends to them and checks them.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        port: int,
        health_path: str,
        connections: ec2.Connections,
    ) -> None:
        super().__init__(
            scope,
            id,
            vpc=network.vpc,
            port=port,
            protocol=elbv2.Protocol.TCP,
            target_type=elbv2.TargetType.IP,
            # What a pod that ends has not closed by itself is closed for it, when its time is up.
            deregistration_delay=Duration.seconds(DRAINED_S + FINISHED_S),
            connection_termination=True,
            preserve_client_ip=False,
            health_check=elbv2.HealthCheck(
                protocol=elbv2.Protocol.HTTP,
                path=health_path,
                interval=Duration.seconds(10),
                timeout=Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
                healthy_http_codes="200",
            ),
        )
        self._connections = connections

    @property
    def connections(self) -> ec2.Connections:
        return self._connections


@jsii.implements(ec2.IConnectable)
class NetworkBalancer(Construct):
    """Clients of the internet reach `targets` by TCP on `port`, with a `domain` by TLS under its name.

    A connection stays with its target. It ends when its target is unhealthy, when it is silent for `idle` (the
    load balancer forgets it then, and its next byte is answered by a reset: clients send heartbeats more often), or
    with a target that goes: that one has time to tell its clients so. Every zone sends to the targets of all.

    Whoever knows its name may connect. CloudFront's addresses are a managed prefix list whose id differs by region,
    so that a template cannot name it without a lookup; and an NLB reads no headers, as an ALB does. So where only a
    distribution should be let in (`allow_from_edge`), the program itself refuses who does not show `secret` in the
    header `SECRET_HEADER`. Attributes: `balancer`, `targets`, `host`, `url` ("ws://…" or "wss://…"), `connections`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        traffic: ConnectionTraffic,
        port: int,
        target_port: int = 8080,
        health_path: str = "/health",
        idle: Duration | None = None,
        domain: Domain | None = None,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self._port, self._domain = port, domain
        self._front = Construct(self, "Front")
        group = network.security_group(self._front, f"{id}: the load balancer")
        self._connections = ec2.Connections(security_groups=[group], default_port=ec2.Port.tcp(port))
        self.balancer = elbv2.NetworkLoadBalancer(
            self,
            "Balancer",
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=network.public.subnets),
            internet_facing=True,
            security_groups=[group],
            cross_zone_enabled=True,
            deletion_protection=stack.is_production,
        )
        self.connections.allow_from_any_ipv4(ec2.Port.tcp(port), "clients, who are everywhere")
        self.targets = PodTargets(
            self,
            "Targets",
            network=network,
            port=target_port,
            health_path=health_path,
            connections=self.connections,
        )
        zone = domain.zone(self) if domain else None
        self.balancer.add_listener(
            "Clients",
            port=port,
            protocol=elbv2.Protocol.TLS if domain else elbv2.Protocol.TCP,
            certificates=[domain.certificate(self, zone)] if domain and zone else None,
            ssl_policy=elbv2.SslPolicy.RECOMMENDED_TLS if domain else None,
            tcp_idle_timeout=idle or Duration.seconds(350),
            default_target_groups=[self.targets],
        )
        if domain and zone:
            route53.ARecord(
                self,
                "Alias",
                zone=zone,
                record_name=f"{domain.name}.",
                target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(self.balancer)),
            )
        self.host = domain.name if domain else self.balancer.load_balancer_dns_name
        self.url = f"{'wss' if domain else 'ws'}://{self.host}:{port}"
        self._declare(traffic)
        self._acknowledge()

    @property
    def connections(self) -> ec2.Connections:
        """Of the load balancer itself."""
        return self._connections

    @cached_property
    def secret(self) -> secretsmanager.Secret:
        """What a distribution shows the program, which refuses whoever does not know it."""
        made = secretsmanager.Secret(
            self,
            "OriginSecret",
            description="What the distribution shows the program behind the load balancer",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=40
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        declare(
            made, requests_per_month=NEVER.per_month
        )  # a deployment asks for it, and a pod when it starts
        acknowledge(
            made,
            "AwsSolutions-SMG4",
            "it is changed by a deployment, which gives the new one to both sides",
        )
        return made

    def allow_from_edge(self) -> cloudfront.IOrigin:
        """The load balancer as an origin of a distribution, which shows `secret` with every request.

        To let in nobody else is up to the program: give it the secret's ARN and let it read that.
        """
        by_tls = self._domain is not None
        return origins.HttpOrigin(
            self.host,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY
            if by_tls
            else cloudfront.OriginProtocolPolicy.HTTP_ONLY,
            http_port=None if by_tls else self._port,
            https_port=self._port if by_tls else None,
            custom_headers={SECRET_HEADER: self.secret.secret_value.unsafe_unwrap()},
        )

    def _declare(self, traffic: ConnectionTraffic) -> None:
        declare(
            self.balancer,
            new_connections_per_second=traffic.opened_per_second,
            active_connections_per_minute=traffic.open_at_once,
            processed_gb_per_month=traffic.exchanged_gb,
            cross_zone_gb_per_month=traffic.exchanged_gb * (ZONES - 1) / ZONES,
        )
        if traffic.internet_gb is not None:
            declare(self.balancer, egress_gb_per_month=traffic.internet_gb)

    def _acknowledge(self) -> None:
        acknowledge(
            self.balancer,
            "AwsSolutions-ELB2",
            "its log holds connections by TLS alone; every request is in the program's own log",
        )
        acknowledge(
            self._front,
            "AwsSolutions-EC23",
            "it listens to everyone: clients are everywhere, and CloudFront's addresses are a list that changes",
        )
