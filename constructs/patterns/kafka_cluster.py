"""Kafka on MSK: three brokers in three zones, reached by roles."""

from __future__ import annotations

import json
from math import ceil

from aws_cdk import ArnFormat, Duration, Fn, RemovalPolicy, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_msk as msk
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.network import ZONES, Client, Network
from patterns.python_function import PythonFunction
from patterns.sizes import broker_type
from patterns.traffic import KafkaTraffic, declare
from workbench.workload import NEVER, Rate

IAM_PORT = 9098  # TLS with a token of the client's role, inside the VPC
BROKER_PORTS = ec2.Port.tcp_range(9092, 9098)  # what the brokers say to one another
VERSION = "3.9.x"
COPIES, IN_SYNC = 3, 2
_LAMBDA_IN_THE_NETWORK = (
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
# Every record on three brokers, acknowledged by two: one of them may be lost at any time.
SETTINGS = f"""auto.create.topics.enable=false
default.replication.factor={COPIES}
min.insync.replicas={IN_SYNC}
unclean.leader.election.enable=false
"""


class KafkaCluster(Construct):
    """A broker in each zone's private subnet, with the volumes that the load needs; encrypted, IAM only.

    A topic is declared (`topic`) with every record on three brokers; a client is let write to it (`allow_writing`),
    a function is fed from it (`feed`), and neither has any other.
    Attributes: `cluster_arn`, `name`, `connections`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        traffic: KafkaTraffic,
        instance_type: str | None = None,
        key: kms.IKey | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        # Lambda's pollers stand in the brokers' subnets under this group, and call Lambda from there.
        group = network.security_group(self, f"{id}: the Kafka brokers", calls_aws=True)
        group.connections.allow_internally(BROKER_PORTS, "the brokers among themselves")
        self.connections = ec2.Connections(security_groups=[group], default_port=ec2.Port.tcp(IAM_PORT))
        self._log = logs.LogGroup(self, "Logs", retention=log_retention, removal_policy=stack.removal_policy)
        declare(self._log, ingested_gb_per_month=NEVER.per_month)  # warnings and worse
        self.name = name = (
            f"{stack.stack_name}-{id.lower()}"  # a cluster must have one, and its metrics go by it
        )
        configuration = msk.CfnConfiguration(
            self, "Configuration", name=name, kafka_versions_list=[VERSION], server_properties=SETTINGS
        )
        self._cluster = msk.CfnCluster(
            self,
            "Cluster",
            cluster_name=name,
            kafka_version=VERSION,
            number_of_broker_nodes=ZONES,
            broker_node_group_info=msk.CfnCluster.BrokerNodeGroupInfoProperty(
                client_subnets=network.private.subnet_ids,
                instance_type=instance_type
                or broker_type(
                    traffic.partitions * COPIES / ZONES, traffic.peak_produced_mb_per_second * COPIES / ZONES
                ),
                security_groups=[group.security_group_id],
                storage_info=msk.CfnCluster.StorageInfoProperty(
                    ebs_storage_info=msk.CfnCluster.EBSStorageInfoProperty(
                        # A third more than it holds: a full volume stops the broker.
                        volume_size=max(10, ceil(traffic.stored_gb.value * COPIES / ZONES * 4 / 3))
                    )
                ),
            ),
            client_authentication=msk.CfnCluster.ClientAuthenticationProperty(
                sasl=msk.CfnCluster.SaslProperty(iam=msk.CfnCluster.IamProperty(enabled=True)),
                unauthenticated=msk.CfnCluster.UnauthenticatedProperty(enabled=False),
            ),
            configuration_info=msk.CfnCluster.ConfigurationInfoProperty(
                arn=configuration.attr_arn,
                revision=Token.as_number(configuration.get_att("LatestRevision.Revision")),
            ),
            encryption_info=msk.CfnCluster.EncryptionInfoProperty(
                encryption_at_rest=msk.CfnCluster.EncryptionAtRestProperty(data_volume_kms_key_id=key.key_arn)
                if key
                else None,
                encryption_in_transit=msk.CfnCluster.EncryptionInTransitProperty(
                    client_broker="TLS", in_cluster=True
                ),
            ),
            enhanced_monitoring="PER_BROKER" if stack.is_production else "DEFAULT",
            logging_info=msk.CfnCluster.LoggingInfoProperty(
                broker_logs=msk.CfnCluster.BrokerLogsProperty(
                    cloud_watch_logs=msk.CfnCluster.CloudWatchLogsProperty(
                        enabled=True, log_group=self._log.log_group_name
                    )
                )
            ),
        )
        # A cluster that stayed would hold the subnets, and the stack could never be deleted: in production
        # the stack's termination protection stands before it.
        self._cluster.apply_removal_policy(RemovalPolicy.DESTROY)
        self.cluster_arn = self._cluster.attr_arn
        self._topics: dict[str, msk.CfnTopic] = {}
        declare(
            self._cluster,
            produced_gb_per_month=traffic.produced_gb,
            peak_produced_mb_per_second=traffic.peak_produced_mb_per_second,
            stored_gb=traffic.stored_gb * COPIES,
            partitions=traffic.partitions * COPIES,
        )

    def metric(self, name: str, broker: int | None = None) -> cloudwatch.Metric:
        """A metric of the whole cluster, or of one `broker` (from 1 on), at its worst in a period."""
        of_broker = {} if broker is None else {"Broker ID": str(broker)}
        return cloudwatch.Metric(
            namespace="AWS/Kafka",
            metric_name=name,
            dimensions_map={"Cluster Name": self.name, **of_broker},
            statistic="Maximum",
        )

    def lag(self, topic: str, group: str) -> cloudwatch.Metric:
        """The records of `topic` that `group` has still to read, at their fewest in a period.

        MSK tells it at every level of monitoring, of a group that has committed something, and not while its
        partitions are given out anew ("Monitor consumer lags", Amazon MSK Developer Guide).
        """
        return cloudwatch.Metric(
            namespace="AWS/Kafka",
            metric_name="SumOffsetLag",
            dimensions_map={"Cluster Name": self.name, "Consumer Group": group, "Topic": topic},
            statistic="Minimum",
        )

    def topic(self, id: str, *, partitions: int, retention_hours: int = 168) -> str:
        """Declare a topic, and return its name: `id` in lower case."""
        name = id.lower()
        self._topics[name] = msk.CfnTopic(
            self,
            id,
            cluster_arn=self.cluster_arn,
            topic_name=name,
            partition_count=partitions,
            replication_factor=COPIES,
            configs=Fn.base64(
                json.dumps(
                    {"retention.ms": str(retention_hours * 3_600_000), "min.insync.replicas": str(IN_SYNC)}
                )
            ),
        )
        return name

    def allow_writing(self, client: Client, *topics: str, idempotently: bool = False) -> iam.Grant:
        """Let `client` find the brokers, connect and write to `topics`, and nothing else.

        A producer that is idempotent asks the cluster for an identity first, which takes a leave of its own.
        """
        self.connections.allow_default_port_from(client.connections)
        first, *rest = (self._allow(client, topic, "WriteData") for topic in topics)
        for each in rest:
            first = first.combine(each)
        if not idempotently:
            return first
        return first.combine(
            iam.Grant.add_to_principal(
                grantee=client,
                actions=["kafka-cluster:WriteDataIdempotently"],
                resource_arns=[self.cluster_arn],
            )
        )

    def allow_consuming(self, client: Client, topic: str, *, group: str) -> iam.Grant:
        """Let `client` find the brokers, connect and read one topic as the group `group`, and nothing else."""
        self.connections.allow_default_port_from(client.connections)
        return self._allow_reading(client, topic, group)

    def _allow_reading(self, grantee: iam.IGrantable, topic: str, group: str) -> iam.Grant:
        """Let `grantee` find the brokers and read one topic as one consumer group, and nothing else."""
        grant = self._allow(grantee, topic, "ReadData")
        return grant.combine(
            iam.Grant.add_to_principal(
                grantee=grantee,
                actions=["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"],
                resource_arns=[self._arn_of("group", group)],
            )
        )

    def feed(
        self,
        consumer: PythonFunction,
        *,
        topic: str,
        records: Rate,
        batch_size: int = 100,
        batching_window: Duration | None = None,
    ) -> None:
        """Deliver `topic` to `consumer` in batches, each partition in its order.

        A batch that fails is delivered again until it succeeds, and holds its partition up: the consumer itself
        parks what it can't read. Lambda reads in the consumer's name, from inside the cluster's subnets, as the
        consumer group `<topic>-<consumer>`.
        """
        group = f"{topic}-{consumer.node.id.lower()}"
        mapping = lambda_.EventSourceMapping(
            self,
            f"Delivery-{topic}",
            target=consumer.entry,
            event_source_arn=self.cluster_arn,
            kafka_topic=topic,
            kafka_consumer_group_id=group,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=batch_size,
            max_batching_window=batching_window or Duration.seconds(1),
        )
        for grant in (
            self._allow_reading(consumer, topic, group),
            iam.Grant.add_to_principal(
                grantee=consumer,
                actions=["kafka:DescribeClusterV2", "kafka-cluster:DescribeClusterDynamicConfiguration"],
                resource_arns=[self.cluster_arn],
            ),
            iam.Grant.add_to_principal(
                grantee=consumer,
                actions=list(_LAMBDA_IN_THE_NETWORK),
                resource_arns=[
                    "*"
                ],  # EC2 takes no resource for what it describes, nor for one that is not made yet
            ),
        ):
            mapping.node.add_dependency(grant)
        mapping.node.add_dependency(self._topics[topic])
        acknowledge(
            mapping,
            "Serverless-LambdaEventSourceMappingDestination",
            "its consumer parks what it cannot read; anything else is worth another try",
        )
        declare(mapping, peak_messages_per_second=records.peak_per_second)

    def _allow(self, grantee: iam.IGrantable, topic: str, action: str) -> iam.Grant:
        grants = (
            (["kafka:GetBootstrapBrokers"], "*"),  # it takes no resource; what it tells are names
            (["kafka-cluster:Connect"], self.cluster_arn),
            (["kafka-cluster:DescribeTopic", f"kafka-cluster:{action}"], self._arn_of("topic", topic)),
        )
        first, *rest = (
            iam.Grant.add_to_principal(grantee=grantee, actions=actions, resource_arns=[arn])
            for actions, arn in grants
        )
        for each in rest:
            first = first.combine(each)
        return first

    def _arn_of(self, kind: str, name: str) -> str:
        """`arn:…:topic/<cluster>/<cluster's uuid>/<name>`, from the cluster's own ARN."""
        identity = Fn.select(1, Fn.split(":cluster/", self.cluster_arn))
        return Stack.of(self).format_arn(
            service="kafka",
            resource=kind,
            resource_name=f"{identity}/{name}",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
