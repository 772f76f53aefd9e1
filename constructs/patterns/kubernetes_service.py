"""A service on EKS: a cluster, nodes in every zone, and the manifests of a deployment with its way in."""

from __future__ import annotations

from decimal import Decimal
from math import ceil

import jsii
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.container_program import ContainerProgram
from patterns.kubernetes_cluster import (
    PODS_OF_EACH_NODE,
    PODS_OF_THE_CLUSTER,
    KubernetesCluster,
    pod_identity,
    pod_role,
)
from patterns.network import ZONES, Network
from patterns.service_manifests import service_manifests
from patterns.traffic import at_least, declare
from workbench.workload import Figure

# Of the service on a t4g.small: seven times 192 MiB are what its memory leaves, less one for those of the cluster.
PODS_A_NODE = 6
ONE = Figure(Decimal(1), "1")


@jsii.implements(iam.IGrantable)
class KubernetesService(KubernetesCluster):
    """`program` in a Deployment, under a role by Pod Identity, scaled on its CPU, behind an Ingress.

    The load balancer comes from EKS itself; a step of the deployment waits for it. Attributes beside the cluster's:
    `host` (of the Ingress's load balancer), `connections` (the nodes' and pods').
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
        traffic = program.traffic
        serving = traffic.requests.peak_per_second / traffic.requests_per_second_per_instance
        pods = max(ZONES, ceil(serving.value))
        count = max(ZONES, ceil(pods / PODS_A_NODE))
        super().__init__(scope, id, network=network, node_type=node_type, count=count)
        self._role = pod_role(self, "PodRole")
        self.connections = ec2.Connections(
            security_groups=[self.group], default_port=ec2.Port.tcp(program.port)
        )
        identity = pod_identity(
            self, "PodIdentity", cluster=self.cluster, namespace=name, service_account=name, role=self._role
        )
        manifests = service_manifests(program, name=name, fewest=ZONES, most=max(2 * ZONES, pods))
        step = self._apply(Stack.of(self).to_json_string(manifests), ingress=f"{name}/{name}")
        step.resource.node.add_dependency(identity, self._role)  # a pod's first call is granted
        self.host = step.resource.get_att_string("Host")
        declare(
            self.cluster,
            load_balancers=ONE,  # the Ingress's, which no template shows
            load_balancer_addresses=ONE * ZONES,
            load_balancer_unit_hours_per_month=traffic.exchanged_gb,  # a unit carries a gigabyte an hour
        )
        # Nothing adds nodes to the group: those of the peak are always there.
        declare(
            self.nodes,
            average_nodes=Figure(Decimal(count), f"{count} nodes"),
            peak_pods=at_least(ZONES, serving) + (count * PODS_OF_EACH_NODE + PODS_OF_THE_CLUSTER),
        )
        acknowledge(
            self._role,
            "AwsSolutions-IAM5[Resource::*]",
            "some actions take no resource, such as the one that finds Kafka's brokers",
        )

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The pods' role."""
        return self._role
