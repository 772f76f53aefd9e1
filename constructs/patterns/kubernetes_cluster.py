"""An EKS cluster: nodes in every zone, and a step of the deployment that applies manifests to it."""

from __future__ import annotations

from functools import cached_property

from aws_cdk import Duration, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.deployment_step import DeploymentStep
from patterns.network import HTTPS, Network
from patterns.service_role import ServiceRole

VERSION = "1.35"
ADDONS = ("vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent", "metrics-server")
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
PODS_OF_EACH_NODE, PODS_OF_THE_CLUSTER = 3, 4  # network, proxy and identity; CoreDNS and metrics, twice each
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


class KubernetesCluster(Construct):
    """A control plane and a managed group of `count` nodes in the private subnets; what runs there, a subclass says.

    Load balancing is EKS's own (that of Auto Mode; of its node pools there is none). The API answers inside the VPC
    only, in a sandbox also to the world, for whoever IAM lets in. Attributes: `cluster`, `nodes`, `group` (of the
    nodes and of all pods).
    """

    def __init__(self, scope: Construct, id: str, *, network: Network, node_type: str, count: int) -> None:
        super().__init__(scope, id)
        self._network = network
        self.cluster = self._make_cluster()
        self.nodes = self._make_nodes(node_type, count)
        self._acknowledge(BlueprintStack.around(self).is_production)

    @cached_property
    def group(self) -> ec2.ISecurityGroup:
        """The group that EKS makes for the cluster: its members are the nodes and the pods on them."""
        return ec2.SecurityGroup.from_security_group_id(
            self, "ClusterGroup", self.cluster.attr_cluster_security_group_id, allow_all_outbound=True
        )

    def _make_cluster(self) -> eks.CfnCluster:
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
        for subnet in self._network.public.subnets:
            Tags.of(subnet).add("kubernetes.io/role/elb", "1")  # where an Ingress's load balancer may stand
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
                subnet_ids=self._network.private.subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=not production,
            ),
        )

    def _make_nodes(self, node_type: str, count: int) -> eks.CfnNodegroup:
        role = ServiceRole(
            self, "NodeRole", service="ec2.amazonaws.com", policies=_NODE_POLICIES, reason=_EKS_OWN
        )
        nodes = eks.CfnNodegroup(
            self,
            "Nodes",
            cluster_name=self.cluster.ref,
            node_role=role.role_arn,
            subnets=self._network.private.subnet_ids,
            ami_type="AL2023_ARM_64_STANDARD",
            instance_types=[node_type],
            disk_size=20,
            scaling_config=scaling(count),
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

    def _apply(self, manifests: str, *, ingress: str | None = None) -> DeploymentStep:
        """A step that applies `manifests` (a JSON list) from inside the VPC, when there are nodes.

        With an `ingress` ("namespace/name") it waits for its load balancer, and answers its `Host`.
        """
        step = DeploymentStep(
            self,
            "Manifests",
            handler="lambdas.shared.apply_manifests.handler",
            properties={
                "ClusterName": self.cluster.ref,
                "Endpoint": self.cluster.attr_endpoint,
                "CertificateAuthority": self.cluster.attr_certificate_authority_data,
                "Manifests": manifests,
                **({"Ingress": ingress} if ingress else {}),
            },
            network=self._network,
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
        self.group.connections.allow_from(
            step.worker.connections, HTTPS, "the step that applies the manifests"
        )
        step.resource.node.add_dependency(self.group)  # with that rule: the step's last run needs it, too
        step.resource.node.add_dependency(self.nodes)
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


def scaling(count: int) -> eks.CfnNodegroup.ScalingConfigProperty:
    """Always `count` nodes, as nothing adds any, and one more while they are replaced."""
    return eks.CfnNodegroup.ScalingConfigProperty(min_size=count, desired_size=count, max_size=count + 1)


def pod_role(scope: Construct, id: str) -> iam.Role:
    """A role that pods take by EKS Pod Identity, once a service account is associated with it."""
    return iam.Role(
        scope,
        id,
        assumed_by=iam.ServicePrincipal("pods.eks.amazonaws.com").with_session_tags(),
    )


def pod_identity(
    scope: Construct,
    id: str,
    *,
    cluster: eks.CfnCluster,
    namespace: str,
    service_account: str,
    role: iam.IRole,
) -> eks.CfnPodIdentityAssociation:
    """Gives `role` to the pods of a service account."""
    return eks.CfnPodIdentityAssociation(
        scope,
        id,
        cluster_name=cluster.ref,
        namespace=namespace,
        service_account=service_account,
        role_arn=role.role_arn,
    )
