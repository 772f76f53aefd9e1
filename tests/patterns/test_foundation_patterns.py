"""The constructs of a network and what stands in it, each twice: as it is, and with everything said."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Match, Template

from patterns.backups import Backups
from patterns.blueprint_stack import BlueprintStack
from patterns.bucket import Bucket
from patterns.cache import Cache
from patterns.cdn import Cdn
from patterns.container_program import ContainerProgram
from patterns.dead_letters import DeadLetters
from patterns.deployment_step import DeploymentStep
from patterns.domain import Domain
from patterns.encryption_key import EncryptionKey
from patterns.image_repository import ImageRepository
from patterns.kafka_cluster import KafkaCluster
from patterns.kubernetes_service import KubernetesService
from patterns.network import ZONES, Network
from patterns.network_balancer import ConnectionTraffic, NetworkBalancer
from patterns.operations import Operations
from patterns.postgres import Postgres
from patterns.private_zone import PrivateZone
from patterns.python_function import PythonFunction
from patterns.service_role import ServiceRole
from patterns.traffic import (
    BucketTraffic,
    CacheTraffic,
    DatabaseTraffic,
    EdgeTraffic,
    FunctionTraffic,
    KafkaTraffic,
    NetworkTraffic,
    WebTraffic,
    at_least,
)
from patterns.web_tier import SECRET_HEADER, WebTier
from workbench.catalogue import ROOT
from workbench.review.prices import PriceBook
from workbench.workload import HOURS_PER_MONTH, Figure, Load, Rate

PROGRAM = "services/some_system"


class Somebody(iam.Role):
    """Who calls others from inside a network."""

    def __init__(self, stack: BlueprintStack, network: Network) -> None:
        super().__init__(stack, "Somebody", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        self.connections = ec2.Connections(security_groups=[network.security_group(self, "Somebody")])


class Ground:
    """A stack with a network, and the constructs that stand in it, each made by one call."""

    def __init__(self, stack: BlueprintStack, rate: Rate, load: Load, **network: Any) -> None:
        self.stack, self.rate, self.load, self.one = stack, rate, load, load.quantity("one")
        traffic = NetworkTraffic(self.one, self.one, self.one, self.one, self.one, self.one * 30)
        self.network = Network(stack, "Network", traffic=traffic, **network)

    @property
    def template(self) -> Template:
        return Template.from_stack(self.stack)

    def resources(self, kind: str) -> list[dict[str, Any]]:
        return [dict(each) for each in self.template.find_resources(kind).values()]

    def properties(self, kind: str) -> dict[str, Any]:
        [found] = self.resources(kind)
        return dict(found["Properties"])

    def arn_of(self, kind: str) -> dict[str, list[str]]:
        [name] = self.template.find_resources(kind)
        return {"Fn::GetAtt": [name, "Arn"]}

    def client(self) -> Somebody:
        return Somebody(self.stack, self.network)

    def ports(self) -> list[int]:
        """The ports that are open to who `client` is, and to nobody else by its group."""
        rules = self.resources("AWS::EC2::SecurityGroupIngress")
        found = [rule["Properties"] for rule in rules if "Somebody" in str(rule["Properties"])]
        assert all(rule["FromPort"] == rule["ToPort"] for rule in found)
        return sorted(rule["FromPort"] for rule in found)

    def granted(self) -> dict[str, Any]:
        """Action → resource of what the role of `client` may do."""
        policies = self.template.find_resources(
            "AWS::IAM::Policy", {"Properties": {"PolicyName": Match.string_like_regexp("Somebody")}}
        )
        statements = [
            statement
            for policy in policies.values()
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]
        return {
            action: statement["Resource"]
            for statement in statements
            for action in (
                [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            )
        }

    def function(self, **rest: Any) -> PythonFunction:
        of = self.load.quantity
        traffic = FunctionTraffic(self.rate, of("ms"), of("bytes"), of("one"))
        handler = "lambdas.url_shortener.redirect.handler"
        return PythonFunction(self.stack, "Worker", handler=handler, environment={}, traffic=traffic, **rest)

    def database(self, **rest: Any) -> Postgres:
        traffic = DatabaseTraffic(self.one, self.one, self.one)
        return Postgres(
            self.stack, "Database", network=self.network, database_name="things", traffic=traffic, **rest
        )

    def cache(self, **rest: Any) -> Cache:
        return Cache(
            self.stack, "Cache", network=self.network, traffic=CacheTraffic(self.one, self.one), **rest
        )

    def kafka(self, stored_gb: str = "1", **rest: Any) -> KafkaCluster:
        traffic = KafkaTraffic(self.one, self.one, self.one * stored_gb, self.one)
        return KafkaCluster(self.stack, "Kafka", network=self.network, traffic=traffic, **rest)

    def images(self, **rest: Any) -> ImageRepository:
        return ImageRepository(self.stack, "Images", program=PROGRAM, stored_gb=self.one, **rest)

    def web_traffic(self, per_instance: str = "5") -> WebTraffic:
        return WebTraffic(self.rate, self.one, self.one * per_instance, self.one)

    def program(self, per_instance: str = "5", **rest: Any) -> ContainerProgram:
        traffic = self.web_traffic(per_instance)
        return ContainerProgram(self.images(), "v7", {"NAME": "value"}, traffic, **rest)

    def web(self, program: ContainerProgram | None = None, **rest: Any) -> WebTier:
        return WebTier(self.stack, "Web", network=self.network, program=program or self.program(), **rest)

    def kubernetes(self, program: ContainerProgram | None = None, **rest: Any) -> KubernetesService:
        chosen = program or self.program()
        return KubernetesService(self.stack, "Kubernetes", network=self.network, program=chosen, **rest)

    def cdn(self, web: WebTier, **rest: Any) -> Cdn:
        return Cdn(
            self.stack,
            "Edge",
            web=web,
            traffic=EdgeTraffic(self.rate, self.one, self.rate, self.one),
            **rest,
        )


@pytest.fixture
def ground(stack_of: Any, rate: Rate, load: Load) -> Ground:
    """In production."""
    return Ground(stack_of("production"), rate, load)


@pytest.fixture
def sandbox(stack_of: Any, rate: Rate, load: Load) -> Ground:
    return Ground(stack_of("sandbox"), rate, load)


class TestNetwork:
    def test_in_production_it_has_nine_subnets_in_three_zones_and_a_nat_in_each(self, ground: Ground) -> None:
        template = ground.template
        template.resource_count_is("AWS::EC2::Subnet", 9)
        template.resource_count_is("AWS::EC2::NatGateway", 3)
        zones = {
            json.dumps(each["Properties"]["AvailabilityZone"])
            for each in ground.resources("AWS::EC2::Subnet")
        }
        assert len(zones) == 3
        assert not any(
            each["Properties"]["MapPublicIpOnLaunch"] for each in ground.resources("AWS::EC2::Subnet")
        )
        gateways = ground.resources("AWS::EC2::VPCEndpoint")
        assert {each["Properties"]["VpcEndpointType"] for each in gateways} == {"Gateway"}
        template.has_resource_properties("AWS::EC2::FlowLog", {"TrafficType": "REJECT"})
        template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 30})

    def test_in_a_sandbox_one_small_machine_is_the_nat_and_lets_in_the_vpc_alone(
        self, sandbox: Ground
    ) -> None:
        assert sandbox.network.nat == "instance"
        sandbox.template.resource_count_is("AWS::EC2::NatGateway", 0)
        assert sandbox.properties("AWS::EC2::Instance")["InstanceType"] == "t4g.nano"
        [group] = sandbox.resources("AWS::EC2::SecurityGroup")
        assert [rule["CidrIp"] for rule in group["Properties"]["SecurityGroupIngress"]] == ["10.0.0.0/16"]

    def test_with_everything_said(self, stack_of: Any, rate: Rate, load: Load) -> None:
        ground = Ground(stack_of(), rate, load, nat="none", log_retention=logs.RetentionDays.ONE_DAY)
        ground.template.resource_count_is("AWS::EC2::NatGateway", 0)
        ground.template.resource_count_is("AWS::EC2::Instance", 0)
        ground.template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 1})
        routes = [each["Properties"] for each in ground.resources("AWS::EC2::Route")]
        assert len(routes) == 3, "the public subnets' alone"
        assert all("GatewayId" in each for each in routes)

    @pytest.mark.parametrize(("gigabytes", "pays"), [("625", False), ("627", True)])
    def test_an_interface_endpoint_is_made_where_it_is_cheaper_than_the_nat(
        self, ground: Ground, gigabytes: str, pays: bool
    ) -> None:
        service = ec2.InterfaceVpcEndpointAwsService.KMS
        assert ground.network.reach(service, ground.one * gigabytes) is pays

    def test_what_an_endpoint_and_a_nat_cost_is_what_the_price_book_says(self, ground: Ground) -> None:
        book = PriceBook.load()
        hour, each, through_nat = (
            book[key].tiers[0].price
            for key in ("vpc.endpoint.interface_hour", "vpc.endpoint.interface_gb", "nat.gb_processed")
        )
        equal = HOURS_PER_MONTH * ZONES * hour / (through_nat - each)
        service = ec2.InterfaceVpcEndpointAwsService.KMS
        assert not ground.network.reach(service, Figure(equal * Decimal("0.999"), "a little less"))
        assert ground.network.reach(service, Figure(equal * Decimal("1.001"), "a little more"))

    def test_an_endpoint_may_be_asked_for_and_saves_nothing_where_there_is_no_nat_gateway(
        self, sandbox: Ground
    ) -> None:
        service = ec2.InterfaceVpcEndpointAwsService.KMS
        assert not sandbox.network.reach(service, sandbox.one * 10_000)
        assert sandbox.network.reach(service, sandbox.one, through="endpoint")

    def test_the_gateways_share_what_goes_out_in_the_busiest_second(self, ground: Ground) -> None:
        gateways = ground.template.find_resources("AWS::EC2::NatGateway").values()
        said = [each["Metadata"]["Workload"]["peak_mb_per_second"]["value"] for each in gateways]
        assert said == ["10", "10", "10"]

    def test_what_has_no_endpoint_goes_through_the_nat_gateways_and_is_paid_there(
        self, ground: Ground
    ) -> None:
        service = ec2.InterfaceVpcEndpointAwsService
        ground.network.reach(service.KMS, ground.one * 5_000, through="endpoint")
        ground.network.reach(service.SQS, ground.one * 3_000, through="nat")
        ground.network.reach(service.SNS, ground.one * 100)
        gateways = ground.template.find_resources("AWS::EC2::NatGateway").values()
        said = [each["Metadata"]["Workload"]["processed_gb_per_month"]["value"] for each in gateways]
        assert sum(map(Decimal, said)) == pytest.approx(1 + 3_000 + 100)

    def test_a_security_group_lets_nothing_in_or_out_but_what_is_said(self, ground: Ground) -> None:
        ground.network.security_group(ground.stack, "Some group")
        group = ground.properties("AWS::EC2::SecurityGroup")
        assert "SecurityGroupIngress" not in group
        assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["255.255.255.255/32"]

    def test_one_that_calls_aws_lets_https_out(self, ground: Ground) -> None:
        ground.network.security_group(ground.stack, "Some group", calls_aws=True)
        [rule] = ground.properties("AWS::EC2::SecurityGroup")["SecurityGroupEgress"]
        assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("0.0.0.0/0", 443, 443)


class TestPostgres:
    def test_in_production_it_has_a_standby_is_protected_and_rds_keeps_its_password(
        self, ground: Ground
    ) -> None:
        ground.database()
        [instance] = ground.resources("AWS::RDS::DBInstance")
        assert instance["DeletionPolicy"] == instance["UpdateReplacePolicy"] == "Snapshot"
        properties = instance["Properties"]
        assert (
            properties["MultiAZ"]
            is properties["DeletionProtection"]
            is properties["StorageEncrypted"]
            is True
        )
        assert properties["ManageMasterUserPassword"] is True
        assert properties["PubliclyAccessible"] is False
        assert properties["BackupRetentionPeriod"] == 14
        proxy = ground.properties("AWS::RDS::DBProxy")
        assert proxy["RequireTLS"] is True
        assert [each["IAMAuth"] for each in proxy["Auth"]] == ["REQUIRED"]

    def test_with_everything_said_in_a_sandbox(self, sandbox: Ground) -> None:
        database = sandbox.database(instance_class="db.r7g.large", backup_days=3, user="somebody")
        assert (database.user, database.port, database.database_name) == ("somebody", 5432, "things")
        [instance] = sandbox.resources("AWS::RDS::DBInstance")
        assert instance["DeletionPolicy"] == "Delete"
        properties = instance["Properties"]
        assert properties["DBInstanceClass"] == "db.r7g.large"
        assert properties["MultiAZ"] is properties["DeletionProtection"] is False

    def test_it_is_encrypted_with_the_accounts_key_where_one_is_given(self, ground: Ground) -> None:
        ground.database(key=EncryptionKey(ground.stack, "Key", description="theirs"))
        assert ground.properties("AWS::RDS::DBInstance")["KmsKeyId"] == ground.arn_of("AWS::KMS::Key")

    def test_the_proxys_log_belongs_to_the_stack_and_ends(self, ground: Ground, sandbox: Ground) -> None:
        """RDS would make a group of this name, without an end, and no stack would delete it."""
        sandbox.database()
        ground.database(log_retention=logs.RetentionDays.ONE_WEEK)
        for place, policy, days in ((sandbox, "Delete", 30), (ground, "Retain", 7)):
            [proxy] = place.resources("AWS::RDS::DBProxy")
            name = {"Fn::Join": ["", ["/aws/rds/proxy/", proxy["Properties"]["DBProxyName"]]]}
            bounded = {"LogGroupName": name, "RetentionInDays": days}
            wanted = {"Properties": bounded, "DeletionPolicy": policy}
            [log] = place.template.find_resources("AWS::Logs::LogGroup", wanted)
            assert log in proxy["DependsOn"], "RDS would make the group first"

    def test_who_is_allowed_connects_as_one_user_through_one_proxy(self, ground: Ground) -> None:
        ground.database().allow(ground.client())
        assert ground.ports() == [5432]
        granted = ground.granted()
        assert set(granted) == {"rds-db:connect"}
        assert "/service" in json.dumps(granted["rds-db:connect"])
        assert "DBProxyArn" in json.dumps(granted["rds-db:connect"])


class TestCache:
    def test_in_production_a_node_in_each_zone_with_tls_and_a_token(self, ground: Ground) -> None:
        ground.cache()
        group = ground.properties("AWS::ElastiCache::ReplicationGroup")
        assert group["NumCacheClusters"] == 3
        assert group["AutomaticFailoverEnabled"] is group["MultiAZEnabled"] is True
        assert group["TransitEncryptionEnabled"] is group["AtRestEncryptionEnabled"] is True
        assert "resolve:secretsmanager" in json.dumps(group["AuthToken"])

    def test_with_everything_said(self, sandbox: Ground) -> None:
        sandbox.cache(node_type="cache.r7g.large", nodes=2).allow(sandbox.client())
        assert sandbox.ports() == [6379]
        group = sandbox.properties("AWS::ElastiCache::ReplicationGroup")
        assert (group["CacheNodeType"], group["NumCacheClusters"]) == ("cache.r7g.large", 2)
        assert group["AutomaticFailoverEnabled"] is True
        assert set(sandbox.granted()) == {"secretsmanager:GetSecretValue"}

    def test_a_sandbox_has_one_node(self, sandbox: Ground) -> None:
        sandbox.cache()
        group = sandbox.properties("AWS::ElastiCache::ReplicationGroup")
        assert (group["NumCacheClusters"], group["AutomaticFailoverEnabled"]) == (1, False)


class TestKafkaCluster:
    def test_by_default_three_brokers_that_only_roles_reach_by_tls(self, ground: Ground) -> None:
        ground.kafka()
        [cluster] = ground.resources("AWS::MSK::Cluster")
        assert (
            cluster["DeletionPolicy"] == "Delete"
        )  # kept, it would hold the subnets, and with them the stack
        properties = cluster["Properties"]
        assert properties["NumberOfBrokerNodes"] == 3
        assert properties["ClientAuthentication"]["Sasl"] == {"Iam": {"Enabled": True}}
        assert properties["ClientAuthentication"]["Unauthenticated"] == {"Enabled": False}
        assert properties["EncryptionInfo"]["EncryptionInTransit"] == {
            "ClientBroker": "TLS",
            "InCluster": True,
        }
        settings = ground.properties("AWS::MSK::Configuration")["ServerProperties"]
        assert "min.insync.replicas=2" in json.dumps(settings)

    def test_it_is_encrypted_with_the_accounts_key_where_one_is_given(self, ground: Ground) -> None:
        ground.kafka(key=EncryptionKey(ground.stack, "Key", description="theirs"))
        encrypted = ground.properties("AWS::MSK::Cluster")["EncryptionInfo"]["EncryptionAtRest"]
        assert encrypted == {"DataVolumeKMSKeyId": ground.arn_of("AWS::KMS::Key")}

    def test_with_everything_said_its_volumes_hold_three_copies_and_a_third_more(
        self, sandbox: Ground
    ) -> None:
        kafka = sandbox.kafka(
            "300", instance_type="kafka.m7g.large", log_retention=logs.RetentionDays.ONE_DAY
        )
        assert kafka.topic("Orders", partitions=12, retention_hours=1) == "orders"
        node = sandbox.properties("AWS::MSK::Cluster")["BrokerNodeGroupInfo"]
        assert node["InstanceType"] == "kafka.m7g.large"
        assert node["StorageInfo"]["EBSStorageInfo"]["VolumeSize"] == 400
        topic = sandbox.properties("AWS::MSK::Topic")
        assert (topic["TopicName"], topic["PartitionCount"], topic["ReplicationFactor"]) == ("orders", 12, 3)

    def test_a_writer_may_write_to_one_topic(self, ground: Ground) -> None:
        ground.kafka().allow_writing(ground.client(), "orders")
        assert ground.ports() == [9098]
        assert set(ground.granted()) == {
            "kafka:GetBootstrapBrokers",
            "kafka-cluster:Connect",
            "kafka-cluster:DescribeTopic",
            "kafka-cluster:WriteData",
        }
        assert "/orders" in json.dumps(ground.granted()["kafka-cluster:WriteData"])

    def test_a_consumer_reads_in_its_own_group_and_the_mapping_waits_for_its_grants(
        self, ground: Ground
    ) -> None:
        kafka = ground.kafka()
        kafka.feed(
            ground.function(),
            topic=kafka.topic("Orders", partitions=1),
            records=ground.rate,
            batch_size=7,
            batching_window=Duration.seconds(3),
        )
        [mapping] = ground.resources("AWS::Lambda::EventSourceMapping")
        properties = mapping["Properties"]
        assert (properties["Topics"], properties["BatchSize"]) == (["orders"], 7)
        assert properties["MaximumBatchingWindowInSeconds"] == 3
        assert properties["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": "orders-worker"}
        assert any("DefaultPolicy" in each for each in mapping["DependsOn"])
        assert any("Orders" in each for each in mapping["DependsOn"]), "it waits for its topic"


class TestWebTier:
    def test_by_default_a_machine_a_zone_without_a_key_behind_a_balancer_that_refuses_strangers(
        self, ground: Ground
    ) -> None:
        ground.web()
        group = ground.properties("AWS::AutoScaling::AutoScalingGroup")
        assert (group["MinSize"], group["MaxSize"]) == ("3", "6")
        data = ground.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
        assert "KeyName" not in data
        assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
        assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
        listener = ground.properties("AWS::ElasticLoadBalancingV2::Listener")
        assert listener["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "403"
        rule = ground.properties("AWS::ElasticLoadBalancingV2::ListenerRule")
        assert rule["Conditions"][0]["HttpHeaderConfig"]["HttpHeaderName"] == SECRET_HEADER
        assert "resolve:secretsmanager" in json.dumps(rule["Conditions"])

    def test_with_everything_said(self, sandbox: Ground) -> None:
        sandbox.web(
            sandbox.program(port=9000, health_path="/alive"),
            instance_type="c7g.large",
            log_retention=logs.RetentionDays.ONE_DAY,
        )
        targets = sandbox.properties("AWS::ElasticLoadBalancingV2::TargetGroup")
        assert (targets["Port"], targets["HealthCheckPath"]) == (9000, "/alive")
        data = sandbox.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
        assert data["InstanceType"] == "c7g.large"

    def test_what_is_left_when_a_zone_is_away_carries_the_peak(self, ground: Ground) -> None:
        ground.web(
            ground.program("1")
        )  # ten a second at the peak: ten machines, of which a third may be away
        assert ground.properties("AWS::AutoScaling::AutoScalingGroup")["MaxSize"] == "15"

    def test_its_user_data_runs_the_image_with_its_environment(self, ground: Ground) -> None:
        ground.web()
        text = json.dumps(ground.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"])
        assert "cat > /etc/service.env <<'EOF'\\nNAME=value\\nPORT=8080\\nEOF" in text.replace("\\\\n", "\\n")
        assert "docker run --rm --name service --network host --env-file /etc/service.env" in text
        assert ":v7" in text

    def test_a_program_is_given_longer_to_end_than_it_finishes_its_requests_in(self, ground: Ground) -> None:
        ground.web()
        text = json.dumps(ground.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"])
        [given] = re.findall(r"docker stop (?:-t|--timeout) (\d+) service", text)
        [unit] = re.findall(r"TimeoutStopSec=(\d+)", text)
        main = (ROOT / "services/aws_foundations/src/main.js").read_text()
        [finish, close] = re.findall(r"^const (?:FINISH|CLOSE)_MS = ([\d_]+);", main, re.MULTILINE)
        assert int(unit) * 1_000 > int(given) * 1_000 > int(finish) + int(close)


class TestKubernetesService:
    def test_by_default(self, ground: Ground) -> None:
        ground.kubernetes()
        cluster = ground.properties("AWS::EKS::Cluster")
        assert cluster["ResourcesVpcConfig"]["EndpointPublicAccess"] is False
        assert cluster["DeletionProtection"] is True
        assert cluster["AccessConfig"]["AuthenticationMode"] == "API"
        assert ground.properties("AWS::EKS::Nodegroup")["ScalingConfig"]["MinSize"] == 3
        assert ground.properties("AWS::EKS::PodIdentityAssociation")["Namespace"] == "service"
        kinds = [each["kind"] for each in self._manifests(ground)]
        assert kinds.index("Namespace") == 0
        assert {"Deployment", "Service", "Ingress", "HorizontalPodAutoscaler"} <= set(kinds)

    def test_with_everything_said(self, sandbox: Ground) -> None:
        program = sandbox.program(port=9000, health_path="/alive", ready_path="/ready")
        sandbox.kubernetes(program, name="orders", node_type="m7g.large")
        assert sandbox.properties("AWS::EKS::Cluster")["ResourcesVpcConfig"]["EndpointPublicAccess"] is True
        assert sandbox.properties("AWS::EKS::Nodegroup")["InstanceTypes"] == ["m7g.large"]
        [deployment] = [each for each in self._manifests(sandbox) if each["kind"] == "Deployment"]
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert deployment["metadata"]["namespace"] == "orders"
        assert container["livenessProbe"]["httpGet"] == {"path": "/alive", "port": 9000}
        assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 9000}
        assert {"name": "NAME", "value": "value"} in container["env"]

    @staticmethod
    def _manifests(ground: Ground) -> list[dict[str, Any]]:
        """As they are applied, with what only a deployment knows left as `…`."""
        written = ground.properties("Custom::DeploymentStep")["Manifests"]
        parts = written["Fn::Join"][1] if isinstance(written, dict) else [written]
        found: list[dict[str, Any]] = json.loads(
            "".join(part if isinstance(part, str) else "…" for part in parts)
        )
        return found


class TestCdn:
    def test_in_production_a_web_acl_stands_before_it(self, ground: Ground) -> None:
        cdn = ground.cdn(ground.web())
        acl = ground.properties("AWS::WAFv2::WebACL")
        assert [rule["Name"] for rule in acl["Rules"]][-1] == "RatePerAddress"
        config = ground.properties("AWS::CloudFront::Distribution")["DistributionConfig"]
        assert "WebACLId" in config
        [header] = config["Origins"][0]["OriginCustomHeaders"]
        assert header["HeaderName"] == SECRET_HEADER
        check = ground.properties("AWS::Route53::HealthCheck")["HealthCheckConfig"]
        assert (check["Type"], check["ResourcePath"]) == ("HTTPS", "/health")
        assert cdn.url.startswith("https://")

    def test_with_everything_said(self, sandbox: Ground) -> None:
        domain = Domain("book.example.com", "Z0123456789", "example.com")
        cdn = sandbox.cdn(
            sandbox.web(), protected=True, requests_per_address=100, health_path="/alive", domain=domain
        )
        assert cdn.url == "https://book.example.com"
        [*_, rate] = sandbox.properties("AWS::WAFv2::WebACL")["Rules"]
        assert rate["Statement"]["RateBasedStatement"]["Limit"] == 100
        sandbox.template.has_resource_properties("AWS::Route53::RecordSet", {"Name": "book.example.com."})
        sandbox.template.has_resource_properties(
            "AWS::CertificateManager::Certificate", {"DomainName": "book.example.com"}
        )

    def test_a_sandbox_has_no_web_acl(self, sandbox: Ground) -> None:
        sandbox.cdn(sandbox.web())
        sandbox.template.resource_count_is("AWS::WAFv2::WebACL", 0)


class TestBucket:
    def test_in_production_it_is_private_versioned_and_stays(self, ground: Ground) -> None:
        Bucket(ground.stack, "Files", traffic=BucketTraffic(ground.rate, ground.rate, ground.one, ground.one))
        [bucket] = ground.resources("AWS::S3::Bucket")
        assert bucket["DeletionPolicy"] == "Retain"
        assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
        assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
        ground.template.resource_count_is("Custom::DeploymentStep", 0)

    def test_a_sandboxes_bucket_is_emptied_by_a_step_that_may_do_only_that(self, sandbox: Ground) -> None:
        bucket = Bucket(
            sandbox.stack,
            "Files",
            traffic=BucketTraffic(sandbox.rate, sandbox.rate, sandbox.one, sandbox.one),
            old_versions_days=1,
        )
        bucket.allow(sandbox.client(), "GetObject", prefix="mine/")
        [step] = sandbox.resources("Custom::DeploymentStep")
        assert any("Policy" in each for each in step["DependsOn"]), "its grant goes after it"
        assert set(sandbox.granted()) == {"s3:GetObject"}
        assert "/mine/*" in json.dumps(sandbox.granted()["s3:GetObject"])


class TestTheSmallOnes:
    def test_an_image_repository_says_what_its_images_are_made_of(self, ground: Ground) -> None:
        ground.images(images_kept=3).allow_pulling(ground.client())
        properties = ground.properties("AWS::ECR::Repository")
        assert {"Key": "program", "Value": PROGRAM} in properties["Tags"]
        assert properties["ImageTagMutability"] == "IMMUTABLE"
        assert properties["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert "ecr:BatchGetImage" in ground.granted()
        assert "ecr:PutImage" not in ground.granted()

    def test_backups_in_production_keep_a_monthly_one_and_a_sandboxes_do_not(
        self, stack_of: Any, rate: Rate, load: Load
    ) -> None:
        rules = {}
        for stage in ("production", "sandbox"):
            stack = stack_of(stage)
            arns = ["arn:aws:dynamodb:us-east-1:123456789012:table/things"]
            Backups(stack, "Backups", resource_arns=arns, stored_gb=load.quantity("one"), days=7)
            [plan] = Template.from_stack(stack).find_resources("AWS::Backup::BackupPlan").values()
            rules[stage] = [rule["RuleName"] for rule in plan["Properties"]["BackupPlan"]["BackupPlanRule"]]
        assert rules == {"production": ["nightly", "monthly"], "sandbox": ["nightly"]}

    def test_names_inside_a_network(self, ground: Ground) -> None:
        zone = PrivateZone(
            ground.stack, "Names", name="some.internal", network=ground.network, queries_per_month=ground.one
        )
        zone.balancer("web", ground.web().balancer)
        zone.name("other", "host.example.com")
        [records] = [ground.resources("AWS::Route53::RecordSet")]
        assert {each["Properties"]["Type"] for each in records} == {"A", "CNAME"}
        alias = next(
            each["Properties"]["AliasTarget"] for each in records if "AliasTarget" in each["Properties"]
        )
        assert alias["EvaluateTargetHealth"] is True

    def test_dead_letters_are_kept_for_fourteen_days_and_a_program_may_send_there(
        self, ground: Ground
    ) -> None:
        DeadLetters(ground.stack, "Parked").allow_sending(ground.client())
        assert ground.properties("AWS::SQS::Queue")["MessageRetentionPeriod"] == 14 * 86_400
        assert set(ground.granted()) == {"sqs:SendMessage"}

    def test_who_parks_in_an_encrypted_queue_may_use_its_key_through_sqs(self, ground: Ground) -> None:
        key = EncryptionKey(ground.stack, "Key", description="theirs")
        DeadLetters(ground.stack, "Parked", key=key).allow_sending(ground.client())
        assert ground.properties("AWS::SQS::Queue")["KmsMasterKeyId"] == ground.arn_of("AWS::KMS::Key")
        assert set(ground.granted()) == {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"}

    def test_a_function_in_a_network_has_a_group_of_its_own_in_the_private_subnets(
        self, ground: Ground
    ) -> None:
        function = ground.function(network=ground.network)
        config = ground.properties("AWS::Lambda::Function")["VpcConfig"]
        assert len(config["SubnetIds"]) == 3
        assert len(config["SecurityGroupIds"]) == 1
        assert function.connections.security_groups

    def test_a_deployment_step_has_a_bounded_function(self, ground: Ground) -> None:
        step = DeploymentStep(
            ground.stack,
            "Step",
            handler="lambdas.shared.empty_bucket.handler",
            properties={"Bucket": "some"},
            environment={"A": "b"},
            timeout=Duration.seconds(40),
        )
        assert step.worker.timeout.to_seconds() == 40
        properties = ground.properties("Custom::DeploymentStep")
        assert (properties["Bucket"], properties["ServiceTimeout"]) == ("some", "100")

    def test_a_service_role_is_for_one_service_with_policies_of_aws(self, ground: Ground) -> None:
        ServiceRole(ground.stack, "Role", service="eks.amazonaws.com", policies=["Some"], reason="because")
        found = [
            each["Properties"]
            for each in ground.resources("AWS::IAM::Role")
            if "ManagedPolicyArns" in each["Properties"]
        ]
        assert len(found) == 1
        assert "policy/Some" in json.dumps(found[0]["ManagedPolicyArns"])

    def test_at_least_says_why(self, one: Figure) -> None:
        assert at_least(3, one).value == 3
        assert "the fewest there are" in at_least(3, one).formula
        assert at_least(0, one) is one


class TestOperationsOfTheFoundations:
    def test_each_thing_that_can_fail_has_its_alarms(self, ground: Ground) -> None:
        operations = Operations(ground.stack, "Operations")
        web = ground.web()
        operations.watch_web(web)
        operations.watch_edge(ground.cdn(web))
        operations.watch_database(ground.database())
        operations.watch_kafka(ground.kafka())
        operations.watch_dead_letters(DeadLetters(ground.stack, "Parked"))
        found = {
            (each["Properties"]["MetricName"], each["Properties"]["ComparisonOperator"])
            for each in ground.resources("AWS::CloudWatch::Alarm")
        }
        assert found == {
            ("UnHealthyHostCount", "GreaterThanThreshold"),
            ("HTTPCode_Target_5XX_Count", "GreaterThanThreshold"),
            ("HealthCheckStatus", "LessThanThreshold"),
            ("CPUUtilization", "GreaterThanThreshold"),
            ("OfflinePartitionsCount", "GreaterThanThreshold"),
            ("KafkaDataLogsDiskUsed", "GreaterThanThreshold"),
            ("ApproximateNumberOfMessagesVisible", "GreaterThanThreshold"),
        }

    def test_consumers_that_are_behind_for_a_whole_period_are_told(self, ground: Ground) -> None:
        operations = Operations(ground.stack, "Operations")
        kafka = ground.kafka()
        operations.watch_consumers(kafka, "messages", group="fanout", most=ground.one * 30)
        alarm = ground.properties("AWS::CloudWatch::Alarm")
        assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {
            "Cluster Name": kafka.name,
            "Consumer Group": "fanout",
            "Topic": "messages",
        }
        asked = (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"])
        assert asked == ("AWS/Kafka", "SumOffsetLag", "Minimum", 30)
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert len(alarm["AlarmActions"]) == 1

    def test_a_balancer_without_a_healthy_target_or_any_is_told(self, ground: Ground) -> None:
        operations = Operations(ground.stack, "Operations")
        traffic = ConnectionTraffic(ground.one, ground.one, ground.one)
        operations.watch_balancer(
            NetworkBalancer(ground.stack, "Front", network=ground.network, traffic=traffic, port=80)
        )
        alarm = ground.properties("AWS::CloudWatch::Alarm")
        assert {each["Name"] for each in alarm["Dimensions"]} == {"LoadBalancer", "TargetGroup"}
        asked = (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"])
        assert asked == ("AWS/NetworkELB", "HealthyHostCount", "Minimum", 1)
        assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("LessThanThreshold", "breaching")

    def test_every_step_of_a_deployment_is_watched(self, sandbox: Ground) -> None:
        for name in ("Ours", "Theirs"):
            traffic = BucketTraffic(sandbox.rate, sandbox.rate, sandbox.one, sandbox.one)
            Bucket(sandbox.stack, name, traffic=traffic)
        Operations(sandbox.stack, "Operations").watch_steps()
        watched = {
            str(each["Properties"]["Dimensions"])
            for each in sandbox.resources("AWS::CloudWatch::Alarm")
            if each["Properties"]["MetricName"] == "Errors"
        }
        assert [name for name in ("OursEmptying", "TheirsEmptying") if name not in str(watched)] == []
        assert len(watched) == 2
