"""The ground that every project stands on. Read it from top to bottom; the page beside it says why."""

from __future__ import annotations

from aws_cdk import App, Aws, CfnOutput, Duration
from aws_cdk import aws_ec2 as ec2

from lambdas.aws_foundations.settings import TOPIC, TOPIC_PARTITIONS, ServiceSettings
from patterns.backups import Backups
from patterns.blueprint_stack import BlueprintStack
from patterns.bucket import Bucket
from patterns.cache import Cache
from patterns.cdn import Cdn
from patterns.container_program import ContainerProgram
from patterns.domain import Domain
from patterns.image_repository import ImageRepository
from patterns.kafka_cluster import KafkaCluster
from patterns.kubernetes_service import KubernetesService
from patterns.network import Network
from patterns.operations import Operations
from patterns.postgres import Postgres
from patterns.private_zone import PrivateZone
from patterns.table import Table
from patterns.web_tier import WebTier
from stacks.aws_foundations.entry_counter import EntryCounter
from stacks.aws_foundations.traffic import Traffic
from stacks.aws_foundations.workload import LOGS_THROUGH
from workbench.blueprint import Stage
from workbench.workload import Load

PROGRAM = "services/aws_foundations"


class AwsFoundations(BlueprintStack):
    """One service on virtual machines and on Kubernetes, and every store that it writes to. In one region."""

    def __init__(self, app: App, *, load: Load, stage: Stage) -> None:
        super().__init__(app, "aws_foundations", load=load, stage=stage, description="AWS foundations")
        traffic = Traffic(load)
        image_tag = str(app.node.try_get_context("image_tag") or "v1")

        # The network: who stands where, and the only ways in and out.
        network = Network(self, "Network", traffic=traffic.network)
        logs = ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS
        network.reach(logs, traffic.log_gb, through=self.chosen(LOGS_THROUGH))

        # Stores. A row is the truth about an entry; the item, the object and the record follow it.
        database = Postgres(
            self,
            "Database",
            network=network,
            database_name="guestbook",
            traffic=traffic.database,
            standby=True,  # also in a sandbox: the promise is that any zone may go
        )
        cache = Cache(self, "Cache", network=network, traffic=traffic.cache)
        kafka = KafkaCluster(self, "Kafka", network=network, traffic=traffic.kafka)
        topic = kafka.topic(TOPIC, partitions=TOPIC_PARTITIONS)
        entries = Table(self, "Entries", partition_key="author", sort_key="entry", traffic=traffic.entries)
        objects = Bucket(self, "Objects", traffic=traffic.objects)

        # Workers: the service twice, from one image, and the function that counts what it wrote.
        images = ImageRepository(self, "Images", program=PROGRAM, stored_gb=traffic.images_gb)
        environment = ServiceSettings(
            aws_region=Aws.REGION,
            database_host=database.endpoint,
            database_port=database.port,
            database_name=database.database_name,
            database_user=database.user,
            table_name=entries.table_name,
            bucket_name=objects.bucket_name,
            kafka_cluster_arn=kafka.cluster_arn,
            kafka_topic=topic,
            cache_host=cache.endpoint,
            cache_port=cache.port,
            cache_token_secret_arn=cache.token.secret_arn,
        ).as_environment()
        program = ContainerProgram(images, image_tag, environment, traffic.web)
        web = WebTier(self, "Web", network=network, program=program)
        pods = KubernetesService(self, "Kubernetes", network=network, program=program, name="guestbook")
        counter = EntryCounter(self, "Counter", kafka=kafka, topic=topic, traffic=traffic)

        # Entrances. Visitors come by the edge; names inside the network lead to what is healthy.
        edge = Cdn(self, "Edge", web=web, traffic=traffic.edge, domain=Domain.from_context(self))
        names = PrivateZone(
            self, "Names", name="foundations.internal", network=network, queries_per_month=traffic.names_asked
        )
        names.balancer("guestbook", web.balancer)

        # Grants: what each program calls and connects to, on what it calls it, and no more.
        for service in (web, pods):
            database.allow(service)
            cache.allow(service)
            kafka.allow_writing(service, topic)
            entries.allow(service, "GetItem", "PutItem", "Query")
            objects.allow(service, "GetObject", "PutObject", prefix="entries/")
            objects.allow_listing(service)

        # Backups and alarms. DynamoDB itself goes back to any second of the last 35 days.
        if self.is_production:  # a vault with a backup in it cannot be deleted, and a sandbox leaves nothing
            arns = [database.instance.instance_arn]
            Backups(self, "Backups", resource_arns=arns, stored_gb=traffic.backups_gb)
        operations = Operations(self, "Operations")
        operations.watch_web(web)
        operations.watch_edge(edge)
        operations.watch_database(database)
        operations.watch_kafka(kafka)
        operations.watch_table(entries)
        operations.watch_function(counter.function, p99=Duration.seconds(8))
        operations.watch_dead_letters(counter.parked)
        operations.watch_steps()

        CfnOutput(self, "Url", value=edge.url)
        CfnOutput(self, "BalancerUrl", value=f"http://{web.balancer.load_balancer_dns_name}")
        CfnOutput(self, "KubernetesUrl", value=f"http://{pods.host}")
        CfnOutput(self, "RepositoryUri", value=images.repository_uri)
        CfnOutput(self, "EntriesTable", value=entries.table_name)
        CfnOutput(self, "AuthorsTable", value=counter.authors.table_name)
        CfnOutput(self, "ObjectsBucket", value=objects.bucket_name)
        CfnOutput(self, "KafkaClusterArn", value=kafka.cluster_arn)
        CfnOutput(self, "DatabaseId", value=database.instance.instance_identifier)
        CfnOutput(self, "CacheId", value=cache.group_id)
        CfnOutput(self, "CountFunctionArn", value=counter.function.function.function_arn)
        CfnOutput(self, "ParkedUrl", value=counter.parked.queue_url)
