"""A cache on ElastiCache: Valkey, encrypted, with replicas where it matters."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, SecretValue
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.network import ZONES, Client, Network
from patterns.sizes import cache_node
from patterns.traffic import CacheTraffic, declare
from workbench.workload import NEVER

PORT = 6379
ENGINE, VERSION = "valkey", "8.2"


class Cache(Construct):
    """One node in the isolated subnets; in production one in each zone, of which one takes over by itself.

    Clients come by TLS with the token in `token`, a secret that `allow` lets them read. What it holds may be
    lost at any time: it is a cache. Attributes: `endpoint`, `port`, `group_id`, `token`,
    `connections`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        traffic: CacheTraffic,
        node_type: str | None = None,
        nodes: int | None = None,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        count = nodes or (ZONES if stack.is_production else 1)
        group = network.security_group(self, f"{id}: the cache")
        self.connections = ec2.Connections(security_groups=[group], default_port=ec2.Port.tcp(PORT))
        self.token = secretsmanager.Secret(
            self,
            "Token",
            description="What clients of the cache show",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=64
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        subnets = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            description="The isolated subnets",
            subnet_ids=network.isolated.subnet_ids,
        )
        self._group = elasticache.CfnReplicationGroup(
            self,
            "Group",
            replication_group_description=f"{stack.stack_name} {id}",
            engine=ENGINE,
            engine_version=VERSION,
            cache_node_type=node_type or cache_node(traffic.stored_gb),
            num_cache_clusters=count,
            automatic_failover_enabled=count > 1,
            multi_az_enabled=count > 1,
            port=PORT,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[group.security_group_id],
            transit_encryption_enabled=True,
            at_rest_encryption_enabled=True,
            auth_token=SecretValue.secrets_manager(self.token.secret_arn).unsafe_unwrap(),
            auto_minor_version_upgrade=True,
            snapshot_retention_limit=0,
        )
        self.endpoint = self._group.attr_primary_end_point_address
        declare(self.token, requests_per_month=NEVER.per_month)  # when a program starts
        self.port = self._group.attr_primary_end_point_port
        self.group_id = self._group.ref
        declare(
            self._group,
            peak_commands_per_second=traffic.peak_commands_per_second,
            stored_gb=traffic.stored_gb,
        )
        acknowledge(
            self.token,
            "AwsSolutions-SMG4",
            "a new token takes two steps at the cache and its clients (ROTATE, then SET), so people do it",
        )
        if count == 1:
            acknowledge(self._group, "AwsSolutions-AEC4", "a sandbox's cache may be away for a while")

    def allow(self, client: Client) -> iam.Grant:
        """Let `client` connect, and read the token."""
        self.connections.allow_default_port_from(client.connections)
        return iam.Grant.add_to_principal(
            grantee=client, actions=["secretsmanager:GetSecretValue"], resource_arns=[self.token.secret_arn]
        )
