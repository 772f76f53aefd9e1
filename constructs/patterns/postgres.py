"""PostgreSQL on RDS, reached through a proxy by roles, not by passwords."""

from __future__ import annotations

from math import ceil

from aws_cdk import ArnFormat, Fn, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.network import Client, Network
from patterns.sizes import database_class
from patterns.traffic import DatabaseTraffic, declare
from workbench.workload import NEVER

PORT = 5432
MAJOR, VERSION = "17", "17.9"
SMALLEST_GB, LARGEST_GB = 20, 65_536  # of a gp3 volume
BORROWED_WITHIN_S = 20  # how long the proxy lets a client wait for a connection


class Postgres(Construct):
    """An instance in the isolated subnets and a proxy before it; with `standby`, as in production, one in two zones.

    RDS makes the master's password, keeps it in a secret and changes it every week; only the proxy reads it.
    A client comes with a token of its role (`allow`), by TLS, to `endpoint` and `port`, as the user `user`. The
    storage grows by itself to twice what the load holds; log lines of statements over a second are kept, with the
    instance, and what the proxy says for `log_retention`.

    Attributes: `instance` (for metrics), `proxy`, `endpoint`, `port`, `database_name`, `user`, `connections`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        database_name: str,
        traffic: DatabaseTraffic,
        instance_class: str | None = None,
        standby: bool | None = None,
        backup_days: int = 14,
        user: str = "service",
        key: kms.IKey | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self._standby = stack.is_production if standby is None else standby
        self.port, self.database_name, self.user = PORT, database_name, user
        self._group = network.security_group(self, f"{id}: the database")
        chosen = instance_class or database_class(traffic.peak_connections)
        self._instance = self._make_instance(network, traffic, chosen, backup_days, key)
        self._instance.apply_removal_policy(
            RemovalPolicy.SNAPSHOT if stack.is_production else RemovalPolicy.DESTROY
        )
        self.instance = rds.DatabaseInstance.from_database_instance_attributes(
            self,
            "Attributes",
            instance_identifier=self._instance.ref,
            instance_endpoint_address=self._instance.attr_endpoint_address,
            port=PORT,
            security_groups=[self._group],
        )
        proxy_side = Construct(self, "ProxySide")
        self._proxy_group = network.security_group(proxy_side, f"{id}: the proxy before the database")
        self.connections = ec2.Connections(
            security_groups=[self._proxy_group], default_port=ec2.Port.tcp(PORT)
        )
        self.instance.connections.allow_from(self._proxy_group, ec2.Port.tcp(PORT), "the proxy")
        self.proxy = self._make_proxy(network)
        self._log_the_proxy(log_retention)
        self.endpoint = self.proxy.attr_endpoint
        self._acknowledge(stack.is_production)
        declare(
            self._instance,
            stored_gb=traffic.stored_gb,
            peak_connections=traffic.peak_connections,
            backup_gb=traffic.backup_gb,
        )

    def allow(self, client: Client) -> iam.Grant:
        """Let `client` connect through the proxy as `user`, and as nobody else."""
        self.connections.allow_default_port_from(client.connections)
        # The last part of "arn:…:db-proxy:prx-…" is what AWS calls the proxy's resource id.
        proxy_id = Fn.select(6, Fn.split(":", self.proxy.attr_db_proxy_arn))
        arn = Stack.of(self).format_arn(
            service="rds-db",
            resource="dbuser",
            resource_name=f"{proxy_id}/{self.user}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return iam.Grant.add_to_principal(grantee=client, actions=["rds-db:connect"], resource_arns=[arn])

    def _make_instance(
        self,
        network: Network,
        traffic: DatabaseTraffic,
        instance_class: str,
        backup_days: int,
        key: kms.IKey | None,
    ) -> rds.CfnDBInstance:
        """In CloudFormation's own words: CDK's would make a secret that only a function could rotate."""
        production = BlueprintStack.around(self).is_production
        held = min(max(SMALLEST_GB, ceil(traffic.stored_gb.value * 5 / 4)), LARGEST_GB)  # a fifth stays free
        subnets = rds.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_description="The isolated subnets",
            subnet_ids=network.isolated.subnet_ids,
        )
        parameters = rds.CfnDBParameterGroup(
            self,
            "Parameters",
            description="TLS only; slow statements in the log",
            family=f"postgres{MAJOR}",
            parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000"},
        )
        return rds.CfnDBInstance(
            self,
            "Instance",
            engine="postgres",
            engine_version=VERSION,
            engine_lifecycle_support="open-source-rds-extended-support-disabled",
            db_instance_class=instance_class,
            db_name=self.database_name,
            port=str(PORT),
            master_username=self.user,
            manage_master_user_password=True,
            enable_iam_database_authentication=True,
            db_subnet_group_name=subnets.ref,
            vpc_security_groups=[self._group.security_group_id],
            db_parameter_group_name=parameters.ref,
            publicly_accessible=False,
            multi_az=self._standby,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=key.key_arn if key else None,
            allocated_storage=str(held),
            max_allocated_storage=min(held * 2, LARGEST_GB),
            backup_retention_period=backup_days if production else 1,
            delete_automated_backups=not production,
            deletion_protection=production,
            auto_minor_version_upgrade=True,
            copy_tags_to_snapshot=True,
            ca_certificate_identifier="rds-ca-rsa2048-g1",
        )

    def _make_proxy(self, network: Network) -> rds.CfnDBProxy:
        secret = self._instance.get_att("MasterUserSecret.SecretArn").to_string()
        role = iam.Role(self, "ProxyRole", assumed_by=iam.ServicePrincipal("rds.amazonaws.com"))
        role.add_to_policy(iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[secret]))
        proxy = rds.CfnDBProxy(
            self,
            "Proxy",
            # A proxy must have a name: the instance's own, which CloudFormation makes up, makes it one of its kind.
            db_proxy_name=self._instance.ref,
            engine_family="POSTGRESQL",
            role_arn=role.role_arn,
            auth=[
                rds.CfnDBProxy.AuthFormatProperty(
                    auth_scheme="SECRETS", iam_auth="REQUIRED", secret_arn=secret
                )
            ],
            require_tls=True,
            vpc_subnet_ids=network.isolated.subnet_ids,
            vpc_security_group_ids=[self._proxy_group.security_group_id],
        )
        proxy.node.add_dependency(role)  # with its policy: the first login reads the secret
        rds.CfnDBProxyTargetGroup(
            self,
            "Targets",
            db_proxy_name=proxy.ref,
            target_group_name="default",
            db_instance_identifiers=[self._instance.ref],
            connection_pool_configuration_info=rds.CfnDBProxyTargetGroup.ConnectionPoolConfigurationInfoFormatProperty(
                max_connections_percent=90,
                max_idle_connections_percent=45,
                connection_borrow_timeout=BORROWED_WITHIN_S,
            ),
        )
        return proxy

    def _log_the_proxy(self, retention: logs.RetentionDays) -> None:
        """The log group that RDS would else make for the proxy, which no stack would delete and nothing would end."""
        log = logs.LogGroup(
            self,
            "ProxyLog",
            log_group_name=f"/aws/rds/proxy/{self.proxy.db_proxy_name}",
            retention=retention,
            removal_policy=BlueprintStack.around(self).removal_policy,
        )
        declare(log, ingested_gb_per_month=NEVER.per_month)  # warnings and worse
        self.proxy.node.add_dependency(log)

    def _acknowledge(self, production: bool) -> None:
        acknowledge(
            self._instance, "AwsSolutions-RDS11", "whoever can scan ports inside the VPC finds it at any port"
        )
        if not self._standby:
            acknowledge(self._instance, "AwsSolutions-RDS3", "no standby was asked for: it doubles the price")
        if not production:
            acknowledge(self._instance, "AwsSolutions-RDS10", "a sandbox leaves nothing behind")
