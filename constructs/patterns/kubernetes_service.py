"""A service on EKS: a cluster, nodes in every zone, and the manifests of a deployment with its way in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil
from typing import Any

import jsii
from aws_cdk import Duration, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.container_program import ContainerProgram
from patterns.deployment_step import DeploymentStep
from patterns.network import HTTPS, ZONES, Network
from patterns.service_manifests import service_manifests
from patterns.service_role import ServiceRole
from patterns.traffic import at_least, declare
from workbench.workload import Figure

VERSION = "1.35"
ADDONS = ("vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent", "metrics-server")
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
# Of the service on a t4g.small: seven times 192 MiB are what its memory leaves, less one for those of the cluster.
PODS_A_NODE = 6
PODS_OF_EACH_NODE, PODS_OF_THE_CLUSTER = 3, 4  # network, proxy and identity; CoreDNS and metrics, twice each
ONE = Figure(Decimal(1), "1")
_CLUSTER_POLICIES = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
_EKS_OWN = "EKS's own policies: what its control plane and nodes do changes with its releases"
_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly")


@jsii.implements(iam.IGrantable)
class KubernetesService(Construct):
    """`program` in a Deployment, under a role by Pod Identity, scaled on its CPU, behind an Ingress.

    The nodes are a managed group in the private subnets. The load balancer comes from EKS itself (Auto Mode's
    load balancing; of its node pools there is none). A step of the deployment applies the manifests, from inside
    the VPC; the API answers there only, in a sandbox also to the world, for whoever IAM lets in. Attributes:
    `cluster`, `host` (of the Ingress's load balancer), `connections` (the nodes' and pods').
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        program: ContainerProgram,
        name: str = "service",
        node_type: str = "t4g.small",
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self._name, traffic = name, program.traffic
        serving = traffic.requests.peak_per_second / traffic.requests_per_second_per_instance
        self._pods = max(ZONES, ceil(serving.value))
        self._count = max(ZONES, ceil(self._pods / PODS_A_NODE))
        self.cluster = self._make_cluster(network)
        nodes = self._nodes(network, node_type)
        self._role = iam.Role(
            self,
            "PodRole",
            assumed_by=iam.ServicePrincipal("pods.eks.amazonaws.com").with_session_tags(),
        )
        self._group = ec2.SecurityGroup.from_security_group_id(
            self, "ClusterGroup", self.cluster.attr_cluster_security_group_id, allow_all_outbound=True
        )
        self.connections = ec2.Connections(
            security_groups=[self._group], default_port=ec2.Port.tcp(program.port)
        )
        identity = eks.CfnPodIdentityAssociation(
            self,
            "PodIdentity",
            cluster_name=self.cluster.ref,
            namespace=name,
            service_account=name,
            role_arn=self._role.role_arn,
        )
        manifests = service_manifests(program, name=name, fewest=ZONES, most=max(2 * ZONES, self._pods))
        step = self._apply(network, manifests)
        step.resource.node.add_dependency(nodes, identity, self._role)  # a pod's first call is granted
        self.host = step.resource.get_att_string("Host")
        declare(
            self.cluster,
            load_balancers=ONE,  # the Ingress's, which no template shows
            load_balancer_addresses=ONE * ZONES,
            load_balancer_unit_hours_per_month=traffic.exchanged_gb,  # a unit carries a gigabyte an hour
        )
        # Nothing adds nodes to the group: those of the peak are always there.
        declare(
            nodes,
            average_nodes=Figure(Decimal(self._count), f"{self._count} nodes"),
            peak_pods=at_least(ZONES, serving) + (self._count * PODS_OF_EACH_NODE + PODS_OF_THE_CLUSTER),
        )
        self._acknowledge(stack.is_production)
        acknowledge(
            self._role,
            "AwsSolutions-IAM5[Resource::*]",
            "some actions take no resource, such as the one that finds Kafka's brokers",
        )

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The pods' role."""
        return self._role

    def _make_cluster(self, network: Network) -> eks.CfnCluster:
        production = BlueprintStack.around(self).is_production
        role = ServiceRole(
            self, "ClusterRole", service="eks.amazonaws.com", policies=_CLUSTER_POLICIES, reason=_EKS_OWN
        )
        assert role.assume_role_policy is not None
        role.assume_role_policy.add_statements(
            iam.PolicyStatement(
                actions=["sts:TagSession"], principals=[iam.ServicePrincipal("eks.amazonaws.com")]
            )
        )
        for subnet in network.public.subnets:
            Tags.of(subnet).add("kubernetes.io/role/elb", "1")  # where the Ingress's load balancer may stand
        return eks.CfnCluster(
            self,
            "Cluster",
            version=VERSION,
            role_arn=role.role_arn,
            upgrade_policy=eks.CfnCluster.UpgradePolicyProperty(support_type="STANDARD"),
            deletion_protection=production,
            access_config=eks.CfnCluster.AccessConfigProperty(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
            ),
            bootstrap_self_managed_addons=False,
            compute_config=eks.CfnCluster.ComputeConfigProperty(enabled=True, node_pools=[]),
            storage_config=eks.CfnCluster.StorageConfigProperty(
                block_storage=eks.CfnCluster.BlockStorageProperty(enabled=True)
            ),
            kubernetes_network_config=eks.CfnCluster.KubernetesNetworkConfigProperty(
                elastic_load_balancing=eks.CfnCluster.ElasticLoadBalancingProperty(enabled=True)
            ),
            resources_vpc_config=eks.CfnCluster.ResourcesVpcConfigProperty(
                subnet_ids=network.private.subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=not production,
            ),
        )

    def _nodes(self, network: Network, node_type: str) -> eks.CfnNodegroup:
        role = ServiceRole(
            self, "NodeRole", service="ec2.amazonaws.com", policies=_NODE_POLICIES, reason=_EKS_OWN
        )
        nodes = eks.CfnNodegroup(
            self,
            "Nodes",
            cluster_name=self.cluster.ref,
            node_role=role.role_arn,
            subnets=network.private.subnet_ids,
            ami_type="AL2023_ARM_64_STANDARD",
            instance_types=[node_type],
            disk_size=20,
            scaling_config=eks.CfnNodegroup.ScalingConfigProperty(
                min_size=self._count, desired_size=self._count, max_size=self._count + 1
            ),
            update_config=eks.CfnNodegroup.UpdateConfigProperty(max_unavailable=1),
            node_repair_config=eks.CfnNodegroup.NodeRepairConfigProperty(enabled=True),
        )
        for addon in ADDONS:
            made = eks.CfnAddon(
                self,
                f"Addon-{addon}",
                addon_name=addon,
                cluster_name=self.cluster.ref,
                resolve_conflicts="OVERWRITE",
            )
            if addon in (
                "coredns",
                "metrics-server",
            ):  # they run on nodes, which are not ready without the others
                made.add_resource_dependency(nodes)
            else:
                nodes.add_resource_dependency(made)
        return nodes

    def _apply(self, network: Network, manifests: Sequence[Mapping[str, Any]]) -> DeploymentStep:
        step = DeploymentStep(
            self,
            "Manifests",
            handler="lambdas.shared.apply_manifests.handler",
            properties={
                "ClusterName": self.cluster.ref,
                "Endpoint": self.cluster.attr_endpoint,
                "CertificateAuthority": self.cluster.attr_certificate_authority_data,
                "Manifests": Stack.of(self).to_json_string(list(manifests)),
                "Ingress": f"{self._name}/{self._name}",
            },
            network=network,
            timeout=Duration.minutes(15),  # it may wait for a load balancer to come, and one to go
        )
        entry = eks.CfnAccessEntry(
            self,
            "StepAccess",
            cluster_name=self.cluster.ref,
            principal_arn=step.worker.role.role_arn,
            access_policies=[
                eks.CfnAccessEntry.AccessPolicyProperty(
                    policy_arn=ADMIN, access_scope=eks.CfnAccessEntry.AccessScopeProperty(type="cluster")
                )
            ],
        )
        step.resource.node.add_dependency(entry)
        self.connections.allow_from(step.worker.connections, HTTPS, "the step that applies the manifests")
        step.resource.node.add_dependency(self._group)  # with that rule: the step's last run needs it, too
        return step

    def _acknowledge(self, production: bool) -> None:
        for log in _LOGS:
            acknowledge(
                self.cluster,
                f"AwsSolutions-EKS2[LogExport::{log}]",
                "it goes to a group that EKS makes, outlives the stack and never expires; turn on what you read",
            )
        if not production:
            acknowledge(
                self.cluster,
                "AwsSolutions-EKS1",
                "a sandbox's API answers to the world, to those whom IAM lets in",
            )
