"""Programs on one cluster and the load balancer before them: as they are, and with everything said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Duration, Validations
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain
from patterns.image_repository import ImageRepository
from patterns.kubernetes_workers import NODES, KubernetesWorkers, Worker
from patterns.network import Network
from patterns.network_balancer import ConnectionTraffic, NetworkBalancer
from patterns.traffic import NetworkTraffic
from patterns.web_tier import SECRET_HEADER
from tests.assemblies import assembly, resource, stack
from workbench import catalogue
from workbench.review import cost, machines
from workbench.review.prices import PriceBook
from workbench.workload import Load

PROGRAM = "services/some_system"


class Ground:
    """A stack with a network, workers, and what stands before them, each made by one call."""

    def __init__(self, stack: BlueprintStack, load: Load) -> None:
        self.stack, self.one = stack, load.quantity("one")
        traffic = NetworkTraffic(self.one, self.one, self.one, self.one, self.one)
        self.network = Network(stack, "Network", traffic=traffic)

    def workers(self, **rest: Any) -> KubernetesWorkers:
        images = ImageRepository(self.stack, "Images", program=PROGRAM, stored_gb=self.one)
        settings: dict[str, Any] = {"image_tag": "v7", "namespace": "chat", **rest}
        return KubernetesWorkers(self.stack, "Workers", network=self.network, images=images, **settings)

    def run(self, workers: KubernetesWorkers, name: str, pods: str = "1", **rest: Any) -> Worker:
        settings: dict[str, Any] = {
            "arguments": [f"services.chat.{name}"],
            "environment": {"NAME": "value"},
            "memory_mb": 512,
            "cpu_milli": 500,
            **rest,
        }
        return workers.run(name, pods=self.one * pods, **settings)

    def balancer(self, **rest: Any) -> NetworkBalancer:
        traffic = ConnectionTraffic(self.one * 9, self.one * 900, self.one * 90)
        settings: dict[str, Any] = {"traffic": traffic, "port": 80, **rest}
        return NetworkBalancer(self.stack, "Balancer", network=self.network, **settings)

    @property
    def template(self) -> Template:
        return Template.from_stack(self.stack)

    def only(self, kind: str) -> dict[str, Any]:
        [found] = self.template.find_resources(kind).values()
        return dict(found)

    def properties(self, kind: str) -> dict[str, Any]:
        return dict(self.only(kind)["Properties"])

    def manifests(self, kind: str) -> dict[str, dict[str, Any]]:
        """Of one kind, by name, as they are applied; what only a deployment knows is left as `…`."""
        parts = self.properties("Custom::DeploymentStep")["Manifests"]["Fn::Join"][1]
        written = json.loads("".join(part if isinstance(part, str) else "…" for part in parts))
        return {each["metadata"]["name"]: each for each in written if each["kind"] == kind}

    def pod(self, name: str) -> dict[str, Any]:
        return dict(self.manifests("Deployment")[name]["spec"]["template"]["spec"])


@pytest.fixture
def ground(stack_of: Callable[..., BlueprintStack], load: Load) -> Ground:
    return Ground(stack_of(), load)


@pytest.fixture
def sandbox(stack_of: Callable[..., BlueprintStack], load: Load) -> Ground:
    return Ground(stack_of("sandbox"), load)


class TestWorkers:
    def test_a_program_is_probed_drained_spread_and_can_write_nowhere_but_to_tmp(
        self, ground: Ground
    ) -> None:
        ground.run(ground.workers(), "fanout")
        pod = ground.pod("fanout")
        [container] = pod["containers"]
        assert container["args"] == ["services.chat.fanout"]
        assert container["image"].endswith(":v7")
        assert container["livenessProbe"]["httpGet"] == {"path": "/health", "port": 8080}
        assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8080}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["volumeMounts"] == [{"name": "scratch", "mountPath": "/tmp"}]
        assert container["resources"] == {
            "requests": {"cpu": "500m", "memory": "512Mi"},
            "limits": {"memory": "512Mi"},
        }
        variables = {each["name"]: each.get("value") or each["valueFrom"] for each in container["env"]}
        assert (variables["NAME"], variables["PORT"]) == ("value", "8080")
        assert variables["POD_IP"] == {"fieldRef": {"fieldPath": "status.podIP"}}
        assert (pod["terminationGracePeriodSeconds"], "lifecycle" in container) == (30, False)
        [spread] = pod["topologySpreadConstraints"]
        assert spread["topologyKey"] == "topology.kubernetes.io/zone"
        assert ground.manifests("PodDisruptionBudget")["fanout"]["spec"]["maxUnavailable"] == 1

    def test_in_production_at_least_two_run_in_a_sandbox_one(self, ground: Ground, sandbox: Ground) -> None:
        for place, least, most in ((ground, 2, 2), (sandbox, 1, 2)):
            place.run(place.workers(), "fanout")
            scaler = place.manifests("HorizontalPodAutoscaler")["fanout"]["spec"]
            assert (scaler["minReplicas"], scaler["maxReplicas"]) == (least, most)

    def test_a_lonely_pod_is_refused_in_production(self, ground: Ground) -> None:
        with pytest.raises(ValueError, match="at least two pods run"):
            ground.run(ground.workers(), "lonely", fewest=1)

    def test_what_is_left_without_a_zone_carries_the_peak(self, ground: Ground) -> None:
        ground.run(ground.workers(), "fanout", pods="9")
        assert ground.manifests("HorizontalPodAutoscaler")["fanout"]["spec"]["maxReplicas"] == 14
        nodes = ground.properties("AWS::EKS::Nodegroup")["ScalingConfig"]["DesiredSize"]
        assert (14 + 1) / 3 < nodes <= ceil((14 + 1) / 3) + 1  # three of 500m a node, and the cluster's own

    def test_each_program_has_a_role_a_service_account_and_a_budget_of_its_own(self, ground: Ground) -> None:
        workers = ground.workers()
        made = [ground.run(workers, name) for name in ("fanout", "media-check")]
        assert [each.deployment for each in made] == ["chat/fanout", "chat/media-check"]
        found = ground.template.find_resources("AWS::EKS::PodIdentityAssociation").values()
        accounts = {each["Properties"]["ServiceAccount"]: each["Properties"]["RoleArn"] for each in found}
        assert set(accounts) == set(ground.manifests("ServiceAccount")) == {"fanout", "media-check"}
        assert accounts["fanout"] != accounts["media-check"]
        assert ground.pod("fanout")["serviceAccountName"] == "fanout"
        assert len(ground.manifests("PodDisruptionBudget")) == 2

    def test_the_step_waits_for_nodes_roles_with_their_policies_and_associations(
        self, ground: Ground
    ) -> None:
        worker = ground.run(ground.workers(), "fanout")
        allowed = iam.PolicyStatement(actions=["sqs:SendMessage"], resources=["arn:aws:sqs:::q"])
        worker.grant_principal.add_to_principal_policy(allowed)
        waited = " ".join(ground.only("Custom::DeploymentStep")["DependsOn"])
        for name in ("Nodes", "FanoutRoleDefaultPolicy", "FanoutPodIdentity", "StepAccess"):
            assert f"Workers{name}" in waited

    def test_a_role_may_do_nothing_that_nobody_granted(self, ground: Ground) -> None:
        ground.run(ground.workers(), "fanout")
        roles = ground.template.find_resources("AWS::IAM::Role")
        [mine] = [each for name, each in roles.items() if name.startswith("WorkersFanoutRole")]
        assert set(mine["Properties"]) == {"AssumeRolePolicyDocument", "Tags"}
        policies = str(ground.template.find_resources("AWS::IAM::Policy"))
        assert "WorkersFanoutRole" not in policies

    @pytest.mark.parametrize(
        ("programs", "size", "count"),
        [
            (1, {"memory_mb": 64, "cpu_milli": 50}, 3),  # one in each zone, whatever is asked
            (
                1,
                {"memory_mb": 1_500, "cpu_milli": 50},
                4,
            ),  # two of 1,500 MiB a node, and seven of each program
            (4, {"memory_mb": 1_500, "cpu_milli": 50}, 15),
            (4, {"memory_mb": 64, "cpu_milli": 800}, 15),  # two of 800m a node
        ],
    )
    def test_the_nodes_have_room_for_the_sum_of_all_programs(
        self, ground: Ground, programs: int, size: dict[str, int], count: int
    ) -> None:
        workers = ground.workers()
        for number in range(programs):
            ground.run(workers, f"program{number}", pods="4", **size)
        nodes = ground.only("AWS::EKS::Nodegroup")
        assert nodes["Properties"]["ScalingConfig"] == {
            "MinSize": count,
            "DesiredSize": count,
            "MaxSize": count + 1,
        }
        declared = nodes["Metadata"]["Workload"]
        assert declared["average_nodes"]["value"] == str(count)
        assert declared["peak_pods"]["value"] == str(programs * 4 + count * 3 + 4)

    def test_a_pod_that_no_node_holds_and_a_node_that_nobody_knows_are_refused(self, ground: Ground) -> None:
        with pytest.raises(ValueError, match="take a larger node_type"):
            ground.run(ground.workers(node_type="t4g.small"), "large", memory_mb=4_000)
        with pytest.raises(ValueError, match=r"a node can be t4g\.small"):
            KubernetesWorkers(
                ground.stack,
                "Others",
                network=ground.network,
                images=ImageRepository(ground.stack, "OtherImages", program=PROGRAM, stored_gb=ground.one),
                image_tag="v1",
                namespace="chat",
                node_type="p5.48xlarge",
            )

    def test_with_everything_said(self, sandbox: Ground) -> None:
        workers = sandbox.workers(image_tag="v9", namespace="talk", node_type="m7g.large")
        worker = sandbox.run(workers, "gateway", fewest=3, port=9000, arguments=["a", "b"])
        assert worker.deployment == "talk/gateway"
        [container] = sandbox.pod("gateway")["containers"]
        assert (container["args"], container["ports"]) == (["a", "b"], [{"containerPort": 9000}])
        assert sandbox.properties("AWS::EKS::Nodegroup")["InstanceTypes"] == ["m7g.large"]
        scaler = sandbox.manifests("HorizontalPodAutoscaler")["gateway"]
        assert (scaler["metadata"]["namespace"], scaler["spec"]["minReplicas"]) == ("talk", 3)
        assert sandbox.properties("AWS::EKS::Cluster")["ResourcesVpcConfig"]["EndpointPublicAccess"] is True


class TestNetworkBalancer:
    def test_it_takes_connections_of_everyone_and_ends_them_with_their_target(self, ground: Ground) -> None:
        made = ground.balancer()
        balancer = ground.properties("AWS::ElasticLoadBalancingV2::LoadBalancer")
        attributes = _attributes(balancer["LoadBalancerAttributes"])
        assert (balancer["Type"], balancer["Scheme"]) == ("network", "internet-facing")
        assert attributes["load_balancing.cross_zone.enabled"] == "true"
        assert attributes["deletion_protection.enabled"] == "true"
        listener = ground.properties("AWS::ElasticLoadBalancingV2::Listener")
        assert (listener["Protocol"], listener["Port"]) == ("TCP", 80)
        group = ground.properties("AWS::ElasticLoadBalancingV2::TargetGroup")
        assert (group["TargetType"], group["Protocol"], group["Port"]) == ("ip", "TCP", 8080)
        assert (group["HealthCheckProtocol"], group["HealthCheckPath"]) == ("HTTP", "/health")
        of_targets = _attributes(group["TargetGroupAttributes"])
        assert of_targets["deregistration_delay.timeout_seconds"] == "45"
        assert of_targets["deregistration_delay.connection_termination.enabled"] == "true"
        assert made.url.startswith("ws://")
        assert made.url.endswith(":80")
        [rule] = [
            each["Properties"]
            for each in ground.template.find_resources("AWS::EC2::SecurityGroup").values()
            if "Balancer" in each["Properties"]["GroupDescription"]
        ]
        assert [each["FromPort"] for each in rule["SecurityGroupIngress"]] == [80]

    def test_the_pods_that_join_are_bound_gated_and_let_it_in(self, ground: Ground) -> None:
        balancer, workers = ground.balancer(), ground.workers()
        ground.run(workers, "gateway", target_group=balancer.targets)
        ground.run(workers, "fanout")
        [binding] = ground.manifests("TargetGroupBinding").values()
        assert binding["apiVersion"] == "eks.amazonaws.com/v1"
        assert binding["spec"]["serviceRef"] == {"name": "gateway", "port": 80}
        assert (binding["spec"]["targetType"], binding["spec"]["targetGroupARN"]) == ("ip", "…")
        assert list(ground.manifests("Service")) == ["gateway"]
        [namespace] = ground.manifests("Namespace").values()
        gate = {"eks.amazonaws.com/pod-readiness-gate-inject": "enabled"}
        assert namespace["metadata"]["labels"] == gate
        tags = ground.properties("AWS::ElasticLoadBalancingV2::TargetGroup")["Tags"]
        [cluster] = ground.template.find_resources("AWS::EKS::Cluster")
        assert {"Key": "eks:eks-cluster-name", "Value": {"Ref": cluster}} in tags
        pod = ground.pod("gateway")
        assert pod["terminationGracePeriodSeconds"] == 45
        assert pod["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
        rules = ground.template.find_resources("AWS::EC2::SecurityGroupIngress").values()
        [way_in] = [each["Properties"] for each in rules if each["Properties"]["FromPort"] == 8080]
        assert "ClusterSecurityGroupId" in str(way_in["GroupId"])
        assert "BalancerFront" in str(way_in["SourceSecurityGroupId"])

    def test_what_binds_a_pod_is_applied_before_it(self, ground: Ground) -> None:
        balancer, workers = ground.balancer(), ground.workers()
        ground.run(workers, "gateway", target_group=balancer.targets)
        parts = ground.properties("Custom::DeploymentStep")["Manifests"]["Fn::Join"][1]
        text = "".join(part for part in parts if isinstance(part, str))
        assert 0 < text.index('"TargetGroupBinding"') < text.index('"Deployment"')

    def test_without_a_target_group_nothing_is_gated(self, ground: Ground) -> None:
        ground.run(ground.workers(), "fanout")
        [namespace] = ground.manifests("Namespace").values()
        assert "labels" not in namespace["metadata"]
        assert ground.manifests("Service") == {}

    def test_only_a_distribution_that_was_asked_for_costs_a_secret(self, ground: Ground) -> None:
        ground.balancer()
        ground.template.resource_count_is("AWS::SecretsManager::Secret", 0)

    def test_a_distribution_shows_it_the_secret(self, sandbox: Ground) -> None:
        from aws_cdk import aws_cloudfront as cloudfront

        origin = sandbox.balancer(port=8443).allow_from_edge()
        cloudfront.Distribution(
            sandbox.stack, "Edge", default_behavior=cloudfront.BehaviorOptions(origin=origin)
        )
        [found] = sandbox.properties("AWS::CloudFront::Distribution")["DistributionConfig"]["Origins"]
        [header] = found["OriginCustomHeaders"]
        assert header["HeaderName"] == SECRET_HEADER
        assert "resolve:secretsmanager" in str(header["HeaderValue"])
        custom = found["CustomOriginConfig"]
        assert (custom["OriginProtocolPolicy"], custom["HTTPPort"]) == ("http-only", 8443)

    def test_with_everything_said(self, sandbox: Ground) -> None:
        domain = Domain("chat.example.com", "Z0123456789", "example.com")
        made = sandbox.balancer(
            port=443, target_port=9000, health_path="/alive", idle=Duration.minutes(20), domain=domain
        )
        assert made.url == "wss://chat.example.com:443"
        listener = sandbox.properties("AWS::ElasticLoadBalancingV2::Listener")
        assert (listener["Protocol"], len(listener["Certificates"])) == ("TLS", 1)
        assert _attributes(listener["ListenerAttributes"])["tcp.idle_timeout.seconds"] == "1200"
        group = sandbox.properties("AWS::ElasticLoadBalancingV2::TargetGroup")
        assert (group["Port"], group["HealthCheckPath"], group["Protocol"]) == (9000, "/alive", "TCP")
        sandbox.template.has_resource_properties("AWS::Route53::RecordSet", {"Name": "chat.example.com."})
        attributes = sandbox.properties("AWS::ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"]
        assert _attributes(attributes)["deletion_protection.enabled"] == "false"


def test_the_review_prices_all_of_it_and_asks_for_nothing_more(ground: Ground) -> None:
    balancer, workers = ground.balancer(), ground.workers()
    ground.run(workers, "gateway", target_group=balancer.targets)
    template = ground.template.to_json()
    bill = cost.price(assembly(template["Resources"], 10_000))
    lines = {each.component: each for each in bill.lines if each.resource.startswith(("Balancer", "Workers"))}
    assert lines["Load balancers (network)"].quantity == 730
    assert lines["Capacity units (network)"].quantity == 90  # by bytes, the most of its dimensions
    assert lines["Data between zones"].quantity == pytest.approx(120)  # two of three GB, paid on both sides
    assert lines["Load balancers (by Kubernetes)"].quantity == 0
    assert [each.component for each in lines.values() if not each.declared] == []


def test_they_are_clean_under_nag_and_acknowledge_nothing_idly(tmp_path: Path, load: Load) -> None:
    app = catalogue.new_app(tmp_path / "assembly", validate=True)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app, verbose=True), ServerlessChecks(app, verbose=True)
    )
    stack = BlueprintStack(app, "some_system", load=load, stage="production", description="A system")
    place = Ground(stack, load)
    balancer, workers = place.balancer(), place.workers()
    balancer.allow_from_edge()
    place.run(workers, "gateway", target_group=balancer.targets)
    place.run(workers, "fanout")
    folder = Path(app.synth().directory)
    reports = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
    assert [each["violations"] for each in reports] == [[], []]
    matched = {
        (violation["ruleName"].partition("[")[0], construct["constructPath"].split("/")[1])
        for each in reports
        for violation in each["suppressedViolations"]
        for construct in violation["violatingConstructs"]
    }
    assert {("AwsSolutions-ELB2", "Balancer"), ("AwsSolutions-EC23", "Balancer")} <= matched
    assert {("AwsSolutions-SMG4", "Balancer"), ("AwsSolutions-EKS2", "Workers")} <= matched
    shutil.rmtree(folder)


@pytest.mark.fast
@pytest.mark.parametrize("node_type", NODES)
def test_a_node_is_as_large_as_the_review_says(node_type: str) -> None:
    cpus, gib, pods = NODES[node_type]
    asked = stack({"Nodes": resource("AWS::EKS::Nodegroup")}).resources["Nodes"]
    assert machines.processors(asked, node_type) == cpus
    assert machines.memory_gib(asked, node_type) == gib
    found = machines.pods(asked, node_type)
    assert found is not None
    assert found.value == pods
    assert f"ec2.linux.{node_type}" in PriceBook.load().prices


def _attributes(listed: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in listed}
